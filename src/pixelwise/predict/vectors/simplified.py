"""Make polygons simpler, as far as a bound on what may change allows.

The corners that are kept are chosen by Douglas and Peucker's rule [1]; the tolerance is the one that keeps fewest, of those at
which what lies between the new outline and the old is no more than the bound leaves. That area is counted from above, side by
side of the old outline, so the true intersection over union is never below the one that is told. New outlines neither cross nor
swallow one another: the corners that prevent it are put back. Each polygon is made simpler on its own, so neighbours may come
to overlap, or to leave gaps, by no more than that.

[1] Douglas and Peucker, Algorithms for the reduction of the number of points required to represent a digitized line, 1973.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray, IntArray
from pixelwise.predict.vectors.crossings import crossed, swallowed

TOLERANCES = (16.0, 8.0, 4.0, 2.0, 1.5, 1.0, 0.75)  # in pixels
_ROUNDS = 12
_LEAST = 0.5  # of a square pixel: the least that leaving out a corner changes

Rings = Sequence[IntArray]


def simplified(rings: Rings, area: int, bound: float) -> tuple[tuple[IntArray, ...], float]:
    """Make a polygon of pixel corners simpler; give it, and an intersection over union that it has at least with the old one.

    Args:
        rings: the outline and holes, each (P, 2) of x, y.
        area: of the polygon.
        bound: the least intersection over union, from 0 to 1.

    >>> steps = np.array([[0, 0], [9, 0], [9, 9], [8, 9], [8, 10], [0, 10]], np.int32)
    >>> rings, iou = simplified([steps], 89, 0.9)
    >>> len(rings[0]), round(iou, 3)
    (4, 0.954)
    """
    room = (1 - bound) * area
    if room < _LEAST:
        return tuple(rings), 1.0
    forced, best, least = _touching(rings), None, 1.0 * area
    for tolerance in TOLERANCES:
        kept = [_kept(ring, tolerance) | held for ring, held in zip(rings, forced, strict=True)]
        if best is not None and _count(kept) > _count(best):
            break  # smaller tolerances keep more
        if _total(rings, kept) > room or not _untangled(rings, kept):
            continue
        changed = _total(rings, kept)  # once more: corners may have been put back
        if changed <= room and changed < least:
            best, least = kept, changed
    if best is None:
        return tuple(rings), 1.0
    return tuple(ring[keep] for ring, keep in zip(rings, best, strict=True)), 1 - least / area


def _count(kept: Sequence[BoolArray]) -> int:
    return sum(int(keep.sum()) for keep in kept)


def _total(rings: Rings, kept: Sequence[BoolArray]) -> float:
    return sum(_changed(ring, keep) for ring, keep in zip(rings, kept, strict=True))


def _kept(ring: IntArray, tolerance: float) -> BoolArray:
    """Mark the corners (P,) that the rule keeps; where fewer than three would be left, those of a smaller tolerance."""
    points = np.ascontiguousarray(ring, np.int32)[:, None]
    while tolerance >= TOLERANCES[-1]:
        chosen = cv2.approxPolyDP(points, tolerance, True)[:, 0]
        if len(chosen) > 2:
            wide = np.int64(ring[:, 0].max()) + 1
            return np.isin(ring[:, 1] * wide + ring[:, 0], chosen[:, 1] * wide + chosen[:, 0])
        tolerance /= 2
    return np.ones(len(ring), bool)


def _touching(rings: Rings) -> list[BoolArray]:
    """Mark the corners at which rings touch, and those beside them: kept, the rings still touch and do not cross there."""
    if len(rings) == 1:
        return [np.zeros(len(rings[0]), bool)]
    every = np.concatenate([np.asarray(ring, np.int64) for ring in rings])
    codes = every[:, 1] * (every[:, 0].max() + 1) + every[:, 0]
    _, places, counts = np.unique(codes, return_inverse=True, return_counts=True)
    meets = np.split(counts[places] > 1, np.cumsum([len(ring) for ring in rings])[:-1])
    return [one | np.roll(one, 1) | np.roll(one, -1) for one in meets]


def chords(keep: BoolArray) -> IntArray:
    """Give, for each side (P,) of a ring from corner i to i + 1, the kept corner that its new side starts from."""
    places = np.flatnonzero(keep)
    return places[np.searchsorted(places, np.arange(len(keep)), side="right") - 1]


def _changed(ring: IntArray, keep: BoolArray) -> float:
    """Count the area between a ring and what is kept of it, from above: between each old side and its new one."""
    points = ring.astype(np.float64)
    places = np.flatnonzero(keep)
    start = chords(keep)
    after = places[(np.searchsorted(places, start) + 1) % len(places)]
    origin, direction = points[start], points[after] - points[start]
    direction /= np.maximum(np.hypot(*direction.T), 1e-12)[:, None]

    def against(corners: FloatArray) -> tuple[FloatArray, FloatArray]:
        away = corners - origin
        return (away * direction).sum(axis=1), direction[:, 0] * away[:, 1] - direction[:, 1] * away[:, 0]

    (along, off), (along_next, off_next) = against(points), against(np.roll(points, -1, axis=0))
    far, far_next = np.abs(off), np.abs(off_next)
    height = (far + far_next) / 2
    crosses = off * off_next < 0
    height = np.where(crosses, (far**2 + far_next**2) / (2 * np.maximum(far + far_next, 1e-12)), height)
    return float((np.abs(along_next - along) * height).sum())


def _untangled(rings: Rings, kept: list[BoolArray]) -> bool:
    """Put corners back, in place, until no ring crosses or swallows another; False where that takes too many rounds."""
    for _ in range(_ROUNDS):
        wrong = crossed(rings, kept) or swallowed(rings, kept)
        if not wrong:
            return True
        for index, start in wrong:
            _put_back(rings[index], kept[index], start)
    return False


def _put_back(ring: IntArray, keep: BoolArray, start: int) -> None:
    """Keep the corner furthest from the new side that starts at ``start``, if it left any out."""
    places = np.flatnonzero(keep)
    after = places[(np.searchsorted(places, start) + 1) % len(places)]
    between = np.arange(start + 1, after if after > start else after + len(ring)) % len(ring)
    if len(between):
        direction = (ring[after] - ring[start]).astype(np.float64)
        away = ring[between] - ring[start]
        far = np.abs(direction[0] * away[:, 1] - direction[1] * away[:, 0])
        keep[between[int(np.argmax(far))]] = True
