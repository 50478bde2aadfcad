"""What a lens or a file does to sharpness: four kinds of blur, sharpening, and the losses of JPEG."""

import math
from typing import Literal, TypeAlias, get_args

import cv2
import numpy as np

from pixelwise.core.arrays import AnyArray, FloatArray

Blur: TypeAlias = Literal["blur", "motion", "median", "defocus"]
BLURS: tuple[Blur, ...] = get_args(Blur)


def blurred(pixels: AnyArray, kind: Blur, amount: float, degrees: float = 0.0) -> AnyArray:
    """Blur pixels (H, W, C) by ``amount`` pixels: a sigma, the length of a path, a radius; ``degrees`` is the path's way.

    A Gaussian is cut off beyond 2.2 sigma, where 3 % of it are left.
    """
    if kind == "median":
        return _median(pixels, amount)
    if kind == "blur":
        side = 2 * max(1, round(2.2 * amount)) + 1
        found = cv2.GaussianBlur(pixels, (side, side), amount)
    else:
        kernel = path_kernel(amount, degrees) if kind == "motion" else disk_kernel(amount)
        found = cv2.filter2D(pixels, -1, kernel, borderType=cv2.BORDER_REFLECT_101)
    return found[:, :, None] if found.ndim == 2 else found


def path_kernel(length: float, degrees: float) -> FloatArray:
    """Draw a straight path of ``length`` pixels as a kernel of sum 1; counter-clockwise from the right."""
    radius = max(1, math.ceil(length / 2))
    steps = np.linspace(-length / 2, length / 2, 8 * radius + 1) if length > 1 else np.zeros(1)
    x, y = steps * math.cos(math.radians(degrees)) + radius, -steps * math.sin(math.radians(degrees)) + radius
    kernel = np.zeros((2 * radius + 2, 2 * radius + 2))
    for right in (0, 1):  # each step is shared out among its four pixels
        for down in (0, 1):
            left, top = np.floor(x).astype(int), np.floor(y).astype(int)
            np.add.at(kernel, (top + down, left + right), (1 - abs(x - left - right)) * (1 - abs(y - top - down)))
    kernel = kernel[:-1, :-1]
    return np.asarray((kernel / kernel.sum()).astype(np.float32))


def disk_kernel(radius: float) -> FloatArray:
    """Draw a disk as a kernel of sum 1, its edge softened by a pixel."""
    reach = max(1, math.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    kernel = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)
    return np.asarray((kernel / kernel.sum()).astype(np.float32))


def _median(pixels: AnyArray, radius: float) -> AnyArray:
    side = 2 * round(radius) + 1
    parts = [cv2.medianBlur(np.ascontiguousarray(pixels[:, :, band]), side) for band in range(pixels.shape[2])]
    return np.stack(parts, axis=2)


def sharpened(pixels: AnyArray, strength: float) -> AnyArray:
    """Add ``strength`` times what a blur of one pixel takes away."""
    found = cv2.addWeighted(pixels, 1 + strength, blurred(pixels, "blur", 1.0), -strength, 0)
    found = np.clip(found, 0, 1) if found.dtype == np.float32 else found
    return found[:, :, None] if found.ndim == 2 else found


def takes_jpeg(pixels: AnyArray) -> bool:
    """Tell whether JPEG can hold the pixels: 8 bits, one channel or three, at most 65,500 pixels a side."""
    return pixels.dtype == np.uint8 and pixels.shape[2] in (1, 3) and max(pixels.shape[:2]) <= 65_500


def jpeg(pixels: AnyArray, quality: int) -> AnyArray:
    """Store as JPEG of a quality from 1 to 100 and read again; what JPEG cannot hold is given back unchanged."""
    if not takes_jpeg(pixels):
        return pixels
    stored = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.shape[2] == 3 else pixels
    _, coded = cv2.imencode(".jpg", stored, [cv2.IMWRITE_JPEG_QUALITY, quality])
    found = np.asarray(cv2.imdecode(coded, cv2.IMREAD_UNCHANGED))
    return cv2.cvtColor(found, cv2.COLOR_BGR2RGB) if found.ndim == 3 else found[:, :, None]
