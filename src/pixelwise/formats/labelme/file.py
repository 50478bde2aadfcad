"""One JSON file of labelme: its shapes as objects.

Points are pixels, (0, 0) the top left corner of the top left one. A rectangle is two opposite corners; a circle is its centre
and a point on its rim; a mask is a PNG in base64 together with the first and the last pixel of its box. Shapes of one label and
one ``group_id`` are parts of one object. Lines, points and cuboids have no area. X-AnyLabeling writes the same form with more
shapes and keys.
"""

import base64
import binascii
import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import PIL.Image
from msgspec import Raw

from pixelwise.core.arrays import BoolArray, Size
from pixelwise.core.errors import DataError, SizeMismatch
from pixelwise.core.runs import Runs
from pixelwise.formats.json_file import decode, decoded
from pixelwise.formats.objects import Drawn, joined
from pixelwise.formats.shapes import Bitmap, Box, Ellipse, Polygons, Shape, is_number, points_of

IGNORE = "__ignore__"  # labelme's own converters make void of it
BACKGROUND = "_background_"  # and class 0 of this
CROWD = "crowd"  # the flag of a shape that stands for a group
_FLAT = frozenset({"line", "linestrip", "point", "points", "cuboid"})
_OUTLINES = frozenset({"polygon", "oriented_rectangle", "rotation", "quadrilateral"})  # the last three by their four corners
_KNOWN = frozenset({"rectangle", "circle", "mask"}) | _OUTLINES | _FLAT
_WHAT = "a labelme file (shapes, imagePath)"


class Opened(msgspec.Struct, gc=False):
    """A file with its shapes and its photo undecoded."""

    shapes: list[Raw]
    image_path: Any = msgspec.field(name="imagePath", default=None)
    image_data: Raw = msgspec.field(name="imageData", default=Raw(b"null"))
    height: Any = msgspec.field(name="imageHeight", default=None)
    width: Any = msgspec.field(name="imageWidth", default=None)
    flags: Any = None

    @property
    def has_photo(self) -> bool:
        """Tell whether a photo lies in the file."""
        return bytes(memoryview(self.image_data)[:1]) == b'"' and len(memoryview(self.image_data)) > 2


class _Head(msgspec.Struct, gc=False):
    label: Any = None
    shape_type: Any = None


def opened(path: Path) -> Opened:
    """Open a labelme file.

    Raises:
        MissingFile, UnreadableFile: there is none, or it is broken or of another form.
    """
    return decoded(path, Opened, _WHAT)[0]


def heads(file: Opened) -> Iterator[tuple[str, str]]:
    """Give label and type of every shape that has both; the others are told of when their image is read."""
    for raw in file.shapes:
        try:
            head = decode(raw, _Head)
        except DataError:
            continue
        kind = "polygon" if head.shape_type is None else head.shape_type  # the first versions knew polygons alone
        if isinstance(head.label, str) and isinstance(kind, str):
            yield head.label, kind


def has_area(kind: str) -> bool:
    """Tell whether shapes of this type have an area; unknown types count as such, so that they are not passed over."""
    return kind not in _FLAT


@dataclass(frozen=True)
class LabelmeDrawing:
    """What is drawn in one file; ``void`` tells that shapes called ``__ignore__`` are left out, as no segment covers them."""

    path: Path
    void: bool = False

    def stated(self) -> Size | None:
        """Give the size that the file states."""
        file = opened(self.path)
        height, width = _side(file.height), _side(file.width)
        return None if height is None or width is None else (height, width)

    def drawn(self, size: Size) -> list[Drawn | str]:
        """List the objects; one of several parts lies where its first part lies."""
        groups: dict[object, list[_Part]] = {}
        for number, raw in enumerate(opened(self.path).shapes, start=1):
            part = _part(raw, number)
            if part is not None and not (self.void and part.name == IGNORE):
                groups.setdefault(part.key, []).append(part)
        return [joined([_drawn(part) for part in parts]) for parts in groups.values()]


@dataclass(frozen=True, eq=False)
class _Part:
    """One shape; ``problem`` says what is wrong with it."""

    name: str
    key: object
    number: int
    shape: Shape | None
    record: Mapping[str, Any]
    problem: str = ""


