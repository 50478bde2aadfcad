"""Polygons live at the edges only: label files hold them, Pixelwise does not.

``fill`` turns outlines into a mask once, on the way in; ``outlines`` turns a mask into outlines once, on the way out.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from pycocotools import mask as coco

from pixelwise.core.arrays import AnyArray, BoolArray, FloatArray, Size
from pixelwise.core.errors import DataError
from pixelwise.core.runs import Runs, decode, encode

FAR = 16  # how many times the longer side of its grid a polygon may reach
LONG = 1_000_000  # pixels that the edges of a polygon may run along on a small grid; on a large one, as many as it has


def fill(parts: Sequence[AnyArray], size: Size) -> BoolArray:
    """Fill the union of polygons, each (P, 2) of x, y, on an (H, W) grid by COCO's rule (pycocotools, bit for bit).

    >>> fill([np.array([[0, 0], [2, 0], [2, 2], [0, 2]])], (3, 3)).astype(int)
    array([[1, 1, 0],
           [1, 1, 0],
           [0, 0, 0]])

    Raises:
        DataError: as ``rasterise``.
    """
    return decode(rasterise(parts, size))


def rasterise(parts: Sequence[AnyArray], size: Size) -> Runs:
    """Fill the union of polygons, as ``fill`` does, and give it as run lengths.

    Raises:
        DataError: a polygon has fewer than three points, a coordinate that is not finite, one absurdly far outside, or edges
            absurdly long.
    """
    corners = [np.asarray(part, np.float64) for part in parts]
    for part in corners:
        if part.ndim != 2 or part.shape[1] != 2 or len(part) < 3 or not np.isfinite(part).all():
            raise DataError(f"expected a polygon of at least 3 finite points (x, y), got an array of shape {part.shape}")
    _refuse_endless(corners, size)
    if not corners or 0 in size:
        return encode(np.zeros(size, bool))
    filled = coco.frPyObjects([part.ravel() for part in corners], *size)
    return Runs(size, bytes((filled[0] if len(filled) == 1 else coco.merge(filled))["counts"]))


def _refuse_endless(corners: Sequence[FloatArray], size: Size) -> None:
    """Refuse what would eat all memory: the filler walks along edges pixel by pixel."""
    reach, longest = FAR * max(*size, 256), max(LONG, size[0] * size[1])
    bound = 0.0
    for part in corners:
        if (farthest := float(np.abs(part).max())) > reach:
            raise DataError(f"a polygon reaches {farthest:.3g} pixels out, on a grid of {size[1]} x {size[0]}")
        bound += 2 * farthest * len(part)
    if bound <= longest:  # as of nearly all: then nothing need be measured
        return
    length = sum(float(np.abs(part - np.roll(part, 1, axis=0)).max(axis=1).sum()) for part in corners)
    if length > longest:
        raise DataError(f"the edges of a polygon are {length:.3g} pixels long, on a grid of {size[1]} x {size[0]}")


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


def borders(mask: BoolArray) -> list[FloatArray] | None:
    """Trace the parts of ``mask`` (H, W) along the sides of their pixels: ``fill`` gives the very mask back.

    Parts are connected by sides, not by corners. None where a part has a hole, which polygons in COCO's sense cannot hold.

    >>> [part.astype(int).tolist() for part in borders(np.array([[False, True]]))]
    [[[1, 0], [1, 1], [2, 1], [2, 0]]]
    """
    _, ids, boxes, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(mask, np.uint8), connectivity=4)
    found = []
    for index, (left, top, width, height) in enumerate(boxes[1:, :4].tolist(), start=1):  # 0 is what is outside
        box = (ids[top : top + height, left : left + width] == index).astype(np.uint8)
        twice = np.repeat(np.repeat(box, 2, axis=0), 2, axis=1)  # so that each side of a pixel has a place of its own
        contours, _ = cv2.findContours(twice, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        if len(contours) != 1:
            return None
        found.append(_corners((contours[0][:, 0].astype(np.int64) + 1) // 2) + np.array([left, top], np.float64))
    return found


def keyholes(mask: BoolArray) -> list[FloatArray]:
    """Trace each part of ``mask`` (H, W) as one closed path, for files that hold neither holes nor several outlines a part.

    The path runs along the sides of the pixels and, for each hole, over a bridge to it, around it and back over the bridge,
    which so encloses nothing: ``fill`` gives the very mask back.

    >>> ring = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool)
    >>> len(keyholes(ring)), bool((fill(keyholes(ring), (3, 3)) == ring).all())
    (1, True)
    """
    _, ids, boxes, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(mask, np.uint8), connectivity=4)
    found = []
    for index, (left, top, width, height) in enumerate(boxes[:, :4].tolist()):
        if index == 0:
            continue  # what is outside
        part = (ids[top : top + height, left : left + width] == index).astype(np.uint8)
        twice = np.repeat(np.repeat(part, 2, axis=0), 2, axis=1)  # so that each side of a pixel has a place of its own
        contours, links = cv2.findContours(twice, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        paths = [_corners((one[:, 0].astype(np.int64) + 1) // 2) for one in contours]
        outer = next(row for row, link in enumerate(links[0]) if link[3] < 0)
        holes = [path for row, path in enumerate(paths) if row != outer]
        found.append(_bridged(paths[outer], holes) + np.array([left, top], np.float64))
    return found


def _bridged(outer: AnyArray, holes: Sequence[AnyArray]) -> AnyArray:
    """Join the paths of holes to the outer path, each where the two are nearest."""
    if not holes:
        return outer
    from scipy.spatial import cKDTree  # on first use: `import pixelwise` stays light

    tree = cKDTree(outer)
    detours: dict[int, list[AnyArray]] = {}
    for hole in holes:
        far, near = tree.query(hole)
        start = int(np.argmin(far))
        there = int(near[start])
        detours.setdefault(there, []).append(np.concatenate([hole[start:], hole[: start + 1], outer[there : there + 1]]))
    pieces, done = [], 0
    for place in sorted(detours):
        pieces += [outer[done : place + 1], *detours[place]]
        done = place + 1
    return np.concatenate([*pieces, outer[done:]])


def _corners(path: AnyArray) -> AnyArray:
    """Keep the points of a closed path at which it turns."""
    path = path[(path != np.roll(path, 1, axis=0)).any(axis=1)]
    before, after = path - np.roll(path, 1, axis=0), np.roll(path, -1, axis=0) - path
    return np.asarray(path[(before != after).any(axis=1)])
