"""The shapes of CVAT's XML 1.1, each an element whose XML attributes are its numbers.

Points are pixels, (0, 0) the top left corner of the top left one. A box and an ellipse may be turned by ``rotation`` degrees,
clockwise about their centre. A ``mask`` is run lengths over its box, row by row, the first of zeros. Points, polylines,
cuboids, skeletons and tags have no area.
"""

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray, Size
from pixelwise.core.errors import DataError
from pixelwise.core.runs import Runs
from pixelwise.formats.objects import Drawn, joined
from pixelwise.formats.shapes import Bitmap, Box, Ellipse, Polygons, Shape, points_of

AREAS = frozenset({"box", "polygon", "ellipse", "mask"})
FLAT = frozenset({"points", "polyline", "cuboid", "skeleton", "tag"})
CROWD = "is_crowd"  # the attribute that CVAT makes of COCO's iscrowd
OCCLUDED = "occluded"
NUMBERS = {
    "box": ("xtl", "ytl", "xbr", "ybr"),
    "ellipse": ("cx", "cy", "rx", "ry"),
}
_LONGEST = 2**26  # characters of points or of run lengths


def shape_of(tag: str, said: Mapping[str, str]) -> Shape:
    """Make the shape of an element, by its tag and its XML attributes.

    Raises:
        DataError: a number is missing or none.
    """
    if tag == "polygon":
        return Polygons((corners(said.get("points", "")),))
    if tag == "mask":
        left, top, width, height = (_whole(said, key) for key in ("left", "top", "width", "height"))
        return CodedBox(said.get("rle", ""), left, top, width, height)
    first, second, third, fourth = (number(said, key) for key in NUMBERS[tag])
    angle = number(said, "rotation") if said.get("rotation") else 0.0
    return (Box if tag == "box" else Ellipse)(first, second, third, fourth, angle)


def corners(text: str) -> FloatArray:
    """Take points written as ``x,y;x,y`` as (P, 2).

    >>> corners("1.5,2;3,4").tolist()
    [[1.5, 2.0], [3.0, 4.0]]

    Raises:
        DataError: they are not written so.
    """
    if len(text) > _LONGEST:
        raise DataError(f"its points are {len(text):,} characters; at most {_LONGEST:,} are read")
    try:
        pairs = [[float(part) for part in pair.split(",")] for pair in text.split(";") if pair]
    except ValueError:
        raise DataError(f"expected points as x,y;x,y, found {text[:40]!r}") from None
    if any(len(pair) != 2 for pair in pairs):
        raise DataError(f"expected points as x,y;x,y, found {text[:40]!r}")
    return points_of(pairs)


def number(said: Mapping[str, str], key: str) -> float:
    """Take one XML attribute as a finite number.

    Raises:
        DataError: it is missing or none.
    """
    try:
        value = float(said[key])
    except KeyError:
        raise DataError(f"it has no {key}") from None
    except ValueError:
        raise DataError(f"its {key} is {said[key][:20]!r}, which is no number") from None
    if not math.isfinite(value):
        raise DataError(f"its {key} is {said[key][:20]!r}, which is no finite number")
    return value


def _whole(said: Mapping[str, str], key: str) -> int:
    value = number(said, key)
    if value != round(value):
        raise DataError(f"its {key} is {said[key][:20]!r}, which is no whole number")
    return int(value)


@dataclass(frozen=True)
class CodedBox:
    """Run lengths over a box, row by row, the first of zeros."""

    text: str
    left: int
    top: int
    width: int
    height: int

    def runs(self, size: Size) -> Runs:
        """Unpack the mask and put it in its place.

        Raises:
            DataError: its box is larger than the image, or its run lengths do not add up to the box.
        """
        return Bitmap(self._unpacked(size), self.left, self.top).runs(size)

    def _unpacked(self, size: Size) -> BoolArray:
        height, width = self.height, self.width
        if not (0 < height <= size[0] and 0 < width <= size[1]):
            raise DataError(f"its mask is {height} x {width} (height x width), on an image of {size[0]} x {size[1]}")
        if len(self.text) > _LONGEST:
            raise DataError(f"its run lengths are {len(self.text):,} characters; at most {_LONGEST:,} are read")
        try:
            counts = [int(part) for part in self.text.split(",")]
        except ValueError:
            raise DataError(f"expected run lengths as numbers with commas between them, found {self.text[:40]!r}") from None
        if min(counts) < 0 or sum(counts) != height * width:
            raise DataError(
                f"expected run lengths from 0 up that add up to {height} x {width} = {height * width}, got {len(counts)} from "
                f"{min(counts)} up that add up to {sum(counts)}"
            )
        return np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(height, width)


def row_counts(mask: BoolArray) -> str:
    """Write a mask (h, w) as CVAT's run lengths.

    >>> row_counts(np.array([[False, True], [True, True]]))
    '1, 3'
    """
    flat = mask.ravel()
    edges = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1, [flat.size]])
    counts = np.diff(edges).tolist()
    return ", ".join(map(str, [0, *counts] if flat[0] else counts))


def attributes_of(element: Element) -> dict[str, str]:
    """Give the attributes that the annotator filled in."""
    return {one.get("name", ""): (one.text or "").strip() for one in element.iterfind("attribute")}


def drawn(
    tag: str, said: Mapping[str, str], attributes: Mapping[str, str], where: str, track: int | None = None
) -> Drawn | str:
    """Make an object of one element; or say what is wrong with it."""
    try:
        if not (name := said.get("label", "")):
            raise DataError("it has no label; give it one")
        shape = shape_of(tag, said)
    except DataError as error:
        return f"{where}: {error}"
    kept: dict[str, object] = {key: value for key, value in attributes.items() if key != CROWD}
    if said.get(OCCLUDED) == "1":
        kept[OCCLUDED] = True
    return Drawn(name, shape, where, attributes.get(CROWD, "").casefold() in ("true", "1"), track=track, attributes=kept)


def stacked(found: Iterable[tuple[Drawn | str, Mapping[str, str]]]) -> list[Drawn | str]:
    """Order objects by ``z_order``, the nearest last, and join those of one label and one ``group_id``."""
    groups: dict[object, list[Drawn | str]] = {}
    serial = itertools.count()
    for one, said in sorted(found, key=lambda pair: _depth(pair[1])):
        group = said.get("group_id", "")
        key = ("shape", next(serial)) if group in ("", "0") else ("group", group, said.get("label"))
        groups.setdefault(key, []).append(one)
    return [joined(parts) for parts in groups.values()]


def _depth(said: Mapping[str, str]) -> float:
    try:
        depth = float(said.get("z_order") or 0)
    except ValueError:
        return 0.0
    return depth if math.isfinite(depth) else 0.0
