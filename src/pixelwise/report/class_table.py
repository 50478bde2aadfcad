"""The table of classes: columns by family, each cell with the number it is sorted by."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pixelwise.report.names import FAMILIES, is_lower_better, title_of
from pixelwise.report.numbers import bounds, is_number, plain, shown

FILTERED = 25  # classes from which on the table can be filtered, and scrolls in a window of its own
_SHOWN = 9  # columns that are shown before a reader asks for more
_PRECISION = ("ap", "ap50", "ap75", "ar100")
_COUNTS = frozenset({"pixels", "objects", "hits", "misses", "inventions", "splits", "merges", "tp", "fp", "fn"})
_COLUMNS: dict[str, tuple[str, ...]] = {
    "overlap": ("iou", "dice", "precision", "recall", "accuracy", "pixels"),
    "boundary": ("boundary_iou", "boundary_f1", "boundary_precision", "boundary_recall"),
    "surface": ("hd95", "assd", "nsd"),
    "average_precision": (*_PRECISION, "objects"),
    "box_average_precision": tuple(f"box_{name}" for name in _PRECISION),
    "boundary_average_precision": tuple(f"boundary_{name}" for name in _PRECISION),
    "panoptic_quality": ("pq", "sq", "rq", "tp", "fp", "fn"),
    "parsing_covering": ("pc",),
    "video": ("j_and_f", "j", "f", "objects"),
    "objects": (
        *("object_f1", "object_f1_75", "object_precision", "object_recall", "matched_iou", "dsb_ap", "aji"),
        *("objects", "hits", "misses", "inventions", "splits", "merges", "split_rate", "merge_rate"),
    ),
    "error_kinds": tuple(f"iou_lost_to_{kind}" for kind in ("borders", "extent", "confusion", "missed", "invented")),
}


@dataclass(frozen=True)
class Cell:
    """A number as it is shown, as it is sorted by, and as the length of a bar, None for none."""

    text: str
    value: str
    share: float | None
    interval: str


@dataclass(frozen=True)
class Column:
    """A column; ``group`` is the number of its family."""

    title: str
    group: int


@dataclass(frozen=True)
class Family:
    """Columns that are shown and hidden together."""

    title: str
    size: int
    is_shown: bool


@dataclass(frozen=True)
class ClassRow:
    """The scores of one class."""

    name: str
    colour: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class ClassTable:
    """The table of classes."""

    families: tuple[Family, ...]
    columns: tuple[Column, ...]
    rows: tuple[ClassRow, ...]

    @property
    def is_long(self) -> bool:
        """Tell whether there are so many classes that one looks for them by name."""
        return len(self.rows) > FILTERED


def class_table(per_class: Mapping[str, Mapping[str, Any]], colours: Mapping[str, str]) -> ClassTable | None:
    """Lay out scores by class; None where there are none. The interval stands with the first score of each family."""
    names = dict.fromkeys(name for scores in per_class.values() for name, value in scores.items() if is_number(value))
    families = _families([name for name in names if not name.endswith("_interval")])
    if not families:
        return None
    rows = []
    for name, scores in per_class.items():
        cells = [_cell(column, scores, column == own[0]) for own in families.values() for column in own]
        rows.append(ClassRow(name, colours.get(name, "#808080"), tuple(cells)))
    columns = [Column(title_of(column), group) for group, own in enumerate(families.values()) for column in own]
    return ClassTable(tuple(_told(families)), tuple(columns), tuple(rows))


def _families(names: Iterable[str]) -> dict[str, list[str]]:
    """Sort columns into families, which stay in the order they come in; columns of no known one come last."""
    left = {name: place for place, name in enumerate(names)}
    places = dict(left)
    found = {}
    for family, columns in _COLUMNS.items():
        own = [column for column in columns if column in left]
        if any(column not in _COUNTS for column in own):
            found[family] = own
            for column in own:
                del left[column]
    ordered = dict(sorted(found.items(), key=lambda one: places[one[1][0]]))
    return {**ordered, "other": sorted(left)} if left else ordered


def _told(families: Mapping[str, list[str]]) -> list[Family]:
    """Say which families are shown at first: the first, and those after it for which there is room."""
    told: list[Family] = []
    width = 0
    for family, columns in families.items():
        width += len(columns)
        is_shown = not told or (width <= _SHOWN and family != "error_kinds")  # those have a chart of their own
        told.append(Family(FAMILIES.get(family, "Other scores"), len(columns), is_shown))
    return told


def _cell(column: str, scores: Mapping[str, Any], has_interval: bool) -> Cell:
    value = plain(scores.get(column))
    interval = bounds(scores.get(f"{column}_interval")) if has_interval else ""
    return Cell(shown(value), "" if value is None else repr(value), _share(column, value), interval)


def _share(column: str, value: Any) -> float | None:
    """Give the length of the bar behind a score; counts have none, nor what is better the lower it is."""
    if column in _COUNTS or value is None or not 0 <= value <= 1 or is_lower_better(column):
        return None
    return round(float(value), 4)
