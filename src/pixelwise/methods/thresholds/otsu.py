"""Split an image at the grey level that parts its histogram best [1].

The level is found on the histogram, so the cost is one pass over the pixels and one over the bins: 256 for 8 bits, 65,536
for 16 bits and for fractions, which are stretched over the bins from their lowest to their highest value.

[1] Otsu, A threshold selection method from gray-level histograms, IEEE Trans. Systems, Man, and Cybernetics, 1979.
"""

import numpy as np

from pixelwise.core.arrays import IntArray
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.grey import Foreground, grey_levels, two_classes

KIND: Kind = "semantic"


def segment(image: Image, *, foreground: Foreground = "auto") -> Segmentation:
    """Split ``image`` into background and foreground at Otsu's level; an image of one level is all background.

    Args:
        foreground: the side that is the foreground: ``bright``, ``dark``, or ``auto``, the one that holds less of the border.
    """
    levels = grey_levels(image)
    low, high = (float(levels.min()), float(levels.max())) if levels.size else (0.0, 0.0)
    if low == high:
        return two_classes(np.zeros(levels.shape, bool), "bright")
    bins = 256 if image.pixels.dtype == np.uint8 else 65536
    if image.pixels.dtype != np.float32:
        low, high = 0.0, 1.0  # integer levels have bins of their own
    places = np.rint((levels - low) * ((bins - 1) / (high - low))).astype(np.uint16)
    return two_classes(places > otsu_level(np.bincount(places.ravel(), minlength=bins)), foreground)


def otsu_level(histogram: IntArray) -> int:
    """Find the last bin of the lower part, such that the variance between both parts is largest.

    Where several bins do equally well (a gap in the histogram), the middle one is taken.

    >>> otsu_level(np.array([5, 1, 0, 0, 1, 5]))
    2
    """
    counts = histogram.astype(np.float64)
    below = np.cumsum(counts)
    moments = np.cumsum(counts * np.arange(len(counts)))
    total, moment = below[-1], moments[-1]
    splits = (below > 0) & (below < total)
    variance = np.zeros(len(counts))
    inside, above = below[splits], total - below[splits]
    variance[splits] = inside * above * (moments[splits] / inside - (moment - moments[splits]) / above) ** 2
    best = np.flatnonzero(variance >= variance.max() * (1 - 1e-12))
    return int(best[(len(best) - 1) // 2])
