"""One COCO file as columns: read fast and held small, with the outlines left on the disk until an image asks for them.

A million annotations as Python objects take gigabytes, and every worker of a loader copies them page by page as it counts
references. Here they are a few NumPy arrays; of an outline only its place in the file is kept. The file is mapped, not read,
and must not change meanwhile: each later look checks its size and time.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from pixelwise.core.arrays import BoolArray, FloatArray, IntArray
from pixelwise.core.errors import UnreadableFile
from pixelwise.formats.coco.annotations import WHAT, Annotation, Stated, by_address, in_parts, is_mark, stated_by
from pixelwise.formats.coco.notes import doubled, outside, refuse_twins, strays
from pixelwise.formats.coco.numbers import as_areas, as_boxes, rows_of, whole_in, wholes
from pixelwise.formats.coco.pieces import read_pieces, stamp_of
from pixelwise.formats.json_file import decoded, mapped, without_collector

MARK = "pixelwise"  # in "info": what a file of ours says of itself
_LISTED = "COCO (images, categories)"


class _Image(msgspec.Struct, gc=False):
    id: int | float | str
    file_name: str | UnsetType = UNSET
    coco_url: str | UnsetType = UNSET  # LVIS has this alone
    height: int | float | str | None = None  # tables of pandas write 640.0
    width: int | float | str | None = None


class _Category(msgspec.Struct, gc=False):
    id: int | float | str
    name: str
    supercategory: str | None = None
    isthing: int | bool | None = None
    color: Any = None


class _File(msgspec.Struct, gc=False):
    images: list[_Image]
    annotations: list[Annotation]
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
        stamp: tells whether it has changed since.
        are_labelled: whether an image without annotations is one on which nothing is, and not one without labels.
    """

    path: Path
    image_ids: tuple[int | str, ...]
    image_names: tuple[str, ...]
    sizes: IntArray
    categories: tuple[Category, ...]
    rows: Columns
    unknown: Mapping[int, float | str | None]
    about: Mapping[str, Any]
    notes: tuple[str, ...]
    stamp: tuple[int, int] = field(default=(0, 0), repr=False)
    are_labelled: bool = True

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
        data, skipped = mapped(path, WHAT)
        if (found := in_parts(data, skipped, path)) is not None:
            stated, rest = found
            with contextlib.suppress(msgspec.DecodeError, RecursionError, UnicodeDecodeError):
                file = msgspec.json.decode(rest, type=_File)
                if is_mark(file.annotations):
                    return _columns(path, path, _Info(file.images, file.categories, file.info), stated, is_truth=True)
        file, data, skipped = decoded(path, _File, WHAT)
        stated = stated_by(file.annotations, by_address(data, skipped), path)
        return _columns(path, path, _Info(file.images, file.categories, file.info), stated, is_truth=True)


def read_info(path: Path) -> CocoFile:
    """Read the images and categories of a COCO file, without its annotations, which may be missing.

    Raises:
        MissingFile, UnreadableFile, DataError: as ``read_coco``.
    """
    path = Path(path)
    with without_collector():
        found, data, skipped = decoded(path, _Info, _LISTED)
        return _columns(path, path, found, stated_by([], by_address(data, skipped), path), is_truth=True)


def read_results(path: Path, info: Path) -> CocoFile:
    """Read a file of results, whose images and categories are those of the COCO file ``info``.

    Raises:
        MissingFile, UnreadableFile, DataError: as ``read_coco``, for either file.
    """
    path, info = Path(path), Path(info)
    with without_collector():
        head, _, _ = decoded(info, _Info, _LISTED)
        found, data, skipped = decoded(path, list[Annotation], "COCO results (a list of image_id, category_id, score …)")
        return _columns(path, info, head, stated_by(found, by_address(data, skipped), path), is_truth=False)


