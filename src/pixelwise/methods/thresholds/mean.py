"""Split an image at its mean grey level [1].

Cost: one pass over the pixels.

[1] Glasbey: An analysis of histogram-based thresholding algorithms, CVGIP: Graphical Models and Image Processing 55(6), 1993.
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
    good_for="a first look; things that cover about half of the image",
    bad_for="things that cover little of the image: the mean lies in the ground",
    cost="one pass over the pixels",
    source="Glasbey: An analysis of histogram-based thresholding algorithms, CVGIP 55(6), 1993",
)


def segment(image: Image, *, channel: str = "grey", foreground: Foreground = "auto") -> Segmentation:
    """Split ``image`` into background and foreground at its mean; one level alone is all background.

    Args:
        channel: ``grey``, a band by name, or ``hue``, ``saturation``, ``value``, ``lightness``, ``a``, ``b``.
        foreground: the side that is the foreground: ``bright``, ``dark``, or ``auto``, the one that holds less of the border.

    Raises:
        OptionError: the image has no such channel, or there is no such side.
    """
    return split(image, channel, foreground, mean_level)


def mean_level(counts: IntArray) -> float:
    """Average the bins of counts (B,).

    >>> mean_level(np.array([1, 0, 1, 2]))
    2.0
    """
    return float(counts @ np.arange(len(counts), dtype=np.float64) / counts.sum())
