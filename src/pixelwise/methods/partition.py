"""Label maps of methods as segmentations of the kind ``regions``: every pixel in one region, numbered without gaps."""

import cv2
import numpy as np

from pixelwise.core.arrays import IntArray
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks, smallest_dtype
from pixelwise.core.segmentation import Segmentation


def as_regions(ids: IntArray, notes: tuple[str, ...] = ()) -> Segmentation:
    """Make a segmentation of a map (H, W) of any whole numbers: the same number, the same region.

    Regions are in the order of their numbers. ``notes`` say how it was made.
    """
    numbered, count = numbered_from_1(ids)
    labels = LabelSet.of(["region"])
    return Segmentation("regions", DisjointMasks(numbered, count), np.zeros(count, np.int64), labels, notes=notes)


def numbered_from_1(ids: IntArray) -> tuple[IntArray, int]:
    """Give a map (H, W) the numbers 1 to K in the order of its own, in the smallest type, and K.

    >>> numbered_from_1(np.array([[7, -2], [7, 9]]))
    (array([[2, 1],
           [2, 3]], dtype=uint8), 3)
    """
    ids = np.asarray(ids)
    if not ids.size:
        return np.zeros(ids.shape, np.uint8), 0
    low, high = int(ids.min()), int(ids.max())
    if high - low >= 4 * ids.size + 65536:  # a table would be larger than the map
        found, places = np.unique(ids, return_inverse=True)
        return (places.reshape(ids.shape) + 1).astype(smallest_dtype(len(found))), len(found)
    shifted = ids.astype(np.int64) - low
    used = np.bincount(shifted.ravel(), minlength=high - low + 1) > 0
    count = int(used.sum())
    table = np.zeros(len(used), smallest_dtype(count))
    table[used] = np.arange(1, count + 1)
    return table[shifted], count


def connected(ids: IntArray, diagonal: bool = False) -> IntArray:
    """Give each connected part of equal numbers in a map (H, W) a number of its own, from 1, in reading order of first pixels.

    Args:
        diagonal: whether pixels that touch at a corner are connected.
    """
    from skimage.measure import label

    ids = np.asarray(ids)
    if not ids.size:
        return np.zeros(ids.shape, np.int64)
    found: IntArray = label(ids, background=int(ids.min()) - 1, connectivity=1 + diagonal)  # below all: no number is left out
    return found


def without_specks(ids: IntArray, smallest: int) -> IntArray:
    """Give the pixels of regions below ``smallest`` pixels to the nearest region that is large enough.

    A map whose regions are all smaller stays as it is.
    """
    numbered, count = numbered_from_1(ids)
    areas = np.bincount(numbered.ravel(), minlength=count + 1)
    is_small = areas < smallest
    if smallest <= 1 or not is_small[1:].any() or is_small[1:].all():
        return numbered
    lost = is_small[numbered]
    _, nearest = cv2.distanceTransformWithLabels(lost.astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    kept = np.zeros(int(nearest.max()) + 1, numbered.dtype)
    kept[nearest[~lost]] = numbered[~lost]
    return kept[nearest]
