"""Id maps as files store them: any numbers, with gaps, turned into masks in the order of their numbers; and the way back."""

import numpy as np

from pixelwise.core.arrays import IntArray
from pixelwise.core.errors import DataError
from pixelwise.core.idmaps import encode_ids
from pixelwise.core.masks import smallest_dtype
from pixelwise.core.runs import Runs
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.writing import drop

MOST_IDS = 2**20
_TOLD = 5  # objects named in one sentence


def numbered(stored: IntArray) -> tuple[IntArray, IntArray]:
    """Number the objects of an id map (H, W) in which 0 is none: a map of 1..S, and the stored id (S,) of each.

    >>> ids, values = numbered(np.array([[7, 0], [7, 3]]))
    >>> ids.tolist(), values.tolist()
    ([[2, 0], [2, 1]], [3, 7])

    Raises:
        DataError: an id is negative, or there are more than a million.
    """
    if stored.dtype == bool:
        stored = stored.astype(np.uint8)
    if stored.size and stored.dtype.kind == "i" and stored.min() < 0:
        raise DataError(f"expected ids from 0 up, found {stored.min()}")
    if stored.size and int(stored.max()) < 2**16:  # a histogram is ten times faster than a sort
        values = np.flatnonzero(np.bincount(stored.ravel().astype(np.uint16, copy=False)))
        table = np.zeros(2**16, smallest_dtype(len(values)))
        values = values[values > 0]
        table[values] = np.arange(1, len(values) + 1)
        return np.asarray(table[stored]), values
    values, places = np.unique(stored, return_inverse=True)
    if len(values) > MOST_IDS:
        raise DataError(f"{len(values):,} different ids, more than {MOST_IDS:,}: is it a photograph?")
    if len(values) and values[0] == 0:
        return places.reshape(stored.shape), values[1:]
    return places.reshape(stored.shape) + 1, values


def masks_of(stored: IntArray) -> tuple[tuple[Runs, ...], list[int]]:
    """Give the mask of each object of an id map as run lengths, and its stored id, in the order of the ids.

    Raises:
        DataError: as ``numbered``.
    """
    ids, values = numbered(stored)
    return encode_ids(ids, len(values)), values.tolist()


def flattened(truth: Segmentation, name: str) -> tuple[IntArray, IntArray]:
    """Give a truth as an id map (H, W), 0 under none and k for segment k - 1, and the indices of those that are in it.

    Where segments overlap, smaller ones cover larger ones; what that takes from each is told of the sample ``name``.
    """
    ids = truth.panoptic_ids()
    before, after = truth.masks.areas(), np.bincount(ids.ravel(), minlength=len(truth) + 1)[1:]
    lost = np.flatnonzero(after < before)
    if lost.size:
        told = ", ".join(
            f"object {row + 1} loses {before[row] - after[row]:,} of {before[row]:,} pixels" for row in lost[:_TOLD]
        )
        more = f" and {lost.size - _TOLD} more likewise" if lost.size > _TOLD else ""
        drop(f"{name}: objects overlap, and the file holds one a pixel, the smaller: {told}{more}")
    return ids, np.flatnonzero((after > 0) | (before == 0))
