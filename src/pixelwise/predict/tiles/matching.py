"""Find which pieces of different tiles are of one object.

Two tiles are compared by what both of them show, the region they overlap in. There a piece of one is matched with at most one
piece of the other: first those that are most alike, so that an object inside another one finds its own kind and not the one
around it. What is left over and broken off, because its tile ends there, goes to the piece that covers it: so an object of
which a tile shows two ends, and takes them for two objects, is one again. Objects are what hangs together over all tiles.

So two objects of a class that lie on one another stay two wherever both tiles have found both. Where one tile has missed the
smaller one, it stays too if the other tile shows the whole of it there; else it is taken for a part of the larger one.
"""

from dataclasses import dataclass

import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray, IntArray
from pixelwise.core.errors import OptionError
from pixelwise.core.grid import Tile
from pixelwise.core.run_windows import shared
from pixelwise.predict.tiles.pieces import Pieces, Window, common, inner, reaches, window

Pair = tuple[int, int]


@dataclass(frozen=True)
class Rules:
    """When two pieces are of one object.

    Attributes:
        alike: their IoU, in the region that both tiles show, is at least this. It is low, as a border off by a pixel either way
            leaves a third of a small object, and each piece takes only the one that is most alike.
        contained: or so much of one, which reaches a border of its tile there, lies under the other; above 1 for never.
        margin: a piece that ends within so many pixels of its tile's border counts as reaching it: masks are often made
            coarse, and end a little before.
        across_classes: also if their classes differ; the object gets the class that has the most pixels times scores.

    Raises:
        OptionError: a share is not above 0, or the margin below 1.
    """

    alike: float = 0.25
    contained: float = 0.75
    margin: int = 2
    across_classes: bool = False

    def __post_init__(self) -> None:
        if not (0 < self.alike <= 1 and self.contained > 0 and self.margin >= 1):
            raise OptionError(
                f"expected shares above 0 and a margin of at least 1 pixel, got alike={self.alike}, "
                f"contained={self.contained}, margin={self.margin}"
            )


class Matcher:
    """Match the pieces of tiles that come row by row, with those of earlier tiles that overlap them."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._near: list[tuple[Window, int, Pieces]] = []  # of tiles that later ones may still overlap, with first numbers
        self._pairs: list[Pair] = []
        self._count = 0

    def add(self, tile: Tile, pieces: Pieces) -> None:
        """Take the pieces of the next tile; they are numbered on from the last."""
        own = window(tile)
        self._near = [each for each in self._near if each[0][3] > own[1]]
        for other, first, earlier in self._near:
            if (region := common(own, other)) is not None and len(pieces):
                for row, column in matches(earlier, pieces, other, own, region, self._rules):
                    if not (earlier.is_rim[row] or pieces.is_rim[column]):
                        self._pairs.append((first + row, self._count + column))
        if len(pieces):
            self._near.append((own, self._count, pieces))
        self._count += len(pieces)

    def objects(self) -> IntArray:
        """Give the object (P,) that each piece is of, numbered from 0 in the order they were met."""
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        rows, columns = np.array(self._pairs, np.int64).reshape(-1, 2).T
        graph = coo_matrix((np.ones(len(rows), bool), (rows, columns)), (self._count, self._count))
        found = connected_components(graph, directed=False)[1]
        firsts, places = np.unique(found, return_index=True, return_inverse=True)[1:]
        return np.argsort(np.argsort(firsts))[places]


def matches(first: Pieces, second: Pieces, one: Window, two: Window, region: Window, rules: Rules) -> list[Pair]:
    """Match the pieces of two tiles, which lie at ``one`` and ``two`` and share ``region``."""
    ours, theirs = first.strokes.cut(region), second.strokes.cut(region)
    rows, columns, both = shared(ours, theirs)
    kinds = (first.groups % 2, second.groups % 2) if rules.across_classes else (first.groups, second.groups)
    same = kinds[0][rows] == kinds[1][columns]
    rows, columns, both = rows[same], columns[same], both[same]
    areas, their_areas = ours.areas()[rows], theirs.areas()[columns]
    alike = both / (areas + their_areas - both)
    found = _most_alike(rows, columns, alike, _apart(first, second, rows, columns), rules.alike)
    ends = reaches(ours.boxes(), inner(one, two), rules.margin)
    their_ends = reaches(theirs.boxes(), inner(two, one), rules.margin)
    taken, their_taken = ({pair[side] for pair in found} for side in (0, 1))
    more = _covered(rows, columns, both / areas, ends, taken, rules.contained)
    their_more = _covered(columns, rows, both / their_areas, their_ends, their_taken, rules.contained)
    return sorted({*found, *more, *((row, column) for column, row in their_more)})


def _most_alike(rows: IntArray, columns: IntArray, alike: FloatArray, apart: FloatArray, least: float) -> list[Pair]:
    """Match one to one, the most alike first; of pairs alike to a hundredth, the one of the nearest scores."""
    found: list[Pair] = []
    taken: tuple[set[int], set[int]] = (set(), set())
    for index in np.lexsort((columns, rows, apart, -alike.round(2))).tolist():
        row, column = int(rows[index]), int(columns[index])
        if alike[index] >= least and row not in taken[0] and column not in taken[1]:
            found.append((row, column))
            taken[0].add(row)
            taken[1].add(column)
    return found


def _covered(
    rows: IntArray, columns: IntArray, shares: FloatArray, ends: BoolArray, taken: set[int], least: float
) -> list[Pair]:
    """Give pieces that are broken off and not matched to the one that covers most of each."""
    found: dict[int, int] = {}
    for index in np.lexsort((columns, -shares)).tolist():
        row = int(rows[index])
        if shares[index] >= least and ends[row] and row not in taken:
            found.setdefault(row, int(columns[index]))
    return list(found.items())


def _apart(first: Pieces, second: Pieces, rows: IntArray, columns: IntArray) -> FloatArray:
    if first.scores is None or second.scores is None:
        return np.zeros(len(rows))
    return np.abs(first.scores[rows] - second.scores[columns])
