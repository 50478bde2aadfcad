"""Scores of parts of the data: a dot with its interval for each, on the line of the whole."""

from collections.abc import Mapping, Sequence
from typing import Any

from pixelwise.metrics.result import Slice
from pixelwise.report.bars import spot_row
from pixelwise.report.figure import Figure, Key, Table
from pixelwise.report.names import headlines, title_of
from pixelwise.report.numbers import bounds, plain, shown

_MOST = 3  # scores told in numbers beside the one that is drawn


def slice_figures(slices: Sequence[Slice], scores: Mapping[str, Any]) -> list[Figure]:
    """Draw each column by which the images were told apart; nothing where they were not."""
    if not slices:
        return []
    first, *others = headlines(slices[0].scores)[: 1 + _MOST]
    columns: dict[str, list[Slice]] = {}
    for one in slices:
        columns.setdefault(one.column, []).append(one)
    scale = _scale([*slices], first, plain(scores.get(first)))
    return [_column(column, members, first, others, scores, scale) for column, members in columns.items()]


def _scale(slices: Sequence[Slice], first: str, whole: float | None) -> tuple[float, float]:
    """Find the ends of the line all slices are drawn on, so that columns can be compared."""
    ends = [plain(one.scores.get(first)) for one in slices] + [whole]
    ends += [end for one in slices for end in one.intervals.get(first) or ()]
    known = [end for end in ends if end is not None]
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    return (low, high) if high - low > 1e-6 else (low - 0.5, high + 0.5)


def _column(
    column: str,
    members: Sequence[Slice],
    first: str,
    others: Sequence[str],
    scores: Mapping[str, Any],
    scale: tuple[float, float],
) -> Figure:
    whole = plain(scores.get(first))
    rows = []
    for one in members:
        value, interval = plain(one.scores.get(first)), one.intervals.get(first)
        drawing = "" if value is None else spot_row(value, interval, scale, whole)
        numbers = [shown(plain(one.scores.get(name))) for name in others]
        rows.append([one.value, drawing, shown(value), bounds(interval), *numbers, f"{one.count:,}"])
    title = title_of(first)
    head = ("", f"{scale[0]:.2f} to {scale[1]:.2f}", title, "95 % interval", *map(title_of, others), "images")
    notes = {f"{one.value}: {one.note}" for one in members if one.note}
    words = "; ".join(sorted(notes))
    key = (Key(title, "spot"), Key("95 % interval", "span", is_line=True), Key("all images", "zero", is_line=True))
    return Figure(column.replace("_", " "), words=words, key=key, table=Table(head, rows, drawn=1), is_wide=True)
