"""Weighted means of the probabilities of overlapping tiles, of which only the seams are held.

``hann`` takes the arithmetic mean. ``gaussian`` takes the geometric one, brought back to a sum of 1: that is the softmax of the
mean logits, which is what MONAI's sliding window has for a network's logits, so that both choose the same class.

A pixel's weight in a tile is a product of a weight along its row and one along its column; beside the weighted sums of the
classes, the sum of the weights is held as one more plane. A tile's border that is the image's own has no other tile beyond it,
and there the sum of the weights makes up for small ones.
"""

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np

from pixelwise.core.arrays import FloatArray
from pixelwise.core.grid import Span
from pixelwise.predict.tiles.tiling import Tiling

SIGMA = 0.125  # of the Gaussian, in parts of the tile,
FLOOR = 1e-3  # and its least weight, of a pixel: both as in MONAI's sliding window, so that results can be compared
_TINY = 1e-30  # stands for a probability of 0, of which there is no logarithm


def weights(tiling: Tiling, laid: Sequence[Span]) -> list[FloatArray]:
    """Weigh the pixels of each tile's support along one side.

    ``hann`` rises over the overlap as a squared sine, and is 1 where no other tile has a say; ``gaussian`` is
    exp(-x² / 2 (SIGMA · tile)²) at the distance x from the tile's middle.

    >>> tiling = Tiling((4, 4), 1, "hann")
    >>> [each.round(3).tolist() for each in weights(tiling, tiling.spans((7, 7))[0])]
    [[1.0, 1.0, 1.0, 0.5], [0.5, 1.0, 1.0, 1.0]]
    """
    supports = tiling.supports(laid)
    found = []
    for index, (span, (begin, end)) in enumerate(zip(laid, supports, strict=True)):
        if tiling.join == "gaussian":
            found.append(_gaussian(span.stop - span.start)[begin - span.start : end - span.start])
        else:
            before = supports[index - 1][1] - begin if index else 0
            after = end - supports[index + 1][0] if index + 1 < len(supports) else 0
            found.append(_rise(end - begin, before) * _rise(end - begin, after)[::-1])
    return found


def _gaussian(length: int) -> FloatArray:
    away = np.arange(length) - (length - 1) / 2
    return np.asarray(np.exp(-(away**2) / (2 * (SIGMA * length) ** 2)))


def _rise(length: int, shared: int) -> FloatArray:
    """Rise as a squared sine over the first ``shared`` pixels, and be 1 behind them."""
    steps = np.minimum((np.arange(length) + 0.5) / max(shared, 0.5), 1)
    return np.asarray(np.sin(steps * (np.pi / 2)) ** 2)


class Blend:
    """The sums in work while the tiles of a panel are added, row by row, each from left to right.

    Held are the tile in work, and what reaches below its row of tiles: never the whole strip.
    """

    def __init__(self, classes: int, tiling: Tiling, rows: Sequence[Span], columns: Sequence[Span], panel: range) -> None:
        """Make room for the sums of a panel of columns; ``rows`` and ``columns`` are those of all tiles."""
        self._spans = rows, columns
        self._is_geometric = tiling.join == "gaussian"
        self._least = FLOOR if tiling.join == "gaussian" else 0.0
        self._rows, self._columns, self._first = tiling.supports(rows), tiling.supports(columns), panel.start
        self._down, self._along = weights(tiling, rows), weights(tiling, columns)
        self._left, right = self._columns[panel.start][0], self._columns[panel.stop - 1][1]
        tile = [max(end - begin for begin, end in supports) for supports in (self._rows, self._columns)]
        shared = max((end - begin for (_, end), (begin, _) in pairwise(self._rows)), default=0)
        self._window = np.zeros((classes + 1, *tile), np.float32)  # the last plane sums the weights
        self._below = np.zeros((classes + 1, shared, right - self._left), np.float32)

    def add(self, row: int, column: int, probabilities: FloatArray) -> FloatArray:
        """Add the tile of a row and a column of the grid, (L, h, w), and give what no later tile has a say in, (L, h', w').

        What is given begins where the tile's support does; it is a view, good until the next tile is added.
        """
        (top, bottom), (left, right) = self._rows[row], self._columns[column]
        window = self._window[:, : bottom - top, : right - left]
        self._move(row, column, window)
        weight = np.maximum(np.outer(self._down[row], self._along[column]), self._least).astype(np.float32)
        down, along = top - self._spans[0][row].start, left - self._spans[1][column].start
        window[-1] += weight
        for sums, each in zip(window[:-1], probabilities, strict=True):
            own = np.ascontiguousarray(each[down : down + bottom - top, along : along + right - left], np.float32)
            cv2.accumulateProduct(np.log(np.maximum(own, _TINY)) if self._is_geometric else own, weight, sums)
        done = (self._rows[row + 1][0] if row + 1 < len(self._rows) else bottom) - top
        ready = (self._columns[column + 1][0] if column + 1 < len(self._columns) else right) - left
        self._below[:, : bottom - top - done, left - self._left : left - self._left + ready] = window[:, done:, :ready]
        found = window[:-1, :done, :ready]
        found /= window[-1, :done, :ready]  # in place: what is finished is not looked at again
        if self._is_geometric:
            np.exp(found, out=found)
            found /= found.sum(axis=0)
        return found

    def _move(self, row: int, column: int, window: FloatArray) -> None:
        """Keep what the tile shares with the one to its left; fill the rest with what the tiles above left."""
        (left, right), shared = self._columns[column], 0
        if column != self._first:
            before, end = self._columns[column - 1]
            shared, moved = end - left, left - before
            for sums in self._window:
                sums[:, :shared] = sums[:, moved : moved + shared].copy()
        window[:, :, shared:] = 0
        if row:
            held = self._rows[row - 1][1] - self._rows[row][0]
            window[:, :held, shared:] = self._below[:, :held, left + shared - self._left : right - self._left]
