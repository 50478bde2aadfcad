"""How a raster is cut into tiles, how they are put together again, and what that takes of memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias, get_args

from pixelwise.core.arrays import Size
from pixelwise.core.errors import OptionError
from pixelwise.core.grid import Span, check, spans
from pixelwise.core.predictor import PLAIN, Request

Join: TypeAlias = Literal["gaussian", "hann", "cut"]
JOINS: tuple[Join, ...] = get_args(Join)
CALL = 2**20  # pixels given at once: a network gains nothing from more on a CPU


@dataclass(frozen=True)
class Tiling:
    """How a raster is cut into tiles, and the tiles are put together again.

    Attributes:
        tile: (height, width) in pixels of the raster.
        overlap: what neighbours share at least, in pixels.
        join: ``cut`` takes each pixel from the tile in which it lies most central, and holds no probabilities; ``hann`` and
            ``gaussian`` take means of the tiles' probabilities, weighted as ``blending`` says.
        stride: tiles start at multiples of it.
        memory: in bytes, what the blocks in the making may take; None for no limit.
        margin: in pixels, at a tile's borders inside the raster: what a blend leaves out, as what lies beyond the tile could
            have changed it.
        call: pixels of the tiles that the predictor is given at once; one tile at least.

    Raises:
        OptionError: no such tiles can be laid.
    """

    tile: Size
    overlap: int
    join: Join = "cut"
    stride: int = 1
    memory: int | None = None
    margin: int = 0
    call: int = CALL

    def __post_init__(self) -> None:
        check(self.tile, self.overlap)
        if self.join not in JOINS:
            raise OptionError(f"expected tiles to be joined by one of {', '.join(JOINS)}, got {self.join!r}")
        if not 1 <= self.stride <= min(self.tile) - self.overlap:
            raise OptionError(
                f"a tile of {self.tile} with overlap {self.overlap} cannot step by multiples of {self.stride}; enlarge the tile"
            )
        if not 0 <= 2 * self.margin <= self.overlap:
            raise OptionError(f"a margin of {self.margin} on either side does not fit into an overlap of {self.overlap}")
        if self.memory is not None and self.memory < 1:
            raise OptionError(f"expected a memory limit in bytes, above 0, got {self.memory}")

    @property
    def blends(self) -> bool:
        """Whether probabilities of several tiles are averaged."""
        return self.join != "cut"

    def spans(self, size: Size) -> tuple[list[Span], list[Span]]:
        """Lay the tiles over (H, W): their rows and their columns."""
        rows, columns = (spans(size[axis], self.tile[axis], self.overlap, self.stride) for axis in (0, 1))
        return rows, columns

    def supports(self, laid: Sequence[Span]) -> list[tuple[int, int]]:
        """Give the part of a side that each tile has a say in: its core in a cut, in a blend what neighbours share too.

        Where tiles of ``hann`` share more than the overlap, as the last one, which is moved inward, its middle is what counts:
        a pixel is left to the tile in which it lies more central, and no more than the overlap is held of a seam. Gaussian
        weights leave that to themselves.

        >>> laid = spans(15, 10, 2)
        >>> Tiling((10, 10), 2, "cut").supports(laid), Tiling((10, 10), 2, "hann").supports(laid)
        ([(0, 7), (7, 15)], [(0, 9), (7, 15)])
        """
        if not self.blends:
            return [(span.first, span.last) for span in laid]
        begins, ends = [laid[0].start], []
        for before, after in pairwise(laid):
            spare = 2 * self.margin
            if self.join == "hann":
                spare += before.stop - after.start - self.overlap
            ends.append(before.stop - spare // 2)
            begins.append(after.start + spare - spare // 2)
        return list(zip(begins, [*ends, laid[-1].stop], strict=True))

    def owned(self, laid: Sequence[Span]) -> list[tuple[int, int]]:
        """Give the part of a side that is finished with each tile: its support, less what the next tile has a say in."""
        supports = self.supports(laid)
        return [(begin, after) for (begin, _), (after, _) in pairwise(supports)] + [supports[-1]]

    def panels(self, size: Size, classes: int, request: Request = PLAIN) -> list[range]:
        """Divide the columns of tiles into panels of which the blocks, while they are made, keep to the memory limit.

        A panel has one column of tiles at least. Neighbouring panels of a blend predict the column between them twice.
        """
        columns = self.spans(size)[1]
        if self.memory is None:
            return [range(len(columns))]
        room = (self.memory - self.window_bytes(size, classes)) / self.column_bytes(size, classes, request)
        if columns[-1].stop <= room:
            return [range(len(columns))]
        most = max(1, min(int(room - self.tile[1]) // (self.tile[1] - self.overlap), len(columns)))  # and one to the left
        count = -(-len(columns) // most)
        cuts = [len(columns) * index // count for index in range(count + 1)]
        return [range(first, last) for first, last in pairwise(cuts)]

    def needed(self, size: Size, panel: range) -> range:
        """Give the columns of tiles that a panel's blocks follow from: in a blend, those to its left that reach into it."""
        supports = self.supports(self.spans(size)[1])
        left = supports[panel.start][0]
        return range(next(index for index, (_, end) in enumerate(supports) if end > left), panel.stop)

    def window_bytes(self, size: Size, classes: int) -> int:
        """Count the bytes of a blend's sums (L, h, w) over the tile in work, and of its weights."""
        pixels = min(size[0], self.tile[0]) * min(size[1], self.tile[1])
        return 4 * (classes + 2) * pixels if self.blends else 0

    def column_bytes(self, size: Size, classes: int, request: Request = PLAIN) -> int:
        """Count the bytes held for each column of a panel: of the block in the making, of the one given before it, and of a
        blend's sums below.
        """
        rows = self.spans(size)[0]
        strip = max(last - first for first, last in self.owned(rows))
        held = 2 * strip * (1 if classes <= 255 else 2)
        if request.probabilities:
            held += 2 * strip * 4 * (classes + 1)
        if self.blends:
            supports = self.supports(rows)
            held += 4 * (classes + 1) * max((end - begin for (_, end), (begin, _) in pairwise(supports)), default=0)
        return held

    def block_bytes(self, size: Size, classes: int, request: Request = PLAIN) -> int:
        """Count the bytes that blocks in the making take, in the widest panel."""
        columns = self.spans(size)[1]
        parts = [self.needed(size, part) for part in self.panels(size, classes, request)]
        widest = max(columns[part[-1]].stop - columns[part[0]].start for part in parts)
        return self.window_bytes(size, classes) + widest * self.column_bytes(size, classes, request)
