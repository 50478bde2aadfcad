"""Enlarge logits and take their classes in one go, strip by strip, so that logits of full size are never held.

For 23 classes on a megapixel they are 92 MB, of which several copies would be made; a strip stays in the processor's cache.
"""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray, Size
from pixelwise.core.errors import DataError
from pixelwise.decode.pixel import PixelReduced

_STRIP = 2**19  # logits of a strip: 2 MB


def fits(given: Size, size: Size) -> bool:
    """Tell whether logits of one size reach another by a whole factor, the same in both directions."""
    factor = size[0] // given[0]
    return factor >= 1 and size == (factor * given[0], factor * given[1])


def reduced(logits: FloatArray, size: Size, threads: int = 1) -> PixelReduced:
    """Give the classes (N, H, W) of logits (N, L, h, w) enlarged bilinearly to (H, W), and how sure they are.

    Of equal logits the first class wins, as by argmax; confidence is the mean softmax of each class over its pixels.

    >>> found = reduced(np.array([0.1, 0.7, 0.7], np.float32).reshape(1, 3, 1, 1), (2, 2))
    >>> found.classes.tolist(), [f"{each:.2f}" for each in found.confidence[0]]
    ([[[1, 1], [1, 1]]], ['0.00', '0.39', '0.00'])

    Raises:
        DataError: a logit is not a number.
    """
    count, length, rows, _ = logits.shape
    factor = size[0] // rows
    step = max(1, _STRIP // (length * factor * size[1]))
    parts = [(index, top, min(top + step, rows)) for index in range(count) for top in range(0, rows, step)]
    classes = np.empty((count, *size), np.uint8 if length <= 255 else np.uint16)

    def fill(part: tuple[int, int, int]) -> tuple[int, FloatArray, IntArray]:
        index, top, bottom = part
        values = _enlarged(logits[index], top, bottom, factor)
        own, highest = _decided(values, classes.dtype.type)
        classes[index, factor * top : factor * bottom] = own
        flat = own.ravel()
        sure = np.bincount(flat, highest.ravel(), length).astype(np.float64, copy=False)
        return index, sure, np.bincount(flat, minlength=length)

    sums, pixels = np.zeros((count, length)), np.zeros((count, length))
    if threads > 1 and len(parts) > 1:
        with ThreadPoolExecutor(min(threads, len(parts))) as pool:
            found = list(pool.map(fill, parts))
    else:
        found = [fill(part) for part in parts]
    for index, own_sums, own_pixels in found:
        sums[index] += own_sums
        pixels[index] += own_pixels
    return PixelReduced(classes, (sums / np.maximum(pixels, 1)).astype(np.float32), np.empty((count, 0, *size), np.float32))


def _enlarged(logits: FloatArray, top: int, bottom: int, factor: int) -> FloatArray:
    """Enlarge the rows from ``top`` to ``bottom`` of (L, h, w), as a part of the whole: with the rows beside them."""
    if factor == 1:
        return logits[:, top:bottom].copy()
    above, below = max(top - 1, 0), min(bottom + 1, logits.shape[1])
    size = (factor * logits.shape[2], factor * (below - above))
    own = slice(factor * (top - above), factor * (bottom - above))
    found = np.empty((len(logits), own.stop - own.start, size[0]), np.float32)
    for each, plane in zip(found, logits, strict=True):
        each[:] = cv2.resize(plane[above:below], size, interpolation=cv2.INTER_LINEAR)[own]
    return found


def _decided(values: FloatArray, dtype: type[np.unsignedinteger]) -> tuple[IntArray, FloatArray]:
    """Give the highest class (h, w) of logits (L, h, w), which are used up, and its softmax."""
    top = values.max(axis=0)
    if np.isnan(top).any():
        raise DataError("a logit is not a number (NaN): the network's weights or its input are broken")
    length = len(values)
    ranks = np.arange(length, 0, -1, dtype=dtype)[:, None, None]  # the first class has the highest
    classes = (length - np.multiply(values == top, ranks, dtype=dtype).max(axis=0)).astype(dtype)
    values -= top
    np.exp(values, out=values)
    return classes, 1 / values.sum(axis=0)
