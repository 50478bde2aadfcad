"""Images at a smaller scale."""

from dataclasses import replace

import cv2

from pixelwise.core.arrays import Size
from pixelwise.core.image import Image


def scaled_size(size: Size, scale: float) -> Size:
    """Give the size of an image at a scale; no side falls below one pixel.

    >>> scaled_size((4000, 6000), 0.176)
    (704, 1056)
    """
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def scale_image(image: Image, scale: float) -> Image:
    """Reduce an image by areas: each new pixel is the mean of those it covers."""
    if scale == 1:
        return image
    height, width = scaled_size(image.size, scale)
    pixels = cv2.resize(image.pixels, (width, height), interpolation=cv2.INTER_AREA)
    return replace(image, pixels=pixels[:, :, None] if pixels.ndim == 2 else pixels)
