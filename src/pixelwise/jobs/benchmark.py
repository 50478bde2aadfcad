"""What timing models found: a row a model, precision, number of threads, batch and size, as text, CSV, JSON and a picture."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.core.arrays import Size
from pixelwise.core.files import make_folder, write_bytes, write_csv, write_json

TRUSTED = ("holds", "the model itself")
_COLUMNS = (
    *("model", "runtime", "precision", "threads", "batch", "height", "width"),
    *("p50_ms", "p90_ms", "p99_ms", "images_a_second", "calls", "proof", "problem"),
)
_BLUE, _GREY = "#0072B2", "#9AA5B1"


@dataclass(frozen=True)
class Row:
    """One model as it was run.

    Attributes:
        model: as it was named.
        runtime, precision, threads: that run it; the precision is empty where the file does not say.
        batch, size: of the images of a call; size is (H, W).
        proof: ``holds``, ``fails``, ``none``, or ``the model itself``.
        seconds: of each call.
        problem: why it was not timed; empty where it was.
    """

    model: str
    runtime: str
    precision: str
    threads: int
    batch: int
    size: Size
    proof: str
    seconds: tuple[float, ...] = ()
    problem: str = ""

    def latency(self, share: float) -> float:
        """Give the seconds that ``share`` of the calls keep to; NaN where there are none."""
        return float(np.quantile(self.seconds, share)) if self.seconds else math.nan

    @property
    def throughput(self) -> float:
        """Images a second: all that were segmented by all the time they took; NaN where there are none."""
        return self.batch * len(self.seconds) / sum(self.seconds) if self.seconds else math.nan

    @property
    def name(self) -> str:
        """The name a reader tells it by."""
        words = [self.model, self.precision, f"{self.threads} thread{'s' * (self.threads != 1)}", f"batch {self.batch}"]
        return ", ".join([*(word for word in words if word), f"{self.size[0]} x {self.size[1]}"])

    def cells(self) -> tuple[Any, ...]:
        """Give the values of the columns; None for what is not known."""
        latencies = [_plain(1000 * self.latency(share)) for share in (0.5, 0.9, 0.99)]
        told = (self.model, self.runtime, self.precision, self.threads, self.batch, *self.size)
        return (*told, *latencies, _plain(self.throughput), len(self.seconds), self.proof, self.problem)


@dataclass(frozen=True)
class Bench:
    """All rows, in the order the models were named."""

    rows: tuple[Row, ...]

    @property
    def picked(self) -> tuple[Row | None, Row | None]:
        """The row of most images a second and that of the shortest median call, among those that can be trusted."""
        trusted = [row for row in self.rows if row.proof in TRUSTED and row.seconds]
        most = max(trusted, key=lambda row: row.throughput, default=None)
        return most, min(trusted, key=lambda row: row.latency(0.5), default=None)

    @property
    def answer(self) -> str:
        """Say which is the fastest that can be trusted, and which was faster and cannot."""
        most, soonest = self.picked
        if most is None or soonest is None:
            return "No model can be named: none that was timed has a proof that holds; pixelwise export makes one."
        lines = [f"Most images a second: {most.name}: {most.throughput:.1f}."]
        lines.append(f"Shortest call: {soonest.name}: {1000 * soonest.latency(0.5):.1f} ms (median).")
        left_out = [row for row in self.rows if row.proof not in TRUSTED and row.seconds and row.throughput > most.throughput]
        if left_out:
            best = max(left_out, key=lambda row: row.throughput)
            why = "its proof failed" if best.proof == "fails" else "it has no proof"
            lines.append(f"{best.name} was faster ({best.throughput:.1f}), but {why}.")
        return " ".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values."""
        most, soonest = self.picked
        return {
            "rows": [dict(zip(_COLUMNS, row.cells(), strict=True)) for row in self.rows],
            "most_images_a_second": None if most is None else most.name,
            "shortest_call": None if soonest is None else soonest.name,
            "answer": self.answer,
        }

    def __str__(self) -> str:
        """Write as a table for the terminal."""
        head = ("model", "runtime", "bits", "threads", "batch", "size", "p50 ms", "p90 ms", "p99 ms", "images/s", "proof")
        lines = [head, *(_shown(row) for row in self.rows)]
        widths = [max(len(line[place]) for line in lines) for place in range(len(head))]
        texts = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
        failed = [f"not timed: {row.name}: {row.problem}" for row in self.rows if row.problem]
        return "\n".join([*texts, *failed, "", self.answer])

    def write(self, folder: Path) -> None:
        """Write ``bench.csv``, ``bench.json`` and ``bench.png`` into a folder.

        Raises:
            StorageError: it cannot be written.
        """
        make_folder(folder)
        write_csv(folder / "bench.csv", _COLUMNS, [["" if cell is None else cell for cell in row.cells()] for row in self.rows])
        write_json(folder / "bench.json", self.to_json())
        write_bytes(folder / "bench.png", plot(self.rows))


def _shown(row: Row) -> tuple[str, ...]:
    latencies = [f"{1000 * row.latency(share):.1f}" if row.seconds else "–" for share in (0.5, 0.9, 0.99)]
    images = f"{row.throughput:.1f}" if row.seconds else "–"
    told = (row.model, row.runtime, row.precision, str(row.threads), str(row.batch), f"{row.size[0]} x {row.size[1]}")
    return (*told, *latencies, images, row.proof)


def plot(rows: Sequence[Row]) -> bytes:
    """Draw images a second and the median call with its 90th percentile, a bar a row, as the bytes of a PNG.

    Rows that cannot be trusted are grey.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    timed = [row for row in rows if row.seconds]
    figure = Figure(figsize=(13, 1.4 + 0.42 * max(1, len(timed))), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2, sharey=True)
    places = range(len(timed))
    colours = [_BLUE if row.proof in TRUSTED else _GREY for row in timed]
    axes[0].barh(places, [row.throughput for row in timed], color=colours)
    medians = [1000 * row.latency(0.5) for row in timed]
    beyond = [[0.0] * len(timed), [1000 * row.latency(0.9) - middle for row, middle in zip(timed, medians, strict=True)]]
    axes[1].barh(places, medians, xerr=beyond, color=colours, ecolor="#444444")
    for axis, title in zip(axes, ("images a second", "milliseconds a call: median, and what 90 % keep to"), strict=True):
        axis.set_title(title, loc="left", fontsize=11)
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="x", alpha=0.3)
    axes[0].set_yticks(places, [row.name if len(row.name) < 60 else f"…{row.name[-58:]}" for row in timed], fontsize=9)
    axes[0].invert_yaxis()
    if any(row.proof not in TRUSTED for row in timed):
        figure.suptitle("grey: no proof that it does what its model does", fontsize=9, x=0.99, ha="right")
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None
