"""Split an image into square blocks until each is even, then merge alike neighbours [1].

Blocks are quartered from the top of a quadtree down while the standard deviation of any band in them is above ``tolerance``;
then neighbours whose mean colours are within ``difference`` are merged, the most alike first. Borders are sides of blocks.

Cost: sums over a pyramid, four thirds of the pixels; the merging grows with the number of blocks, of which there are at most
150,000: an image that needs more has its smallest block doubled, and the result says so.

[1] Horowitz and Pavlidis, Picture segmentation by a tree traversal algorithm, Journal of the ACM, 1976.
"""

from typing import NamedTuple

import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray, IntArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.effort import advance
from pixelwise.methods.growing.alike import merged
from pixelwise.methods.growing.changes import check_range, colours
from pixelwise.methods.partition import as_regions, without_specks

KIND: Kind = "regions"
ABOUT = About(
    family="region",
    good_for="large even areas; a quick look at how an image is made up",
    bad_for="slanted and curved borders, which become steps",
    cost="grows with the pixels; merging grows with the blocks, 150,000 at most",
    source="Horowitz and Pavlidis, Picture segmentation by a tree traversal algorithm, Journal of the ACM, 1976",
)
_MOST_BLOCKS = 150_000
_LARGEST = 2**20  # side of a block, past any image


def segment(
    image: Image,
    *,
    tolerance: float = 0.04,
    difference: float = 0.12,
    block: int = 4,
    smallest: float = 0.0005,
) -> Segmentation:
    """Split ``image`` into even blocks, and merge those alike.

    Args:
        tolerance: the largest standard deviation within a block, in any band; 0.01 is a step of Lab.
        difference: the largest distance of mean colours that is merged.
        block: the side of the smallest block, in pixels, a power of 2.
        smallest: share of the image below which a region is given to its neighbours.

    Raises:
        OptionError: an option is out of range.
    """
    check_range("splitmerge", "tolerance", tolerance, 0)
    check_range("splitmerge", "difference", difference, 0)
    check_range("splitmerge", "smallest", smallest, 0, 1)
    if not 1 <= block <= 1024 or block & (block - 1):
        raise OptionError(f"splitmerge: block must be 1, 2, 4, 8 … 1024, got {block}")
    if not image.pixels.size:
        return as_regions(np.zeros(image.size, np.uint8))
    values = colours(image)
    blocks, side = even_blocks(values, tolerance, block)
    advance(0.2)
    notes = (f"the smallest block is {side} pixels wide instead of {block}: there would be too many",) if side > block else ()
    return as_regions(without_specks(merged(blocks, values, difference), round(smallest * blocks.size)), notes)


class _Floor(NamedTuple):
    """One floor of the pyramid: pixels (h, w) in each block, and sums and sums of squares (h, w, C) over them."""

    counts: FloatArray
    sums: FloatArray
    squares: FloatArray

    def quartered(self) -> "_Floor":
        """Give the floor above: each of its blocks holds four of these."""
        return _Floor(*(_added(part) for part in self))

    def is_even(self, tolerance: float) -> BoolArray:
        """Tell which blocks (h, w) vary by at most ``tolerance`` in every band."""
        means = self.sums / np.maximum(self.counts, 1)[:, :, None]
        variances = self.squares / np.maximum(self.counts, 1)[:, :, None] - means**2
        return np.asarray(variances.max(axis=2) <= tolerance**2 + 1e-9)  # sums of squares round at 1e-10


def _added(part: FloatArray) -> FloatArray:
    """Add up blocks of 2 x 2; what is beyond the border counts nothing."""
    height, width = part.shape[:2]
    padded = np.pad(part, [(0, height % 2), (0, width % 2), *[(0, 0)] * (part.ndim - 2)])
    return padded[::2, ::2] + padded[1::2, ::2] + padded[::2, 1::2] + padded[1::2, 1::2]


def even_blocks(values: FloatArray, tolerance: float, block: int) -> tuple[IntArray, int]:
    """Number the blocks (H, W) of the quadtree of ``values`` (H, W, C), from the top left; give also the smallest side used."""
    height, width = values.shape[:2]
    wide = values.astype(np.float64 if values.size < 2**22 else np.float32)
    floor, side, floors = _Floor(np.ones((height, width), np.float32), wide, wide**2), 1, []
    while side < block:
        floor, side = floor.quartered(), 2 * side
    floor = _Floor(*(part.astype(np.float64) for part in floor)) if block > 1 else floor
    while True:
        floors.append((side, np.zeros(floor.counts.shape, bool) if side == 1 else floor.is_even(tolerance)))
        if max(floor.counts.shape) == 1 or side >= _LARGEST:
            break
        floor, side = floor.quartered(), 2 * side
    leaves = _leaves(floors)
    lowest = 0
    while lowest + 1 < len(leaves) and _count(leaves, lowest) > _MOST_BLOCKS:
        lowest += 1
    return _numbered(leaves, lowest, (height, width)), leaves[lowest][0]


def _leaves(floors: list[tuple[int, BoolArray]]) -> list[tuple[int, BoolArray, BoolArray]]:
    """Tell, floor by floor from the lowest: the side, which blocks are leaves, and which lie under no leaf above."""
    found = []
    is_open = np.ones((1, 1), bool)
    for side, is_even in reversed(floors):
        is_open = np.repeat(np.repeat(is_open, 2, 0), 2, 1)[: is_even.shape[0], : is_even.shape[1]] if found else is_open
        found.append((side, is_open & is_even, is_open))
        is_open = is_open & ~is_even
    return found[::-1]


def _count(leaves: list[tuple[int, BoolArray, BoolArray]], lowest: int) -> int:
    """Count the blocks if those of the floor ``lowest`` are not split."""
    return int(leaves[lowest][2].sum()) + sum(int(leaf.sum()) for _, leaf, _ in leaves[lowest + 1 :])


def _numbered(leaves: list[tuple[int, BoolArray, BoolArray]], lowest: int, size: tuple[int, int]) -> IntArray:
    ids = np.zeros(size, np.int32)
    first = 1
    for place in range(len(leaves) - 1, lowest - 1, -1):
        side, is_leaf, is_open = leaves[place]
        chosen = is_open if place == lowest else is_leaf
        numbers = np.zeros(chosen.shape, np.int32)
        numbers[chosen] = np.arange(first, first + int(chosen.sum()))
        first += int(chosen.sum())
        wide = np.repeat(np.repeat(numbers, side, 0)[: size[0]], side, 1)[:, : size[1]]
        np.copyto(ids, wide, where=wide > 0)
    return ids
