"""Split an image at the lowest grey level midway between the means of both parts [1].

Cost: one pass over the pixels and one over the levels.

[1] Ridler, Calvard: Picture thresholding using an iterative selection method, IEEE Trans. SMC 8(8), 1978.
"""

import numpy as np

from pixelwise.core.arrays import IntArray
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.grey import Foreground
from pixelwise.methods.thresholds.histogram import split

KIND: Kind = "semantic"
ABOUT = About(
    family="threshold",
    good_for="what Otsu's method is good for, with a level that people can check: midway between both means",
    bad_for="uneven light; things so few that their mean is lost",
    cost="one pass over the pixels",
    source="Ridler, Calvard: Picture thresholding using an iterative selection method, IEEE Trans. SMC 8(8), 1978",
)


def segment(image: Image, *, channel: str = "grey", foreground: Foreground = "auto") -> Segmentation:
    """Split ``image`` into background and foreground midway between the means of both; one level alone is all background.

    Args:
        channel: ``grey``, a band by name, or ``hue``, ``saturation``, ``value``, ``lightness``, ``a``, ``b``.
        foreground: the side that is the foreground: ``bright``, ``dark``, or ``auto``, the one that holds less of the border.

    Raises:
        OptionError: the image has no such channel, or there is no such side.
    """
    return split(image, channel, foreground, isodata_level)


def isodata_level(counts: IntArray) -> int:
    """Find the lowest bin t of counts (B,) with t <= (m0 + m1) / 2 < t + 1, m0 and m1 the means up to it and above it.

    There always is one: the right side is above the lowest bin and at most the last but one, and never falls.

    >>> isodata_level(np.array([2, 3, 0, 0, 0, 3, 2]))
    3
    """
    weights = counts.astype(np.float64)
    below, moments = np.cumsum(weights), np.cumsum(weights * np.arange(len(counts)))
    dark = moments[:-1] / below[:-1]
    bright = (moments[-1] - moments[:-1]) / (below[-1] - below[:-1])
    ahead = (dark + bright) / 2 - np.arange(len(counts) - 1)
    return int(np.flatnonzero((ahead >= 0) & (ahead < 1))[0])
