"""Boxes: (S, 4) arrays of left, top, right, bottom in pixels, right and bottom exclusive."""

import numpy as np

from pixelwise.core.arrays import AnyArray, BoolArray, FloatArray


def box_of(mask: BoolArray) -> tuple[int, int, int, int]:
    """Find the smallest box around ``mask`` (H, W); zeros if it is empty.

    >>> box_of(np.array([[0, 0, 0], [0, 1, 1]], bool))
    (1, 1, 3, 2)
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return 0, 0, 0, 0
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def areas(boxes: AnyArray) -> FloatArray:
    """Give the areas (S,) of boxes (S, 4)."""
    corners = np.asarray(boxes, np.float64)  # unsigned corners would wrap round below 0
    widths, heights = corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]
    return np.asarray(np.clip(widths, 0, None) * np.clip(heights, 0, None), np.float64)


def intersection_over_union(first: AnyArray, second: AnyArray) -> FloatArray:
    """Compare boxes (A, 4) with boxes (B, 4): IoU (A, B), 0 where both are empty.

    >>> intersection_over_union(np.array([[0, 0, 2, 2]]), np.array([[1, 0, 3, 2], [5, 5, 6, 6]])).round(3)
    array([[0.333, 0.   ]])
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    union = areas(first)[:, None] + areas(second)[None] - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))
