"""Split an image at a level of its own for each pixel: the mean of its window less k deviations [1].

Cost: two running sums over the pixels, whatever the window.

[1] Niblack, An introduction to digital image processing, Prentice-Hall, 1986, pages 115-116.
"""

import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.grey import Foreground
from pixelwise.methods.thresholds.windows import deviation_of, local, mean_of, window_of

KIND: Kind = "semantic"
ABOUT = About(
    family="threshold",
    good_for="uneven light and faint things, if every window holds both thing and ground",
    bad_for="plain ground, whose noise is split like a thing; use sauvola there",
    cost="two passes over the pixels",
    source="Niblack: An introduction to digital image processing, Prentice-Hall, 1986",
)


def segment(
    image: Image,
    *,
    window: int | None = None,
    k: float = 0.2,
    channel: str = "grey",
    foreground: Foreground = "auto",
) -> Segmentation:
    """Split ``image`` into background and foreground by the mean and deviation around each pixel.

    Args:
        window: its side in pixels, odd, from 3 to 9999; by itself an eighth of the image's shorter side, at least 15.
        k: how many deviations a thing's pixels are below the mean (of bright things: above).
        channel: ``grey``, a band by name, or ``hue``, ``saturation``, ``value``, ``lightness``, ``a``, ``b``.
        foreground: ``bright``, ``dark``, or ``auto``, the side to which pixels are farther from the mean around them.

    Raises:
        OptionError: an option is out of its range.
    """
    if not -5 <= k <= 5:
        raise OptionError(f"niblack: k must be from -5 to 5, got {k}")
    side = window_of("niblack", window, image.size)

    def is_dark(levels: FloatArray) -> BoolArray:
        mean = mean_of(levels, side)
        deviation = deviation_of(levels, mean, side)
        return np.asarray((levels <= mean - k * deviation) & (deviation > 0))  # a window of one level is ground

    return local(image, channel, foreground, side, is_dark)
