"""One COCO file as columns: read fast and held small, with the outlines left on the disk until an image asks for them.

A million annotations as Python objects take gigabytes, and every worker of a loader copies them page by page as it counts
references. Here they are a few NumPy arrays; of an outline only its place in the file is kept. The file is mapped, not read,
and must not change meanwhile: each later look checks its size and time.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET, Raw, UnsetType

from pixelwise.core.arrays import BoolArray, FloatArray, IntArray
from pixelwise.core.errors import DataError, MissingFile, UnreadableFile
from pixelwise.formats.json_file import decoded, without_collector

MARK = "pixelwise"  # in "info": what a file of ours says of itself
_WHAT = "COCO (images, annotations, categories)"
_LISTED = 5  # annotations named in one sentence


class _Image(msgspec.Struct, gc=False):
    id: int | str
    file_name: str
    height: int | float | None = None  # tables of pandas write 640.0
    width: int | float | None = None


class _Annotation(msgspec.Struct, gc=False):
    image_id: int | float | str
    category_id: int | float
    id: int | float | str | None = None
    segmentation: Raw | UnsetType = UNSET
    iscrowd: int | bool | float | None = None
    area: float | str | None = None  # a string where NaN was
    bbox: list[float | str | None] | None = None
    attributes: Raw | UnsetType = UNSET


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


class _Head(msgspec.Struct, gc=False):
    images: Raw
    annotations: Raw
    categories: Raw


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
    """

    starts: IntArray
    ids: IntArray
    categories: IntArray
    crowd: BoolArray
    areas: FloatArray
    boxes: FloatArray
    outlines: IntArray
    attributes: IntArray


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
    unknown: Mapping[int, float]
    about: Mapping[str, Any]
    notes: tuple[str, ...]
    stamp: tuple[int, int] = field(default=(0, 0), repr=False)

    def pieces(self, places: IntArray) -> list[bytes]:
        """Read pieces (K, 2) of the file, by first byte and length.

        Raises:
            MissingFile, UnreadableFile: it is gone, or has changed since it was read.
        """
        if not len(places):
            return []
        try:
            with open(self.path, "rb") as file:
                if _stamp(os.fstat(file.fileno())) != self.stamp:
                    raise UnreadableFile(f"{self.path}: the file has changed since it was read; read the data set again")
                found = []
                for first, length in places.tolist():
                    file.seek(first)
                    found.append(file.read(length))
                return found
        except FileNotFoundError:
            raise MissingFile(f"{self.path}: expected the annotations that were there before, found nothing") from None
        except OSError as error:
            raise UnreadableFile(f"{self.path}: cannot be read: {error.strerror or error}") from None


def looks_like_coco(path: Path) -> bool:
    """Tell whether a JSON file holds images, categories and annotations with outlines, without building any of them."""
    try:
        head, data, _ = decoded(path, _Head, _WHAT)
    except (DataError, MissingFile):
        return False
    lists = head.images, head.annotations, head.categories
    if not all(bytes(memoryview(one)[:1]) == b"[" for one in lists):
        return False
    if b"{" not in bytes(memoryview(head.annotations)[:64]):  # nothing is annotated yet
        return b"{" in bytes(memoryview(head.categories)[:64])
    return re.search(rb'"segmentation"', data.data) is not None and re.search(rb'"segments_info"', data.data) is None


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
        return _columns(path, found, data.ctypes.data - skipped)


