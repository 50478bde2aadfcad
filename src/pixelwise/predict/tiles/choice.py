"""Choose tiles by what a predictor sees of an image, what it was trained on, and a memory limit; and say why.

What a network holds in one pass is not known before it ran. ``PASS`` and ``CLASS`` are what one of the usual size was measured
to hold (a U-Net of EfficientNet-Lite0 in 32 bits), rounded up; plans are estimates of that kind, and say "about".
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil
from typing import Literal, TypeAlias

from pixelwise.core.arrays import Size
from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.grid import check, starts
from pixelwise.core.predictor import PLAIN, Request
from pixelwise.predict.tiles.tiling import CALL, Join, Tiling

LEAST_SIDE = 1024  # of a tile that is chosen here, as the network sees it: a small training crop is no reason for small ones
MOST_SIDE = 2048  # of one that is enlarged for its field of view alone
SMALLEST = 128  # of one that a memory limit makes smaller
SHARE = 4  # the overlap is a quarter of the tile's shorter side, where nothing speaks for another,
MOST_OVERLAP = 128  # but no more pixels than this, as the network sees them
PASS, CLASS = 450, 16  # bytes that a network holds for each pixel of its input, and for each class there

JoinOption: TypeAlias = Join | Literal["auto"]


@dataclass(frozen=True)
class Plan:
    """What will be done with an image of one size.

    Attributes:
        tile: (height, width) of the tiles.
        overlap: what neighbours share at least.
        join: how tiles are put together; ``matched`` for objects.
        tiles: how many there are.
        memory: in bytes, about what is held at once, besides the model, the image and the result.
        reason: why these tiles, and why this join.
    """

    tile: Size
    overlap: int
    join: Join | Literal["matched"]
    tiles: int
    memory: int
    reason: str

    def __str__(self) -> str:
        """Say it in one sentence."""
        held = f"about {size_text(self.memory)} of memory"
        if self.tiles == 1:
            return f"in one piece, {held}: {self.reason}"
        height, width = self.tile
        return f"{self.tiles} tiles of {width} x {height} with an overlap of {self.overlap}, {held}: {self.reason}"


@dataclass(frozen=True)
class Choice:
    """Tiles for a predictor, and why these.

    Attributes:
        tile, overlap, stride, call: see ``Tiling``.
        reach: how far from a pixel its class can be changed, in pixels of the image; None where that is not known.
        room: what is left of the memory limit for blocks in the making; None without a limit.
        reason: why this tile.
        least: (height, width) that a tile may be made smaller to for an image of one size.
    """

    tile: Size
    overlap: int
    stride: int
    call: int
    reach: int | None
    room: int | None
    reason: str
    least: Size

    @property
    def covers(self) -> bool:
        """Whether every pixel is decided by a tile that holds all that can change it."""
        return self.reach is not None and 2 * self.reach <= self.overlap

    def evened(self, size: Size) -> "Choice":
        """Make tiles that were chosen here smaller, as long as (H, W) takes as many: the last ones would share too much."""
        height, width = (_evened(size[axis], self.tile[axis], self.least[axis], self.overlap, self.stride) for axis in (0, 1))
        return replace(self, tile=(height, width))

    def tiling(self, join: Join) -> Tiling:
        """Give the tiles, joined so."""
        margin = self.reach if self.reach is not None and self.covers else 0
        return Tiling(self.tile, self.overlap, join, self.stride, self.room, margin, self.call)

    def join(self, asked: JoinOption, request: Request) -> tuple[Join, str]:
        """Choose the join, and say why: without probabilities to give, a cut costs least, and blending gains little."""
        if asked != "auto":
            return asked, f"joined by {asked} as asked for"
        if self.covers and self.reach is not None:
            return "cut", f"cut at the middle of the overlaps, which cover the field of view of {2 * self.reach + 1} pixels"
        if request.probabilities:
            return "hann", "blended (hann) over the overlaps, as probabilities are asked for"
        known = "is larger than the overlap" if self.reach is not None else "is not known"
        return "cut", f"cut at the middle of the overlaps, which holds no probabilities; the field of view {known}"


def choose(card: Card, tile: Size | None = None, overlap: int | None = None, memory: int | None = None) -> Choice:
    """Choose what is not given.

    A tile has at least the sides of the training crop, and those of ``LEAST_SIDE`` pixels as the network sees them, unless the
    memory limit wants smaller ones. The overlap covers the field of view, where that is known and at most half the tile.

    Raises:
        OptionError: tile and overlap do not fit each other, or no tile keeps to the memory limit.
    """
    stride, reach, given = stride_of(card), reach_of(card), tile
    if memory is not None and memory < 1:
        raise OptionError(f"expected a memory limit in bytes, above 0, got {memory}")
    reason = "the tile was given"
    if tile is None:
        tile, reason = _usual(card, reach)
        while memory is not None and _least_bytes(card, tile, overlap, reach) > memory and max(tile) * card.scale > SMALLEST:
            tile, reason = _halved(card, tile), f"the largest tile within the limit of {size_text(memory)}"
    shared = _overlap(card, tile, reach) if overlap is None else overlap
    check(tile, shared)
    if memory is None:
        room, call = None, max(CALL, tile[0] * tile[1])
    else:
        if (least := _least_bytes(card, tile, shared, reach)) > memory:
            raise OptionError(
                f"tiles of {tile[1]} x {tile[0]} take about {size_text(least)}, and the memory limit is {size_text(memory)}; "
                f"give a higher limit{' or smaller tiles' if max(tile) * card.scale > SMALLEST else ''}"
            )
        call = max(tile[0] * tile[1], min(CALL, int(memory / 2 / pixel_bytes(card))))
        room = max(1, int(memory - call * pixel_bytes(card)))
    least = given or _least(card)
    return Choice(tile, shared, stride if stride <= min(tile) - shared else 1, call, reach, room, reason, least)


def plan(card: Card, choice: Choice, asked: JoinOption, size: Size, request: Request = PLAIN) -> Plan:
    """Say what will be done with an image of (H, W)."""
    if size[0] <= choice.tile[0] and size[1] <= choice.tile[1]:
        held = int(size[0] * size[1] * pixel_bytes(card))
        return Plan(choice.tile, choice.overlap, "cut", 1, held, "the image fits into one tile")
    choice = choice.evened(size) if card.kind == "semantic" else choice
    chosen, why = choice.join(asked, request)
    tiling = choice.tiling(chosen)
    if card.kind != "semantic":
        why = "masks are matched where tiles overlap, and what they take comes on top"
    rows, columns = tiling.spans(size)
    panels = tiling.panels(size, len(card.labels), request)
    if len(panels) > 1:
        why += f", and in {len(panels)} panels of columns to keep to the memory limit"
    pixels = max(tiling.call // (tiling.tile[0] * tiling.tile[1]), 1) * tiling.tile[0] * tiling.tile[1]
    given = min(pixels, len(columns) * min(size[0], tiling.tile[0]) * min(size[1], tiling.tile[1]))
    memory = int(given * pixel_bytes(card)) + tiling.block_bytes(size, len(card.labels), request)
    again = sum(tiling.needed(size, panel)[0] < panel.start for panel in panels)
    join: Join | Literal["matched"] = chosen if card.kind == "semantic" else "matched"
    return Plan(tiling.tile, tiling.overlap, join, len(rows) * (len(columns) + again), memory, f"{choice.reason}; {why}")


def stride_of(card: Card) -> int:
    """Give the stride of a network in pixels of the image: what whole steps of the network's grid take of it.

    A network of stride 32 that reads images at 0.3 of their size has its grid on every 320th pixel.
    """
    return max(1, (Fraction(card.stride) / Fraction(card.scale).limit_denominator(1000)).numerator)


def reach_of(card: Card) -> int | None:
    """Give how far from a pixel its class can be changed, in pixels of the image; None where that is not known."""
    if card.field_of_view is None:
        return None
    return ceil((max(card.field_of_view) // 2 + 1) / card.scale) - 1  # a reduced pixel stands for several, all of which it sees


def pixel_bytes(card: Card) -> float:
    """Give about the bytes that one pass holds for each pixel of the image."""
    return float((PASS + CLASS * len(card.labels)) * card.scale**2 + 4 * len(card.bands))


def size_text(size: float) -> str:
    """Write a number of bytes as people do.

    >>> size_text(1.5e9), size_text(72_000_000)
    ('1.5 GB', '72 MB')
    """
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(size, 1e5) / 1e6:.{0 if size >= 1e6 else 1}f} MB"


def sides_of(card: Card, crop: Size) -> Size:
    """Give a tile of at least the crop, as the network sees it, and of whole steps of its stride."""
    height, width = (int(-(-max(side, LEAST_SIDE) // card.stride) * card.stride / card.scale) for side in crop)
    return height, width


def _usual(card: Card, reach: int | None) -> tuple[Size, str]:
    crop = _crop(card)
    if reach is not None:
        side = min(int(8 * reach * card.scale), MOST_SIDE)
        return sides_of(card, (side, side)), f"the tile is chosen by the field of view of {2 * reach + 1} pixels"
    if crop is not None:
        return sides_of(card, crop), f"the tile is chosen by the training crop of {crop[1]} x {crop[0]}"
    return sides_of(card, (1, 1)), "the tile is the usual one, as no training crop is known"


def _crop(card: Card) -> Size | None:
    """Give the training crop, as the network sees it."""
    crop = card.training.get("crop")
    return (crop[0], crop[1]) if isinstance(crop, list | tuple) and len(crop) == 2 else None


def _least(card: Card) -> Size:
    """Give the training crop in pixels of the image; (1, 1) where there is none."""
    height, width = _crop(card) or (1, 1)
    return ceil(height / card.scale), ceil(width / card.scale)


def _evened(length: int, side: int, smallest: int, overlap: int, stride: int) -> int:
    """Give the smallest side, in steps of the stride, of which a length takes as many tiles as of ``side``.

    >>> _evened(6000, 1024, 1, 128, 32), _evened(900, 1024, 1, 128, 32), _evened(6000, 1024, 1000, 128, 32)
    (992, 1024, 1024)
    """
    count = len(starts(length, side, overlap, stride))
    least = max(smallest, -(-(length + (count - 1) * overlap) // count))
    tried = range(max(-(-least // stride) * stride, overlap + stride), side, stride)
    return next((one for one in tried if len(starts(length, one, overlap, stride)) == count), side) if count > 1 else side


def _halved(card: Card, tile: Size) -> Size:
    step = stride_of(card)
    height, width = (max(-(-side // (2 * step)) * step, int(SMALLEST / card.scale)) for side in tile)
    return height, width


def _overlap(card: Card, tile: Size, reach: int | None) -> int:
    if reach is not None and 4 * reach <= min(tile):
        return 2 * reach
    return min(min(tile) // SHARE, int(MOST_OVERLAP / card.scale))


def _least_bytes(card: Card, tile: Size, overlap: int | None, reach: int | None) -> float:
    """Give what one tile takes, blended and in a panel of its own."""
    shared = _overlap(card, tile, reach) if overlap is None else min(overlap, min(tile) - 1)
    tiling = Tiling(tile, shared, "hann")
    size = (2 * tile[0], tile[1])
    return tile[0] * tile[1] * pixel_bytes(card) + tiling.block_bytes(size, len(card.labels))
