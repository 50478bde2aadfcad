"""Polygons live at the edges only: label files hold them, Pixelwise does not.

``fill`` turns outlines into a mask once, on the way in; ``outlines`` turns a mask into outlines once, on the way out.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from pycocotools import mask as coco

from pixelwise.core.arrays import AnyArray, BoolArray, FloatArray, Size
from pixelwise.core.errors import DataError

FAR = 16  # how many times the longer side of its grid a polygon may reach


def fill(parts: Sequence[AnyArray], size: Size) -> BoolArray:
    """Fill the union of polygons, each (P, 2) of x, y, on an (H, W) grid by COCO's rule (pycocotools, bit for bit).

    >>> fill([np.array([[0, 0], [2, 0], [2, 2], [0, 2]])], (3, 3)).astype(int)
    array([[1, 1, 0],
           [1, 1, 0],
           [0, 0, 0]])

    Raises:
        DataError: a polygon has fewer than three points, a coordinate that is not finite, or one absurdly far outside.
    """
    corners = [np.asarray(part, np.float64) for part in parts]
    reach = FAR * max(*size, 256)
    for part in corners:
        if part.ndim != 2 or part.shape[1] != 2 or len(part) < 3 or not np.isfinite(part).all():
            raise DataError(f"expected a polygon of at least 3 finite points (x, y), got an array of shape {part.shape}")
        if np.abs(part).max() > reach:  # the filler walks along edges pixel by pixel: one such edge would eat all memory
            raise DataError(f"a polygon reaches {np.abs(part).max():.3g} pixels out, on a grid of {size[1]} x {size[0]}")
    if not corners or 0 in size:
        return np.zeros(size, bool)
    merged = coco.merge(coco.frPyObjects([part.ravel().tolist() for part in corners], *size))
    return np.ascontiguousarray(coco.decode(merged)).view(bool)


def outlines(mask: BoolArray) -> list[tuple[FloatArray, list[FloatArray]]]:
    """Trace the parts of ``mask`` (H, W): a list of (outer outline (P, 2), its holes), in x, y through pixel centres.

    Lossy where a part is thinner than a pixel is wide; masks that must survive are kept as run lengths.
    """
    found, tree = cv2.findContours(np.ascontiguousarray(mask, np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    parts: dict[int, tuple[FloatArray, list[FloatArray]]] = {}
    links = tree[0] if tree is not None and len(found) else []
    for index, link in enumerate(links):
        if link[3] < 0:
            parts[index] = (found[index][:, 0].astype(np.float64), [])
    for index, link in enumerate(links):
        if link[3] >= 0:
            parts[int(link[3])][1].append(found[index][:, 0].astype(np.float64))
    return list(parts.values())
