"""One XML file of the LabelMe web tool: polygons, boxes, and masks drawn by scribbles.

An object is a polygon, a box given as a polygon, or the name of a mask picture under ``Masks/``, whose coloured pixels are the
object. Objects marked as deleted are gone for the tool and for us. ``hasparts`` and ``ispartof`` tell which objects are parts
of others (a wheel of a car): each stays an object, and the relation is kept among its attributes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from pixelwise.core.arrays import Size
from pixelwise.core.errors import DataError, SizeMismatch
from pixelwise.core.image import read_image, read_size
from pixelwise.core.runs import Runs, encode
from pixelwise.formats.objects import Drawn
from pixelwise.formats.shapes import Polygons, Shape, points_of
from pixelwise.formats.xml_file import elements, root_tag

_HEAD = 65536
_MARKS = (b"<sourceAnnotation>", b"<nrows>", b"<segm>", b"<pt>")
_OF_VOC = (b"<bndbox>", b"<segmented>")
_PARTS = frozenset({"filename", "folder", "imagesize", "object"})


@dataclass(frozen=True)
class WebFile:
    """What a file says of its image, and the names of its objects."""

    filename: str
    folder: str
    names: tuple[str, ...]
    deleted: int
    masks: tuple[str, ...]


def is_web(path: Path) -> bool:
    """Tell a file of the web tool from Pascal VOC's, whose outermost element is called the same."""
    if root_tag(path) != "annotation":
        return False
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return False
    head = re.sub(rb"<!--.*?(-->|$)", b"", head, flags=re.DOTALL)  # what a comment says does not count
    return any(mark in head for mark in _MARKS) and not any(mark in head for mark in _OF_VOC)


def survey(path: Path) -> WebFile:
    """Read what the file names.

    Raises:
        MissingFile, UnreadableFile: there is none, or it is broken.
    """
    filename = folder = ""
    names, masks, deleted = [], [], 0
    for one in elements(path, _PARTS):
        if one.tag == "filename":
            filename = filename or _text(one)
        elif one.tag == "folder":
            folder = folder or _text(one)
        elif one.tag == "object":
            if _is_deleted(one):
                deleted += 1
                continue
            names.append(_text(one.find("name")))
            if mask := _text(one.find("segm/mask")):
                masks.append(mask)
    return WebFile(filename, folder, tuple(names), deleted, tuple(masks))


@dataclass(frozen=True)
class WebDrawing:
    """What is drawn in one file; ``masks`` are the pictures that its mask names mean."""

    path: Path
    masks: tuple[tuple[str, Path], ...] = ()

    def stated(self) -> Size | None:
        """Give the size that the file states."""
        for one in elements(self.path, frozenset({"imagesize"})):
            rows, columns = _text(one.find("nrows")), _text(one.find("ncols"))
            if _is_count(rows) and _is_count(columns):
                return int(rows), int(columns)
        return None

    def drawn(self, size: Size) -> list[Drawn | str]:
        """List the objects that are not deleted."""
        return list(self._objects())

    def _objects(self) -> Iterator[Drawn | str]:
        for number, one in enumerate(elements(self.path, frozenset({"object"}))):
            if _is_deleted(one):
                continue
            stated = _text(one.find("id"))
            where = f"object {stated or number}"
            try:
                shape = self._shape(one)
            except DataError as error:
                yield f"{where}: {error}"
                continue
            yield Drawn(
                _text(one.find("name")),
                shape,
                where,
                id=int(stated) if _is_count(stated) else None,
                attributes=_attributes(one),
            )

    def _shape(self, one: Element) -> Shape:
        polygon, mask = one.find("polygon"), _text(one.find("segm/mask"))
        if polygon is not None:
            pairs = [(_number(point.find("x")), _number(point.find("y"))) for point in polygon.iterfind("pt")]
            return Polygons((points_of(pairs),))
        if not mask:
            raise DataError("expected a polygon or a mask, found neither")
        found = dict(self.masks).get(mask)
        if found is None:
            raise DataError(f"there is no mask called {mask}; put it under Masks/ as the tool does")
        return MaskPicture(found)


@dataclass(frozen=True)
class MaskPicture:
    """A picture of the image's size, coloured where the object is and black elsewhere."""

    path: Path

    def runs(self, size: Size) -> Runs:
        """Read the picture.

        Raises:
            SizeMismatch: it is not of the image's size.
            UnreadableFile, TooLarge: as ``read_image``.
        """
        if (found := read_size(self.path)) != size:
            raise SizeMismatch(
                f"{self.path}: the mask is {found[0]} x {found[1]} (height x width), but its image is {size[0]} x {size[1]}"
            )
        return encode(np.asarray(read_image(self.path).pixels.any(axis=2)))


def _attributes(one: Element) -> dict[str, object]:
    """Keep what else the file says: occlusion, the free text, and which objects are its parts."""
    found: dict[str, object] = {}
    for key, place in (("occluded", "occluded"), ("attributes", "attributes")):
        if text := _text(one.find(place)):
            found[key] = text
    parts = [int(text) for text in re.split(r"[,\s]+", _text(one.find("parts/hasparts"))) if _is_count(text)]
    if parts:
        found["parts"] = parts
    if _is_count(whole := _text(one.find("parts/ispartof"))):
        found["part_of"] = int(whole)
    return found


def _is_deleted(one: Element) -> bool:
    return _text(one.find("deleted")) in ("1", "true")


def _text(one: Element | None) -> str:
    return (one.text or "").strip() if one is not None else ""


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10


def _number(one: Element | None) -> float:
    text = _text(one)
    try:
        return float(text)
    except ValueError:
        raise DataError(f"expected a number, found {text[:20]!r}") from None
