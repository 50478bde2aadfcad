"""Find where the sides of simplified outlines cross, and where one outline has come to lie on the other side of another."""

from collections.abc import Iterator, Sequence

import numpy as np

from pixelwise.core.arrays import BoolArray, IntArray

_PAIRS = 2**20  # compared at once

Sides = list[tuple[int, int]]  # of which ring, and the corner that the side starts from


def crossed(rings: Sequence[IntArray], kept: Sequence[BoolArray]) -> Sides:
    """List the new sides that cross or touch another one elsewhere than at a corner both have."""
    owners, starts, first, second = _sides(rings, kept)
    low, high = np.minimum(first, second), np.maximum(first, second)
    axis = int(np.ptp(low[:, 1]) > np.ptp(low[:, 0]))  # along the longer extent, fewer sides lie beside one another
    order = np.argsort(low[:, axis], kind="stable")
    wrong: set[int] = set()
    for one, other in _beside(low[order, axis], high[order, axis]):
        a, b = order[one], order[other]
        near = (low[a, 1 - axis] <= high[b, 1 - axis]) & (low[b, 1 - axis] <= high[a, 1 - axis])
        a, b = a[near], b[near]
        meets = _meet(first[a], second[a], first[b], second[b])
        wrong.update(a[meets].tolist())
        wrong.update(b[meets].tolist())
    return [(int(owners[side]), int(starts[side])) for side in sorted(wrong)]


def swallowed(rings: Sequence[IntArray], kept: Sequence[BoolArray]) -> Sides:
    """List the new sides between which and the old outline another ring lies: it would change sides."""
    if len(rings) == 1:
        return []
    probes = np.array([ring[np.flatnonzero(keep)[0]] for ring, keep in zip(rings, kept, strict=True)], np.int64)
    order = np.argsort(probes[:, 0], kind="stable")
    across = probes[order, 0]
    wrong: Sides = []
    for index, (ring, keep) in enumerate(zip(rings, kept, strict=True)):
        places = np.flatnonzero(keep)
        ends = np.append(places[1:], places[0] + len(ring))
        for start, end in zip(places[ends - places > 1].tolist(), ends[ends - places > 1].tolist(), strict=True):
            path = ring[np.arange(start, end + 1) % len(ring)].astype(np.int64)
            left, right = np.searchsorted(across, path[:, 0].min()), np.searchsorted(across, path[:, 0].max(), side="right")
            rows = order[left:right]
            inside = (probes[rows, 1] >= path[:, 1].min()) & (probes[rows, 1] <= path[:, 1].max()) & (rows != index)
            if any(_holds(path, probes[row]) for row in rows[inside].tolist()):
                wrong.append((index, start))
    return wrong


def _sides(rings: Sequence[IntArray], kept: Sequence[BoolArray]) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    owners, starts, first, second = [], [], [], []
    for index, (ring, keep) in enumerate(zip(rings, kept, strict=True)):
        places = np.flatnonzero(keep)
        corners = ring[places].astype(np.int64)
        owners.append(np.full(len(places), index))
        starts.append(places)
        first.append(corners)
        second.append(np.roll(corners, -1, axis=0))
    return np.concatenate(owners), np.concatenate(starts), np.concatenate(first), np.concatenate(second)


def _beside(low: IntArray, high: IntArray) -> Iterator[tuple[IntArray, IntArray]]:
    """Give the pairs of stretches, sorted by where they begin, that share a place."""
    ends = np.searchsorted(low, high, side="right")
    counts = ends - np.arange(len(low)) - 1
    total = np.cumsum(counts)
    begin = 0
    while begin < len(low):
        base = int(total[begin - 1]) if begin else 0
        end = max(begin + 1, int(np.searchsorted(total, base + _PAIRS, side="right")))
        own = counts[begin:end]
        one = np.repeat(np.arange(begin, end), own)
        place = np.arange(int(own.sum())) - np.repeat(np.cumsum(own) - own, own)
        yield one, one + 1 + place
        begin = end


def _turn(a: IntArray, b: IntArray, c: IntArray) -> IntArray:
    """Tell (N,) on which side of the line from a to b the points c lie."""
    return np.sign((b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0]))


def _meet(a: IntArray, b: IntArray, c: IntArray, d: IntArray) -> BoolArray:
    """Tell (N,) whether the sides ab and cd, of overlapping boxes, share a point other than one corner of both."""
    turns = _turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)
    shares = (turns[0] * turns[1] <= 0) & (turns[2] * turns[3] <= 0)
    in_line = (turns[0] == 0) & (turns[1] == 0)
    same = [(p == q).all(axis=1) for p in (a, b) for q in (c, d)]
    has_corner = same[0] | same[1] | same[2] | same[3]
    direction = b - a
    places = [((p - a) * direction).sum(axis=1) for p in (c, d)]
    length = (direction**2).sum(axis=1)
    overlaps = np.minimum(np.maximum(*places), length) > np.maximum(np.minimum(*places), 0)
    return np.asarray(shares & np.where(in_line, overlaps | ~has_corner & _touch(places, length), ~has_corner))


def _touch(places: Sequence[IntArray], length: IntArray) -> BoolArray:
    return np.asarray((np.maximum(*places) >= 0) & (np.minimum(*places) <= length))


def _holds(path: IntArray, point: IntArray) -> bool:
    """Tell whether a closed path holds a point, or has it on itself."""
    first, second = path, np.roll(path, -1, axis=0)
    many = np.broadcast_to(point, first.shape)
    on = (_turn(first, second, many) == 0) & (np.minimum(first, second) <= point).all(axis=1)
    if bool((on & (point <= np.maximum(first, second)).all(axis=1)).any()):
        return True
    above = (first[:, 1] > point[1]) != (second[:, 1] > point[1])
    x = first[:, 0] + (point[1] - first[:, 1]) * (second[:, 0] - first[:, 0]) / np.where(above, second[:, 1] - first[:, 1], 1)
    return bool((above & (x > point[0])).sum() % 2)