def _columns(path: Path, found: _File, base: int) -> CocoFile:
    """Turn objects into columns; ``base`` is the address of the file's first byte."""
    image_rows: dict[float | str, int] = {image.id: row for row, image in enumerate(found.images)}
    _refuse_twins(path, "image", [image.id for image in found.images])
    _refuse_twins(path, "category", [category.id for category in found.categories])
    category_rows = {category.id: row for row, category in enumerate(found.categories)}
    homes = np.array([image_rows.get(one.image_id, -1) for one in found.annotations], np.int64)
    order = np.argsort(homes, kind="stable")[np.count_nonzero(homes < 0) :]
    kept = [found.annotations[row] for row in order.tolist()]
    categories = np.array([category_rows.get(one.category_id, -1) for one in kept], np.int32)
    areas = np.array([_number(one.area) for one in kept], np.float64)
    columns = Columns(
        starts=np.searchsorted(homes[order], np.arange(len(found.images) + 1)),
        ids=np.array([_whole(one.id) for one in kept], np.int64),
        categories=categories,
        crowd=np.array([bool(one.iscrowd) for one in kept], bool),
        areas=np.where(areas >= 0, areas, np.nan),
        boxes=_boxes([one.bbox for one in kept]),
        outlines=_places([one.segmentation for one in kept], base),
        attributes=_places([one.attributes for one in kept], base),
    )
    return CocoFile(
        path=path,
        image_ids=tuple(image.id for image in found.images),
        image_names=tuple(image.file_name for image in found.images),
        sizes=np.array([(_whole(one.height), _whole(one.width)) for one in found.images], np.int64).reshape(-1, 2).clip(0),
        categories=tuple(_category(one) for one in found.categories),
        rows=columns,
        unknown={row: kept[row].category_id for row in np.flatnonzero(categories < 0).tolist()},
        about=about if isinstance(found.info, dict) and isinstance(about := found.info.get(MARK), dict) else {},
        notes=(*_strays(path, found.annotations, homes), *_doubled(path, columns.ids)),
        stamp=_stamp(path.stat()),
    )


def _stamp(state: os.stat_result) -> tuple[int, int]:
    return state.st_size, state.st_mtime_ns


def _category(one: _Category) -> Category:
    colour = one.color
    is_colour = isinstance(colour, list) and len(colour) == 3 and all(isinstance(c, int) and 0 <= c <= 255 for c in colour)
    is_thing = None if one.isthing is None else bool(one.isthing)
    return Category(one.id, one.name.strip(), one.supercategory or "", is_thing, tuple(colour) if is_colour else None)


def _refuse_twins(path: Path, what: str, ids: Sequence[int | str]) -> None:
    twins = [one for one, count in Counter(ids).items() if count > 1] if len(set(ids)) < len(ids) else []
    if twins:
        raise DataError(
            f"{path}: two or more {'images' if what == 'image' else 'categories'} have the id {_shown(twins)}, so it is open "
            f"which of them an annotation means; give each its own"
        )


def _strays(path: Path, annotations: Sequence[_Annotation], homes: IntArray) -> Iterator[str]:
    """Tell of annotations of images that the file does not list."""
    if rows := np.flatnonzero(homes < 0).tolist():
        shown = ", ".join(f"{annotations[row].id} (image {annotations[row].image_id})" for row in rows[:_LISTED])
        more = f" and {len(rows) - _LISTED} more" if len(rows) > _LISTED else ""
        yield f"{path}: annotation {shown}{more}: the file lists no such image; left out"


def _doubled(path: Path, ids: IntArray) -> Iterator[str]:
    """Tell of annotation ids that are given twice: other readers keep one of the two alone."""
    values, counts = np.unique(ids[ids >= 0], return_counts=True)
    if (twice := values[counts > 1]).size:
        yield f"{path}: annotation id {_shown(twice.tolist())} is given more than once; all are kept, each needs its own"


def _shown(ids: Sequence[object]) -> str:
    return ", ".join(map(str, ids[:_LISTED])) + (f" and {len(ids) - _LISTED} more" if len(ids) > _LISTED else "")


def _whole(value: object) -> int:
    """Give a whole number that a column can hold, or -1."""
    number = int(value) if isinstance(value, float) and value.is_integer() else value
    return number if isinstance(number, int) and 0 <= number < 2**63 else -1


def _number(value: object) -> float:
    try:
        return float(value) if isinstance(value, int | float) else np.nan
    except OverflowError:
        return np.nan


def _boxes(stated: Sequence[Sequence[float | str | None] | None]) -> FloatArray:
    """Take boxes as left, top, right, bottom; nan where four sensible numbers are not stated."""
    flat = [[_number(part) for part in box] if box is not None and len(box) == 4 else [np.nan] * 4 for box in stated]
    boxes = np.array(flat, np.float64).reshape(-1, 4)
    boxes[(boxes[:, 2:] < 0).any(axis=1) | np.isnan(boxes).any(axis=1)] = np.nan
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def _places(pieces: Sequence[Raw | UnsetType], base: int) -> IntArray:
    """Give the first byte and the length (A, 2) of pieces of the decoded text, which were not copied out of it."""
    found = np.zeros((len(pieces), 2), np.int64)
    for row, piece in enumerate(pieces):
        if not isinstance(piece, UnsetType):
            there = np.frombuffer(piece, np.uint8)
            found[row] = there.__array_interface__["data"][0] - base, there.size
    return found
