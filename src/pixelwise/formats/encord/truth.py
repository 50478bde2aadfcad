"""The objects of a data unit in Encord's JSON.

A bitmask is kept as run lengths written as COCO writes them compressed, but row by row instead of column by column.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Raw

from pixelwise.core.arrays import BoolArray, FloatArray, Size
from pixelwise.core.errors import DataError, UnreadableFile
from pixelwise.core.runs import decode as unpacked
from pixelwise.core.runs import encode, from_text
from pixelwise.formats.exports import Item, number_in, once, scaled, take
from pixelwise.formats.exports.note import KEY, drawn_fields
from pixelwise.formats.json_file import decode
from pixelwise.formats.objects import Drawn
from pixelwise.formats.shapes import Bitmap, Box, Polygons, Shape, Union, is_number

Fields = dict[str, Raw]
_NOTHING = (b"null", b"[]", b"{}")
AREAS = ("bitmask", "polygons", "polygon", "rotatableBoundingBox", "boundingBox")


def units_of(row: Fields) -> dict[str, Fields]:
    """Give the images of a label row; none where it is of a video or of another medium.

    Raises:
        DataError: its data units are no objects.
    """
    kind = take(row, "data_type", str, "image").casefold()
    if kind not in ("image", "img_group", "image_group", "group") and not kind.startswith("image"):
        return {}
    units = decode(row["data_units"], dict[str, Fields]) if "data_units" in row else {}
    return {key: unit for key, unit in units.items() if not take(unit, "data_type", str, "").startswith("video")}


def shape_name(one: Mapping[str, Raw]) -> str:
    """Name the key of an object's shape; empty where it has no area."""
    return next((key for key in AREAS if key in one and bytes(memoryview(one[key])) not in _NOTHING), "")


def answers_about(answers: Mapping[str, Any], stated: list[Any]) -> dict[str, Any]:
    """Give the answers about an image, by their questions' names; ``answers`` are all those of its row."""
    found: dict[str, Any] = {}
    for one in stated:
        if isinstance(one, dict):
            found |= _answers(answers.get(str(one.get("classificationHash"))))
    return found


def _answers(entry: object) -> dict[str, Any]:
    """Give what an entry of answers says: texts, and the names of what was chosen."""
    stated = entry.get("classifications") if isinstance(entry, dict) else None
    found: dict[str, Any] = {}
    for one in stated if isinstance(stated, list) else []:
        if not isinstance(one, dict) or not isinstance(name := one.get("name"), str):
            continue
        said = one.get("answers")
        names = [each.get("name") if isinstance(each, dict) else each for each in said] if isinstance(said, list) else said
        found[name] = names[0] if isinstance(names, list) and len(names) == 1 else names
    return found


@once
def _opened(item: Item) -> tuple[dict[str, Fields], dict[str, Any]]:
    """Give the data units of a label row, and the answers about their objects; a group may have thousands of images."""
    row = item.decoded(Fields)
    return units_of(row), take(row, "object_answers", dict[str, Any], {})


@dataclass(frozen=True, eq=False)
class UnitDrawing:
    """What is drawn on the image of a data unit."""

    item: Item
    unit: str
    row: str

    @property
    def path(self) -> Path:
        """The export."""
        return self.item.path

    def _unit(self) -> tuple[Fields, Mapping[str, Any]]:
        """Give the data unit, and the answers about the objects of its row."""
        try:
            units, answers = _opened(self.item)
        except UnreadableFile:
            raise
        except DataError as error:
            raise DataError(f"{self.path}: {self.row}: expected data units, but {error}; export it again") from None
        if self.unit not in units:
            raise DataError(f"{self.path}: {self.row}: its data unit {self.unit} is no longer there; read the data set again")
        return units[self.unit], answers

    def stated(self) -> Size | None:
        """Give (H, W) as the data unit states it."""
        unit, _ = self._unit()
        height, width = take(unit, "height", int, 0), take(unit, "width", int, 0)
        return (height, width) if height > 0 and width > 0 else None

    def drawn(self, size: Size) -> list[Drawn | str]:
        """List the objects with an area."""
        unit, answers = self._unit()
        labels = take(unit, "labels", Fields, {})
        try:
            raws = decode(labels["objects"], list[Raw]) if "objects" in labels else []
        except DataError as error:
            raise DataError(f"{self.path}: {self.row}: expected a list of objects, but {error}; export it again") from None
        found: list[Drawn | str] = []
        for number, raw in enumerate(raws, start=1):
            try:
                one = decode(raw, Fields)
            except DataError as error:
                found.append(f"{self.row}, object number {number}: expected an object, but {error}")
                continue
            if kind := shape_name(one):
                found.append(self._drawn(one, kind, number, answers, size))
        return found

    def _drawn(self, one: Fields, kind: str, number: int, answers: Mapping[str, Any], size: Size) -> Drawn | str:
        identity = take(one, "objectHash", str, "")
        where = f"{self.row}, object {identity or f'number {number}'}"
        try:
            shape = _shape(kind, take(one, kind, Any, None), size)
        except DataError as error:
            return f"{where}: {error}"
        attributes = _answers(answers.get(identity))
        return Drawn(take(one, "name", str, ""), shape, where, **drawn_fields(take(one, KEY, Any, None), attributes))


