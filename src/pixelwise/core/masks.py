"""S masks over one (H, W) grid, in one of two holdings.

``DisjointMasks`` is an id map: cheap, when no two masks share a pixel. ``OverlappingMasks`` are run lengths: needed when
they may. Both give the same masks bit for bit; ``as_disjoint`` and ``as_overlapping`` go both ways.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pixelwise.core import runs
from pixelwise.core.arrays import AnyArray, BoolArray, IntArray, Size
from pixelwise.core.errors import DataError
from pixelwise.core.idmaps import encode_ids, paint_ids
from pixelwise.core.runs import Runs


class Masks(ABC):
    """S masks over an (H, W) grid; the two holdings below are final."""

    @property
    @abstractmethod
    def size(self) -> Size:
        """(H, W) of the grid."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def mask(self, index: int) -> BoolArray:
        """Give one mask (H, W)."""

    @abstractmethod
    def select(self, indices: IntArray) -> "Masks":
        """Keep the masks at ``indices``, in that order."""

    @abstractmethod
    def run_lengths(self) -> tuple[Runs, ...]:
        """Give every mask as run lengths."""

    @abstractmethod
    def areas(self) -> IntArray:
        """Count the pixels (S,) of every mask."""

    @abstractmethod
    def boxes(self) -> IntArray:
        """Find the boxes (S, 4) of every mask: left, top, right, bottom, exclusive; zeros for an empty one."""

    def __eq__(self, other: object) -> bool:
        """Compare mask by mask, whatever the holding."""
        if not isinstance(other, Masks):
            return NotImplemented
        return self.size == other.size and self.run_lengths() == other.run_lengths()

    __hash__ = None  # type: ignore[assignment]

    def dense(self) -> BoolArray:
        """Stack all masks (S, H, W); S * H * W bytes, so for small things and tests."""
        if not len(self):
            return np.zeros((0, *self.size), bool)
        return np.stack([self.mask(index) for index in range(len(self))])


@dataclass(frozen=True, eq=False)
class DisjointMasks(Masks):
    """Masks that share no pixel, as an id map (H, W): 0 is under no mask, k is mask k - 1."""

    ids: IntArray
    count: int

    def __post_init__(self) -> None:
        if self.ids.ndim != 2 or self.ids.dtype.kind not in "ui":
            raise DataError(f"expected an (H, W) integer id map, got {self.ids.shape} {self.ids.dtype}")
        if self.ids.size and (int(self.ids.max()) > self.count or (self.ids.dtype.kind == "i" and self.ids.min() < 0)):
            raise DataError(f"ids must lie in 0..{self.count}, found {self.ids.min()}..{self.ids.max()}")

    @property
    def size(self) -> Size:
        """(H, W) of the grid."""
        return self.ids.shape[0], self.ids.shape[1]

    def __len__(self) -> int:
        return self.count

    def mask(self, index: int) -> BoolArray:
        """Give one mask (H, W)."""
        return np.asarray(self.ids == range(1, self.count + 1)[index])

    def select(self, indices: IntArray) -> Masks:
        """Keep the masks at ``indices``; a repeated index needs the overlapping holding."""
        rows = np.arange(self.count)[np.asarray(indices, np.int64)]  # negative ones count from the end
        if len(np.unique(rows)) != len(rows):
            return as_overlapping(self).select(rows)
        table = np.zeros(self.count + 1, smallest_dtype(len(rows)))
        table[rows + 1] = np.arange(1, len(rows) + 1)
        return DisjointMasks(table[self.ids], len(rows))

    @cached_property
    def _runs(self) -> tuple[Runs, ...]:
        return encode_ids(self.ids, self.count)

    def run_lengths(self) -> tuple[Runs, ...]:
        """Give every mask as run lengths."""
        return self._runs

    def areas(self) -> IntArray:
        """Count the pixels (S,) of every mask."""
        return np.bincount(self.ids.ravel(), minlength=self.count + 1)[1:]

    def boxes(self) -> IntArray:
        """Find the boxes (S, 4) of every mask."""
        from scipy import ndimage  # on first use: `import pixelwise` stays light

        found = np.zeros((self.count, 4), np.int64)
        ids = self.ids if self.ids.dtype != np.uint64 else self.ids.astype(np.int64)
        for index, place in enumerate(ndimage.find_objects(ids, max_label=self.count)):
            if place is not None:
                rows, columns = place
                found[index] = columns.start, rows.start, columns.stop, rows.stop
        return found


