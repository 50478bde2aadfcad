"""Merge neighbouring regions of alike mean, the most alike first."""

import heapq
import math

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.methods.effort import advance

_LOOK = 4096  # merges between two looks at the clock
_FEW = 32  # neighbours that are weighed again after every merge
_MOVED = 1 / 16  # of the tolerance: how far the mean of a region with more neighbours may move until they are


def touching(ids: IntArray) -> IntArray:
    """List the pairs (E, 2) of numbers that meet along a side of a pixel in a map (H, W), the smaller first, each once.

    >>> touching(np.array([[1, 1, 2], [3, 3, 2]])).tolist()
    [[1, 2], [1, 3], [2, 3]]
    """
    count = int(ids.max(initial=0)) + 1
    keys = []
    for first, second in ((ids[:, :-1], ids[:, 1:]), (ids[:-1], ids[1:])):
        differ = first != second
        one, other = first[differ].astype(np.int64), second[differ].astype(np.int64)
        keys.append(np.unique(np.minimum(one, other) * count + np.maximum(one, other)))
    found = np.unique(np.concatenate(keys))
    return np.stack([found // count, found % count], axis=1)


def means_of(ids: IntArray, values: FloatArray) -> tuple[FloatArray, IntArray]:
    """Give the mean (K + 1, C) and the area (K + 1,) of each number of a map (H, W) over ``values`` (H, W, C)."""
    areas = np.bincount(ids.ravel())
    sums = np.stack([np.bincount(ids.ravel(), values[:, :, band].ravel()) for band in range(values.shape[2])], axis=1)
    return sums / np.maximum(areas, 1)[:, None], areas


def merged(ids: IntArray, values: FloatArray, tolerance: float) -> IntArray:
    """Merge neighbours of a map (H, W) whose mean colours are at most ``tolerance`` apart, the most alike first.

    A merged region has the mean of all its pixels, and is compared anew with its neighbours; one of many neighbours only when
    its mean has moved by a sixteenth of the tolerance, as weighing them all at each merge would cost their number squared.
    """
    means, areas = means_of(ids, values)
    return joined(touching(ids), means, areas, tolerance)[ids]


def joined(pairs: IntArray, means: FloatArray, areas: IntArray, tolerance: float) -> IntArray:
    """Give the number (K + 1,) each region has after merging: the smallest of those it was merged with.

    Args:
        pairs: (E, 2) of neighbours.
        means: (K + 1, C) of the regions; ``areas``: (K + 1,).
        tolerance: the largest distance of means that is merged.
    """
    parent = list(range(len(areas)))
    sums = [tuple(row) for row in (means * areas[:, None]).tolist()]
    weights = areas.tolist()
    around: list[set[int]] = [set() for _ in parent]
    for first, second in pairs.tolist():
        around[first].add(second)
        around[second].add(first)
    gaps = np.sqrt(((means[pairs[:, 0]] - means[pairs[:, 1]]) ** 2).sum(axis=1))
    near = gaps <= tolerance
    heap = [(gap, *pair) for gap, pair in zip(gaps[near].tolist(), pairs[near].tolist(), strict=True)]
    heapq.heapify(heap)
    weighed = [tuple(row) for row in means.tolist()]  # the mean that a region's pairs were weighed with

    def gap_of(first: int, second: int) -> float:
        one, other = weights[first], weights[second]
        return float(sum((a / one - b / other) ** 2 for a, b in zip(sums[first], sums[second], strict=True)) ** 0.5)

    popped, size = 0, max(len(heap), 1)
    while heap:
        popped += 1
        if popped % _LOOK == 0:
            advance(min(0.99, popped / (popped + len(heap) + size)))
        gap, first, second = heapq.heappop(heap)
        if parent[first] != first or parent[second] != second or second not in around[first]:
            continue
        current = gap_of(first, second)
        if current > gap + 1e-12:  # a mean has moved since: back into the row, or out of it
            if current <= tolerance:
                heapq.heappush(heap, (current, first, second))
            continue
        kept, lost = (first, second) if len(around[first]) >= len(around[second]) else (second, first)
        _absorb(kept, lost, parent, sums, weights, around)
        mean = tuple(part / weights[kept] for part in sums[kept])
        has_moved = len(around[kept]) <= _FEW or math.dist(mean, weighed[kept]) > _MOVED * tolerance
        if has_moved:
            weighed[kept] = mean
        for other in sorted(around[kept] if has_moved else around[lost]):
            if (gap := gap_of(kept, other)) <= tolerance:
                heapq.heappush(heap, (gap, min(kept, other), max(kept, other)))
    return _roots(parent)


def _absorb(
    kept: int, lost: int, parent: list[int], sums: list[tuple[float, ...]], weights: list[int], around: list[set[int]]
) -> None:
    """Merge ``lost`` into ``kept``, which takes over its pixels and neighbours."""
    parent[lost] = kept
    sums[kept] = tuple(a + b for a, b in zip(sums[kept], sums[lost], strict=True))
    weights[kept] += weights[lost]
    around[kept].discard(lost)
    around[lost].discard(kept)
    for other in around[lost]:
        around[other].discard(lost)
        around[other].add(kept)
        around[kept].add(other)


def _roots(parent: list[int]) -> IntArray:
    """Give each region the smallest number of those it was merged with."""
    found = np.array(parent, np.int64)
    while (found != found[found]).any():
        found = found[found]
    smallest = np.full(len(found), len(found), np.int64)
    np.minimum.at(smallest, found, np.arange(len(found)))
    return smallest[found]
