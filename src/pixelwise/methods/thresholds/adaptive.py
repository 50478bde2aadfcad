"""Split an image where a pixel is darker or brighter than the mean around it [1], plain or weighted by a Gaussian.

A dark thing's pixel lies more than ``offset`` below the mean of its window; a bright one's, above it. Cost: a pass over the
pixels; with the Gaussian, the window's side times the pixels.

[1] Bradley, Roth: Adaptive thresholding using the integral image, J. Graphics Tools 12(2), 2007.
"""

from typing import Literal, TypeAlias, get_args

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray
from pixelwise.core.errors import OptionError, nearest
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.grey import Foreground
from pixelwise.methods.thresholds.windows import FULL, local, window_of

KIND: Kind = "semantic"
ABOUT = About(
    family="threshold",
    good_for="uneven light: writing, cells and parts that are small beside the window",
    bad_for="things larger than the window, which are hollow; noise on plain ground, unless the offset is above it",
    cost="one pass over the pixels; with the Gaussian, window x pixels",
    source="Bradley, Roth: Adaptive thresholding using the integral image, J. Graphics Tools 12(2), 2007",
)
Weights: TypeAlias = Literal["gaussian", "mean"]
_ROUNDING = {"gaussian": 0.25, "mean": 1e-6}  # of a level of 65,535: what a mean of equal levels may differ from them


def segment(
    image: Image,
    *,
    weights: Weights = "gaussian",
    window: int | None = None,
    offset: float = 0.04,
    channel: str = "grey",
    foreground: Foreground = "auto",
) -> Segmentation:
    """Split ``image`` into background and foreground by the mean around each pixel.

    Args:
        weights: ``gaussian``, of a deviation of a sixth of the window; or ``mean``, all pixels of the window alike.
        window: its side in pixels, odd, from 3 to 9999; by itself an eighth of the image's shorter side, at least 15.
        offset: by how much a thing differs from the mean around it, as a fraction of the full range.
        channel: ``grey``, a band by name, or ``hue``, ``saturation``, ``value``, ``lightness``, ``a``, ``b``.
        foreground: ``bright``, ``dark``, or ``auto``, the side to which pixels are farther from the mean around them.

    Raises:
        OptionError: an option is out of its range.
    """
    if weights not in get_args(Weights):
        raise OptionError(f"adaptive: weights: got {weights!r}; {nearest(str(weights), get_args(Weights))}")
    if not -1 <= offset <= 1:
        raise OptionError(f"adaptive: the offset is a fraction of the full range, from -1 to 1; got {offset}")
    side = window_of("adaptive", window, image.size)

    def is_dark(levels: FloatArray) -> BoolArray:
        return np.asarray(levels <= local_mean(levels, weights, side) - offset * FULL - _ROUNDING[weights])

    return local(image, channel, foreground, side, is_dark)


def local_mean(levels: FloatArray, weights: Weights, window: int) -> FloatArray:
    """Average around each pixel of ``levels`` (H, W); beyond the border the image is mirrored, outermost pixels twice."""
    if weights == "mean":
        return np.asarray(cv2.boxFilter(levels, cv2.CV_64F, (window, window), borderType=cv2.BORDER_REFLECT))
    deviation = (window - 1) / 6
    side = 2 * int(4 * deviation + 0.5) + 1  # cut off at four deviations
    kernel = cv2.getGaussianKernel(side, deviation, cv2.CV_32F)
    return np.asarray(cv2.sepFilter2D(levels.astype(np.float32), cv2.CV_32F, kernel, kernel, borderType=cv2.BORDER_REFLECT))