def _columns(path: Path, listed: Path, head: _Info, stated: Stated, *, is_truth: bool) -> CocoFile:
    """Put the annotations of ``path`` in the order of the images, which ``listed`` lists."""
    image_ids = _image_ids(listed, head.images)
    image_rows: dict[object, int] = {id_: row for row, id_ in enumerate(image_ids)}
    known = tuple(_category(listed, one) for one in head.categories)
    refuse_twins(listed, "image", image_ids)
    refuse_twins(listed, "category", [category.id for category in known])
    category_rows: dict[object, int] = {category.id: row for row, category in enumerate(known)}
    homes = rows_of(stated.images, image_rows)
    order = _order_of(homes)
    categories = rows_of(stated.categories, category_rows).astype(np.int32)[order]
    columns = Columns(
        starts=np.searchsorted(homes[order], np.arange(len(head.images) + 1)),
        ids=wholes(stated.ids)[order],
        categories=categories,
        crowd=stated.crowd[order],
        areas=as_areas(stated.areas[order]),
        boxes=as_boxes(stated.boxes[order]),
        outlines=stated.outlines[order],
        attributes=stated.attributes[order],
        scores=None if is_truth else stated.scores[order],
    )
    heights, widths = (wholes([getattr(one, side) for one in head.images]) for side in ("height", "width"))
    sizes = np.stack([heights, widths], axis=1).clip(0)
    lost, unknown = np.flatnonzero(homes < 0), np.flatnonzero(categories < 0)
    return CocoFile(
        path=path,
        image_ids=image_ids,
        image_names=_names(listed, head.images),
        sizes=sizes,
        categories=known,
        rows=columns,
        unknown=dict(zip(unknown.tolist(), stated.categories[order][unknown].tolist(), strict=True)),
        about=about_of(head.info),
        notes=(
            *strays(path, listed, list(zip(stated.ids[lost].tolist(), stated.images[lost].tolist(), strict=True))),
            *doubled(path, columns.ids),
            *outside(path, columns.ids, columns.boxes, sizes[homes[order]]),
        ),
        stamp=stamp_of(path.stat()),
    )


def _order_of(homes: IntArray) -> IntArray | slice:
    """Put rows in the order of their images, those of no image left out; all as they are, where that is their order."""
    if len(homes) and homes[0] >= 0 and (np.diff(homes) >= 0).all():
        return slice(None)
    return np.argsort(homes, kind="stable")[np.count_nonzero(homes < 0) :]


def about_of(info: object) -> Mapping[str, Any]:
    """Take what a file of ours says of itself in its ``info``."""
    return about if isinstance(info, dict) and isinstance(about := info.get(MARK), dict) else {}


def _image_ids(path: Path, images: Sequence[_Image]) -> tuple[int | str, ...]:
    """Give the ids of images; text stays text, as ``0012`` may be another image than 12."""
    found: list[int | str] = []
    for row, image in enumerate(images):
        id_ = image.id
        if isinstance(id_, float):
            if not id_.is_integer():
                what = "expected a whole number or a text"
                raise UnreadableFile(f"{path}: in images[{row}].id: {what}, found {id_}; number the image")
            id_ = int(id_)
        found.append(id_)
    return tuple(found)


def _names(path: Path, images: Sequence[_Image]) -> tuple[str, ...]:
    """Give the names of pictures, else the addresses they are at, which end in their names."""
    found = []
    for row, image in enumerate(images):
        name = image.file_name if image.file_name is not UNSET else image.coco_url
        if name is UNSET:
            what = "expected a file_name (or a coco_url), found neither"
            raise UnreadableFile(f"{path}: in images[{row}]: {what}; name the picture")
        found.append(name)
    return tuple(found)


def _category(path: Path, one: _Category) -> Category:
    if not isinstance(id_ := whole_in(one.id), int):
        raise UnreadableFile(f"{path}: expected a whole number as the id of category '{one.name}', found '{one.id}'; number it")
    colour = one.color
    is_colour = isinstance(colour, list) and len(colour) == 3 and all(isinstance(c, int) and 0 <= c <= 255 for c in colour)
    is_thing = None if one.isthing is None else bool(one.isthing)
    return Category(id_, one.name.strip(), one.supercategory or "", is_thing, tuple(colour) if is_colour else None)
