"""The figures of a Supervisely label file, and how its SDK fills them."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from msgspec import Raw

from pixelwise.core.arrays import FloatArray, Size
from pixelwise.core.errors import DataError, UnreadableFile
from pixelwise.core.polygons import FAR
from pixelwise.core.runs import Runs, encode
from pixelwise.formats.exports import by_name, number_in, take
from pixelwise.formats.exports.note import KEY, drawn_fields
from pixelwise.formats.exports.png import from_base64, mask_of_png
from pixelwise.formats.json_file import decode, decoded
from pixelwise.formats.objects import Drawn
from pixelwise.formats.shapes import Bitmap, Box, Shape, points_of

AREAS = frozenset({"bitmap", "alpha_mask", "polygon", "rectangle"})
_SPARE = 2**16  # bytes that a PNG may have beyond four for each pixel of the image


@dataclass(frozen=True, eq=False)
class PixelPolygon:
    """A polygon through the centres of pixels (P, 2), which belong to it, less holes drawn in the same way.

    Points are rounded to pixels and the lines between them drawn too, as ``cv2.fillPoly`` does; those of holes are cleared.
    """

    outline: FloatArray
    holes: tuple[FloatArray, ...] = ()

    def runs(self, size: Size) -> Runs:
        """Fill the outline, then clear the holes."""
        for one in (self.outline, *self.holes):
            if len(one) < 3:
                raise DataError(f"a polygon has {len(one)} points; expected at least 3")
            if np.abs(one).max() > FAR * max(*size, 256):
                raise DataError(f"a polygon reaches {np.abs(one).max():.3g} pixels out, on a grid of {size[1]} x {size[0]}")
        mask = np.zeros(size, np.uint8)
        cv2.fillPoly(mask, [_pixels(self.outline)], [1])
        if self.holes:
            cv2.fillPoly(mask, [_pixels(one) for one in self.holes], [0])
        return encode(mask.astype(bool))


def _pixels(points: FloatArray) -> np.ndarray[Any, np.dtype[np.int32]]:
    return np.rint(points).astype(np.int32)


@dataclass(frozen=True, eq=False)
class FigureDrawing:
    """What is drawn on the image of one label file."""

    path: Path

    def _fields(self) -> dict[str, Raw]:
        return decoded(self.path, dict[str, Raw], "figures of Supervisely")[0]

    def stated(self) -> Size | None:
        """Give (H, W) as the file states it."""
        size = take(self._fields(), "size", dict[str, Any], {})
        height, width = size.get("height"), size.get("width")
        return (height, width) if isinstance(height, int) and isinstance(width, int) else None

    def drawn(self, size: Size) -> list[Drawn | str]:
        """List the figures with an area."""
        fields = self._fields()
        try:
            figures = decode(fields["objects"], list[Raw])
        except (KeyError, DataError):
            raise UnreadableFile(f"{self.path}: expected a list of figures as 'objects'; export the project again") from None
        found: list[Drawn | str] = []
        for number, raw in enumerate(figures, start=1):
            try:
                figure = decode(raw, dict[str, Raw])
            except DataError as error:
                found.append(f"figure {number}: expected an object, but {error}")
                continue
            if take(figure, "geometryType", str, "") in AREAS:
                found.append(_drawn(figure, number, size))
        return found


def _drawn(figure: Mapping[str, Raw], number: int, size: Size) -> Drawn | str:
    identity = take(figure, "id", int, -1)
    where = f"figure {identity}" if identity >= 0 else f"figure number {number}"
    try:
        shape = _shape(figure, size)
    except DataError as error:
        return f"{where}: {error}"
    tags = [one for one in take(figure, "tags", list[Any], []) if isinstance(one, dict) and isinstance(one.get("name"), str)]
    attributes = by_name((one["name"], one.get("value")) for one in tags)
    if description := take(figure, "description", str, ""):
        attributes["description"] = description
    own = {"id": identity} if identity >= 0 else {}
    return Drawn(take(figure, "classTitle", str, ""), shape, where, **{**own, **drawn_fields(_kept(figure), attributes)})


def _kept(figure: Mapping[str, Raw]) -> object:
    return take(figure, KEY, dict[str, Any], {})


def _shape(figure: Mapping[str, Raw], size: Size) -> Shape:
    kind = take(figure, "geometryType", str, "")
    if kind in ("bitmap", "alpha_mask"):
        return _bitmap(take(figure, kind, dict[str, Any], {}) or take(figure, "bitmap", dict[str, Any], {}), size)
    points = take(figure, "points", dict[str, Any], {})
    outline = points_of(points.get("exterior"))
    if kind == "polygon":
        holes = points.get("interior")
        return PixelPolygon(outline, tuple(points_of(one) for one in holes) if isinstance(holes, list) else ())
    if len(outline) != 2:
        raise DataError(f"a rectangle has {len(outline)} points; expected 2 corners")
    (left, top), (right, bottom) = np.sort(np.rint(outline), axis=0).tolist()
    return Box(left, top, right + 1, bottom + 1)


def _bitmap(bitmap: Mapping[str, Any], size: Size) -> Bitmap:
    data, origin = bitmap.get("data"), bitmap.get("origin")
    if not isinstance(data, str) or not isinstance(origin, list) or len(origin) != 2:
        raise DataError("expected a bitmap of 'data' and an 'origin' of two numbers")
    left, top = (number_in({"origin": one}, "origin") for one in origin)
    mask = mask_of_png(_inflated(from_base64(data), 4 * size[0] * size[1] + _SPARE), "alpha", size)
    return Bitmap(mask, int(left), int(top))


def _inflated(packed: bytes, most: int) -> bytes:
    """Undo zlib, up to a number of bytes.

    Raises:
        DataError: it is damaged, or more comes out.
    """
    undo = zlib.decompressobj()
    try:
        found = undo.decompress(packed, most)
    except zlib.error as error:
        raise DataError(f"its bitmap is damaged ({error}); export the project again") from None
    if not undo.eof:
        raise DataError(f"its bitmap is cut off, or has more than the {most:,} bytes that such an image can need")
    return found
