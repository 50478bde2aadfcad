"""Masks at a fraction of an image's size, given at its own pixels in parts: all at once they would not fit into memory."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from pixelwise.core.arrays import AnyArray, FloatArray, IntArray, Size
from pixelwise.decode.frame import Frame

_STRIP = 2**24  # values of all masks together that are enlarged at once


class Cells(NamedTuple):
    """Rows and columns of cells of a mask."""

    rows: slice
    columns: slice


class Enlarged:
    """Masks (Q, h, w) of one image, given in parts at the image's own pixels (H, W), bilinearly.

    >>> one = Enlarged(np.array([[[0.0, 4.0]]], np.float32), Frame((1, 4)), (1, 4))
    >>> one.part(one.masks, slice(0, 1), slice(0, 4)).tolist()
    [[[0.0, 1.0, 3.0, 4.0]]]
    """

    def __init__(self, masks: FloatArray, frame: Frame, padded: Size) -> None:
        self.masks, self.size = masks, frame.size
        self._rows, self._columns = (
            _places(length, scale * cells / whole, cells)
            for length, scale, cells, whole in zip(frame.size, frame.scale, masks.shape[1:], padded, strict=True)
        )

    def part(self, masks: FloatArray, rows: slice, columns: slice) -> FloatArray:
        """Give ``masks`` (K, h, w) at a part of the image's pixels: (K, rows, columns)."""
        down = _between(masks, self._rows.of(rows), axis=1)
        return _between(down, self._columns.of(columns), axis=2)

    def made(self, make: Callable[[Cells], FloatArray], rows: slice, columns: slice) -> FloatArray:
        """Give at a part of the image's pixels (rows, columns) what ``make`` makes (h', w') of the cells that lie there."""
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.float32)
        down, across = self._rows.of(rows), self._columns.of(columns)
        found = make(Cells(down.cells, across.cells))
        return _between(_between(found[None], down.within, axis=1), across.within, axis=2)[0]

    def strips(self, masks: FloatArray) -> Iterator[tuple[slice, FloatArray]]:
        """Give ``masks`` (K, h, w) at all pixels, in strips of rows: (rows, (K, rows, W))."""
        height, width = self.size
        step = max(1, _STRIP // max(1, len(masks) * width))
        for top in range(0, height, step):
            rows = slice(top, min(height, top + step))
            yield rows, self.part(masks, rows, slice(0, width))

    def around(self, mask: FloatArray, logit: float) -> tuple[slice, slice] | None:
        """Find the rows and columns of pixels that a mask (h, w) can exceed ``logit`` in; None for none."""
        inside = mask > logit
        if not inside.any():
            return None
        return self._rows.touching(inside.any(axis=1)), self._columns.touching(inside.any(axis=0))


class _Places(NamedTuple):
    """Between which cells of a mask each pixel along one side lies, and the share of the second."""

    first: IntArray
    second: IntArray
    share: FloatArray

    def of(self, pixels: slice) -> "_Places":
        return _Places(*(part[pixels] for part in self))

    @property
    def cells(self) -> slice:
        """The cells, from the first to the last."""
        return slice(int(self.first[0]), int(self.second[-1]) + 1)

    @property
    def within(self) -> "_Places":
        """The same places, counted from the first of these cells."""
        return _Places(self.first - self.first[0], self.second - self.first[0], self.share)

    def touching(self, cells: AnyArray) -> slice:
        """Give the pixels, from the first to the last, that lie at one of the cells marked (n,)."""
        pixels = np.flatnonzero(cells[self.first] | cells[self.second])
        return slice(int(pixels[0]), int(pixels[-1]) + 1) if pixels.size else slice(0, 0)


def _places(length: int, step: float, cells: int) -> _Places:
    position = np.clip((np.arange(length) + 0.5) * step - 0.5, 0, cells - 1)
    first = position.astype(np.int64)
    return _Places(first, np.minimum(first + 1, cells - 1), (position - first).astype(np.float32))


def _between(values: FloatArray, places: _Places, axis: int) -> FloatArray:
    share = places.share[:, None] if axis == 1 else places.share
    first = values.take(places.first, axis)
    return np.asarray(first + (values.take(places.second, axis) - first) * share)
