"""Where regions begin: what a person marked, or places found in the image."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray, Size
from pixelwise.core.errors import OptionError
from pixelwise.core.prompt import Prompt

UNKNOWN, AROUND, FIRST = 0, 1, 2


def drawn(prompts: Sequence[Prompt], size: Size, method: str, radius: int = 1) -> IntArray:
    """Draw prompts as a map (H, W): 0 where nothing is said, 1 on marks outside every object, k + 2 inside prompt k.

    A polygon is inside as a whole; of a box without any other mark the middle is. Later prompts draw over earlier ones.

    Raises:
        OptionError: a mark lies outside the image, a prompt says nothing, or none marks an inside.
    """
    markers = np.zeros(size, np.int32)
    for index, one in enumerate(prompts):
        found = _marks(one.checked(size), size, radius)
        if not found.any():
            raise OptionError(f"{method}: prompt {index + 1} of {len(prompts)} marks nothing; give it points, strokes or a box")
        markers[found == 1] = AROUND
        markers[found == 2] = FIRST + index
    if not (markers >= FIRST).any():
        raise OptionError(f"{method}: the prompts mark only what is outside; mark the inside of an object too")
    return markers


def drawn_small(prompts: Sequence[Prompt], size: Size, small: Size, method: str) -> IntArray:
    """Draw prompts on an image (H, W) as ``drawn`` does, but on a smaller map (h, w), for methods on a reduced image.

    Raises:
        OptionError: as ``drawn``.
    """
    return drawn([one.checked(size).scaled(size, small) for one in prompts], small, method)


def _marks(one: Prompt, size: Size, radius: int) -> IntArray:
    """Draw one prompt (H, W): 0 unknown, 1 outside, 2 inside."""
    found = replace(one, points=_of(one.points, False), scribbles=_of(one.scribbles, False)).markers(size, radius)
    inner = replace(one, points=_of(one.points, True), scribbles=_of(one.scribbles, True)).markers(size, radius)
    np.maximum(found, inner, out=found)  # where marks of both kinds fall on one small pixel, the object is not lost
    found[one.polygon_mask(size)] = 2
    if one.box is not None and not found.any():
        left, top, right, bottom = one.box
        found[int((top + bottom) / 2), int((left + right) / 2)] = 2
    return found


def _of(marks: tuple[Any, ...], inside: bool) -> tuple[Any, ...]:
    """Keep the points or scribbles that mark an inside, or those that mark an outside: it is the last thing they say."""
    return tuple(mark for mark in marks if mark[-1] == inside)


def cells(size: Size, count: int) -> int:
    """Give the side of square cells of which about ``count`` cover an image (H, W)."""
    return max(1, round(math.sqrt(size[0] * size[1] / max(count, 1))))


def flattest(steepness: FloatArray, side: int) -> IntArray:
    """Find the pixel of least steepness in each cell of ``side`` x ``side`` pixels: places in the flattened image.

    Infinite steepness bars a pixel; a cell of such pixels alone has none. Of equals, the first in reading order is taken.

    >>> flattest(np.array([[3.0, 1.0, 2.0, 2.0]]), 2).tolist()
    [1, 2]
    """
    height, width = steepness.shape
    down, across = -(-height // side), -(-width // side)
    whole = np.full((down * side, across * side), np.inf, np.float32)
    whole[:height, :width] = steepness
    blocks = whole.reshape(down, side, across, side).transpose(0, 2, 1, 3).reshape(down * across, side * side)
    best = blocks.argmin(axis=1)
    is_open = np.isfinite(blocks[np.arange(len(blocks)), best])
    rows = np.arange(down * across) // across * side + best // side
    columns = np.arange(down * across) % across * side + best % side
    return np.asarray((rows * width + columns)[is_open])


def farthest(points: FloatArray, count: int) -> IntArray:
    """Choose ``count`` of points (N, D), each farthest from those before it, from the one nearest to the mean on [1].

    [1] Gonzalez, Clustering to minimize the maximum intercluster distance, Theoretical Computer Science, 1985.

    >>> farthest(np.array([[0.0], [1.0], [9.0], [4.0]]), 3).tolist()
    [3, 2, 0]
    """
    chosen = [int(((points - points.mean(axis=0)) ** 2).sum(axis=1).argmin())]
    distances = ((points - points[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < count and distances.max() > 0:
        chosen.append(int(distances.argmax()))
        distances = np.minimum(distances, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
    return np.array(chosen, np.int64)


def nearest_of(ids: IntArray) -> IntArray:
    """Give every 0 of a map (H, W) the number of the nearest pixel that has one; a map of zeros stays as it is."""
    if not ids.any() or ids.all():
        return ids
    _, places = cv2.distanceTransformWithLabels((ids == 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    table = np.zeros(int(places.max()) + 1, ids.dtype)
    table[places[ids > 0]] = ids[ids > 0]
    return table[places]
