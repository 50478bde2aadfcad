"""Masks cut out to their boxes: cheap to keep for every track, to move, and to compare.

A mask of a small object costs what its box costs, whatever the size of the frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from pixelwise.core import boxes
from pixelwise.core.arrays import BoolArray, FloatArray
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Segmentation

_BINS = 4  # a band, in three bands: 64 colours
_CELLS = 4096  # pixels of a mask that are enough to learn its colours


@dataclass(frozen=True, eq=False)
class Shape:
    """One mask of a frame: ``mask`` (h, w) fills the box at ``left``, ``top``; ``area`` is its pixels."""

    left: int
    top: int
    mask: BoolArray
    area: int

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom, exclusive."""
        height, width = self.mask.shape
        return self.left, self.top, self.left + width, self.top + height

    @property
    def side(self) -> float:
        """The longer side of its box."""
        return float(max(self.mask.shape))

    def moved(self, across: float, down: float) -> "Shape":
        """Give the shape moved by whole pixels; it may leave the frame."""
        return replace(self, left=self.left + round(across), top=self.top + round(down))


def shapes_of(found: Segmentation) -> list[Shape]:
    """Cut out every mask of a segmentation."""
    cut = []
    for row, (left, top, right, bottom) in enumerate(found.masks.boxes().tolist()):
        mask = found.masks.mask(row)[top:bottom, left:right]
        cut.append(Shape(left, top, np.ascontiguousarray(mask), int(np.count_nonzero(mask))))
    return cut


def shared(one: Shape, other: Shape) -> int:
    """Count the pixels that two shapes share.

    >>> whole = Shape(0, 0, np.ones((2, 2), bool), 4)
    >>> shared(whole, whole.moved(1, 0))
    2
    """
    left, top = max(one.left, other.left), max(one.top, other.top)
    right, bottom = min(one.box[2], other.box[2]), min(one.box[3], other.box[3])
    if right <= left or bottom <= top:
        return 0
    parts = [each.mask[top - each.top : bottom - each.top, left - each.left : right - each.left] for each in (one, other)]
    return int(np.count_nonzero(parts[0] & parts[1]))


def overlaps(first: Sequence[Shape], second: Sequence[Shape]) -> tuple[FloatArray, FloatArray]:
    """Compare shapes (A) with shapes (B): their IoU (A, B), and the share (A, B) of the smaller that lies in the other."""
    union = np.zeros((len(first), len(second)))
    inside = np.zeros_like(union)
    if not union.size:
        return union, inside
    touches = boxes.intersection_over_union(np.array([one.box for one in first]), np.array([one.box for one in second])) > 0
    for row, column in zip(*np.nonzero(touches), strict=True):
        one, other = first[row], second[column]
        common = shared(one, other)
        union[row, column] = common / max(one.area + other.area - common, 1)
        inside[row, column] = common / max(min(one.area, other.area), 1)
    return union, inside


def colours_of(shape: Shape, image: Image) -> FloatArray:
    """Count the colours of a shape's pixels: shares (64,) of coarse bins; of many bands the first three count."""
    left, top, right, bottom = shape.box
    pixels = Image(image.pixels[top:bottom, left:right], image.bands).bytes()[shape.mask][:, :3]
    pixels = pixels[:: max(1, len(pixels) // _CELLS)]
    bins = pixels.astype(np.intp) * _BINS // 256
    codes = bins @ (_BINS ** np.arange(bins.shape[1]))
    counts = np.bincount(codes, minlength=_BINS**3).astype(np.float64)
    return np.asarray(counts / max(counts.sum(), 1))


def likeness(first: FloatArray, second: FloatArray) -> float:
    """Compare two counts of colours: the Bhattacharyya coefficient, 1 for equal ones, 0 where no colour is shared."""
    return float(np.sqrt(first * second).sum())


def thumbnail(image: Image, side: int = 32) -> FloatArray:
    """Reduce an image to a few grey levels (side, side) in [0, 1], by which a change of scene is told."""
    small = cv2.resize(image.bytes()[:, :, :3], (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(small.reshape(side, side, -1).mean(axis=2, dtype=np.float32) / 255, np.float32)
