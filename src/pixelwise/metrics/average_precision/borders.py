"""The borders of masks: what of a mask lies close to its outside [1].

[1] Cheng et al., Boundary IoU: Improving Object-Centric Image Segmentation Evaluation, CVPR 2021.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from pycocotools import mask as coco

from pixelwise.core.arrays import ByteArray, Size
from pixelwise.core.runs import Runs

SHARE = 0.02  # of an image's diagonal


class Border(NamedTuple):
    """A border in the smallest box around its mask, turned: ``pixels`` are (width, height), as run lengths go by columns."""

    left: int
    top: int
    pixels: ByteArray
    area: int

    def iou(self, other: "Border") -> float:
        """Compare with another border, neither of them empty."""
        shared = np.count_nonzero(self._within(other) & other._within(self))
        return shared / (self.area + other.area - shared)

    def _within(self, other: "Border") -> ByteArray:
        """Cut out what lies in the box of another."""
        return self.pixels[
            max(other.left - self.left, 0) : max(other.left + other.pixels.shape[0] - self.left, 0),
            max(other.top - self.top, 0) : max(other.top + other.pixels.shape[1] - self.top, 0),
        ]


class Borders:
    """The borders of an image's masks, each found when it is asked for."""

    def __init__(self, masks: Sequence[Runs], width: int) -> None:
        self._masks = masks
        self._width = width
        self._known: dict[int, Border] = {}

    def of(self, index: int) -> Border:
        """Give the border of one mask."""
        if index not in self._known:
            self._known[index] = _border(self._masks[index], self._width)
        return self._known[index]


def border_width(size: Size) -> int:
    """Give the width of a border in pixels: 2 % of the diagonal of an image (H, W), and at least 1.

    >>> border_width((480, 640)), border_width((3, 4))
    (16, 1)
    """
    return max(1, round(SHARE * float(np.hypot(*size))))


def _border(mask: Runs, width: int) -> Border:
    left, top, right, bottom = mask.box
    whole = coco.decode({"size": [*mask.size], "counts": mask.counts}).T  # turning it back would take longer than all else
    pixels = np.ascontiguousarray(whole[left:right, top:bottom])
    square = np.ones((3, 3), np.uint8)
    inner = np.asarray(cv2.erode(pixels, square, iterations=width, borderType=cv2.BORDER_CONSTANT, borderValue=0), np.uint8)
    return Border(left, top, pixels - inner, int(np.count_nonzero(pixels)) - int(np.count_nonzero(inner)))
