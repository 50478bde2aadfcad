"""Training curves: reading ``history.csv`` and drawing it."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pixelwise.core.errors import MissingFile, UnreadableFile

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row: TypeAlias = Mapping[str, object]  # numbers, None, or text as a CSV file holds it
Points: TypeAlias = list[tuple[float, float]]
_BLUE, _ORANGE, _GREEN, _GREY = "#0072B2", "#D55E00", "#009E73", "#9AA5B1"


def read_history(path: Path) -> list[dict[str, float | None]]:
    """Read a run's ``history.csv``; an empty cell is None.

    Raises:
        MissingFile: there is none.
        UnreadableFile: it is not a table of numbers; the message names the line.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFile(f"{path}: expected the history of a run as CSV, found nothing there")
    rows: list[dict[str, float | None]] = []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for number, row in enumerate(csv.DictReader(file), start=2):
                if None in row or None in row.values():
                    raise UnreadableFile(f"{path}, line {number}: expected as many cells as the header has")
                rows.append({name: float(text) if text.strip() else None for name, text in row.items()})
    except (UnicodeDecodeError, csv.Error, ValueError) as error:
        if isinstance(error, UnreadableFile):
            raise
        raise UnreadableFile(f"{path}: expected a table of numbers, but {error}") from None
    return rows


def points(rows: Iterable[Row], name: str) -> Points:
    """Give the (step, value) pairs of one column, leaving out what is missing or not finite.

    >>> points([{"step": 1, "loss": "0.5"}, {"step": 2, "loss": ""}, {"step": 3, "loss": float("nan")}], "loss")
    [(1.0, 0.5)]
    """
    found = []
    for place, row in enumerate(rows):
        value, step = _number(row.get(name)), _number(row.get("step", place))
        if value is not None:
            found.append((step if step is not None else float(place), value))
    return found


def smoothed(series: Points, window: int) -> Points:
    """Average each point with those up to ``window // 2`` before and after it; fewer at the ends."""
    half = window // 2
    sums = [0.0]
    for _, value in series:
        sums.append(sums[-1] + value)
    spans = [(max(0, place - half), min(len(series), place + half + 1)) for place in range(len(series))]
    return [(step, (sums[high] - sums[low]) / (high - low)) for (step, _), (low, high) in zip(series, spans, strict=True)]


def validation_scores(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """List the columns of validation scores, the one that decides first, with the words for them.

    >>> validation_scores([{"step": 1, "val_ap": 0.2, "val_ap50": 0.5}])
    [('val_ap', 'AP'), ('val_ap50', 'AP50')]
    """
    columns = dict.fromkeys(name for row in rows for name in row if name.startswith("val_") and name != "val_loss")
    words = {"val_miou": "mIoU", "val_pq_things": "PQ of things"}
    return [(name, words.get(name) or _words(name.removeprefix("val_"))) for name in columns]


def _words(name: str) -> str:
    return name.upper() if len(name) <= 4 else name.replace("_", " ")


def curves(rows: Sequence[Row], title: str = "") -> bytes:
    """Draw loss, validation scores and learning rate over steps, as the bytes of a PNG.

    ``rows`` are those of ``history.csv``; there may be none, one, or some with missing or non-finite values.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 3.8), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 3)
    loss, window = points(rows, "loss"), max(3, len(rows) // 25)
    if len(loss) > 20:
        _line(axes[0], loss, _GREY, "each step", width=0.8)
        _line(axes[0], smoothed(loss, window), _BLUE, f"mean of {window // 2 * 2 + 1}")
    else:
        _line(axes[0], loss, _BLUE, "loss")
    _line(axes[0], points(rows, "val_loss"), _ORANGE, "validation")
    for (column, name), colour in zip(validation_scores(rows), (_BLUE, _ORANGE), strict=False):
        _line(axes[1], points(rows, column), colour, name)
    _line(axes[2], points(rows, "lr"), _GREEN, "learning rate")
    for axis, name in zip(axes, ("loss", "validation scores", "learning rate"), strict=True):
        _finish(axis, name)
    last = max((step for axis in axes for line in axis.lines for step in line.get_xdata()), default=1)
    for axis in axes:
        axis.set_xlim(0, 1.02 * max(last, 1))  # one scale, so that the three are read together
    if axes[1].lines:
        axes[1].set_ylim(0, 1.02)
    axes[2].set_ylim(bottom=0)
    if title:
        figure.suptitle(title, fontsize=12)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def _number(value: object) -> float | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    number = float(value)  # type: ignore[arg-type]
    return number if math.isfinite(number) else None


def _line(axis: "Axes", series: Points, colour: str, name: str, width: float = 1.8) -> None:
    if series:
        steps, values = zip(*series, strict=True)
        axis.plot(
            steps, values, color=colour, label=name, linewidth=width, marker="o" if len(series) < 25 else None, markersize=4
        )


def _finish(axis: "Axes", name: str) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_title(name, loc="left", fontsize=11)
    axis.spines[["top", "right"]].set_visible(False)
    if not axis.lines:
        axis.text(0.5, 0.5, "nothing recorded yet", transform=axis.transAxes, ha="center", va="center", color="#666666")
        axis.set(xticks=[], yticks=[])
        return
    axis.set_xlabel("step")
    axis.grid(axis="y", alpha=0.3)
    axis.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    if len(axis.lines) > 1 or name == "validation scores":
        axis.legend(frameon=False, fontsize=9)
