"""What regions are told apart by: colours on the scale of the eye, and how strongly they change from pixel to pixel."""

import math

import cv2
import numpy as np

from pixelwise.core.arrays import FloatArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import RGB, Image


def colours(image: Image, smooth: float = 0.0) -> FloatArray:
    """Give colours (H, W, C), float32, blurred by ``smooth`` pixels: Lab / 100 of red, green and blue, else the bands.

    So 0.01 is one step of Lab, about the least difference the eye sees. What is not a number counts as 0.
    """
    values = finite(image)
    if image.bands == RGB and values.size:
        values = cv2.cvtColor(np.ascontiguousarray(values), cv2.COLOR_RGB2LAB) / np.float32(100)
    if smooth > 0 and values.size:
        values = cv2.GaussianBlur(np.ascontiguousarray(values), (0, 0), smooth, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(values, np.float32).reshape(*image.size, -1)


def finite(image: Image) -> FloatArray:
    """Give the pixels (H, W, C) as float32 from 0 to 1; what is not a number counts as 0."""
    values = image.unit()
    return np.nan_to_num(values, posinf=1.0, neginf=0.0) if image.pixels.dtype.kind == "f" else values


def is_plain(image: Image) -> bool:
    """Tell whether all pixels are alike: then there is one region, whatever the method."""
    if not image.pixels.size:
        return True
    values = finite(image) if image.pixels.dtype.kind == "f" else image.pixels
    return bool((values == values[0, 0]).all())


def steepness(values: FloatArray) -> FloatArray:
    """Give the length (H, W) of the gradient of ``values`` (H, W, C) over all bands, a pixel, by Sobel's kernels."""
    found = np.zeros(values.shape[:2], np.float32)
    for band in range(values.shape[2]):
        one = np.ascontiguousarray(values[:, :, band])
        for across, down in ((1, 0), (0, 1)):
            found += cv2.Sobel(one, cv2.CV_32F, across, down, scale=1 / 8, borderType=cv2.BORDER_REPLICATE) ** 2
    return np.asarray(np.sqrt(found))


def check_range(method: str, name: str, value: float, low: float, high: float = math.inf) -> None:
    """Refuse an option that is not from ``low`` to ``high``.

    Raises:
        OptionError: it is not; the message names the method and the option.
    """
    if not (low <= value <= high and math.isfinite(value)):
        limits = f"from {low:g} to {high:g}" if math.isfinite(high) else f"{low:g} or more"
        raise OptionError(f"{method}: {name} must be {limits}, got {value}")
