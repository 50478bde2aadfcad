"""One COCO file as columns: read fast and held small, with the outlines left on the disk until an image asks for them.

A million annotations as Python objects take gigabytes, and every worker of a loader copies them page by page as it counts
references. Here they are a few NumPy arrays; of an outline only its place in the file is kept. The file is mapped, not read,
and must not change meanwhile: each later look checks its size and time.
"""

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET, Raw, UnsetType

from pixelwise.core.arrays import BoolArray, ByteArray, FloatArray, IntArray
from pixelwise.formats.coco_notes import doubled, outside, refuse_twins, strays
from pixelwise.formats.coco_pieces import places_after, read_pieces, stamp_of
from pixelwise.formats.json_file import decoded, without_collector

MARK = "pixelwise"  # in "info": what a file of ours says of itself
_WHAT = "COCO (images, annotations, categories)"
_EMPTY = re.compile(rb"[\s\[\]]*|null")
_EMPTY_BYTES = 64
_NO_BOX = (None,) * 4


class _Image(msgspec.Struct, gc=False):
    id: int | str
    file_name: str
    height: int | float | None = None  # tables of pandas write 640.0
    width: int | float | None = None


class _Annotation(msgspec.Struct, gc=False):
    image_id: int | float | str
    category_id: int | float | None = None  # Make Sense leaves it out where no label was chosen
    id: int | float | str | None = None
    segmentation: Raw | UnsetType = UNSET
    iscrowd: int | bool | float | None = None
    area: float | str | None = None  # a string where NaN was
    bbox: list[float | str | None] | None = None
    attributes: Raw | UnsetType = UNSET
    score: float | int | str | None = None


class _Category(msgspec.Struct, gc=False):
    id: int
    name: str
    supercategory: str | None = None
    isthing: int | bool | None = None
    color: Any = None


class _File(msgspec.Struct, gc=False):
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]
    info: Any = None


class _Info(msgspec.Struct, gc=False):
    images: list[_Image]
    categories: list[_Category]
    info: Any = None


@dataclass(frozen=True)
class Category:
    """One category as the file states it; ``is_thing`` and ``colour`` are None where it does not."""

    id: int
    name: str
    parent: str = ""
    is_thing: bool | None = None
    colour: tuple[int, int, int] | None = None


@dataclass(frozen=True, eq=False)
class Columns:
    """A annotations, those of one image together and in the file's order.

    Attributes:
        starts: (N + 1,) image k has the rows starts[k] to starts[k + 1].
        ids: (A,) the file's own; -1 where it gives none, or none that is a number.
        categories: (A,) rows of the file's categories; -1 for an id that is none of theirs.
        crowd: (A,) crowd marks.
        areas: (A,) as stated; nan where they are not, or make no sense.
        boxes: (A, 4) left, top, right, bottom as stated; nan likewise.
        outlines, attributes: (A, 2) first byte and length in the file; length 0 where there is none.
        scores: (A,) of predictions; nan where none is stated. None for truth.
    """

    starts: IntArray
    ids: IntArray
    categories: IntArray
    crowd: BoolArray
    areas: FloatArray
    boxes: FloatArray
    outlines: IntArray
    attributes: IntArray
    scores: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class CocoFile:
    """A COCO file.

    Attributes:
        path: where it is.
        image_ids, image_names: of its N images.
        sizes: (N, 2) height and width as stated, 0 where they are not.
        categories: in the file's order.
        rows: its annotations.
        unknown: the category id of each row that has one the file does not list.
        about: what a file of ours says of itself.
        notes: what is wrong with it, but does not stop it from being read.
    """

    path: Path
    image_ids: tuple[int | str, ...]
    image_names: tuple[str, ...]
    sizes: IntArray
    categories: tuple[Category, ...]
    rows: Columns
    unknown: Mapping[int, float | None]
    about: Mapping[str, Any]
    notes: tuple[str, ...]
    stamp: tuple[int, int] = field(default=(0, 0), repr=False)

    @cached_property
    def is_box_only(self) -> bool:
        """Tell whether its annotations are boxes, and not one of them has an outline."""
        return not self.rows.outlines[:, 1].any() and bool(np.isfinite(self.rows.boxes).any())

    def pieces(self, places: IntArray) -> list[bytes]:
        """Read pieces (K, 2) of the file, by first byte and length.

        Raises:
            MissingFile, UnreadableFile: it is gone, or has changed since it was read.
        """
        return read_pieces(self.path, self.stamp, places)


