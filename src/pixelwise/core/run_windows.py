"""Masks as strokes, to be moved, cut, compared and joined on grids on which no mask could be decoded.

A stroke is a stretch of pixels in one column. Masks of a small grid become strokes of a huge one by adding two numbers, and
the cost of all that is done here grows with the outlines of the masks, never with the grid.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pixelwise.core.arrays import AnyArray, IntArray, Size
from pixelwise.core.idmaps import of_stretches, stretches
from pixelwise.core.runs import Runs


@dataclass(frozen=True, eq=False)
class Strokes:
    """S masks as T strokes, on a grid without borders.

    Attributes:
        columns, tops, bottoms: (T,) of the strokes, bottoms exclusive: mask after mask, in each by column and then by top.
        bounds: (S + 1,) where the strokes of each mask begin.
    """

    columns: IntArray
    tops: IntArray
    bottoms: IntArray
    bounds: IntArray

    @classmethod
    def of(cls, masks: Sequence[Runs]) -> "Strokes":
        """Take masks of one grid.

        >>> from pixelwise.core.runs import encode
        >>> one = Strokes.of([encode(np.array([[1, 1, 0], [1, 1, 0], [0, 1, 1]], bool))])
        >>> one.columns.tolist(), one.tops.tolist(), one.bottoms.tolist()
        ([0, 1, 2], [0, 0, 2], [2, 3, 3])
        """
        firsts, lasts, cuts = stretches(masks)
        height = max(1, masks[0].size[0]) if masks else 1
        columns, ends = firsts // height, (lasts - 1) // height
        parts = ends - columns + 1  # a stretch that goes on in the next column becomes two strokes
        index, place = np.repeat(np.arange(len(parts)), parts), _places(parts)
        tops = np.where(place == 0, (firsts - columns * height)[index], 0)
        bottoms = np.where(place == (parts - 1)[index], (lasts - ends * height)[index], height)
        bounds = np.append(0, np.cumsum(parts))[cuts]
        return cls(_small(columns[index] + place), _small(tops), _small(bottoms), bounds)

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @property
    def owners(self) -> IntArray:
        """The mask (T,) that each stroke is of."""
        return np.repeat(np.arange(len(self)), np.diff(self.bounds))

    def moved(self, down: int, right: int) -> "Strokes":
        """Move all masks."""
        return replace(self, columns=self.columns + right, tops=self.tops + down, bottoms=self.bottoms + down)

    def take(self, rows: IntArray) -> "Strokes":
        """Take the masks at ``rows``, in that order, as often as they stand there."""
        lengths = np.diff(self.bounds)[rows]
        index = np.repeat(self.bounds[rows], lengths) + _places(lengths)
        return Strokes(self.columns[index], self.tops[index], self.bottoms[index], np.append(0, np.cumsum(lengths)))

    def cut(self, windows: AnyArray) -> "Strokes":
        """Keep what lies in a window (4,), or each mask's in a window of its own (S, 4): left, top, right, bottom."""
        owners = self.owners
        left, top, right, bottom = np.asarray(windows)[owners].T if np.ndim(windows) == 2 else windows
        tops, bottoms = np.maximum(self.tops, top), np.minimum(self.bottoms, bottom)
        kept = (tops < bottoms) & (self.columns >= left) & (self.columns < right)
        bounds = np.append(0, np.cumsum(np.bincount(owners[kept], minlength=len(self))))
        return Strokes(self.columns[kept], _small(tops[kept]), _small(bottoms[kept]), bounds)

    def areas(self) -> IntArray:
        """Count the pixels (S,) of every mask."""
        before = np.append(0, np.cumsum(self.bottoms - self.tops, dtype=np.int64))
        return np.asarray(before[self.bounds[1:]] - before[self.bounds[:-1]])

    def boxes(self) -> IntArray:
        """Find the boxes (S, 4) of every mask: left, top, right, bottom, exclusive; zeros for an empty one."""
        found = np.zeros((len(self), 4), np.int64)
        rows = np.flatnonzero(np.diff(self.bounds))
        if len(rows):
            begins = self.bounds[rows]
            found[rows, 0], found[rows, 2] = self.columns[begins], self.columns[self.bounds[rows + 1] - 1] + 1
            found[rows, 1] = np.minimum.reduceat(self.tops, begins)
            found[rows, 3] = np.maximum.reduceat(self.bottoms, begins)
        return found

    def union(self, groups: IntArray, count: int, size: Size) -> tuple[Runs, ...]:
        """Join the masks of each group (S,) of 0 to ``count`` - 1 into one mask over (H, W), on which all must lie.

        >>> from pixelwise.core.runs import decode, encode
        >>> halves = Strokes.of([encode(np.array([[1, 0]], bool)), encode(np.array([[0, 1]], bool))])
        >>> [decode(mask).astype(int).tolist() for mask in halves.union(np.array([0, 0]), 2, (1, 2))]
        [[[1, 1]], [[0, 0]]]
        """
        apart = size[0] * size[1] + 1  # one more than the pixels, so that no group ends where the next begins
        firsts = groups[self.owners] * np.int64(apart) + self.columns * np.int64(size[0]) + self.tops
        order = np.argsort(firsts, kind="stable")
        reach = np.maximum.accumulate((firsts + (self.bottoms - self.tops))[order])
        firsts = firsts[order]
        begins = np.flatnonzero(np.append(True, firsts[1:] > reach[:-1])[: len(firsts)])
        firsts, lasts = firsts[begins], reach[np.append(begins[1:], len(reach))[: len(begins)] - 1]
        owners = firsts // apart
        cuts = np.searchsorted(owners, np.arange(count + 1))
        return of_stretches(firsts - owners * apart, lasts - owners * apart, cuts, size)


