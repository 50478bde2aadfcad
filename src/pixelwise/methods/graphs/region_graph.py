"""Superpixels and the graph of which touch which, with sums from which any union of them can be described.

Everything a region is judged by is a sum over its pixels (area, colours, histograms), and everything a pair of neighbours is
judged by a sum over the pairs of pixels along their border. So merging is adding rows.
"""

from dataclasses import dataclass, replace

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.methods.graphs.boundary_strength import Strengths

AREA, COLOUR, SQUARES, Y, X, FRAME, FINE = 0, slice(1, 4), slice(4, 7), 7, 8, 9, 10  # columns of ``sums``
LENGTH, MEANS, FINE_SQUARE, CALM_SQUARE = 0, slice(1, 8), 8, 9  # columns of ``borders``; the means are of Strengths.maps
_BINS = 16  # of lightness and of each colour axis


@dataclass(frozen=True, eq=False)
class RegionGraph:
    """R regions of an image and the E pairs of them that touch.

    Attributes:
        sums: (R, 11) over the pixels of a region, in the columns named above.
        histograms: (R, B) counts of pixels in the bins of several histograms, side by side.
        starts: where each histogram starts.
        pairs: (E, 2) regions that touch, the lower number first, rising.
        borders: (E, 10) sums over the pairs of pixels along a border.
        size: (H, W) of the image.
    """

    sums: FloatArray
    histograms: FloatArray
    starts: IntArray
    pairs: IntArray
    borders: FloatArray
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.sums)


def flooded(strength: FloatArray, cell: float) -> IntArray:
    """Flood ``strength`` (H, W) from the weakest pixel of each cell of a square grid, numbered from 0 [1].

    So there are as many superpixels as cells, whatever the image, and their borders are where it changes most.

    [1] Machairas et al., Waterpixels, IEEE Transactions on Image Processing, 2015.
    """
    from skimage.segmentation import watershed

    height, width = strength.shape
    rows, columns = max(1, round(height / cell)), max(1, round(width / cell))
    down, across = np.arange(height) * rows // height, np.arange(width) * columns // width
    cells = down[:, None] * columns + across
    off_centre = np.maximum(_off_centre(height, rows)[:, None], _off_centre(width, columns))
    heights = strength + 1000 * (off_centre > 0.35)  # rather not at the rim, where two markers could share a valley
    order = np.lexsort((heights.ravel(), cells.ravel()))
    first = np.diff(cells.ravel()[order], prepend=-1) > 0
    markers = np.zeros(strength.size, np.int32)
    markers[order[first]] = np.arange(1, int(first.sum()) + 1)
    found = watershed(strength, markers.reshape(height, width))  # type: ignore[no-untyped-call]
    return np.asarray(found - 1, np.int64)


def _off_centre(length: int, cells: int) -> FloatArray:
    """Give how far each place along a side is from the middle of its cell, in cells: 0 to 0.5."""
    return np.abs(((np.arange(length) + 0.5) * cells / length) % 1 - 0.5)


def region_graph(ids: IntArray, seen: Strengths) -> RegionGraph:
    """Sum up superpixels ``ids`` (H, W), numbered from 0 without gaps, and the borders between them."""
    height, width = ids.shape
    flat, count = ids.ravel(), int(ids.max()) + 1
    rows, columns = np.divmod(np.arange(flat.size, dtype=np.int64), width)
    on_frame = (rows == 0) | (rows == height - 1) | (columns == 0) | (columns == width - 1)
    values = [None, *_channels(seen.lab), *_channels(seen.spread), rows, columns, on_frame, seen.maps[0].ravel()]
    sums = np.stack([np.bincount(flat, value, count) for value in values], axis=1)
    counts = [_counts(flat, count, *binned) for binned in _binned(seen)]
    starts = np.cumsum([0, *(one.shape[1] for one in counts)])[:-1]
    pairs, borders = _borders(ids, count, seen.maps)
    histograms = np.concatenate(counts, axis=1, dtype=np.float32)
    return RegionGraph(sums.astype(np.float32), histograms, starts, pairs, borders, (height, width))


def _channels(values: FloatArray) -> list[FloatArray]:
    return [values[:, :, channel].ravel() for channel in range(values.shape[2])]