def _part(raw: Raw, number: int) -> _Part | None:
    """Read one shape; None for one that has no area by its nature."""
    record: Mapping[str, Any] = {}
    name = ""
    key: tuple[str, object] = ("", number)
    try:
        record = decode(raw, dict[str, Any])
        kind = record.get("shape_type") or "polygon"
        if isinstance(kind, str) and kind in _FLAT:
            return None
        name = _name(record.get("label"))
        if isinstance(group := record.get("group_id"), int | str) and not isinstance(group, bool) and group != "":
            key = (name, group)
        return _Part(name, key, number, _shape(kind, record), record)
    except DataError as error:
        return _Part(name, key, number, None, record, str(error))


def _name(label: object) -> str:
    if not isinstance(label, str) or not label:
        raise DataError(f"expected a label, found {_shown(label)}; give the shape one")
    return label


def _drawn(part: _Part) -> Drawn | str:
    where = f"shape {part.number}"
    if part.shape is None:
        return f"{where}: {part.problem}"
    record = part.record
    flags = found if isinstance(found := record.get("flags"), dict) else {}
    attributes = {key: value for key, value in flags.items() if key != CROWD}
    if record.get("difficult") is True:
        attributes["difficult"] = True
    if is_number(score := record.get("score")):
        attributes["score"] = score
    if isinstance(extra := record.get("attributes"), dict):
        attributes |= extra
    if isinstance(text := record.get("description"), str) and text:
        attributes["description"] = text
    return Drawn(
        part.name,
        part.shape,
        where,
        crowd=flags.get(CROWD) is True or part.name == IGNORE,
        id=_whole(record.get("id")),
        track=_whole(record.get("track_id")),
        attributes=attributes,
    )


def _side(value: object) -> int | None:
    """Take a side that is a whole number, also one written as 640.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else _whole(value)


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _shape(kind: object, record: Mapping[str, Any]) -> Shape:
    if not isinstance(kind, str) or kind not in _KNOWN:
        raise DataError(f"expected a shape type of {', '.join(sorted(_KNOWN))}, found {_shown(kind)}")
    points = points_of(record.get("points"))
    if kind in _OUTLINES:
        return Polygons((points,))
    if len(points) == 4 and kind == "rectangle":  # newer versions write all four corners
        return Polygons((points,))
    if len(points) != 2:
        raise DataError(f"a {kind} has two points, found {len(points)}")
    (x, y), (other_x, other_y) = points.tolist()
    if kind == "rectangle":
        return Box(x, y, other_x, other_y)
    if kind == "circle":
        radius = math.hypot(other_x - x, other_y - y)
        return Ellipse(x, y, radius, radius)
    return EmbeddedMask(record.get("mask"), int(x), int(y), int(other_x), int(other_y))


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}…"


@dataclass(frozen=True)
class EmbeddedMask:
    """A PNG in base64, and the box it fills from its first to its last pixel, both inclusive."""

    text: object
    left: int
    top: int
    right: int
    bottom: int

    def runs(self, size: Size) -> Runs:
        """Unpack the mask and put it in its place.

        Raises:
            DataError: it is no PNG, not of its box's size, or larger than the image.
        """
        return Bitmap(self._unpacked(size), self.left, self.top).runs(size)

    def _unpacked(self, size: Size) -> BoolArray:
        if not isinstance(self.text, str):
            raise DataError(f"a mask has a PNG in base64, found {_shown(self.text)}")
        height, width = self.bottom - self.top + 1, self.right - self.left + 1
        if not (0 < height <= size[0] and 0 < width <= size[1]):
            raise DataError(f"the box of its mask is {height} x {width} (height x width), on an image of {size[0]} x {size[1]}")
        try:
            data = base64.b64decode(self.text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise DataError(f"its mask is no base64 ({error}); the file is cut off or was changed") from None
        try:
            with PIL.Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
                if (picture.height, picture.width) == (height, width):  # checked before a pixel is decoded
                    pixels = np.asarray(picture)
                    return np.asarray(pixels[..., :3].any(axis=2) if pixels.ndim == 3 else pixels.astype(bool))
                found = f"{picture.height} x {picture.width}"
        except Exception as error:  # Pillow raises whatever damaged bytes lead to
            raise DataError(f"the PNG of its mask is damaged ({error})") from None
        raise SizeMismatch(f"its mask is {found} (height x width), but its box is {height} x {width}")
