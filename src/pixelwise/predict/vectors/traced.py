"""Trace the regions of an id raster as polygons with holes, in bands of rows.

A region is what is connected by sides of pixels and has one id. Its outline runs along the sides of its pixels, so nothing is
lost, and is made of corners alone. Where two pixels of a region meet at a corner only, rings are parted there: a ring never
touches itself, and polygons are valid by the rules of OGC's simple features. A band of rows is held, and of regions that are
not yet finished their corners: memory grows with the outline of the largest regions, about 100 bytes for each of its corners.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from pixelwise.core.arrays import BoolArray, IntArray, Size

_BAND = 2**21  # pixels of a band

Rows = Callable[[int, int], IntArray]


@dataclass(frozen=True, eq=False)
class Region:
    """A connected region.

    Attributes:
        value: its id.
        area: its pixels.
        rings: its outline and then its holes, each (P, 2) of x, y, not closed.
    """

    value: int
    area: int
    rings: tuple[IntArray, ...]


@dataclass(frozen=True, eq=False)
class _Corners:
    """C corners of outlines: whose they are, where, and whether their two sides go right and down from there."""

    owners: IntArray
    x: IntArray
    y: IntArray
    right: BoolArray
    down: BoolArray

    def __getitem__(self, rows: BoolArray) -> "_Corners":
        return _Corners(self.owners[rows], self.x[rows], self.y[rows], self.right[rows], self.down[rows])


def regions(rows: Rows, size: Size, void: int | None, band: int | None = None) -> Iterator[Region]:
    """Give the regions of an id raster (H, W), as they are finished from top to bottom.

    Args:
        rows: reads the rows from a first to below a last one.
        void: the id that makes no region.
        band: rows worked on at once.

    >>> ids = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], np.uint8)
    >>> for one in regions(lambda first, last: ids[first:last], (3, 3), void=0):
    ...     one.value, one.area, [ring.tolist() for ring in one.rings]
    (1, 8, [[[0, 0], [3, 0], [3, 3], [0, 3]], [[1, 1], [2, 1], [2, 2], [1, 2]]])
    """
    height, width = size
    step = band or max(1, _BAND // max(width, 1))
    tracing = _Tracing(width)
    for top in range(0, height, step):
        yield from tracing.add(rows(top, min(top + step, height)), void)
    yield from tracing.end()


class _Tracing:
    """The regions that reach the last row seen, in the order of their numbers from 0, and their corners so far."""

    def __init__(self, width: int) -> None:
        self._row = 0
        self._last = np.full(width, -1, np.int64)  # the region of each pixel of the last row, -1 for none
        self._last_values = np.zeros(width, np.int64)
        self._values, self._areas = np.zeros(0, np.int64), np.zeros(0, np.int64)
        none = np.zeros(0, np.int32)
        self._corners = _Corners(none.astype(np.int64), none, none, none.astype(bool), none.astype(bool))

    def add(self, values: IntArray, void: int | None) -> Iterator[Region]:
        """Take further rows (h, W), and give what is finished by them."""
        from skimage.measure import label  # on first use: it is heavy

        wide = values.astype(np.int64)
        parts = label(wide, background=-1 if void is None else void, connectivity=1).astype(np.int64)
        count = int(parts.max(initial=0))
        firsts = np.zeros(count + 1, np.int64)
        firsts[parts.ravel()] = wide.ravel()
        areas = np.bincount(parts.ravel(), minlength=count + 1)
        yield from self._take(parts, wide[-1], firsts[1:], areas[1:], wide[0])

    def end(self) -> Iterator[Region]:
        """Give what the end of the raster finishes."""
        none, row = np.zeros(0, np.int64), np.zeros((1, len(self._last)), np.int64)
        yield from self._take(row, row[0], none, none, row[0] - 1)

    def _take(
        self, parts: IntArray, last_values: IntArray, values: IntArray, areas: IntArray, first_values: IntArray
    ) -> Iterator[Region]:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        before, count = len(self._values), len(self._values) + len(values)
        joins = (self._last >= 0) & (parts[0] > 0) & (first_values == self._last_values)
        above, below = self._last[joins], before + parts[0][joins] - 1
        links = coo_array((np.ones(len(above), np.int8), (above, below)), shape=(count, count))
        found, groups = connected_components(links, directed=False) if count else (0, np.zeros(0, np.int64))
        groups = groups.astype(np.int64)
        whole_values = np.zeros(found, np.int64)
        whole_values[groups] = np.concatenate([self._values, values])
        whole_areas = np.bincount(groups, np.concatenate([self._areas, areas]), found).astype(np.int64)

        table = np.append(groups, -1)  # the last, for pixels of no region
        grid = np.full((len(parts) + 1, parts.shape[1] + 2), -1, np.int64)
        grid[0, 1:-1] = table[self._last]
        grid[1:, 1:-1] = table[np.where(parts > 0, before + parts - 1, -1)]
        corners = _joined(self._corners, groups, _corners_of(grid, self._row))

        is_open = np.zeros(found, bool)
        is_open[grid[-1][grid[-1] >= 0]] = True
        yield from _traced(corners[~is_open[corners.owners]], whole_values, whole_areas)

        numbers = np.where(is_open, np.cumsum(is_open) - 1, -1)
        left = corners[is_open[corners.owners]]
        self._corners = _Corners(numbers[left.owners], left.x, left.y, left.right, left.down)
        self._values, self._areas = whole_values[is_open], whole_areas[is_open]
        self._last, self._last_values = np.append(numbers, -1)[grid[-1, 1:-1]], last_values
        self._row += len(parts)


def _joined(old: _Corners, groups: IntArray, new: _Corners) -> _Corners:
    def both(first: IntArray, second: IntArray) -> IntArray:
        return np.concatenate([first, second])

    return _Corners(
        both(groups[old.owners], new.owners),
        both(old.x, new.x),
        both(old.y, new.y),
        both(old.right, new.right),
        both(old.down, new.down),
    )


def _corners_of(grid: IntArray, top: int) -> _Corners:
    """Find the corners of outlines between the pixels of a grid (h + 1, W + 2) of regions, all but those below its last row.

    A pixel has a corner where it differs from both its neighbours there, and a region where three of the four pixels are of it
    and the fourth is not; the sides go away from that pixel's middle, that is right and down for the lower right one.
    """
    four = ((grid[:-1, :-1], grid[:-1, 1:]), (grid[1:, :-1], grid[1:, 1:]))
    (a, b), (c, d) = four
    y, x = np.nonzero(~((a == b) & (c == d)) & ~((a == c) & (b == d)))
    near = [[pixels[y, x] for pixels in row] for row in four]
    owners, where, rights, downs = [], [], [], []
    for down in (0, 1):
        for right in (0, 1):
            own, beside, under, across = (
                near[down][right],
                near[down][1 - right],
                near[1 - down][right],
                near[1 - down][1 - right],
            )
            is_convex = (own >= 0) & (beside != own) & (under != own)
            is_concave = (beside >= 0) & (beside == under) & (beside == across) & (beside != own)
            for chosen, owner in ((is_convex, own), (is_concave, beside)):
                rows = np.flatnonzero(chosen)
                owners.append(owner[rows])
                where.append(rows)
                rights.append(np.full(len(rows), right, bool))
                downs.append(np.full(len(rows), down, bool))
    rows = np.concatenate(where)
    return _Corners(
        np.concatenate(owners),
        x[rows].astype(np.int32),
        (y[rows] + top).astype(np.int32),
        np.concatenate(rights),
        np.concatenate(downs),
    )


def _traced(corners: _Corners, values: IntArray, areas: IntArray) -> Iterator[Region]:
    """Link the corners of whole regions to rings.

    Along a row the first corner of a region is linked with the second, the third with the fourth, and so on, and alike along a
    column; going from link to link walks around a ring. A region's first corner in reading order is on its outer ring.
    """
    if not len(corners.owners):
        return
    along = np.lexsort((corners.right, corners.x, corners.y, corners.owners))
    down = _parted(corners, along)
    across = np.lexsort((down, corners.y, corners.x, corners.owners))
    beside, under = _partners(along), _partners(across)
    onward, beside_of = under[beside].tolist(), beside.tolist()
    is_seen = bytearray(len(along))
    points = np.stack([corners.x, corners.y], axis=1)
    owner, rings = -1, []
    for start in along.tolist():
        if is_seen[start]:
            continue
        if (mine := int(corners.owners[start])) != owner:
            if rings:
                yield Region(int(values[owner]), int(areas[owner]), tuple(rings))
            owner, rings = mine, []
        path, place = [], start
        while not is_seen[place]:
            other = beside_of[place]
            path += (place, other)
            is_seen[place] = is_seen[other] = 1
            place = onward[place]
        rings.append(points[path])
    yield Region(int(values[owner]), int(areas[owner]), tuple(rings))


def _parted(corners: _Corners, along: IntArray) -> BoolArray:
    """Turn the sides of corners at which a region meets itself, so that two rings touch there instead of one itself."""
    down = corners.down.copy()
    first, second = along[:-1], along[1:]
    meets = (
        (corners.owners[first] == corners.owners[second])
        & (corners.x[first] == corners.x[second])
        & (corners.y[first] == corners.y[second])
    )
    for rows in (first[meets], second[meets]):
        down[rows] = ~down[rows]
    return down


def _partners(order: IntArray) -> IntArray:
    found = np.empty(len(order), np.int64)
    found[order[0::2]], found[order[1::2]] = order[1::2], order[0::2]
    return found
