"""Work on a smaller image and bring the result back: for methods whose cost grows faster than the image.

The regions come back at full size along the edges of the image, not along the blocks of the small one: each pixel joins, of
the four small pixels around it, the one that is most alike in colour (joint upsampling [1] with a hard choice).

[1] Kopf, Cohen, Lischinski, Uyttendaele: Joint bilateral upsampling, SIGGRAPH 2007.
"""

import math

import cv2
import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.image import Image

PIXELS = 2_000_000  # at most, that a costly method works on
_STRIP = 2**20  # pixels compared at once
_AT_ONCE = 4  # bands: OpenCV averages no more
_NEARNESS = 0.1  # how far apart colours are that weigh as much as a whole small pixel's distance


def reduced(image: Image, pixels: int = PIXELS) -> tuple[Image, tuple[str, ...]]:
    """Give an image of at most so many pixels, by averaging, and a note that says so; a small one comes back as it is."""
    height, width = image.size
    if height * width <= pixels:
        return image, ()
    factor = math.sqrt(pixels / (height * width))
    rows, columns = max(1, int(height * factor)), max(1, int(width * factor))
    size = min(rows, max(1, pixels // columns)), min(columns, max(1, pixels // rows))  # a strip is shortened further
    kept = np.nan_to_num(image.pixels, nan=0.0, posinf=1.0, neginf=0.0) if image.pixels.dtype.kind == "f" else image.pixels
    bands = [kept[:, :, first : first + _AT_ONCE] for first in range(0, kept.shape[2], _AT_ONCE)]
    parts = [cv2.resize(part, size[::-1], interpolation=cv2.INTER_AREA).reshape(*size, -1) for part in bands]
    small = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)
    note = f"worked out on {size[0]} x {size[1]} of {height} x {width} pixels, and brought back along the edges of the image"
    return Image(small, image.bands), (note,)


def enlarged(ids: IntArray, small: Image, image: Image) -> IntArray:
    """Bring a map (h, w) of the small image to the pixels of ``image`` (H, W).

    Every number of the result is one of the four around its place, so that no region appears that was not there.
    """
    if small.size == image.size:
        return ids
    height, width = image.size
    values = small.unit()
    down, across = (_around(length, cells) for length, cells in zip(image.size, small.size, strict=True))
    found = np.empty((height, width), ids.dtype)
    step = max(1, _STRIP // width)
    for top in range(0, height, step):
        rows = slice(top, min(height, top + step))
        own = np.nan_to_num(Image(image.pixels[rows], image.bands).unit(), posinf=1.0, neginf=0.0)
        found[rows] = _chosen(ids, values, own, tuple(part[rows] for part in down), across)
    return found


def _around(length: int, cells: int) -> tuple[IntArray, IntArray, FloatArray]:
    """Give the cells before and after each place along a side, and how far it is from the first, in cells."""
    position = np.clip((np.arange(length) + 0.5) * (cells / length) - 0.5, 0, cells - 1)
    first = position.astype(np.int64)
    return first, np.minimum(first + 1, cells - 1), (position - first).astype(np.float32)


def _chosen(ids: IntArray, values: FloatArray, own: FloatArray, down: tuple, across: tuple) -> IntArray:  # type: ignore[type-arg]
    """Choose, for pixels ``own`` (h, W, C), the neighbour of the least distance in colour and place."""
    best = np.full(own.shape[:2], np.inf, np.float32)
    found = np.empty(own.shape[:2], ids.dtype)
    for y, far_y in ((down[0], down[2]), (down[1], 1 - down[2])):
        for x, far_x in ((across[0], across[2]), (across[1], 1 - across[2])):
            distance = np.abs(values[y[:, None], x] - own).sum(axis=2)
            distance += np.float32(_NEARNESS) * (far_y[:, None] + far_x)
            closer = distance < best
            np.copyto(best, distance, where=closer)
            np.copyto(found, ids[y[:, None], x], where=closer)
    return found
