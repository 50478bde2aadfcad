"""What an evaluation found: scores, by class, by image, with the rules they follow and what could not be scored."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pixelwise.core.arrays import IntArray
from pixelwise.metrics.interval import Interval

_MOST_COLUMNS = 7  # of the table of classes on a terminal


@dataclass(frozen=True)
class Report:
    """The scores of one predictor on one data set; fractions from 0 to 1, NaN where a score is undefined.

    Attributes:
        scores: by name.
        per_class: scores by class name, then by score name.
        confusion: (L, L + 1) pixels, truth by prediction, the last column predicted void or unknown; None where no metric
            that was asked for counts it.
        classes: the names of its rows.
        per_image: one mapping an image, in the order of the data: ``name`` and its own scores.
        count: the number of images scored.
        rules: what each score means, and how void and absent classes are treated, in words.
        failures: what could not be scored, by the sample's name, and why.
        about: what was scored on what: model, data, split …
        notes: what the reader must know besides, one sentence each.
        intervals: (low, high) by score name, None where none can be told; empty where none were asked for. How they are made
            stands in ``rules``.
        class_intervals: the same by class name, then by score name.
        details: tables for the report page by name, as plain values.
        slices: the scores of parts of the data.
    """

    scores: Mapping[str, float]
    per_class: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    confusion: IntArray | None = None
    classes: tuple[str, ...] = ()
    per_image: tuple[Mapping[str, Any], ...] = ()
    count: int = 0
    rules: Mapping[str, str] = field(default_factory=dict)
    failures: tuple[tuple[str, str], ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    intervals: Mapping[str, Interval | None] = field(default_factory=dict)
    class_intervals: Mapping[str, Mapping[str, Interval | None]] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    slices: "tuple[Slice, ...]" = ()

    def __getitem__(self, name: str) -> float:
        """Give one score."""
        return self.scores[name]

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values: scores and ``<name>_interval`` at the top, None for what is undefined."""
        by_class = {name: joined(values, self.class_intervals.get(name, {})) for name, values in self.per_class.items()}
        return {
            **_plain(joined(self.scores, self.intervals)),
            "per_class": _plain(by_class),
            "count": self.count,
            **_plain(self.about),
            "classes": list(self.classes),
            "confusion": None if self.confusion is None else self.confusion.tolist(),
            "per_image": _plain(self.per_image),
            "failures": [{"name": name, "error": error} for name, error in self.failures],
            "notes": list(self.notes),
            "rules": dict(self.rules),
            **_plain(self.details),
            **({"slices": _slices(self.slices)} if self.slices else {}),
        }

    def __str__(self) -> str:
        """Write as a table for the terminal."""
        what = ", ".join(f"{key} {value}" for key, value in self.about.items() if isinstance(value, str | int))
        lines = [f"{self.count} images" + (f" ({what})" if what else "")]
        width = max((len(name) for name in self.scores), default=0)
        lines += [
            f"  {name:<{width}}  {_shown(value)}" + _bounds(self.intervals.get(name)) for name, value in self.scores.items()
        ]
        lines += _class_table(self.per_class, self.class_intervals)
        lines += _slice_table(self.slices)
        if any(each is not None for each in self.intervals.values()):
            lines += ["", "[low, high]: 95 % interval over images drawn anew; its rule is in --json and the report"]
        lines += [f"note: {note}" for note in self.notes]
        lines += [f"failed: {name}: {error}" for name, error in self.failures]
        return "\n".join(lines)


@dataclass(frozen=True)
class Slice:
    """The scores of some images of a data set.

    Attributes:
        column: by what the images are told apart.
        value: what these have in common.
        count: how many they are.
        scores, intervals: as those of a report.
        note: what the number of images does to the intervals; empty where nothing.
    """

    column: str
    value: str
    count: int
    scores: Mapping[str, float]
    intervals: Mapping[str, Interval | None] = field(default_factory=dict)
    note: str = ""


def _slices(slices: tuple[Slice, ...]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for one in slices:
        values = {"count": one.count, **_plain(joined(one.scores, one.intervals)), **({"note": one.note} if one.note else {})}
        found.setdefault(one.column, {})[one.value] = values
    return found


def joined(scores: Mapping[str, float], intervals: Mapping[str, Interval | None]) -> dict[str, float | Interval | None]:
    """Put each score's interval behind it as ``<name>_interval``."""
    found: dict[str, float | Interval | None] = {}
    for name, value in scores.items():
        found[name] = value
        if name in intervals:
            found[f"{name}_interval"] = intervals[name]
    return found


def _class_table(
    per_class: Mapping[str, Mapping[str, float]], intervals: Mapping[str, Mapping[str, Interval | None]]
) -> list[str]:
    if not per_class:
        return []
    every = list(next(iter(per_class.values())))
    columns = every[:_MOST_COLUMNS]
    width = max(len("class"), *(len(name) for name in per_class))
    first = columns[0]
    rows = [f"  {'class':<{width}}" + "".join(f"  {column:>11}" for column in columns)]
    if any(intervals.values()):
        rows[0] += f"  {first + ' interval':>16}"
    for name, scores in per_class.items():
        line = f"  {name:<{width}}" + "".join(f"  {_shown(scores[column]):>11}" for column in columns)
        rows.append((line + _bounds(intervals.get(name, {}).get(first))).rstrip())
    if len(every) > len(columns):
        rows.append(f"  in --json and the report besides: {', '.join(every[len(columns) :])}")
    return ["", *rows]


def _slice_table(slices: tuple[Slice, ...]) -> list[str]:
    """Show each slice by the first score."""
    if not slices:
        return []
    first = next(iter(slices[0].scores))
    names = [f"{one.column}: {one.value}" for one in slices]
    width = max(len("slice"), *map(len, names))
    rows = [f"  {'slice':<{width}}  {'images':>7}  {first:>11}"]
    for name, one in zip(names, slices, strict=True):
        rows.append(f"  {name:<{width}}  {one.count:>7,}  {_shown(one.scores[first]):>11}" + _bounds(one.intervals.get(first)))
    return ["", *rows]


def _bounds(interval: Interval | None) -> str:
    return "" if interval is None else f"  [{interval[0]:.4f}, {interval[1]:.4f}]"


def _shown(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return "–" if math.isnan(value) else f"{value:.4f}"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
