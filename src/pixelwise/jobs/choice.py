"""What ``choose`` found: a row a method, and an answer."""

import math
from dataclasses import dataclass, field
from typing import Any

from pixelwise.metrics.interval import Interval
from pixelwise.metrics.tally import Tally


@dataclass(frozen=True, eq=False)
class Row:
    """What was found of one method or network.

    Attributes:
        name: of it.
        score: NaN where it could not be scored.
        interval: of the score, 95 %.
        images: it was scored on.
        seconds: of processor time an image, scoring included.
        memory: bytes above what was held before, at the peak; None where the system does not tell.
        problem: why it has no score.
        tally: what was counted.
    """

    name: str
    score: float = math.nan
    interval: Interval | None = None
    images: int = 0
    seconds: float = math.nan
    memory: int | None = None
    problem: str = ""
    tally: Tally | None = field(default=None, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values."""
        return {
            "name": self.name,
            "score": _number(self.score),
            "score_interval": None if self.interval is None else list(self.interval),
            "images": self.images,
            "seconds_per_image": _number(self.seconds),
            "peak_memory": self.memory,
            "problem": self.problem or None,
        }


@dataclass(frozen=True, eq=False)
class Choice:
    """All that was tried, and the answer.

    Attributes:
        metric: the score that decides.
        mark: what is good enough.
        rows: the best first; what could not be scored last.
        chosen: the name of the choice; empty where nothing could be scored.
        verdict: the answer in sentences.
        notes: how images were chosen, and what else to know.
        is_low_better: of the metric.
    """

    metric: str
    mark: float
    rows: tuple[Row, ...]
    chosen: str
    verdict: str
    notes: tuple[str, ...]
    is_low_better: bool = False

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values."""
        return {
            "metric": self.metric,
            "good_enough": self.mark,
            "chosen": self.chosen or None,
            "verdict": self.verdict,
            "methods": [row.to_json() for row in self.rows],
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        """Write as a table for the terminal."""
        width = max((len(row.name) for row in self.rows), default=6)
        lines = [f"{'method':<{width}}  {self.metric:>12}  {'95 %':^17}  {'images':>6}  {'s/image':>8}  {'MB':>6}"]
        lines += [_line(row, width) for row in self.rows]
        return "\n".join([*lines, "", *(f"note: {note}" for note in self.notes), self.verdict])


def _line(row: Row, width: int) -> str:
    if row.problem:
        return f"{row.name:<{width}}  {row.problem}"
    between = "" if row.interval is None else f"{row.interval[0]:.4f} - {row.interval[1]:.4f}"
    memory = "" if row.memory is None else f"{row.memory / 1e6:.0f}"
    return f"{row.name:<{width}}  {row.score:>12.4f}  {between:^17}  {row.images:>6}  {row.seconds:>8.3f}  {memory:>6}"


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
