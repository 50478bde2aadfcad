"""Paste the small mask of a detection into its box on the image's own grid, and code it as run lengths there and then.

Only the pixels of the box are ever computed, a strip of them at a time, so 500 detections on an image of 24 megapixels take no
more memory than one. There are two rules for where the cells of a mask lie:

* aligned: the cells divide the box evenly, a pixel takes the value at its centre, and none does outside the box;
* torchvision's ``paste_masks_in_image``, pixel for pixel: a rim of one empty cell is put around the mask, the box grows by as
  much, its corners are cut to whole numbers and both their pixels belong to it. Its published weights want it so.
"""

from collections.abc import Iterable

import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray, IntArray, Size
from pixelwise.core.runs import Runs, from_counts

_AT_ONCE = 2**20  # pixels that are computed at once


def pasted(cells: FloatArray, box: FloatArray, size: Size, aligned: bool, threshold: float = 0.5) -> Runs:
    """Give the pixels of an image (H, W) in which a mask (m, m), spread over ``box``, lies above ``threshold``.

    >>> pasted(np.ones((2, 2)), np.array([1.0, 0.0, 3.0, 1.0]), (2, 4), aligned=True).box
    (1, 0, 3, 1)
    """
    rule = spread if aligned else _like_torchvision
    left, across = rule(box[0], box[2], size[1], cells.shape[1])
    top, down = rule(box[1], box[3], size[0], cells.shape[0])
    rows = down @ np.pad(cells.astype(np.float64), 1)
    wide = max(1, _AT_ONCE // max(1, len(rows)))
    strips = range(0, len(across), wide)
    return joined(((left + first, rows @ across[first : first + wide].T > threshold) for first in strips), top, size)


def joined(parts: Iterable[tuple[int, BoolArray]], top: int, size: Size) -> Runs:
    """Code a mask of an image (H, W) that comes in parts: from left to right, the first column and the pixels (h, w) of each.

    >>> joined([(1, np.ones((1, 1), bool)), (2, np.ones((1, 1), bool))], 0, (2, 4)).box
    (1, 0, 3, 1)
    """
    turns = [_turns(inside, (top, left), size) for left, inside in parts]
    ends = [np.zeros(1, np.int64), *turns, np.full(1, size[0] * size[1])]
    return from_counts(np.diff(np.concatenate(ends)).tolist(), size)


def spread(low: float, high: float, side: int, count: int) -> tuple[int, FloatArray]:
    """Give the first pixel with its centre from ``low`` to ``high``, and a row of cell weights for each such pixel."""
    first, last = max(int(np.ceil(low - 0.5)), 0), min(int(np.ceil(high - 0.5)), side)
    pixels = np.arange(first, max(first, last)) + 0.5
    places = (pixels - low) / max(high - low, 1e-6) * count + 0.5
    return first, _weights(np.clip(places, 1, count), count + 2)  # the rim is left out: a mask ends where its box does


def _like_torchvision(low: float, high: float, side: int, count: int) -> tuple[int, FloatArray]:
    """Give the first pixel, and a row of cell weights for each, by torchvision's rule."""
    centre, half = (low + high) * 0.5, (high - low) * 0.5 * ((count + 2) / count)
    first, last = int(centre - half), int(centre + half) + 1  # int() cuts towards 0, as torch does
    pixels = np.arange(max(first, 0), max(min(last, side), max(first, 0)))
    return max(first, 0), _weights((pixels - first + 0.5) * ((count + 2) / max(last - first, 1)) - 0.5, count + 2)


def _weights(places: FloatArray, count: int) -> FloatArray:
    """Give (pixels, count) weights by which cells are mixed at ``places``: linearly, between the centres of two."""
    distances = np.abs(np.clip(places, 0, count - 1)[:, None] - np.arange(count))
    return np.asarray(np.clip(1 - distances, 0, None))


def _turns(inside: BoolArray, corner: tuple[int, int], size: Size) -> IntArray:
    """List the pixels of an image (H, W), column by column, at which a mask (h, w) begins and ends.

    Its upper left pixel lies at ``corner`` (row, column). A stretch ends with its column; where the next column begins with
    another one, two turns are at the same pixel, and ``from_counts`` joins the stretches.
    """
    turns = np.flatnonzero(np.diff(np.pad(inside, ((1, 1), (0, 0))).view(np.int8), axis=0).T.ravel())
    column, row = np.divmod(turns, inside.shape[0] + 1)
    return np.asarray((column + corner[1]) * size[0] + row + corner[0])