def _shape(kind: str, stated: object, size: Size) -> Shape:
    scale = size[::-1]
    if kind == "polygon":
        points = stated if isinstance(stated, list) else _ordered(stated)
        return Polygons((scaled(_points(points), scale),))
    if kind == "polygons":
        return _parts(stated, scale)
    if not isinstance(stated, dict):
        raise DataError(f"expected '{kind}' as an object, found something else")
    if kind == "bitmask":
        return Bitmap(_mask(stated, size), int(number_in(stated, "left")), int(number_in(stated, "top")))
    left, top = number_in(stated, "x") * scale[0], number_in(stated, "y") * scale[1]
    right, bottom = left + number_in(stated, "w") * scale[0], top + number_in(stated, "h") * scale[1]
    return Box(left, top, right, bottom, number_in(stated, "theta") if "theta" in stated else 0.0)


def _ordered(stated: object) -> list[Any]:
    """Give the points of an object whose keys number them."""
    if not isinstance(stated, dict) or not all(key.isdecimal() for key in stated):
        raise DataError("expected a polygon as points under the numbers 0, 1, 2 …")
    return [stated[key] for key in sorted(stated, key=int)]


def _parts(stated: object, scale: tuple[int, int]) -> Union:
    """Take polygons, each a list of rings, of which the first is the outline and the others are holes."""
    if not isinstance(stated, list) or not all(isinstance(one, list) and one for one in stated):
        raise DataError("expected polygons as lists of rings")
    rings = [[scaled(_ring(ring), scale) for ring in part] for part in stated]
    return Union(tuple(Polygons((part[0],), tuple(part[1:])) for part in rings))


def _ring(stated: object) -> FloatArray:
    """Take a ring: x, y, x, y …, or points."""
    if isinstance(stated, list) and stated and all(is_number(one) for one in stated):
        if len(stated) % 2:
            raise DataError(f"a ring has {len(stated)} coordinates, an odd number; each point needs an x and a y")
        return np.array([_share(one) for one in stated], np.float64).reshape(-1, 2)
    return _points([{"x": one[0], "y": one[1]} if isinstance(one, list) and len(one) == 2 else one for one in _list(stated)])


def _list(stated: object) -> list[Any]:
    if not isinstance(stated, list):
        raise DataError("expected a ring as a list of coordinates or points")
    return stated


def _points(stated: list[Any]) -> FloatArray:
    if not all(isinstance(one, dict) for one in stated):
        raise DataError("expected points with x and y")
    return np.array([(number_in(one, "x"), number_in(one, "y")) for one in stated], np.float64).reshape(-1, 2)


def _share(value: float) -> float:
    return number_in({"coordinate": value}, "coordinate")


def _mask(stated: Mapping[str, Any], size: Size) -> BoolArray:
    text, height, width = stated.get("rleString"), stated.get("height"), stated.get("width")
    if not isinstance(text, str) or not text.isascii() or not isinstance(height, int) or not isinstance(width, int):
        raise DataError("expected a bitmask of 'rleString', 'height' and 'width'")
    if not (0 < height <= size[0] and 0 < width <= size[1]):
        raise DataError(f"its bitmask is {[height, width]}, but the image is {list(size)} (height, width)")
    return np.ascontiguousarray(unpacked(from_text(text.encode(), (width, height))).T)


def rle_string(mask: BoolArray) -> str:
    """Write a mask (H, W) as the run lengths of a bitmask.

    >>> rle_string(np.array([[False, True], [True, False]]))
    '121'
    """
    return encode(np.asarray(mask, bool).T).counts.decode("ascii")
