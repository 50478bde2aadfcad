"""What IoU is lost to, in all and class by class: stacked bars with the numbers beside them."""

from collections.abc import Mapping
from typing import Any

from pixelwise.metrics.error_kinds import ERROR_KINDS
from pixelwise.report.bars import stacked_row
from pixelwise.report.figure import Figure, Key, Table
from pixelwise.report.numbers import plain, shown

WORDS = {
    "borders": "within 2 pixels of a border, in segments that are right as wholes",
    "extent": "segments that are right as wholes reach too far, or not far enough",
    "confusion": "the segment was seen, and given another class",
    "missed": "a segment of the truth was not found",
    "invented": "a predicted segment is not there",
}
_PREFIX = "iou_lost_to_"


def error_figures(scores: Mapping[str, Any], per_class: Mapping[str, Mapping[str, Any]]) -> list[Figure]:
    """Draw what IoU was got and lost, of all classes and of each, those that lost most first; nothing where it is not known."""
    rows = {name: losses for name, one in per_class.items() if (losses := _losses(one)) is not None}
    if (whole := _losses(scores)) is None:
        return []
    order = sorted(rows, key=lambda name: -sum(rows[name].values()))
    table = Table(
        ("", "IoU got and lost", "IoU", *(kind.capitalize() for kind in ERROR_KINDS.values())),
        [_row("all classes", whole), *(_row(name, rows[name]) for name in order)],
        strong=1,
        drawn=1,
    )
    key = [
        Key("IoU got", "got", "right pixels / pixels of the class, true or predicted"),
        *(Key(kind, f"kind-{kind}", words) for kind, words in WORDS.items()),
    ]
    words = "Every wrong pixel is of one kind, so what a class got and what it lost add up to 1."
    return [Figure("", words=words, key=key, table=table, is_wide=True)]


def _losses(scores: Mapping[str, Any]) -> dict[str, float] | None:
    found = {kind: plain(scores.get(_PREFIX + kind)) for kind in ERROR_KINDS.values()}
    return None if None in found.values() else found


def _row(name: str, losses: Mapping[str, float]) -> list[Any]:
    got = max(0.0, 1 - sum(losses.values()))
    parts = [(got, "got", f"IoU {got:.4f}")]
    parts += [(lost, f"kind-{kind}", f"lost to {kind}: {lost:.4f}") for kind, lost in losses.items()]
    return [name, stacked_row(parts), shown(got), *(shown(lost) for lost in losses.values())]
