"""Maps (H, W) whose values hold a class and the number of an object in one: class * step + number.

KITTI and Mapillary Vistas store their truth so, in PNG of 16 bits with a step of 256.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixelwise.core.arrays import IntArray, Size
from pixelwise.core.errors import DataError, SizeMismatch
from pixelwise.core.image import read_ids
from pixelwise.core.labels import VOID, LabelSet
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.sample import Salvaged, relabelled
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.numbered import numbered


@dataclass(frozen=True)
class ClassNumbers:
    """Truth in a map of values.

    Attributes:
        path, image: the map and its picture.
        own: the label set of the data set; its values are the class numbers.
        step: what a class is multiplied by; 1 for a map of classes alone, which is semantic, others are panoptic.
        groups: whether a thing of number 0 is a group, and so a crowd.
    """

    path: Path
    image: Path
    own: LabelSet
    step: int
    groups: bool = False

    def read(self, labels: LabelSet, size: Size) -> tuple[Segmentation, ...]:
        """Read the map under ``labels``, joined by name.

        Raises:
            SizeMismatch: it has another size than its image.
            DataError: it holds colours, or a value whose class is none of the set's.
            UnreadableFile, TooLarge, MissingFile: as ``read_ids``.
        """
        stored = self._stored()
        if stored.shape != size:
            raise SizeMismatch(
                f"{self.path}: the map is {stored.shape[0]} x {stored.shape[1]} (height x width), but its image {self.image} "
                f"is {size[0]} x {size[1]}; put the files of one release together"
            )
        if self.step == 1:
            truth = Segmentation.from_class_map(self.own.to_classes(stored, str(self.path)), self.own)
        else:
            truth = self._panoptic(stored)
        return (relabelled(truth, labels),)

    def salvage(self, labels: LabelSet, size: Size) -> Salvaged:
        """Read the map: it is good as a whole or not at all."""
        return self.read(labels, size), ()

    def raw(self) -> list[IntArray]:
        """Read the numbers of the classes."""
        stored = self._stored()
        return [stored if self.step == 1 else stored.astype(np.int64) // self.step]

    def _stored(self) -> IntArray:
        stored, is_rgb = read_ids(self.path)
        if is_rgb:
            raise DataError(f"{self.path}: expected numbers in one band, found colours; take the folder of numbers")
        return stored

    def _panoptic(self, stored: IntArray) -> Segmentation:
        """Make a segment of each value, in the order of the values; those of void classes are void."""
        ids, values = numbered(stored.astype(np.int64) + 1)  # 0 is a value like any other
        values = values - 1
        numbers = values // self.step
        if strange := sorted(set(numbers.tolist()) - set(self.own.values)):
            raise DataError(f"{self.path}: the class {strange[0]} is none of the data set's {len(self.own)} classes")
        classes = np.array([self.own.values[number] for number in numbers.tolist()], np.int64)
        is_group = self.groups & np.isin(classes, self.own.things) & (values % self.step == 0)
        kept = np.flatnonzero(classes != VOID)
        return Segmentation(
            "panoptic",
            DisjointMasks(ids, len(values)).select(kept),
            classes[kept],
            self.own,
            crowd=is_group[kept] if is_group[kept].any() else None,
            source_ids=values[kept],
        )
