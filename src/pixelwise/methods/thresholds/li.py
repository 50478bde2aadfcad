"""Split an image at the grey level of least cross entropy between it and its two-level picture [1], by iteration [2].

From the mean on, the level moves to (m1 - m0) / (ln m1 - ln m0), where m0 and m1 are the means of the pixels up to it and
above it, counted from the lowest level; it stops when it moves by less than half the smallest distance between two levels.
Cost: one pass over the pixels; each step of the iteration is one over the levels.

[1] Li, Lee: Minimum cross entropy thresholding, Pattern Recognition 26(4), 1993.
[2] Li, Tam: An iterative algorithm for minimum cross entropy thresholding, Pattern Recognition Letters 19(8), 1998.
"""

import numpy as np

from pixelwise.core.arrays import IntArray
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.grey import Foreground
from pixelwise.methods.thresholds.histogram import shared_step, split

KIND: Kind = "semantic"
ABOUT = About(
    family="threshold",
    good_for="few bright things on a dark ground, as in fluorescence microscopy",
    bad_for="uneven light; dark things on a bright ground, where Otsu's level is better",
    cost="one pass over the pixels",
    source="Li, Tam: An iterative algorithm for minimum cross entropy thresholding, Pattern Recognition Letters 19(8), 1998",
)


def segment(image: Image, *, channel: str = "grey", foreground: Foreground = "auto") -> Segmentation:
    """Split ``image`` into background and foreground at the level of least cross entropy; one level alone is all background.

    Args:
        channel: ``grey``, a band by name, or ``hue``, ``saturation``, ``value``, ``lightness``, ``a``, ``b``.
        foreground: the side that is the foreground: ``bright``, ``dark``, or ``auto``, the one that holds less of the border.

    Raises:
        OptionError: the image has no such channel, or there is no such side.
    """
    return split(image, channel, foreground, li_level)


def li_level(counts: IntArray) -> float:
    """Find the level of least cross entropy on counts (B,), in bins.

    >>> round(li_level(np.array([4, 4, 0, 0, 0, 0, 2, 2])), 3)
    2.339
    """
    weights = counts.astype(np.float64)
    levels = np.arange(len(counts), dtype=np.float64)
    below, moments = np.cumsum(weights), np.cumsum(weights * levels)
    tolerance = shared_step(counts) / 2
    level, before = moments[-1] / below[-1], -np.inf
    while abs(level - before) > tolerance:
        before = level
        last = int(level)
        dark = moments[last] / below[last]
        bright = (moments[-1] - moments[last]) / (below[-1] - below[last])
        if dark == 0:  # one level is left below, and its logarithm is not defined
            break
        level = (dark - bright) / (np.log(dark) - np.log(bright))
    return float(level)
