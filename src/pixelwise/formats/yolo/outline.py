"""One outline for a mask of any shape, as a row of YOLO's holds it: its parts, joined by lines walked there and back."""

import numpy as np

from pixelwise.core.arrays import AnyArray, BoolArray, FloatArray
from pixelwise.core.polygons import keyholes


def one_outline(mask: BoolArray) -> FloatArray:
    """Walk around all parts of ``mask`` (H, W) along the sides of their pixels, in one closed line (P, 2) of x, y.

    From each part the line goes to the next between their nearest corners, and in the end back the same way. Filled by the
    even-odd rule (``core.polygons.fill``) it gives the very mask: holes, parts and single pixels.

    >>> one_outline(np.array([[True, False, True]])).astype(int).tolist()
    [[0, 0], [0, 1], [1, 1], [2, 1], [3, 1], [3, 0], [2, 0], [2, 1], [1, 1], [1, 0]]
    """
    parts = sorted(keyholes(mask), key=lambda part: tuple(part.min(axis=0)))
    if not parts:
        return np.zeros((0, 2))
    joined = parts[-1]
    for before, after in zip(parts[-2::-1], parts[:0:-1], strict=True):
        here, there = _nearest(before, after)
        place = int(np.flatnonzero((joined == after[there]).all(axis=1))[0])
        joined = np.concatenate([before[: here + 1], joined[place:], joined[: place + 1], before[here:]])
    moves = (joined != np.roll(joined, 1, axis=0)).any(axis=1)  # parts that touch need no line between them
    return np.asarray(joined[moves], np.float64)


def _nearest(one: AnyArray, other: AnyArray) -> tuple[int, int]:
    """Find the corner of one outline and the corner of another that are nearest to each other."""
    from scipy.spatial import cKDTree  # on first use: `import pixelwise` stays light

    distances, places = cKDTree(other).query(one)
    here = int(np.argmin(distances))
    return here, int(places[here])
