"""How far two segmentations of one image say the same, pixel by pixel and segment by segment."""

from dataclasses import dataclass

import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray, IntArray
from pixelwise.core.errors import SizeMismatch
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.segment_pairs import joint


@dataclass(frozen=True)
class Agreement:
    """What two segmentations of one image have in common; those of several images add up.

    Attributes:
        pixels: of the image.
        equal: pixels of which both say the same: the same class, and where objects are told apart the same object.
        segments: how many the first and the second have.
        matched: how many of them are the same in both, by more than half of their common area (IoU above 0.5).
        renamed: how many of those have another class in the second.
        score: the largest difference between the scores of two matched segments.
    """

    pixels: int = 0
    equal: int = 0
    segments: tuple[int, int] = (0, 0)
    matched: int = 0
    renamed: int = 0
    score: float = 0.0

    def __add__(self, other: "Agreement") -> "Agreement":
        return Agreement(
            self.pixels + other.pixels,
            self.equal + other.equal,
            (self.segments[0] + other.segments[0], self.segments[1] + other.segments[1]),
            self.matched + other.matched,
            self.renamed + other.renamed,
            max(self.score, other.score),
        )

    @property
    def share(self) -> float:
        """The share of equal pixels; 1 where there are none."""
        return self.equal / self.pixels if self.pixels else 1.0


def agreement(first: Segmentation, second: Segmentation) -> Agreement:
    """Count what two segmentations of one image have in common; classes are compared by number.

    Raises:
        SizeMismatch: they differ in height or width.
    """
    equal = ~differing(first, second)
    rows, partners = _matched(first, second)
    renamed = int((first.class_ids[rows] != second.class_ids[partners]).sum())
    score = 0.0
    if len(rows) and first.scores is not None and second.scores is not None:
        score = float(np.abs(first.scores[rows].astype(np.float64) - second.scores[partners]).max())
    return Agreement(equal.size, int(equal.sum()), (len(first), len(second)), len(rows), renamed, score)


def differing(first: Segmentation, second: Segmentation) -> BoolArray:
    """Mark the pixels (H, W) of which two segmentations do not say the same.

    Classes are compared by number. Where objects are told apart, each is looked for in the other segmentation, and its pixels
    are equal where that object lies too, under the same class. Of objects that overlap the smaller is on top.

    >>> from pixelwise.core.labels import LabelSet
    >>> labels = LabelSet.of(["a", "b"])
    >>> one, other = (Segmentation.from_class_map(np.array([[0, last]]), labels) for last in (0, 1))
    >>> differing(one, other).tolist()
    [[False, True]]

    Raises:
        SizeMismatch: they differ in height or width.
    """
    if first.size != second.size:
        raise SizeMismatch(f"expected segmentations of one size, got {first.size} and {second.size} (height, width)")
    if first.kind == "semantic":
        return np.asarray(first.class_map() != second.class_map())
    if first.kind == "multilabel":
        return np.asarray((_layers(first) != _layers(second)).any(axis=0))
    rows, partners = _matched(first, second)
    same = first.class_ids[rows] == second.class_ids[partners]
    table = np.full(len(first) + 1, -1, np.int64)
    table[0] = 0
    table[rows[same] + 1] = partners[same] + 1
    return np.asarray(table[first.panoptic_ids()] != second.panoptic_ids())


def _matched(first: Segmentation, second: Segmentation) -> tuple[IntArray, IntArray]:
    """Give the rows of the segments that are the same in both; above an IoU of a half none has two partners."""
    if first.kind in ("semantic", "multilabel"):
        _, rows, partners = np.intersect1d(first.class_ids, second.class_ids, return_indices=True)
        return rows, partners
    pairs = joint(first.panoptic_ids(), second.panoptic_ids(), (len(first), len(second)))
    own, others = (
        np.bincount(ids, pairs.pixels, count + 1) for ids, count in ((pairs.first, len(first)), (pairs.second, len(second)))
    )
    union: FloatArray = own[pairs.first] + others[pairs.second] - pairs.pixels
    kept = (pairs.first > 0) & (pairs.second > 0) & (2 * pairs.pixels > union)
    return pairs.first[kept] - 1, pairs.second[kept] - 1


def _layers(segmentation: Segmentation) -> BoolArray:
    """Stack what is under each class (L, H, W)."""
    layers = np.zeros((len(segmentation.labels), *segmentation.size), bool)
    for row, index in enumerate(segmentation.class_ids.tolist()):
        layers[index] |= segmentation.masks.mask(row)
    return layers
