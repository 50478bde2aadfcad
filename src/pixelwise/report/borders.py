"""How well borders fit: IoU of borders beside that of whole classes, and surfaces that have no counterpart."""

from collections.abc import Mapping
from typing import Any

from pixelwise.report.bars import gap_row
from pixelwise.report.figure import Figure, Key, Table
from pixelwise.report.numbers import plain, shown


def border_figures(
    scores: Mapping[str, Any], per_class: Mapping[str, Mapping[str, Any]], details: Mapping[str, Any]
) -> list[Figure]:
    """Draw what of IoU is left at the borders, class by class, and one-sided surfaces; nothing where they are not known."""
    figures = []
    rows = [
        (name, plain(one.get("iou")), plain(one["boundary_iou"]), plain(one.get("boundary_f1")))
        for name, one in per_class.items()
        if plain(one.get("boundary_iou")) is not None and plain(one.get("iou")) is not None
    ]
    if rows and plain(scores.get("miou")) is not None:
        whole = ("all classes", *(plain(scores.get(name)) for name in ("miou", "boundary_iou", "boundary_f1")))
        figures.append(_against_whole([whole, *sorted(rows, key=lambda row: row[2] - row[1])]))
    surfaces = details.get("surfaces") or {}
    if any(_is_one_sided(one) for one in surfaces.values()):
        figures.append(_surfaces(surfaces))
    return figures


def _against_whole(rows: list[tuple[Any, ...]]) -> Figure:
    cells = [
        [
            name,
            gap_row(iou, border),
            shown(iou),
            shown(border),
            "–" if None in (iou, border) else f"{border - iou:+.4f}",
            shown(f1),
        ]
        for name, iou, border, f1 in rows
    ]
    head = ("", "from 0 to 1", "IoU", "Boundary IoU", "difference", "Boundary F1")
    words = (
        "IoU of whole classes, and of the pixels within 2 % of the image diagonal of their edge. Those that lose most come "
        "first: they are found, but their outlines are loose. Thin classes lie wholly within the zone, and lose nothing."
    )
    key = (Key("IoU", "spot"), Key("Boundary IoU", "ring"))
    return Figure("IoU at borders", words=words, key=key, table=Table(head, cells, strong=1, drawn=1), is_wide=True)


def _surfaces(surfaces: Mapping[str, Mapping[str, int]]) -> Figure:
    sides = ("both", "truth_only", "prediction_only")
    rows = [[name, *(shown(one[side]) for side in sides)] for name, one in surfaces.items() if _is_one_sided(one)]
    words = (
        "In how many images a class is there, for the classes that truth or prediction has alone in some. Where only one side "
        "has it there is no distance, so Hausdorff 95 and the "
        "mean surface distance do not see it, and surface Dice is 0."
    )
    table = Table(("class", "in both", "in the truth alone", "in the prediction alone"), rows)
    return Figure("Classes that are on one side alone", words=words, table=table, is_wide=True)


def _is_one_sided(one: Mapping[str, int]) -> bool:
    return one["truth_only"] + one["prediction_only"] > 0
