"""Split an image at a level of its own for each pixel, low where its window has little contrast [1].

The level is m (1 + k (s / R - 1)), with m and s the mean and the deviation of the window and R the largest deviation there
can be: half the full range. Cost: two running sums over the pixels, whatever the window.

[1] Sauvola, Pietikäinen, Adaptive document image binarization, Pattern Recognition 33(2), 2000.
"""

import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.grey import Foreground
from pixelwise.methods.thresholds.windows import FULL, deviation_of, local, mean_of, window_of

KIND: Kind = "semantic"
ABOUT = About(
    family="threshold",
    good_for="writing on stained or unevenly lit paper; things on a plain bright (in the negative: dark) ground",
    bad_for="faint things, and ground of a middle grey",
    cost="two passes over the pixels",
    source="Sauvola, Pietikäinen: Adaptive document image binarization, Pattern Recognition 33(2), 2000",
)


def segment(
    image: Image,
    *,
    window: int | None = None,
    k: float = 0.2,
    contrast: float = 0.5,
    channel: str = "grey",
    foreground: Foreground = "auto",
) -> Segmentation:
    """Split ``image`` into background and foreground by the mean and deviation around each pixel.

    Args:
        window: its side in pixels, odd, from 3 to 9999; by itself an eighth of the image's shorter side, at least 15.
        k: by what share of the mean the level is lowered where a window has no contrast, from 0 to 1.
        contrast: the paper's R, the deviation at which the level is the mean, as a fraction of the full range.
        channel: ``grey``, a band by name, or ``hue``, ``saturation``, ``value``, ``lightness``, ``a``, ``b``.
        foreground: ``bright``, ``dark``, or ``auto``, the side to which pixels are farther from the mean around them.

    Raises:
        OptionError: an option is out of its range.
    """
    if not 0 <= k <= 1:
        raise OptionError(f"sauvola: k must be from 0 to 1, got {k}")
    if not 0 < contrast <= 1:
        raise OptionError(f"sauvola: the contrast is a fraction of the full range, above 0 and up to 1; got {contrast}")
    side = window_of("sauvola", window, image.size)

    def is_dark(levels: FloatArray) -> BoolArray:
        mean = mean_of(levels, side)
        deviation = deviation_of(levels, mean, side)
        return np.asarray((levels <= mean * (1 + k * (deviation / (contrast * FULL) - 1))) & (deviation > 0))

    return local(image, channel, foreground, side, is_dark)
