"""How strong the edge is at each pixel: the derivative of the levels, by one of several small kernels.

Kernels and scale are scikit-image's: a step from black to white has a derivative of 1, and no strength is above 1. Of several
bands, the strongest edge counts. An image is smoothed first, as a derivative amplifies noise.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

import cv2
import numpy as np

from pixelwise.core.arrays import FloatArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.methods.grey import levels_of

Operator: TypeAlias = Literal["sobel", "prewitt", "scharr", "roberts"]
ALL_BANDS = "bands"  # the channel that stands for all of them
_ACROSS = {"sobel": (1, 2, 1), "prewitt": (1, 1, 1), "scharr": (3, 10, 3)}  # weights along the edge; the derivative is -1 0 1


class Gradient(NamedTuple):
    """The derivatives (H, W) along x and y, float32."""

    across: FloatArray
    down: FloatArray

    def strength(self) -> FloatArray:
        """Give the length (H, W), divided by the square root of 2: both derivatives at 1 make 1."""
        return np.asarray(cv2.magnitude(self.across, self.down)) * np.float32(np.sqrt(0.5))


def edge_strength(image: Image, operator: Operator, sigma: float = 0.0, channel: str = ALL_BANDS) -> FloatArray:
    """Give the strength (H, W) of edges, float32.

    Args:
        operator: whose kernels.
        sigma: of the Gaussian that smoothes first, in pixels; 0 for none.
        channel: as in ``levels_of``; ``bands`` takes the strongest edge of all bands.
    """
    strongest = np.zeros(image.size, np.float32)
    for levels in smooth_levels(image, sigma, channel):
        np.maximum(strongest, gradient(levels, operator).strength(), out=strongest)
    return strongest


def smooth_levels(image: Image, sigma: float, channel: str = ALL_BANDS) -> Iterator[FloatArray]:
    """Give the levels (H, W) of a channel, or of each band, smoothed; of an image without pixels, nothing.

    Raises:
        OptionError: sigma is negative or above 100, or the image has no such channel.
    """
    if not 0 <= sigma <= 100:
        raise OptionError(f"sigma: expected a deviation from 0 to 100 pixels, got {sigma}")
    for name in image.bands if channel == ALL_BANDS else (channel,):
        levels = levels_of(image, name)
        if not levels.size:
            return
        yield np.asarray(cv2.GaussianBlur(levels, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)) if sigma else levels


def gradient(levels: FloatArray, operator: Operator) -> Gradient:
    """Differentiate levels (H, W) float32; beyond the border the image is mirrored, outermost pixels twice.

    >>> gradient(np.array([[0, 0, 1, 1]], np.float32), "sobel").across
    array([[0., 1., 1., 0.]], dtype=float32)
    """
    if operator == "roberts":
        diagonals = (np.array(kernel, np.float32) for kernel in ([[1, 0], [0, -1]], [[0, 1], [-1, 0]]))
        return Gradient(
            *(cv2.filter2D(levels, -1, kernel, anchor=(0, 0), borderType=cv2.BORDER_REFLECT) for kernel in diagonals)
        )
    along = np.array(_ACROSS[operator], np.float32)
    along /= along.sum()
    step = np.array([-1, 0, 1], np.float32)
    across = cv2.sepFilter2D(levels, -1, step, along, borderType=cv2.BORDER_REFLECT)
    return Gradient(across, cv2.sepFilter2D(levels, -1, along, step, borderType=cv2.BORDER_REFLECT))
