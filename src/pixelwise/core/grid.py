"""Lay overlapping tiles over a grid, so that every pixel is covered and no tile leaves the image."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from pixelwise.core.arrays import Size
from pixelwise.core.errors import OptionError


@dataclass(frozen=True)
class Tile:
    """One tile: its place in the image, and the core of it that no other tile is responsible for."""

    top: int
    left: int
    height: int
    width: int
    core: tuple[int, int, int, int]  # top, left, bottom, right in the image: cores partition it

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the tile."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


class Span(NamedTuple):
    """What a tile takes of one side of an image, from ``start`` to before ``stop``, and its core from ``first`` to ``last``."""

    start: int
    stop: int
    first: int
    last: int


def starts(length: int, tile: int, overlap: int, stride: int = 1) -> list[int]:
    """Place tiles of ``tile`` along ``length``, neighbours sharing at least ``overlap``; the last one ends at the end.

    Starts are multiples of ``stride``. The last tile is moved inward to stay full; where the stride does not allow that, it is
    shorter than the others, by less than the stride, so that a network lays its own grid over it as over the whole image.

    >>> starts(100, 40, 10), starts(30, 40, 10)
    ([0, 30, 60], [0])
    >>> starts(100, 40, 8, stride=16)
    [0, 32, 64]

    Raises:
        OptionError: the tile less its overlap is shorter than the stride, so no step fits.
    """
    if tile >= length:
        return [0]
    if not 1 <= stride <= tile - overlap:
        raise OptionError(f"a tile of {tile} with overlap {overlap} cannot step by multiples of {stride}; enlarge the tile")
    step, last = (tile - overlap) // stride * stride, -(-(length - tile) // stride) * stride
    return [*range(0, last, step), last]


def spans(length: int, tile: int, overlap: int, stride: int = 1) -> list[Span]:
    """Place tiles as ``starts`` does, and cut the cores at the middle of each overlap.

    >>> spans(10, 6, 2)
    [Span(start=0, stop=6, first=0, last=5), Span(start=4, stop=10, first=5, last=10)]

    Raises:
        OptionError: no step fits.
    """
    places = starts(length, tile, overlap, stride)
    edges = [0, *((before + tile + after) // 2 for before, after in pairwise(places)), length]
    return [
        Span(place, min(place + tile, length), first, last)
        for place, (first, last) in zip(places, pairwise(edges), strict=True)
    ]


def tiles(size: Size, tile: Size, overlap: int, stride: int = 1) -> Iterator[Tile]:
    """Lay tiles of ``tile`` (H, W) over ``size``, row by row; cores are cut at the middle of each overlap.

    Raises:
        OptionError: the overlap is not smaller than the tile, a side is not positive, or no step fits the stride. It is
            raised here, not when the first tile is asked for.
    """
    check(tile, overlap)
    rows, columns = (spans(size[axis], tile[axis], overlap, stride) for axis in (0, 1))
    return (
        Tile(
            row.start,
            column.start,
            row.stop - row.start,
            column.stop - column.start,
            (row.first, column.first, row.last, column.last),
        )
        for row in rows
        for column in columns
    )


def check(tile: Size, overlap: int) -> None:
    """Refuse tiles that cannot be laid.

    Raises:
        OptionError: the overlap is not smaller than the tile, or a side is not positive.
    """
    if min(tile) < 1 or overlap < 0 or overlap >= min(tile):
        raise OptionError(f"expected an overlap from 0 to below the tile's shorter side, got {overlap} for a tile of {tile}")
