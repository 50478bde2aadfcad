"""Split an image midway between the darkest and the brightest pixel of each window [1].

Windows of little contrast hold thing or ground alone; there the window's middle is compared with Otsu's level of the whole
image (the paper's fixed level fits only images that use their whole range). Cost: the window's side times the pixels, in
operations on many pixels at once.

[1] Bernsen, Dynamic thresholding of grey-level images, ICPR 1986.
"""

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.grey import Foreground
from pixelwise.methods.thresholds.otsu import otsu_level
from pixelwise.methods.thresholds.windows import local, window_of

KIND: Kind = "semantic"
ABOUT = About(
    family="threshold",
    good_for="uneven light and things of clear contrast, large ones too",
    bad_for="single very dark or bright pixels, each of which moves the level of a whole window",
    cost="window x pixels, many pixels at once",
    source="Bernsen: Dynamic thresholding of grey-level images, ICPR 1986",
)


def segment(
    image: Image,
    *,
    window: int | None = None,
    contrast: float = 0.06,
    channel: str = "grey",
    foreground: Foreground = "auto",
) -> Segmentation:
    """Split ``image`` into background and foreground by the extremes around each pixel.

    Args:
        window: its side in pixels, odd, from 3 to 9999; by itself an eighth of the image's shorter side, at least 15.
        contrast: below this difference of the extremes, as a fraction of the full range, a window is thing or ground alone.
        channel: ``grey``, a band by name, or ``hue``, ``saturation``, ``value``, ``lightness``, ``a``, ``b``.
        foreground: ``bright``, ``dark``, or ``auto``, the side to which pixels are farther from the mean around them.

    Raises:
        OptionError: an option is out of its range.
    """
    if not 0 <= contrast <= 1:
        raise OptionError(f"bernsen: the contrast is a fraction of the full range, from 0 to 1; got {contrast}")
    side = window_of("bernsen", window, image.size)

    def is_dark(levels: FloatArray) -> BoolArray:
        codes = levels.astype(np.uint16)
        square = np.ones((side, side), np.uint8)
        low, high = (np.asarray(filtered(codes, square), np.int32) for filtered in (cv2.erode, cv2.dilate))
        otsu = otsu_level(np.bincount(codes.ravel()))
        has_contrast = high - low > contrast * 65535
        return np.where(has_contrast, 2 * codes.astype(np.int32) < low + high, low + high <= 2 * otsu)

    return local(image, channel, foreground, side, is_dark)
