"""Split an image at the valley between the two peaks of its smoothed histogram [1].

The histogram is averaged over three bins until no more than two peaks are left; where there never are two, Otsu's level is
taken and the result's notes say so. Deep images are counted in at most 256 bins, as the rule looks at the histogram's shape.
Cost: one pass over the pixels; at most 10,000 rounds over the bins (a second).

[1] Prewitt, Mendelsohn: The analysis of cell images, Annals of the New York Academy of Sciences 128(3), 1966.
"""

from dataclasses import replace

import numpy as np

from pixelwise.core.arrays import IntArray
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.grey import Foreground
from pixelwise.methods.thresholds.histogram import GROUPS, split
from pixelwise.methods.thresholds.otsu import otsu_level

KIND: Kind = "semantic"
ABOUT = About(
    family="threshold",
    good_for="a histogram of two clear peaks, also of very unequal height",
    bad_for="a histogram of one peak, or of many that smoothing joins",
    cost="one pass over the pixels",
    source="Prewitt, Mendelsohn: The analysis of cell images, Ann. N. Y. Acad. Sci. 128(3), 1966",
)
_NOTE = "the histogram has no two peaks with a valley between them, so Otsu's level was taken"


def segment(image: Image, *, channel: str = "grey", foreground: Foreground = "auto") -> Segmentation:
    """Split ``image`` into background and foreground at the valley of its histogram; one level alone is all background.

    Args:
        channel: ``grey``, a band by name, or ``hue``, ``saturation``, ``value``, ``lightness``, ``a``, ``b``.
        foreground: the side that is the foreground: ``bright``, ``dark``, or ``auto``, the one that holds less of the border.

    Raises:
        OptionError: the image has no such channel, or there is no such side.
    """
    notes: list[str] = []

    def find(counts: IntArray) -> int:
        if (level := minimum_level(counts)) is not None:
            return level
        notes.append(_NOTE)
        return otsu_level(counts)

    return replace(split(image, channel, foreground, find, GROUPS), notes=tuple(notes))


def minimum_level(counts: IntArray) -> int | None:
    """Find the lowest bin of the valley in counts (B,); None without two peaks.

    >>> minimum_level(np.array([1, 5, 9, 5, 1, 0, 2, 6, 8, 6, 2]))
    5
    """
    from skimage.filters import threshold_minimum

    try:
        return int(threshold_minimum(hist=(counts, np.arange(len(counts)))))
    except RuntimeError:  # what it raises where there are not two peaks
        return None