def gathered(parts: Sequence[Strokes]) -> Strokes:
    """Put the masks of several lists into one."""
    parts = [Strokes.of([]), *parts]
    counts = np.concatenate([np.diff(part.bounds) for part in parts])
    columns, tops, bottoms = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("columns", "tops", "bottoms")
    )
    return Strokes(columns, tops, bottoms, np.append(0, np.cumsum(counts)))


def shared(first: Strokes, second: Strokes) -> tuple[IntArray, IntArray, IntArray]:
    """Find the pairs of masks that share pixels: (P,) rows of ``first``, rows of ``second`` and the pixels they share.

    Where strokes are sorted by their first pixels, those that begin within another one lie together; of two strokes that
    meet, one begins within the other. So the cost grows with what meets, not with pairs of masks.
    """
    height = max(int(strokes.bottoms.max(initial=1)) for strokes in (first, second))
    ours, theirs = (_sorted(strokes, height) for strokes in (first, second))
    rows, others = _begin_within(ours, theirs, "left")
    more_others, more_rows = _begin_within(theirs, ours, "right")  # two that begin together are already there
    rows, others = np.append(rows, more_rows), np.append(others, more_others)
    lengths = np.minimum(ours[1][rows], theirs[1][others]) - np.maximum(ours[0][rows], theirs[0][others])
    keys = ours[2][rows] * np.int64(len(second)) + theirs[2][others]
    pairs, place = np.unique(keys, return_inverse=True)
    areas = np.bincount(place, lengths, len(pairs)).astype(np.int64)
    return pairs // max(1, len(second)), pairs % max(1, len(second)), areas


_Sorted = tuple[IntArray, IntArray, IntArray]  # first pixels, last + 1 and masks of strokes, by first pixel


def _sorted(strokes: Strokes, height: int) -> _Sorted:
    firsts = strokes.columns * np.int64(height) + strokes.tops
    order = np.argsort(firsts, kind="stable")
    return firsts[order], (firsts + (strokes.bottoms - strokes.tops))[order], strokes.owners[order]


def _begin_within(ours: _Sorted, theirs: _Sorted, side: str) -> tuple[IntArray, IntArray]:
    """List which of their strokes begin within which of ours; ``side`` right leaves out those that begin together."""
    low = np.searchsorted(theirs[0], ours[0], "right" if side == "right" else "left")
    counts = np.maximum(np.searchsorted(theirs[0], ours[1], "left") - low, 0)
    return np.repeat(np.arange(len(counts)), counts), np.repeat(low, counts) + _places(counts)


def _places(lengths: IntArray) -> IntArray:
    """Count from 0 in each of several stretches that follow one another.

    >>> _places(np.array([2, 0, 3])).tolist()
    [0, 1, 0, 1, 2]
    """
    return np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def _small(values: IntArray) -> IntArray:
    return values.astype(np.int32)  # strokes are what is held for every object of a huge image
