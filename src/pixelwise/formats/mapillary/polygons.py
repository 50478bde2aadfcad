"""The polygons of Mapillary Vistas 2.0: a JSON file an image, objects with a label and an outline."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Raw

from pixelwise.core.arrays import FloatArray, IntArray, Size
from pixelwise.core.errors import DataError, PixelwiseError
from pixelwise.core.idmaps import lookup
from pixelwise.core.image import read_size
from pixelwise.core.labels import Label, LabelSet
from pixelwise.core.masks import DisjointMasks, smallest_dtype
from pixelwise.core.sample import Salvaged, relabelled, stored_values
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.exports import objects_in, take
from pixelwise.formats.json_file import decode, decoded
from pixelwise.formats.objects import Drawn, ObjectTruth
from pixelwise.formats.shapes import Polygons, points_of

VOID_NAMES = "void--"  # how the names of classes begin that stand for none
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


@dataclass(frozen=True)
class PolygonTruth:
    """The polygons of one image as panoptic truth: void ones cover what lies below, and stuff is one segment a class.

    Attributes:
        polygons: all of them, under the classes of the data set and those that are void.
        own: the classes of the data set alone.
    """

    polygons: ObjectTruth
    own: LabelSet

    @classmethod
    def of(cls, path: Path, image: Path, own: LabelSet, void: Iterable[str]) -> "PolygonTruth":
        """Take the polygons of ``path``; ``void`` names the classes that are void."""
        labels = (*own.labels, *(Label(name) for name in void))
        every = LabelSet(labels, {index: index for index in range(len(labels))})
        return cls(ObjectTruth(PolygonDrawing(path), image, every, "panoptic"), own)

    def read(self, labels: LabelSet, size: Size) -> tuple[Segmentation, ...]:
        """Read them under ``labels``, joined by name.

        Raises:
            SizeMismatch, DataError: as ``ObjectTruth.read``.
        """
        return self._joined(self.polygons.read(self.polygons.own, size), labels)

    def salvage(self, labels: LabelSet, size: Size) -> Salvaged:
        """Read those that are good, and say of each other one what is wrong."""
        truths, problems = self.polygons.salvage(self.polygons.own, size)
        return self._joined(truths, labels), problems

    def raw(self) -> list[IntArray]:
        """Paint them as a map (H, W) of class numbers."""
        return [stored_values(one) for one in self.read(self.own, read_size(self.polygons.image))]

    def _joined(self, truths: Iterable[Segmentation], labels: LabelSet) -> tuple[Segmentation, ...]:
        return tuple(relabelled(_panoptic(one, self.own), labels) for one in truths)


def _panoptic(painted: Segmentation, own: LabelSet) -> Segmentation:
    """Leave out the segments of classes beyond ``own``, and join those of one class of stuff."""
    table: IntArray = np.zeros(len(painted) + 1, smallest_dtype(len(painted)))
    kept: list[int] = []
    places: dict[int, int] = {}  # of stuff by class
    for row, index in enumerate(painted.class_ids.tolist()):
        if index >= len(own):
            continue
        if index not in places:
            kept.append(row)
        table[row + 1] = places.get(index, len(kept))
        if index not in own.things:
            places[index] = int(table[row + 1])
    masks = DisjointMasks(lookup(table, painted.panoptic_ids()), len(kept))
    return replace(painted[kept], masks=masks, labels=own)


def classes_in(files: Sequence[Path]) -> list[str]:
    """List the classes that files of polygons name, by the alphabet."""
    return sorted({name for path in files for name in _names(path)})


def _names(path: Path) -> Iterator[str]:
    try:
        fields = decoded(path, dict[str, Raw], _WHAT)[0]
    except PixelwiseError:  # told when the image's truth is read
        return
    for one in objects_in(take(fields, "objects", list[Raw], [])):
        if name := take(one, "label", str, ""):
            yield name
