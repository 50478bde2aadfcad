"""Images and masks at the size a picture is shown at, so that lines and letters on it are as thick as they are meant to be."""

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, ByteArray, IntArray, Size
from pixelwise.core.idmaps import stretches
from pixelwise.core.masks import DisjointMasks, Masks
from pixelwise.draw.colours import Picture, rgb_bytes


def shown_size(size: Size, side: int) -> Size:
    """Scale (height, width) until the longer is ``side``.

    >>> shown_size((100, 200), 50)
    (25, 50)
    """
    scale = side / max(*size, 1)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def image_at(image: Picture, size: Size) -> ByteArray:
    """Give an image as (height, width, 3) uint8 of that size."""
    base = np.ascontiguousarray(rgb_bytes(image))
    if base.shape[:2] == size or 0 in base.shape[:2]:
        return base.copy() if base.shape[:2] == size else np.full((*size, 3), 255, np.uint8)
    way = cv2.INTER_AREA if size[0] <= base.shape[0] and size[1] <= base.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(base, (size[1], size[0]), interpolation=way), np.uint8)


def faded(base: ByteArray) -> ByteArray:
    """Give a picture (H, W, 3) in light grey, to colour over."""
    grey = cv2.convertScaleAbs(cv2.cvtColor(base, cv2.COLOR_RGB2GRAY), alpha=0.4, beta=148)
    return np.repeat(np.asarray(grey, np.uint8)[:, :, None], 3, axis=2)


def ids_at(ids: IntArray, size: Size) -> IntArray:
    """Give an id map at another size, each pixel from the middle of its place."""
    if 0 in ids.shape:
        return np.zeros(size, np.int64)
    rows, columns = (_middles(length, old) for length, old in zip(size, ids.shape, strict=True))
    return np.asarray(ids[np.ix_(rows, columns)])


def masks_at(masks: Masks, rows: IntArray, size: Size) -> list[BoolArray]:
    """Give the masks ``rows`` at another size; one that has pixels keeps at least one, however small it becomes.

    Run lengths are looked up pixel by pixel of the picture: to decode thousands of masks of a huge image would take minutes.
    """
    ids = ids_at(masks.ids, size) if isinstance(masks, DisjointMasks) else None
    firsts, lasts, cuts = stretches([] if ids is not None else masks.run_lengths())
    found = []
    for row, box in zip(rows.tolist(), masks.boxes()[rows].tolist(), strict=True):
        if ids is None:
            own = slice(cuts[row], cuts[row + 1])
            mask = _sampled(firsts[own], lasts[own], box, masks.size, size)
        else:
            mask = np.asarray(ids == row + 1)
        if not mask.any():
            mask[_middle(box[1::2], masks.size[0], size[0]), _middle(box[::2], masks.size[1], size[1])] = box[2] > box[0]
        found.append(mask)
    return found


def _sampled(firsts: IntArray, lasts: IntArray, box: list[int], old: Size, size: Size) -> BoolArray:
    """Look up a mask in its stretches, which go down one column after the other; what is outside its box need not be."""
    mask = np.zeros(size, bool)
    rows, columns = _middles(size[0], old[0]), _middles(size[1], old[1])
    down = slice(*np.searchsorted(rows, box[1::2]).tolist())
    across = slice(*np.searchsorted(columns, box[::2]).tolist())
    places = columns[across] * old[0] + rows[down, None]
    stretch = np.searchsorted(firsts, places, side="right")
    mask[down, across] = (stretch > 0) & (places < np.append(0, lasts)[stretch])
    return mask


def _middle(ends: list[int], old: int, length: int) -> int:
    """Give the pixel, of ``length``, in the middle between two ends that are pixels of ``old``."""
    return min(length - 1, sum(ends) * length // (2 * old))


def _middles(length: int, old: int) -> IntArray:
    """Give, for each of ``length`` pixels, the one of ``old`` that its middle lies in."""
    return ((np.arange(length) + 0.5) * old / length).astype(np.int64)
