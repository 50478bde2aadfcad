"""Lay overlapping tiles over a grid, so that every pixel is covered and no tile leaves the image."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

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


def starts(length: int, tile: int, overlap: int, stride: int = 1) -> list[int]:
    """Place tiles of ``tile`` along ``length``, neighbours sharing at least ``overlap``; the last one ends at the end.

    Starts are multiples of ``stride``, but for the last.

    >>> starts(100, 40, 10)
    [0, 30, 60]
    >>> starts(30, 40, 10)
    [0]

    Raises:
        OptionError: the tile less its overlap is shorter than the stride, so no step fits.
    """
    if tile >= length:
        return [0]
    if not 1 <= stride <= tile - overlap:
        raise OptionError(f"a tile of {tile} with overlap {overlap} cannot step by multiples of {stride}; enlarge the tile")
    step = (tile - overlap) // stride * stride
    return [*range(0, length - tile, step), length - tile]


def tiles(size: Size, tile: Size, overlap: int, stride: int = 1) -> Iterator[Tile]:
    """Lay tiles of ``tile`` (H, W) over ``size``, row by row; cores are cut at the middle of each overlap.

    Raises:
        OptionError: the overlap is not smaller than the tile, a side is not positive, or no step fits the stride. It is
            raised here, not when the first tile is asked for.
    """
    if min(tile) < 1 or overlap < 0 or overlap >= min(tile):
        raise OptionError(f"expected an overlap from 0 to below the tile's shorter side, got {overlap} for a tile of {tile}")
    rows, columns = (_cuts(size[axis], tile[axis], overlap, stride) for axis in (0, 1))
    height, width = min(tile[0], size[0]), min(tile[1], size[1])
    return (
        Tile(top, left, height, width, (first, begin, last, end)) for top, first, last in rows for left, begin, end in columns
    )


def _cuts(length: int, tile: int, overlap: int, stride: int) -> list[tuple[int, int, int]]:
    places = starts(length, tile, overlap, stride)
    edges = [0, *((before + tile + after) // 2 for before, after in pairwise(places)), length]
    return [(place, edges[index], edges[index + 1]) for index, place in enumerate(places)]
