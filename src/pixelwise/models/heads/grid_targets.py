"""Which cells of SOLO's grids are taught which object: those in the middle of it, on the grids for its size [1].

[1] Wang, Kong, Shen, Jiang, Li: SOLO: Segmenting Objects by Locations, ECCV 2020, arXiv 1912.04488, section 3.3.
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import cv2
import numpy as np

from pixelwise.core.arrays import AnyArray, BoolArray, FloatArray, IntArray, Size
from pixelwise.core.errors import OptionError
from pixelwise.core.masks import Masks

Ranges: TypeAlias = tuple[tuple[float, float], ...]
Scales: TypeAlias = Literal["relative"] | Ranges
_FINEST, _WHOLE = 96, 1024  # pixels: the largest object of the paper's finest grid, and about the mean side of its images


@dataclass(frozen=True)
class Grids:
    """Grids of equal cells over an image and its padding.

    Attributes:
        counts: cells along either side, finest grid first.
        scales: the least and the greatest size of each grid's objects, in pixels: the root of the area of the box. ``relative``
            takes the paper's as shares of the image's mean side, as grids are the same for images of every size: up to 3/32,
            then from 3/64 to 3/16, from 3/32 to 3/8 and so on, the last without end.
        centre: the share of an object's box, around the mass centre of its mask, whose cells are taught it.

    Raises:
        OptionError: there is no grid, or a number does not fit.
    """

    counts: tuple[int, ...] = (40, 36, 24, 16, 12)
    scales: Scales = "relative"
    centre: float = 0.2

    def __post_init__(self) -> None:
        if not self.counts or min(self.counts) < 1:
            raise OptionError(f"[model] grids: expected numbers of cells, 1 or more, got {list(self.counts)}")
        if not 0 <= self.centre <= 1:
            raise OptionError(f"[model] centre: expected a share from 0 to 1, got {self.centre}")
        if isinstance(self.scales, str):
            fits = self.scales == "relative"
        else:
            fits = len(self.scales) == len(self.counts) and all(len(one) == 2 and 0 <= one[0] < one[1] for one in self.scales)
        if not fits:
            raise OptionError(
                f"[model] scales: expected 'relative', or a least and a greatest size in pixels for each of the "
                f"{len(self.counts)} grids, got {self.scales!r}"
            )

    @property
    def cells(self) -> int:
        """How many cells all grids have together."""
        return sum(count**2 for count in self.counts)

    def ranges(self, size: Size) -> Ranges:
        """Give the least and the greatest size of each grid's objects, in pixels of an image of ``size``."""
        if not isinstance(self.scales, str):
            return self.scales
        unit = _FINEST / _WHOLE * math.sqrt(size[0] * size[1])
        last = len(self.counts) - 1
        return tuple((unit * 2**i / 4 if i else 0.0, unit * 2**i if i < last else math.inf) for i in range(len(self.counts)))


class Objects(NamedTuple):
    """What places objects: boxes (T, 4), mass centres (T, 2), x and y in pixels, and areas (T,)."""

    boxes: IntArray
    centres: FloatArray
    areas: IntArray


def objects_of(masks: Masks, rows: IntArray) -> Objects:
    """Measure the masks ``rows``, each of which has a pixel."""
    boxes = masks.boxes()[rows]
    centres = np.zeros((len(rows), 2))
    for index, (row, (left, top, right, bottom)) in enumerate(zip(rows.tolist(), boxes.tolist(), strict=True)):
        sums = cv2.moments(masks.mask(row)[top:bottom, left:right].astype(np.uint8), binaryImage=True)
        centres[index] = (left + 0.5 + sums["m10"] / sums["m00"], top + 0.5 + sums["m01"] / sums["m00"])
    return Objects(boxes, centres, masks.areas()[rows])


def places_of(grids: Grids, objects: Objects, size: Size, padded: Size) -> IntArray:
    """Give pairs (P, 2) of a cell, by its number among those of all grids, and the object that it is taught.

    An object's cells are those that the middle ``centre`` of its box touches, moved to its mass centre; at most three by three.
    Where objects want the same cell, the one of the smallest area has it: a larger one has more cells, on more grids.

    Args:
        size: of the image.
        padded: of what the grids lie over: the image with its padding below and to the right.
    """
    boxes, order = objects.boxes, np.argsort(-objects.areas, kind="stable")
    sides = (boxes[:, 2:] - boxes[:, :2]).astype(np.float64)  # across, down
    scale = np.sqrt(sides.prod(axis=1))
    pairs, first = [], 0
    for count, (least, most) in zip(grids.counts, grids.ranges(size), strict=True):
        step = np.array(padded[::-1]) / count
        middle = np.clip(objects.centres // step, 0, count - 1)
        low, high = (np.clip((objects.centres + sign * grids.centre / 2 * sides) // step, 0, count - 1) for sign in (-1, 1))
        low, high = np.maximum(low, middle - 1).astype(np.int64), np.minimum(high, middle + 1).astype(np.int64)
        owner = np.full((count, count), -1, np.int64)
        for row in order[(scale[order] >= least) & (scale[order] <= most)].tolist():
            owner[low[row, 1] : high[row, 1] + 1, low[row, 0] : high[row, 0] + 1] = row
        taken = np.flatnonzero(owner.ravel() >= 0)
        pairs.append(np.stack([first + taken, owner.ravel()[taken]], axis=1))
        first += count**2
    return np.concatenate(pairs)


def counted_cells(grids: Grids, ignored: BoolArray, padded: Size) -> AnyArray:
    """Give (G,) uint8: 0 for cells whose middle lies on an ignored pixel of (H, W), of which nobody knows what is there."""
    found = []
    for count in grids.counts:
        rows, columns = (((np.arange(count) + 0.5) / count * whole).astype(np.int64) for whole in padded)
        beyond = (rows >= ignored.shape[0])[:, None] | (columns >= ignored.shape[1])
        inside = ignored[np.minimum(rows, ignored.shape[0] - 1)[:, None], np.minimum(columns, ignored.shape[1] - 1)]
        found.append((beyond | ~inside).astype(np.uint8).ravel())
    return np.concatenate(found)