@dataclass(frozen=True, eq=False)
class OverlappingMasks(Masks):
    """Masks that may share pixels, as run lengths."""

    runs: tuple[Runs, ...]
    grid: Size

    def __post_init__(self) -> None:
        if wrong := [index for index, each in enumerate(self.runs) if each.size != self.grid]:
            raise DataError(f"mask {wrong[0]} is {self.runs[wrong[0]].size}, expected {self.grid}")

    @property
    def size(self) -> Size:
        """(H, W) of the grid."""
        return self.grid

    def __len__(self) -> int:
        return len(self.runs)

    def mask(self, index: int) -> BoolArray:
        """Give one mask (H, W)."""
        return runs.decode(self.runs[index])

    def select(self, indices: IntArray) -> Masks:
        """Keep the masks at ``indices``, in that order."""
        return OverlappingMasks(tuple(self.runs[int(index)] for index in indices), self.grid)

    def run_lengths(self) -> tuple[Runs, ...]:
        """Give every mask as run lengths."""
        return self.runs

    def areas(self) -> IntArray:
        """Count the pixels (S,) of every mask."""
        return runs.areas(self.runs)

    def boxes(self) -> IntArray:
        """Find the boxes (S, 4) of every mask."""
        return runs.boxes(self.runs)


def smallest_dtype(highest: int) -> np.dtype[np.unsignedinteger[Any]]:
    """Choose the smallest unsigned type that holds ``highest``.

    >>> smallest_dtype(255), smallest_dtype(256)
    (dtype('uint8'), dtype('uint16'))
    """
    return np.dtype(np.uint8 if highest < 2**8 else np.uint16 if highest < 2**16 else np.uint32)


def from_dense(masks: AnyArray) -> Masks:
    """Hold a stack of masks (S, H, W): as an id map if they are disjoint, else as run lengths."""
    stack = np.asarray(masks, bool)
    if stack.ndim != 3:
        raise DataError(f"expected masks (S, H, W), got {stack.shape}")
    if len(stack) and (stack.sum(axis=0, dtype=np.int64) > 1).any():
        return OverlappingMasks(tuple(runs.encode(mask) for mask in stack), (stack.shape[1], stack.shape[2]))
    ids = np.zeros(stack.shape[1:], smallest_dtype(len(stack)))
    for index, mask in enumerate(stack):
        ids[mask] = index + 1
    return DisjointMasks(ids, len(stack))


def as_overlapping(masks: Masks) -> OverlappingMasks:
    """Hold the same masks as run lengths."""
    return OverlappingMasks(masks.run_lengths(), masks.size)


def as_disjoint(masks: Masks) -> DisjointMasks:
    """Hold the same masks as an id map.

    Raises:
        DataError: two masks share a pixel, so an id map would lose one of them; ``paint`` states who wins.
    """
    if isinstance(masks, DisjointMasks):
        return masks
    painted = paint(masks, range(len(masks)))
    if int((painted.ids > 0).sum()) != int(masks.areas().sum()):
        raise DataError("two masks share a pixel: an id map cannot hold both; paint() states which one wins")
    return painted


def paint(masks: Masks, order: Sequence[int] | IntArray) -> DisjointMasks:
    """Paint masks onto an id map in ``order``: later ones cover earlier ones, masks left out are lost."""
    rows = np.asarray(order, np.int64).tolist()
    return DisjointMasks(paint_ids(masks.run_lengths(), rows, masks.size, smallest_dtype(len(masks))), len(masks))
