"""Compare two masks of a frame as DAVIS does: region similarity J is their IoU, contour accuracy F the F-score of borders.

A border pixel differs from the one to its right, below it, or both; the edge of the image is no border. Border pixels match
where the other mask has one within a radius of 0.8 % of the image's diagonal, rounded up: the dilation by a disk that DAVIS
takes for a bipartite matching of borders [1].

[1] Perazzi et al., A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation, CVPR 2016, section 4.
"""

import math
from typing import NamedTuple

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray, Size

_REACH = 0.008  # of the diagonal


class Outline(NamedTuple):
    """What a mask is compared by, in a box around it that holds all that is near its border.

    Attributes:
        top, left: where the box begins.
        mask, border, near: (h, w) in the box: the mask, its border, and what is within the radius of it.
        area, length: pixels of the mask and of its border.
    """

    top: int
    left: int
    mask: BoolArray
    border: BoolArray
    near: BoolArray
    area: int
    length: int


def radius_of(size: Size) -> int:
    """Give how far apart two borders may be, in pixels.

    >>> radius_of((480, 854))
    8
    """
    return math.ceil(_REACH * math.hypot(*size))


def outline(mask: BoolArray, radius: int) -> Outline:
    """Find the border of a mask (H, W), and what is near it."""
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    pad = radius + 1
    box = slice(max(0, top - pad), top + height + pad), slice(max(0, left - pad), left + width + pad)
    inside = mask[box]
    edge = border(inside)
    length = int(np.count_nonzero(edge))
    near = np.zeros_like(edge)
    if length:
        near = cv2.distanceTransform((~edge).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= radius
    return Outline(box[0].start, box[1].start, inside, edge, near, int(np.count_nonzero(inside)), length)


def border(mask: BoolArray) -> BoolArray:
    """Mark the border pixels of a mask (H, W).

    >>> border(np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]], bool)).astype(int)
    array([[1, 1, 0],
           [1, 1, 0],
           [0, 0, 0]])
    """
    found = np.zeros(mask.shape, bool)
    found[:, :-1] |= mask[:, :-1] != mask[:, 1:]
    found[:-1] |= mask[:-1] != mask[1:]
    found[:-1, :-1] |= mask[:-1, :-1] != mask[1:, 1:]
    return found


def compared(truths: list[Outline], predictions: list[Outline]) -> tuple[FloatArray, FloatArray]:
    """Give J and F of every truth with every prediction, each (T + 1, P + 1); the last row and column stand for no mask.

    No mask against no mask is perfect, in J and F; so are two masks without a border in F.
    """
    shape = len(truths) + 1, len(predictions) + 1
    j, f = np.zeros(shape), np.zeros(shape)
    for row, one in enumerate(truths):
        for column, other in enumerate(predictions):
            j[row, column], f[row, column] = _pair(one, other)
    f[:-1, -1] = [one.length == 0 for one in truths]
    f[-1, :-1] = [other.length == 0 for other in predictions]
    j[-1, -1] = f[-1, -1] = 1
    return j, f


def _pair(one: Outline, other: Outline) -> tuple[float, float]:
    top, left = max(one.top, other.top), max(one.left, other.left)
    bottom, right = (
        min(start + length for start, length in zip(starts, lengths, strict=True))
        for starts, lengths in (
            ((one.top, other.top), (len(one.mask), len(other.mask))),
            ((one.left, other.left), (one.mask.shape[1], other.mask.shape[1])),
        )
    )
    if top >= bottom or left >= right:
        return 0.0, float(one.length == other.length == 0)
    here, there = (
        (slice(top - each.top, bottom - each.top), slice(left - each.left, right - each.left)) for each in (one, other)
    )
    both = int(np.count_nonzero(one.mask[here] & other.mask[there]))
    found = int(np.count_nonzero(one.border[here] & other.near[there]))
    right_ones = int(np.count_nonzero(other.border[there] & one.near[here]))
    return both / (one.area + other.area - both), _f_score(right_ones, other.length, found, one.length)


def _f_score(right: int, predicted: int, found: int, true: int) -> float:
    """Give the harmonic mean of precision and recall of borders; 1 where neither mask has one, 0 where one has."""
    if not (predicted and true):
        return float(predicted == true)
    precision, recall = right / predicted, found / true
    return 2 * precision * recall / (precision + recall) if right or found else 0.0