def read_coco(path: Path) -> CocoFile:
    """Read a COCO file.

    Raises:
        MissingFile: there is none.
        UnreadableFile: it is empty, cut off, too large, no JSON, or not of COCO's form.
        DataError: two images or two categories have one id.
    """
    path = Path(path)
    with without_collector():
        found, data, skipped = decoded(path, _File, _WHAT)
        head = _Info(found.images, found.categories, found.info)
        return _columns(path, path, head, found.annotations, (data, skipped), is_truth=True)


def read_info(path: Path) -> CocoFile:
    """Read the images and categories of a COCO file, without its annotations, which may be missing.

    Raises:
        MissingFile, UnreadableFile, DataError: as ``read_coco``.
    """
    path = Path(path)
    with without_collector():
        found, data, skipped = decoded(path, _Info, "COCO (images, categories)")
        return _columns(path, path, found, [], (data, skipped), is_truth=True)


def read_results(path: Path, info: Path) -> CocoFile:
    """Read a file of results, whose images and categories are those of the COCO file ``info``.

    Raises:
        MissingFile, UnreadableFile, DataError: as ``read_coco``, for either file.
    """
    path, info = Path(path), Path(info)
    with without_collector():
        head, _, _ = decoded(info, _Info, "COCO (images, categories)")
        found, data, skipped = decoded(path, list[_Annotation], "COCO results (a list of image_id, category_id, score …)")
        return _columns(path, info, head, found, (data, skipped), is_truth=False)


def _columns(
    path: Path, listed: Path, head: _Info, annotations: Sequence[_Annotation], text: tuple[ByteArray, int], *, is_truth: bool
) -> CocoFile:
    """Turn objects into columns; ``text`` is what was decoded of ``path``, and ``listed`` lists the images."""
    image_rows: dict[float | str, int] = {image.id: row for row, image in enumerate(head.images)}
    refuse_twins(listed, "image", [image.id for image in head.images])
    refuse_twins(listed, "category", [category.id for category in head.categories])
    category_rows: dict[float | None, int] = {category.id: row for row, category in enumerate(head.categories)}
    homes = np.array([image_rows.get(one.image_id, -1) for one in annotations], np.int64)
    order = np.argsort(homes, kind="stable")[np.count_nonzero(homes < 0) :]
    categories = np.array([category_rows.get(one.category_id, -1) for one in annotations], np.int32)[order]
    areas = as_numbers([one.area for one in annotations])[order]
    columns = Columns(
        starts=np.searchsorted(homes[order], np.arange(len(head.images) + 1)),
        ids=_wholes([one.id for one in annotations])[order],
        categories=categories,
        crowd=np.array([bool(one.iscrowd) for one in annotations], bool)[order],
        areas=np.where(areas >= 0, areas, np.nan),
        boxes=as_boxes([one.bbox for one in annotations])[order],
        outlines=_outlines([one.segmentation for one in annotations], *text)[order],
        attributes=places_after(b'"attributes"', [one.attributes for one in annotations], *text)[order],
        scores=None if is_truth else as_numbers([one.score for one in annotations])[order],
    )
    heights, widths = (_wholes([getattr(one, side) for one in head.images]) for side in ("height", "width"))
    sizes = np.stack([heights, widths], axis=1).clip(0)
    lost = np.flatnonzero(homes < 0).tolist()
    return CocoFile(
        path=path,
        image_ids=tuple(image.id for image in head.images),
        image_names=tuple(image.file_name for image in head.images),
        sizes=sizes,
        categories=tuple(_category(one) for one in head.categories),
        rows=columns,
        unknown={row: annotations[order[row]].category_id for row in np.flatnonzero(categories < 0).tolist()},
        about=about_of(head.info),
        notes=(
            *strays(path, listed, [(annotations[row].id, annotations[row].image_id) for row in lost]),
            *doubled(path, columns.ids),
            *outside(path, columns.ids, columns.boxes, sizes[homes[order]]),
        ),
        stamp=stamp_of(path.stat()),
    )


