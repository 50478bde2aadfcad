"""What became of objects and panoptic segments: hits, misses, inventions, splits and merges, by IoU, size and group."""

from collections.abc import Mapping, Sequence
from typing import Any

from pixelwise.report.axes import closed, dot, frame, line
from pixelwise.report.bars import area_words, stacked_row
from pixelwise.report.figure import Figure, Key, Table
from pixelwise.report.numbers import shown

_BECAME = (
    Key("hit", "hit", "a prediction of its class covers it, IoU above 0.5"),
    Key("missed", "kind-missed", "of the truth, hit by nothing"),
    Key("invented", "kind-invented", "predicted, and hits nothing"),
)


def object_figures(details: Mapping[str, Any]) -> list[Figure]:
    """Draw how hits thin out as more IoU is asked for, and objects by size; nothing where they are not known."""
    curve, sizes = details.get("objects_by_iou") or (), details.get("objects_by_size") or ()
    figures = [_by_iou(curve)] if curve and curve[0]["f1"] is not None else []
    return [*figures, _by_size(sizes)] if any(_size_of(one) for one in sizes) else figures


def _by_iou(curve: Sequence[Mapping[str, Any]]) -> Figure:
    low, high = curve[0]["iou"], curve[-1]["iou"]

    def place(one: Mapping[str, Any]) -> float:
        return float((one["iou"] - low) / (high - low)) if high > low else 0.0

    series = {
        "F1": ("first", "mean over classes", [(one, one["f1"]) for one in curve]),
        "found": ("second", "hits / true objects", [(one, _ratio(one["hits"], one["misses"])) for one in curve]),
        "right": ("third", "hits / predicted objects", [(one, _ratio(one["hits"], one["inventions"])) for one in curve]),
    }
    parts = frame("objects by IoU", [(place(one), f"{one['iou']:.2f}") for one in curve[::2]], "IoU asked for")
    for name, (role, _, values) in series.items():
        known = [(one, value) for one, value in values if value is not None]
        parts.append(line([(place(one), value) for one, value in known], role))
        parts += [dot(place(one), value, role, f"IoU above {one['iou']:.2f}: {name} {value:.4f}") for one, value in known]
    key = [Key(name, role, words, is_line=True) for name, (role, words, _) in series.items()]
    words = "How many objects are hit as more IoU is asked for: what falls early has loose outlines, what starts low is missed."
    rows = [[f"{one['iou']:.2f}", *(shown(one[name]) for name in ("f1", "hits", "misses", "inventions"))] for one in curve]
    table = Table(("IoU above", "F1", "hits", "missed", "invented"), rows)
    return Figure("By IoU", closed(parts), words, key, table, is_wide=True)


def _by_size(sizes: Sequence[Mapping[str, Any]]) -> Figure:
    """Show objects of each size: what became of the true ones, and what was invented."""
    counted = ("objects", "hits", "misses", "splits", "inventions", "merges")
    whole = {name: sum(one[name] for one in sizes) for name in counted}
    rows = [_row("all sizes", whole), *(_row(f"{area_words(one)} px", one) for one in sizes if _size_of(one))]
    head = ("area", "hit, missed and invented", "objects", "hits", "missed", "split", "invented", "merged")
    words = (
        "True objects by their own area, predicted ones by theirs. Split: two or more predictions share in it. Merged: it "
        "shares in two or more true objects (IoU above 0.1)."
    )
    return Figure("By size", words=words, key=_BECAME, table=Table(head, rows, strong=1, drawn=1), is_wide=True)


def _size_of(one: Mapping[str, Any]) -> int:
    return int(one["objects"] + one["inventions"] + one["merges"])


def _row(name: str, one: Mapping[str, Any]) -> list[Any]:
    drawing = _became(one["hits"], one["misses"], one["inventions"])
    return [name, drawing, *(shown(one[key]) for key in ("objects", "hits", "misses", "splits", "inventions", "merges"))]


def _became(hits: int, misses: int, inventions: int) -> Any:
    whole = max(1, hits + misses + inventions)
    parts = zip((hits, misses, inventions), _BECAME, strict=True)
    return stacked_row([(number / whole, key.role, f"{key.name}: {number:,}") for number, key in parts])


def panoptic_figures(details: Mapping[str, Any]) -> list[Figure]:
    """Show panoptic quality of all classes, things and stuff, and what became of their segments."""
    groups = [one for one in details.get("panoptic_groups") or () if one["classes"]]
    if not groups:
        return []
    head = ("", "matched, missed and invented", "PQ", "SQ", "RQ", "classes", "matched", "missed", "invented", "left out")
    rows = [
        [
            one["group"],
            _became(one["tp"], one["fn"], one["fp"]),
            *(shown(one[name]) for name in ("pq", "sq", "rq", "classes", "tp", "fn", "fp", "left_out")),
        ]
        for one in groups
    ]
    unknown = details.get("panoptic_unknown") or 0
    words = (
        "PQ is SQ (the mean IoU of what was matched) times RQ (how well segments are found), class by class, then the mean. "
        "Left out: predicted segments mostly in void or in a crowd."
        + (f" {unknown:,} predicted segments are of classes the truth does not know." if unknown else "")
    )
    key = (Key("matched", "hit", "IoU above 0.5 with a segment of its class"), *_BECAME[1:])
    return [Figure("", words=words, key=key, table=Table(head, rows, strong=1, drawn=1), is_wide=True)]


def _ratio(part: int, rest: int) -> float | None:
    return part / (part + rest) if part + rest else None
