"""The truth of one image of Cityscapes: from its instance ids, its label ids, or its polygons."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from pixelwise.core.arrays import IntArray, Size
from pixelwise.core.errors import DataError, SizeMismatch, UnreadableFile
from pixelwise.core.image import read_ids, read_size
from pixelwise.core.labels import VOID, LabelSet
from pixelwise.core.masks import DisjointMasks, smallest_dtype
from pixelwise.core.runs import decode
from pixelwise.core.sample import Salvaged, relabelled
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.formats.cityscapes.labels import PLATE, VOID_IDS
from pixelwise.formats.json_file import decoded
from pixelwise.formats.shapes import Polygons, is_number, points_of

Form: TypeAlias = Literal["instanceIds", "labelIds", "labelTrainIds", "polygons"]
_MOST_BYTES = 64 * 2**20
_GROUP = "group"  # the end of a label of polygons that outline several things at once


@dataclass(frozen=True)
class CityscapesTruth:
    """Truth in a file of one of the four forms; ``order`` is our own polygons file, which lists the segments in order."""

    path: Path
    image: Path
    form: Form
    own: LabelSet
    kind: Kind
    order: Path | None = None

    def read(self, labels: LabelSet, size: Size) -> tuple[Segmentation, ...]:
        """Read the truth under ``labels``, joined by name.

        Raises:
            SizeMismatch: the file is of another size than the image.
            DataError: an id is none of the set's, or a polygon is wrong.
            UnreadableFile, TooLarge, MissingFile: as ``read_ids`` and ``decoded``.
        """
        truths, problems = self.salvage(labels, size)
        if problems:
            raise DataError(problems[0] + (f" ({len(problems) - 1} more objects are wrong)" if problems[1:] else ""))
        return truths

    def salvage(self, labels: LabelSet, size: Size) -> Salvaged:
        """Read what is good of the truth, and say of each polygon left out what is wrong.

        Raises:
            DataError: the file cannot be used at all.
        """
        problems: list[str] = []
        values = self._values(size, problems)
        if self.kind != "semantic":
            truth = self._panoptic(values)
        else:
            truth = Segmentation.from_class_map(self.own.to_classes(values, str(self.path)), self.own)
        return (relabelled(truth, labels),), tuple(problems)

    def raw(self) -> list[IntArray]:
        """Read the ids as stored, or as the polygons paint them."""
        values = self._values(read_size(self.image), [])
        if self.kind == "semantic":
            return [values]
        wide = values.astype(np.int64)
        return [np.where(wide < 1000, wide, wide // 1000)]

    def stated(self) -> Size | None:
        """Give (H, W) of the map, or as the polygons' file states it."""
        if self.form != "polygons":
            return read_size(self.path)
        data = _document(self.path)
        height, width = data.get("imgHeight"), data.get("imgWidth")
        return (height, width) if isinstance(height, int) and isinstance(width, int) else None

    def count(self) -> int:
        """Count the polygons; it is asked for where no size is stated, and maps always have one."""
        objects = _document(self.path).get("objects") if self.form == "polygons" else None
        return len(objects) if isinstance(objects, list) else 0

    def _values(self, size: Size, problems: list[str]) -> IntArray:
        if self.form == "polygons":
            return _painted(self.path, self.own, size, problems)
        values, is_rgb = read_ids(self.path)
        if is_rgb:
            raise DataError(f"{self.path}: expected ids in one band, found colours")
        if values.shape != size:
            turned = " (turned by 90 degrees)" if values.shape == size[::-1] else ""
            raise SizeMismatch(
                f"{self.path}: the ids are {values.shape[0]} x {values.shape[1]} (height x width), but {self.image} is "
                f"{size[0]} x {size[1]}{turned}; put the files of one release together"
            )
        return values

    def _panoptic(self, values: IntArray) -> Segmentation:
        """Make a segment of each instance id; a thing without a number of its own is a group, and so a crowd."""
        present = np.unique(values).tolist()
        classes = self._classes_of(present)
        kept = [value for value in present if classes[value] != VOID]
        kept = self._in_order(kept)
        table = {value: row for row, value in enumerate(kept, start=1)}
        places = np.array([table.get(value, 0) for value in present], smallest_dtype(len(kept)))
        ids = places[np.searchsorted(present, values)]
        things = set(self.own.things)
        if self.kind == "instance":
            things = set(range(len(self.own)))
        crowd = np.array([value < 1000 and classes[value] in things for value in kept], bool)
        return Segmentation(
            self.kind,
            DisjointMasks(ids, len(kept)),
            np.array([classes[value] for value in kept], np.int64),
            self.own,
            crowd=crowd if crowd.any() else None,
            source_ids=np.array(kept, np.int64),
        )

    def _classes_of(self, present: Sequence[int]) -> dict[int, int]:
        """Map instance ids to classes: an id below 1000 is a class's, one above is a class's by the thousand."""
        found = {}
        for value in present:
            number = value if value < 1000 else value // 1000
            if number not in self.own.values:
                raise DataError(f"{self.path}: the id {value} is of the class {number}, which is none of the set's")
            found[value] = self.own.values[number]
        return found

    def _in_order(self, values: list[int]) -> list[int]:
        """Put the segments in the order that our own file states, if it names these very ones."""
        if self.order is None:
            return values
        stated = _document(self.order).get("segments")
        if not isinstance(stated, list) or not all(isinstance(one, int) for one in stated) or sorted(stated) != values:
            return values
        return stated


