"""Split an image at the foot of its histogram's peak: where it lies farthest below a line from peak to end [1].

The line goes from the top of the highest peak to the foot of the longer tail. Deep images are counted in at most 256 bins, as
the rule looks at the histogram's shape. Cost: one pass over the pixels and one over the bins.

[1] Zack, Rogers, Latt: Automatic measurement of sister chromatid exchange frequency, J. Histochemistry and Cytochemistry
    25(7), 1977.
"""

import numpy as np

from pixelwise.core.arrays import IntArray
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.grey import Foreground
from pixelwise.methods.thresholds.histogram import GROUPS, split

KIND: Kind = "semantic"
ABOUT = About(
    family="threshold",
    good_for="a histogram of one large peak, the ground, with a long tail, the things: spots, stars, cells, chromosomes",
    bad_for="a histogram of two peaks, where Otsu's level is better",
    cost="one pass over the pixels",
    source="Zack, Rogers, Latt: Automatic measurement of sister chromatid exchange frequency, J. Histochem. Cytochem., 1977",
)


def segment(image: Image, *, channel: str = "grey", foreground: Foreground = "auto") -> Segmentation:
    """Split ``image`` into background and foreground at the foot of its histogram's peak; one level alone is all background.

    Args:
        channel: ``grey``, a band by name, or ``hue``, ``saturation``, ``value``, ``lightness``, ``a``, ``b``.
        foreground: the side that is the foreground: ``bright``, ``dark``, or ``auto``, the one that holds less of the border.

    Raises:
        OptionError: the image has no such channel, or there is no such side.
    """
    return split(image, channel, foreground, triangle_level, GROUPS)


def triangle_level(counts: IntArray) -> int:
    """Find the bin of counts (B,) that lies farthest below the line; the first and the last bin are not 0.

    >>> triangle_level(np.array([2, 90, 30, 6, 5, 4, 4, 3, 2]))
    3
    """
    peak, last = int(np.argmax(counts)), len(counts) - 1
    if peak < last - peak:  # the tail of bright levels is the longer one: mirrored, it rises to the peak like the other
        return min(last - _foot(counts[::-1], last - peak), last - 1)  # of two bins, the brighter one stays bright
    return _foot(counts, peak)


def _foot(counts: IntArray, peak: int) -> int:
    """Find the bin farthest below the line from bin 0 at height 0 to the top of ``peak``."""
    heights = counts[:peak].astype(np.float64)
    return int(np.argmax(float(counts[peak]) * np.arange(peak) - peak * heights))
