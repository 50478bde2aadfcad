"""Count the pixels that a region of the truth and one of the prediction share, and compare the two partitions by that.

Only pairs that share a pixel are kept: thousands of superpixels against hundreds of regions fill less than a hundredth of
their table. Pixels are visited by runs, of which a map of regions has few, in strips, so that memory stays small.
"""

from typing import NamedTuple

import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray, IntArray
from pixelwise.core.errors import SizeMismatch
from pixelwise.core.segmentation import Segmentation

_STRIP = 2**20  # pixels
_DENSE = 2**20  # cells up to which a whole table is cheaper than sorting


class Contingency(NamedTuple):
    """How two partitions of N labelled pixels overlap, as the C pairs of regions that share any.

    Attributes:
        rows: (C,) regions of the truth, rising.
        columns: (C,) regions of the prediction.
        pixels: (C,) how many they share.
        true: (T,) labelled pixels of each region of the truth; 0 for one that has none.
        predicted: (S,) labelled pixels of each predicted region.
    """

    rows: IntArray
    columns: IntArray
    pixels: IntArray
    true: IntArray
    predicted: IntArray

    @property
    def total(self) -> int:
        """N."""
        return int(self.pixels.sum())


def region_ids(one: Segmentation, void_crowds: bool = False) -> IntArray:
    """Give the region of each pixel (H, W): 0 under none, k for segment k - 1; crowds may be no region."""
    ids = one.panoptic_ids()
    if not (void_crowds and one.is_crowd.any()):
        return ids
    kept = np.append(0, np.where(one.is_crowd, 0, np.arange(1, len(one) + 1)))
    return np.asarray(kept[ids], ids.dtype)


def contingency(truth: IntArray, prediction: IntArray) -> Contingency:
    """Count the pixels of every pair of regions of two id maps (H, W).

    Pixels of the truth under no region (0) are left out; those of the prediction are one region more, the first.

    >>> found = contingency(np.array([[1, 1, 2, 0]]), np.array([[1, 2, 2, 2]]))
    >>> list(zip(found.rows.tolist(), found.columns.tolist(), found.pixels.tolist()))
    [(0, 1, 1), (0, 2, 1), (1, 2, 1)]

    Raises:
        SizeMismatch: the two differ in size.
    """
    if truth.shape != prediction.shape:
        raise SizeMismatch(
            f"the prediction is {prediction.shape}, the truth {truth.shape} (height, width); predict at full size"
        )
    height, width = int(truth.max(initial=0)) + 1, int(prediction.max(initial=0)) + 1
    flat = truth.reshape(-1), prediction.reshape(-1)
    parts = [
        _cells(flat[0][start : start + _STRIP], flat[1][start : start + _STRIP], (height, width))
        for start in range(0, truth.size, _STRIP)
    ]
    codes, pixels = parts[0] if len(parts) == 1 else _joined(parts)
    codes, pixels = codes[codes >= width], pixels[codes >= width]  # row 0 is under no region of the truth
    rows, columns = np.divmod(codes, width)
    rows = rows - 1
    true, predicted = (
        np.bincount(which, pixels, length).astype(np.int64) for which, length in ((rows, height - 1), (columns, width))
    )
    return Contingency(rows, columns, pixels, true, predicted)


def _cells(truth: IntArray, prediction: IntArray, shape: tuple[int, int]) -> tuple[IntArray, IntArray]:
    """Give the codes, row * width + column, of the pairs in a strip, rising, and their pixels."""
    ends = np.append(np.flatnonzero(_changes(truth) | _changes(prediction)), truth.size - 1)
    codes = truth[ends].astype(np.int64) * shape[1] + prediction[ends]
    lengths = np.diff(ends, prepend=-1)
    if shape[0] * shape[1] > _DENSE:
        return _summed(codes, lengths)
    table = np.bincount(codes, lengths, shape[0] * shape[1])  # float64 holds these whole numbers exactly
    found = np.flatnonzero(table)
    return found, table[found].astype(np.int64)


def _joined(parts: list[tuple[IntArray, IntArray]]) -> tuple[IntArray, IntArray]:
    empty = np.zeros(0, np.int64)
    return _summed(*(np.concatenate([empty, *each]) for each in zip(*parts, strict=True))) if parts else (empty, empty)


def _summed(codes: IntArray, pixels: IntArray) -> tuple[IntArray, IntArray]:
    order = np.argsort(codes, kind="stable")
    codes, pixels = codes[order], pixels[order]
    starts = np.flatnonzero(np.append(True, codes[1:] != codes[:-1]))
    return codes[starts], np.add.reduceat(pixels, starts)


def _changes(ids: IntArray) -> BoolArray:
    """Mark the pixels after which a flat map changes; the last is not among them."""
    return np.asarray(ids[1:] != ids[:-1])


def rand_index(table: Contingency) -> float:
    """Give the share of pairs of pixels on which both partitions agree: together in both, or apart in both [1].

    It is 1 for a single pixel, as in scikit-learn, and needs at least one.

    [1] Rand, Objective Criteria for the Evaluation of Clustering Methods, JASA 1971.
    """
    together = [int(areas @ areas) for areas in (table.true, table.predicted, table.pixels)]  # exact below 3e9 pixels
    apart_in_one = together[0] + together[1] - 2 * together[2]  # ordered pairs
    pairs = table.total * (table.total - 1)
    return 1 - apart_in_one / pairs if pairs else 1.0


def conditional_entropies(table: Contingency) -> tuple[float, float]:
    """Give H(prediction | truth) and H(truth | prediction) in bits: how far one splits, and how far it merges, the other.

    Their sum is the variation of information [1].

    [1] Meila, Comparing Clusterings: an Information Based Distance, Journal of Multivariate Analysis 2007.
    """
    shares = table.pixels / table.total
    split = shares @ np.log2(table.true[table.rows] / table.pixels)
    merged = shares @ np.log2(table.predicted[table.columns] / table.pixels)
    return float(split), float(merged)


def best_overlaps(table: Contingency) -> FloatArray:
    """Give for each region of the truth (T,) the highest IoU that a predicted region has with it; 0 for one of no pixels."""
    found = np.zeros(len(table.true))
    if not len(table.rows):
        return found
    either = table.true[table.rows] + table.predicted[table.columns] - table.pixels
    starts = np.flatnonzero(np.append(True, table.rows[1:] != table.rows[:-1]))
    found[table.rows[starts]] = np.maximum.reduceat(table.pixels / either, starts)
    return found