def _counts(flat: IntArray, count: int, bins: IntArray, number: int) -> IntArray:
    return np.bincount(flat * number + bins.ravel(), minlength=count * number).reshape(count, number)


def _binned(seen: Strengths) -> list[tuple[IntArray, int]]:
    """Give the bin of each pixel, and how many there are: of the three channels, of colour as a whole, and of two textures."""
    lightness, *axes = (seen.lab[:, :, channel] for channel in range(3))
    single = [_level(lightness, 0, 100, _BINS), *(_level(axis, -64, 64, _BINS) for axis in axes)]
    joint = _level(lightness, 0, 100, 8)
    for axis in axes:
        joint = joint * 8 + _level(axis, -48, 48, 8)
    present = np.bincount(joint.ravel(), minlength=512) > 0
    number = np.cumsum(present) - 1  # bins that no pixel of the image is in are left out
    return [*((bins, _BINS) for bins in single), (number[joint], int(present.sum())), *_textures(seen)]


def _textures(seen: Strengths) -> list[tuple[IntArray, int]]:
    """Give the bins of two textures: which way lightness slopes and how steeply, and how it differs from its surroundings."""
    import cv2

    steep = np.hypot(seen.across, seen.down)
    direction = (cv2.phase(seen.across, seen.down) * (8 / np.pi)).astype(np.int64) % 8
    amount = np.searchsorted([1, 3, 8], steep)
    slopes = np.where(amount == 0, 0, 1 + (amount - 1) * 8 + direction)
    lightness = np.ascontiguousarray(seen.lab[:, :, 0])
    near, far = (cv2.GaussianBlur(lightness, (0, 0), scale) for scale in (2, 5))
    fine, coarse = np.searchsorted([-2.5, -0.6, 0.6, 2.5], lightness - near), np.searchsorted([-4, -1, 1, 4], near - far)
    return [(slopes, 25), (fine * 5 + coarse, 25)]


def _level(values: FloatArray, low: float, high: float, bins: int) -> IntArray:
    """Divide ``low`` to ``high`` into bins; what is beyond is in the first or the last."""
    places = (values - np.float32(low)) * np.float32(bins / (high - low))
    return np.asarray(np.clip(places, 0, bins - 1), np.int64)


def _borders(ids: IntArray, count: int, maps: FloatArray) -> tuple[IntArray, FloatArray]:
    """Find the pairs of superpixels that touch by a side of a pixel, and sum the maps along each border."""
    places = np.arange(ids.size).reshape(ids.shape)
    beside, below = ids[:, :-1] != ids[:, 1:], ids[:-1] != ids[1:]
    first = np.concatenate([places[:, :-1][beside], places[:-1][below]])
    second = np.concatenate([places[:, 1:][beside], places[1:][below]])
    ends = np.sort(np.stack([ids.ravel()[first], ids.ravel()[second]]), axis=0)
    codes, which = np.unique(ends[0] * count + ends[1], return_inverse=True)
    means = [(one.ravel()[first] + one.ravel()[second]) / 2 for one in maps]
    values = [None, *means, means[0] ** 2, means[5] ** 2]
    borders = np.stack([np.bincount(which, value, len(codes)) for value in values], axis=1)
    return np.stack(np.divmod(codes, count), axis=1), borders.astype(np.float32)


def contracted(graph: RegionGraph, into: IntArray) -> RegionGraph:
    """Merge regions: ``into`` (R,) says which new region, numbered from 0 without gaps, each becomes a part of."""
    count = int(into.max()) + 1
    ends = np.sort(into[graph.pairs], axis=1)
    apart = ends[:, 0] != ends[:, 1]
    codes = ends[apart, 0] * count + ends[apart, 1]
    kept, borders = _added(codes, graph.borders[apart])
    return replace(
        graph,
        sums=_added(into, graph.sums)[1],
        histograms=_added(into, graph.histograms)[1],
        pairs=np.stack(np.divmod(kept, count), axis=1),
        borders=borders,
    )


def _added(codes: IntArray, rows: FloatArray) -> tuple[IntArray, FloatArray]:
    """Add the rows (N, C) of equal codes (N,); give the codes, rising, and the sums."""
    if not len(codes):
        return codes, rows
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=ordered[0] - 1))
    return ordered[starts], np.add.reduceat(rows[order], starts, axis=0)
