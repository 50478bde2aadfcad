"""Count the pixels of masks, and find one of a rare class to centre a crop on.

nnU-Net [1] centres a third of its crops on a class that is there. Here the class has to be rare as well: to have less than
its equal share of the image's pixels; of the rare ones each is as likely as another, however small it is.

[1] Isensee et al., nnU-Net, Nature Methods 2021.
"""

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, IntArray
from pixelwise.core.masks import DisjointMasks, Masks
from pixelwise.core.segmentation import Segmentation


def rare_pixel(truth: Segmentation, rng: np.random.Generator) -> tuple[int, int, int] | None:
    """Choose a pixel of a rare class: (row, column, class), or None where no class is rare."""
    areas = pixels_of(truth.masks)
    pixels = np.bincount(truth.class_ids, areas, minlength=1)
    rest = truth.size[0] * truth.size[1] - int(areas.sum())
    counts_background = truth.kind in ("instance", "multilabel") and rest > 0
    share = (pixels.sum() + rest * counts_background) / (np.count_nonzero(pixels) + counts_background or 1)
    rare = np.flatnonzero((pixels > 0) & (pixels < share))
    if not len(rare):
        return None
    chosen = int(rng.choice(rare))
    rows = np.flatnonzero((truth.class_ids == chosen) & (areas > 0))
    row = int(rng.choice(rows, p=areas[rows] / areas[rows].sum()))
    nth = int(rng.integers(int(areas[row])))
    place = int(np.flatnonzero(truth.masks.mask(row))[nth])
    return place // truth.size[1], place % truth.size[1], chosen


def pixels_of(masks: Masks) -> IntArray:
    """Count the pixels (S,) of every mask; for id maps of a byte in a fifth of the time that a sum over ids takes."""
    if isinstance(masks, DisjointMasks) and masks.ids.dtype == np.uint8 and masks.ids.size:
        counts = cv2.calcHist([np.ascontiguousarray(masks.ids)], [0], None, [256], [0, 256]).ravel()
        if masks.ids.size < 2**24:  # counts come as float32, exact up to here
            return counts[1 : masks.count + 1].astype(np.int64)
    return masks.areas()


def there(masks: Masks) -> BoolArray:
    """Mark the masks (S,) that have any pixel; every eighth row mostly shows them all."""
    if isinstance(masks, DisjointMasks):
        few = np.bincount(masks.ids[::8].ravel(), minlength=masks.count + 1)[1:] > 0
        if few.all():
            return few
    return pixels_of(masks) > 0
