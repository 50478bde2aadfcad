"""What local thresholds share: the statistics of a window around each pixel, and which side is the foreground.

The published rules are written for dark things on a bright ground; bright ones are found by the same rule in the negative.
Levels are whole numbers from 0 to 65,535, so that sums over a window are exact and a window of one level has no deviation.
"""

from collections.abc import Callable

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray, Size
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.grey import Foreground, check_foreground, levels_of, two_classes

FULL = 65535.0  # the level of white
_WIDEST = 9999  # pixels: OpenCV's filters want memory for a window's rim, whatever the image
_SHARE = 8  # of the shorter side, that a window is by itself


def window_of(method: str, window: int | None, size: Size) -> int:
    """Give the side of the window: the one asked for, or by itself an eighth of the image's shorter side, at least 15.

    >>> window_of("niblack", None, (480, 640))
    61

    Raises:
        OptionError: it is not odd, or not from 3 to 9999.
    """
    if window is None:
        return max(15, min(size) // _SHARE | 1)
    if not 3 <= window <= _WIDEST or window % 2 == 0:
        raise OptionError(f"{method}: the window's side must be odd and from 3 to {_WIDEST}, got {window}")
    return window


def local(
    image: Image, channel: str, foreground: Foreground, window: int, is_dark: Callable[[FloatArray], BoolArray]
) -> Segmentation:
    """Split ``image`` by a rule that compares each pixel with its window.

    Args:
        channel: as in ``levels_of``.
        foreground: ``bright``, ``dark``, or ``auto``: the side to which pixels are farther from the mean of their window,
            by the sign of the third moment. Things are fewer than what surrounds them, and differ more from its mean.
        window: the side of the window that ``auto`` looks at.
        is_dark: takes levels (H, W), float64 of whole numbers from 0 to ``FULL``; marks dark things.

    Raises:
        OptionError: there is no such channel or side.
    """
    check_foreground(foreground)
    levels = np.rint(levels_of(image, channel) * np.float64(FULL))
    if not levels.size or levels.min() == levels.max():
        return two_classes(np.zeros(levels.shape, bool), "bright")
    if foreground == "auto":
        foreground = _farther_side(levels, window)
    return two_classes(is_dark(FULL - levels if foreground == "bright" else levels), "bright")


def mean_of(levels: FloatArray, window: int) -> FloatArray:
    """Average each pixel's window; beyond the border the image is mirrored at its outermost pixels."""
    return np.asarray(cv2.boxFilter(levels, cv2.CV_64F, (window, window), borderType=cv2.BORDER_REFLECT_101))


def deviation_of(levels: FloatArray, mean: FloatArray, window: int) -> FloatArray:
    """Give the standard deviation of each pixel's window; exactly 0 in a window of one level."""
    square = np.asarray(cv2.sqrBoxFilter(levels, cv2.CV_64F, (window, window), borderType=cv2.BORDER_REFLECT_101))
    variance = square - mean * mean
    variance[variance < 1e-12 * square] = 0  # what is left of rounding
    return np.sqrt(variance, out=variance)


def _farther_side(levels: FloatArray, window: int) -> Foreground:
    differences = (levels - mean_of(levels, window)) / FULL
    return "dark" if float(np.vdot(differences * differences, differences)) < 0 else "bright"
