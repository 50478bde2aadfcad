"""Run lengths of all masks of an id map at once: its cost does not grow with their number."""

from itertools import pairwise

import numpy as np

from pixelwise.core.arrays import IntArray
from pixelwise.core.runs import Runs


def encode_ids(ids: IntArray, count: int) -> tuple[Runs, ...]:
    """Encode the masks 1 to ``count`` of an id map (H, W), all in one pass: each as ``runs.encode`` would alone.

    >>> from pixelwise.core.runs import encode
    >>> ids = np.array([[1, 1, 0], [2, 1, 2]], np.uint8)
    >>> encode_ids(ids, 2) == (encode(ids == 1), encode(ids == 2))
    True
    """
    size = (ids.shape[0], ids.shape[1])
    if ids.size == 0 or count == 0:
        return tuple(Runs(size, b"") for _ in range(count))
    counts, firsts = _counts_of_ids(np.asarray(ids).T.ravel(), count)
    place = np.arange(len(counts)) - np.repeat(firsts[:-1], np.diff(firsts))
    changes = counts.copy()  # from the fourth on, a count is coded by its difference to the one before the last
    later = np.flatnonzero(place > 2)
    changes[later] -= counts[later - 2]
    text, ends = _coded(changes)
    cuts = ends[firsts]
    return tuple(Runs(size, text[begin:end]) for begin, end in pairwise(cuts.tolist()))


def _counts_of_ids(flat: IntArray, count: int) -> tuple[IntArray, IntArray]:
    """Give the run lengths of every mask of a flat id map, one mask after the other, and where each begins (count + 1,)."""
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    ends = np.append(starts[1:], len(flat))
    ids = flat[starts].astype(np.int64)
    order = np.argsort(ids, kind="stable")[np.count_nonzero(ids == 0) :]
    starts, ends, rows = starts[order], ends[order], ids[order] - 1
    runs = np.bincount(rows, minlength=count)
    last = np.zeros(count, np.int64)
    last[rows] = ends  # the last one written is the last run of its mask
    has_rest = last < len(flat)
    firsts = np.concatenate([[0], np.cumsum(2 * runs + has_rest)])
    begins = np.cumsum(runs) - runs  # where the runs of each mask begin
    place = firsts[rows] + 2 * (np.arange(len(rows)) - begins[rows])
    before = np.append(0, ends[:-1])
    before[begins[runs > 0]] = 0
    counts = np.empty(firsts[-1], np.int64)
    counts[place] = starts - before
    counts[place + 1] = ends - starts
    counts[firsts[1:][has_rest] - 1] = (len(flat) - last)[has_rest]
    return counts, firsts


def _coded(values: IntArray) -> tuple[bytes, IntArray]:
    """Write signed numbers as COCO does: five bits a character, lowest first; with where each begins (len + 1,)."""
    left, open_, parts = values, np.arange(len(values)), []
    lengths = np.zeros(len(values), np.int64)
    while len(open_):
        low, left = left & 31, left >> 5
        goes_on = left != -(low >> 4 & 1)  # what is left is more than copies of the sign
        parts.append((open_, (low + 48 + 32 * goes_on).astype(np.uint8)))
        lengths[open_] += 1
        open_, left = open_[goes_on], left[goes_on]
    ends = np.concatenate([[0], np.cumsum(lengths)])
    text = np.empty(ends[-1], np.uint8)
    for round_, (which, letters) in enumerate(parts):
        text[ends[which] + round_] = letters
    return text.tobytes(), ends
