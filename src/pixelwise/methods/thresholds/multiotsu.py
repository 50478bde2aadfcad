"""Part an image into classes of grey level such that the levels within each vary least [1].

Levels are counted in at most 256 bins. All ways to cut them are compared by dynamic programming, so the cost is one pass over
the pixels and classes x bins^2 / 2 steps, where trying them one by one takes bins^(classes - 1).

[1] Liao, Chen, Chung: A fast algorithm for multilevel thresholding, J. Information Science and Engineering 17(5), 2001.
"""

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.partition import as_regions
from pixelwise.methods.thresholds.histogram import GROUPS, codes_of, histogram_of

KIND: Kind = "regions"
ABOUT = About(
    family="threshold",
    good_for="a few plain brightnesses: air, tissue and bone; pores, binder and grain",
    bad_for="uneven light; textures, whose pixels fall into several classes",
    cost="one pass over the pixels",
    source="Liao, Chen, Chung: A fast algorithm for multilevel thresholding, J. Inf. Sci. Eng. 17(5), 2001",
)


def segment(image: Image, *, classes: int = 3, channel: str = "grey") -> Segmentation:
    """Part ``image`` into at most ``classes`` regions by grey level, from dark to bright; a region may have many parts.

    There are fewer regions where the image has fewer levels.

    Args:
        classes: how many, from 2 to 32.
        channel: ``grey``, a band by name, or ``hue``, ``saturation``, ``value``, ``lightness``, ``a``, ``b``.

    Raises:
        OptionError: there are too few or too many classes, or the image has no such channel.
    """
    if not 2 <= classes <= 32:
        raise OptionError(f"multiotsu: classes must be from 2 to 32, got {classes}")
    codes = codes_of(image, channel)
    if not codes.size:
        return as_regions(np.zeros(codes.shape, np.uint8))
    table = np.searchsorted(multiotsu_levels(codes, classes), np.arange(int(codes.max()) + 1)).astype(np.uint8)
    return as_regions(table[codes])


def multiotsu_levels(codes: IntArray, classes: int) -> IntArray:
    """Find the last code of each class of codes (H, W) but the brightest, from dark to bright.

    >>> multiotsu_levels(np.array([[10, 11, 90, 91, 200]], np.uint8), 3)
    array([11, 91])
    """
    counts, lasts = histogram_of(codes, GROUPS)
    used = np.flatnonzero(counts)
    if len(used) <= classes:
        return lasts[used[:-1]]
    return lasts[used[_cuts(counts[used].astype(np.float64), used.astype(np.float64), classes)]]


def _cuts(counts: FloatArray, levels: FloatArray, classes: int) -> IntArray:
    """Give the index of the last of ``levels`` (B,) in each class but the brightest, for the largest variance between."""
    below = np.concatenate([[0.0], np.cumsum(counts)])
    moments = np.concatenate([[0.0], np.cumsum(counts * levels)])
    first, last = np.triu_indices(len(counts))
    gain = np.full((len(counts), len(counts)), -np.inf)  # of a class from level i to level j
    gain[first, last] = (moments[last + 1] - moments[first]) ** 2 / (below[last + 1] - below[first])
    best, before = gain[0], []  # of the classes so far, when the last of them ends at level j
    for _ in range(classes - 1):
        joined = best[:-1, None] + gain[1:]  # it ends at i, and the next is from i + 1 to j
        before.append(np.argmax(joined, axis=0))
        best = joined.max(axis=0)
    cuts = [len(counts) - 1]
    for ends in reversed(before):
        cuts.append(int(ends[cuts[-1]]))
    return np.array(cuts[:0:-1])
