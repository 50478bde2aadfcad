"""Masks as rings along the sides of their pixels, filled by the even-odd rule, which holds holes and islands in them.

Two masks are one another's difference where rings lie inside each other, so any mask is a list of rings, and none is lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray, Size
from pixelwise.core.errors import DataError
from pixelwise.core.polygons import borders, rasterise
from pixelwise.core.runs import Runs
from pixelwise.formats.shapes import odd_parity


@dataclass(frozen=True, eq=False)
class Rings:
    """Polygons (P, 2) of x, y; what lies inside an odd number of them is the object."""

    rings: tuple[FloatArray, ...]

    def runs(self, size: Size) -> Runs:
        """Fill them, each by COCO's rule."""
        if not self.rings:
            raise DataError("it has no outline; draw one")
        for one in self.rings:
            if len(one) < 3:
                raise DataError(f"a polygon has {len(one)} points; expected at least 3")
        return odd_parity([rasterise([one], size) for one in self.rings], size)


def rings_of(mask: BoolArray) -> list[FloatArray]:
    """Trace a mask (H, W): outlines first, then holes, then islands in holes, and so on.

    >>> ring = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool)
    >>> [part.astype(int).tolist() for part in rings_of(ring)]
    [[[0, 0], [0, 3], [3, 3], [3, 0]], [[1, 1], [1, 2], [2, 2], [2, 1]]]
    """
    found: list[FloatArray] = []
    rest = np.asarray(mask, bool)
    while rest.any():
        filled = _without_holes(rest)
        found += borders(filled) or []
        rest = filled & ~rest
    return found


def are_exact(rings: Sequence[FloatArray], runs: Runs) -> bool:
    """Tell whether rings give the very mask back."""
    return Rings(tuple(rings)).runs(runs.size) == runs if rings else runs.area == 0


def _without_holes(mask: BoolArray) -> BoolArray:
    """Fill the holes of a mask: what is not joined to the outside by sides of pixels."""
    outside = np.pad(~mask, 1, constant_values=True).astype(np.uint8)
    _, ids = cv2.connectedComponents(outside, connectivity=4)
    return np.asarray(ids[1:-1, 1:-1] != ids[0, 0])