def _document(path: Path) -> dict[str, Any]:
    """Decode a polygons file."""
    if path.is_file() and (size := path.stat().st_size) > _MOST_BYTES:
        raise UnreadableFile(f"{path}: {size:,} bytes; at most {_MOST_BYTES:,} are read as the polygons of one image")
    return decoded(path, dict[str, Any], "Cityscapes polygons")[0]


def _painted(path: Path, own: LabelSet, size: Size, problems: list[str]) -> IntArray:
    """Paint the polygons of a file in their order, later ones over earlier ones, as instance ids (H, W)."""
    data = _document(path)
    stated = data.get("imgHeight"), data.get("imgWidth")
    if all(is_number(one) for one in stated) and stated != size:
        raise SizeMismatch(
            f"{path}: its image is stated as {stated[0]} x {stated[1]} (height x width), but it is {size[0]} x {size[1]}; put "
            f"the picture there that was annotated"
        )
    objects = data.get("objects")
    if not isinstance(objects, list):
        raise DataError(f"{path}: expected 'objects' as a list of polygons, found none")
    numbers = {name: number for number, name in VOID_IDS.items() if own.values.get(number, VOID) == VOID}
    numbers |= {own.names[index]: number for number, index in own.values.items() if index != VOID}
    things = {own.names[index] for index in own.things}
    ids = np.zeros(size, np.int64)
    seen: Counter[int] = Counter()
    for place, one in enumerate(objects, start=1):
        try:
            number = _number(one, numbers)
            if number is None:
                continue
            mask = decode(Polygons((points_of(one.get("polygon")),)).runs(size))
        except DataError as error:
            problems.append(f"{path}: object {place}: {error}")
            continue
        is_one = one["label"] in things
        if is_one and seen[number] == 1000:
            raise DataError(f"{path}: more than 1000 objects of the class '{one['label']}'; no instance id can tell them apart")
        ids[mask] = 1000 * number + seen[number] if is_one else number
        seen[number] += is_one
    return ids


def _number(one: object, numbers: Mapping[str, int]) -> int | None:
    """Give the id that a polygon is painted with; None for what is not painted: deleted ones and licence plates.

    Plates have a negative id, and Cityscapes' own id maps show the car around them.
    """
    if not isinstance(one, dict) or not isinstance(one.get("label"), str):
        raise DataError("expected a mapping with 'label' and 'polygon'")
    name = one["label"]
    if one.get("deleted") or name == PLATE:
        return None
    found = numbers.get(name, numbers.get(name.removesuffix(_GROUP)))
    if found is None:
        raise DataError(f"the class '{name}' is none of the set's")
    return found