def about_of(info: object) -> Mapping[str, Any]:
    """Take what a file of ours says of itself in its ``info``."""
    return about if isinstance(info, dict) and isinstance(about := info.get(MARK), dict) else {}


def _outlines(pieces: Sequence[Raw | UnsetType], data: ByteArray, skipped: int) -> IntArray:
    """Give the places (A, 2) of outlines; ``[]``, ``[[]]`` and ``null``, as box-only tools write them, are none."""
    places = places_after(b'"segmentation"', pieces, data, skipped)
    for row in np.flatnonzero((places[:, 1] > 0) & (places[:, 1] <= _EMPTY_BYTES)).tolist():
        piece = pieces[row]
        if not isinstance(piece, UnsetType) and _EMPTY.fullmatch(memoryview(piece)):
            places[row] = 0
    return places


def _category(one: _Category) -> Category:
    colour = one.color
    is_colour = isinstance(colour, list) and len(colour) == 3 and all(isinstance(c, int) and 0 <= c <= 255 for c in colour)
    is_thing = None if one.isthing is None else bool(one.isthing)
    return Category(one.id, one.name.strip(), one.supercategory or "", is_thing, tuple(colour) if is_colour else None)


def _whole(value: object) -> int:
    """Give a whole number that a column can hold, or -1."""
    number = int(value) if isinstance(value, float) and value.is_integer() else value
    return number if isinstance(number, int) and 0 <= number < 2**63 else -1


def _wholes(values: Sequence[object]) -> IntArray:
    """Give whole numbers that a column can hold, or -1."""
    with contextlib.suppress(OverflowError, TypeError, ValueError):
        found = np.array(values)
        if found.dtype == np.int64:  # ten times as fast as one by one
            return found.clip(-1)
    return np.array([_whole(one) for one in values], np.int64)


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (OverflowError, TypeError, ValueError):
        return np.nan


def as_numbers(stated: Sequence[object]) -> FloatArray:
    """Take numbers (A,); nan for what is none."""
    try:
        return np.array(stated, np.float64)  # ten times as fast as one by one
    except (OverflowError, TypeError, ValueError):
        return np.array([_number(one) for one in stated], np.float64)


def as_boxes(stated: Sequence[Sequence[float | str | None] | None]) -> FloatArray:
    """Take boxes as left, top, right, bottom; nan where four sensible numbers are not stated."""
    boxes = _flat(stated).reshape(-1, 4)
    boxes[(boxes[:, 2:] < 0).any(axis=1) | np.isnan(boxes).any(axis=1)] = np.nan
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def _flat(stated: Sequence[Sequence[float | str | None] | None]) -> FloatArray:
    with contextlib.suppress(OverflowError, TypeError, ValueError):  # twice as fast where every box has four numbers
        if set(map(len, stated)) == {4}:  # type: ignore[arg-type]
            return np.fromiter(chain.from_iterable(stated), np.float64, 4 * len(stated))  # type: ignore[arg-type]
    return as_numbers([part for box in stated for part in (box if box is not None and len(box) == 4 else _NO_BOX)])


def stated_or(stated: FloatArray, measured: Callable[[], IntArray]) -> FloatArray | None:
    """Take what a file states, with what is measured where it is nan; None where it states nothing at all."""
    missing = np.isnan(stated)
    if missing.all():
        return None
    return np.where(missing, measured(), stated) if missing.any() else stated
