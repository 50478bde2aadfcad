"""Split an image at the grey level of most entropic correlation between both parts [1].

With p the share of each level, P its sum up to the level, and G0, G1 the sums of p^2 up to it and above it, that level has the
largest -ln(G0 G1) + 2 ln(P (1 - P)). Cost: one pass over the pixels and one over the levels.

[1] Yen, Chang, Chang: A new criterion for automatic multilevel thresholding, IEEE Trans. Image Processing 4(3), 1995.
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
    good_for="things on a ground of many levels, where Otsu's level cuts into the ground",
    bad_for="uneven light; a histogram without two groups",
    cost="one pass over the pixels",
    source="Yen, Chang, Chang: A new criterion for automatic multilevel thresholding, IEEE Trans. Image Processing 4(3), 1995",
)


def segment(image: Image, *, channel: str = "grey", foreground: Foreground = "auto") -> Segmentation:
    """Split ``image`` into background and foreground at Yen's level; one level alone is all background.

    Args:
        channel: ``grey``, a band by name, or ``hue``, ``saturation``, ``value``, ``lightness``, ``a``, ``b``.
        foreground: the side that is the foreground: ``bright``, ``dark``, or ``auto``, the one that holds less of the border.

    Raises:
        OptionError: the image has no such channel, or there is no such side.
    """
    return split(image, channel, foreground, yen_level)


def yen_level(counts: IntArray) -> int:
    """Find the last dark bin of counts (B,), whose first and last are not 0.

    >>> yen_level(np.array([1, 4, 1, 0, 0, 1, 4, 1]))
    2
    """
    shares = counts / counts.sum(dtype=np.float64)
    below = np.cumsum(shares)[:-1]
    above = np.cumsum(shares[::-1])[-2::-1]
    squares = shares**2
    squares_below = np.cumsum(squares)[:-1]
    squares_above = np.cumsum(squares[::-1])[-2::-1]
    correlation = -np.log(squares_below) - np.log(squares_above) + 2 * (np.log(below) + np.log(above))
    return int(np.argmax(correlation))
