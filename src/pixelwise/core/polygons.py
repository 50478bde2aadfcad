"""Polygons live at the edges only: label files hold them, Pixelwise does not.

``fill`` turns outlines into a mask once, on the way in; ``outlines`` turns a mask into outlines once, on the way out.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from pycocotools import mask as coco

from pixelwise.core.arrays import AnyArray, BoolArray, FloatArray, Size


def fill(parts: Sequence[AnyArray], size: Size) -> BoolArray:
    """Fill the union of polygons, each (P, 2) of x, y, on an (H, W) grid by COCO's rule (pycocotools, bit for bit).

    >>> fill([np.array([[0, 0], [2, 0], [2, 2], [0, 2]])], (3, 3)).astype(int)
    array([[1, 1, 0],
           [1, 1, 0],
           [0, 0, 0]])

    Raises:
        ValueError: a polygon has fewer than three points or a coordinate that is not finite.
    """
    for part in parts:
        if len(part) < 3 or not np.isfinite(np.asarray(part, np.float64)).all():
            raise ValueError(f"expected a polygon of at least 3 finite points, got {len(part)} points")
    if not parts or 0 in size:
        return np.zeros(size, bool)
    flat = [np.asarray(part, np.float64).ravel().tolist() for part in parts]
    merged = coco.merge(coco.frPyObjects(flat, *size))
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
