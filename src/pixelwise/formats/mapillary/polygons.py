"""The polygons of Mapillary Vistas 2.0: a JSON file an image, objects with a label and an outline."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import Raw

from pixelwise.core.arrays import FloatArray, Size
from pixelwise.core.errors import DataError, PixelwiseError
from pixelwise.core.labels import LabelSet
from pixelwise.formats.exports import objects_in, take
from pixelwise.formats.json_file import decode, decoded
from pixelwise.formats.objects import Drawn, things
from pixelwise.formats.shapes import Polygons, points_of

_WHAT = "polygons of Mapillary Vistas (width, height, objects)"


@dataclass(frozen=True)
class PolygonDrawing:
    """What is drawn in one file."""

    path: Path

    def stated(self) -> Size | None:
        """Give the size that the file states."""
        fields = decoded(self.path, dict[str, Raw], _WHAT)[0]
        height, width = take(fields, "height", int, 0), take(fields, "width", int, 0)
        return (height, width) if height > 0 and width > 0 else None

    def drawn(self, size: Size) -> list[Drawn | str]:
        """List the objects in the file's order."""
        fields = decoded(self.path, dict[str, Raw], _WHAT)[0]
        try:
            rows = decode(fields["objects"], list[Raw]) if "objects" in fields else None
        except DataError as error:
            raise DataError(f"{self.path}: expected objects as a list, but {error}") from None
        if rows is None:
            raise DataError(f"{self.path}: expected {_WHAT}, found no objects; copy the file again")
        return [_drawn(raw, number) for number, raw in enumerate(rows, start=1)]


def _drawn(raw: Raw, number: int) -> Drawn | str:
    try:
        one = decode(raw, dict[str, Any])
        identity, name = one.get("id"), one.get("label")
        if not isinstance(name, str):
            raise DataError("expected a label")
        shape = Polygons((_outline(one.get("polygon")),))
    except DataError as error:
        return f"object at place {number}: {error}"
    number_in_file = identity if isinstance(identity, int) and not isinstance(identity, bool) else None
    return Drawn(name, shape, f"object {number if number_in_file is None else number_in_file}", id=number_in_file)


def _outline(polygon: object) -> FloatArray:
    """Take an outline: a list of points, or one list of x, y, x, y, … in a list.

    Raises:
        DataError: it is neither.
    """
    if isinstance(polygon, Sequence) and len(polygon) == 1 and isinstance(polygon[0], list) and len(polygon[0]) > 2:
        flat = polygon[0]
        return points_of(list(zip(flat[::2], flat[1::2], strict=False)))
    return points_of(polygon)


def classes_in(files: Sequence[Path]) -> LabelSet:
    """List the classes that files of polygons name, by the alphabet; what is void by its name is left out with its objects."""
    return things(sorted({name for path in files for name in _names(path)}))


def _names(path: Path) -> Iterator[str]:
    try:
        fields = decoded(path, dict[str, Raw], _WHAT)[0]
    except PixelwiseError:  # told when the image's truth is read
        return
    for one in objects_in(take(fields, "objects", list[Raw], [])):
        if name := take(one, "label", str, ""):
            yield name
