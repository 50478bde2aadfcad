"""Split an image at the grey level that parts its histogram best [1].

The level is found on the histogram, so the cost is one pass over the pixels and one over the levels: 256 for 8 bits, 65,536
for 16 bits and for fractions.

[1] Otsu, A threshold selection method from gray-level histograms, IEEE Trans. Systems, Man, and Cybernetics, 1979.
"""

import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray, IntArray
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.grey import Foreground
from pixelwise.methods.thresholds.histogram import fraction_codes, histogram_of, split

KIND: Kind = "semantic"
ABOUT = About(
    family="threshold",
    good_for="things and ground of two plain brightnesses, each on a fair share of the image",
    bad_for="uneven light, and things so few that their levels are lost in the ground's",
    cost="one pass over the pixels",
    source="Otsu: A threshold selection method from gray-level histograms, IEEE Trans. SMC 9(1), 1979",
)


def segment(image: Image, *, channel: str = "grey", foreground: Foreground = "auto") -> Segmentation:
    """Split ``image`` into background and foreground at Otsu's level; one level alone is all background.

    Args:
        channel: ``grey``, a band by name, or ``hue``, ``saturation``, ``value``, ``lightness``, ``a``, ``b``.
        foreground: the side that is the foreground: ``bright``, ``dark``, or ``auto``, the one that holds less of the border.

    Raises:
        OptionError: the image has no such channel, or there is no such side.
    """
    return split(image, channel, foreground, otsu_level)


def above_otsu(levels: FloatArray) -> BoolArray:
    """Mark what is above Otsu's level of ``levels`` (any shape, not empty); nothing where all are equal.

    >>> above_otsu(np.array([0.1, 0.1, 0.2, 0.8, 0.9]))
    array([False, False, False,  True,  True])
    """
    codes = fraction_codes(levels)
    counts, lasts = histogram_of(codes)
    return np.asarray(codes > lasts[otsu_level(counts)])


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
