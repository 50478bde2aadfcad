"""Measure at every pixel how strongly colour, brightness and texture change there, at several scales.

The gradient of a colour image is the greatest change in any direction over its three channels [1], here of Lab, blurred by 1,
2, 4 and 8 pixels; the two largest scales are worked out on images of a half and a quarter of the size. Texture is what fine
gradients there are, in four directions; where its amount changes, textures meet. What stands among equals is no boundary: two
maps are divided by their mean around, which calms textures [2].

[1] Di Zenzo, A note on the gradient of a multi-image, Computer Vision, Graphics, and Image Processing, 1986.
[2] Grigorescu, Petkov and Westenberg, Contour and boundary detection improved by surround suppression of texture edges, Image
    and Vision Computing, 2004.
"""

from typing import NamedTuple

import cv2
import numpy as np

from pixelwise.core.arrays import FloatArray
from pixelwise.core.image import GREY, RGB, Image
from pixelwise.methods.growing.changes import finite

_SLOPE = np.array([[-0.5, 0, 0.5]], np.float32)


class Strengths(NamedTuple):
    """What changes at the pixels of an image; maps are (H, W) unless said.

    Attributes:
        lab: (H, W, 3) lightness 0 to 100 and two colour axes, blurred by 1 pixel.
        spread: (H, W, 3) squares of the same before the blur, from which variances follow.
        across, down: slopes of the lightness.
        maps: (M, H, W): gradients at 1, 2, 4 and 8 pixels, the gradient of texture, and those at 1 and 2 pixels divided by
            their mean around.
    """

    lab: FloatArray
    spread: FloatArray
    across: FloatArray
    down: FloatArray
    maps: FloatArray


def strengths(image: Image) -> Strengths:
    """Measure ``image``; the cost is some fifty passes over its pixels."""
    lab = lab_of(image)
    blurred = _blurred(lab, 1.0)
    across, down = _slopes(blurred)
    fine, coarse = _steepest(across, down), gradient(lab, 2.0)
    half = _smaller(blurred)
    texture = gradient(_smaller(_texture(across[:, :, 0], down[:, :, 0])), 3.0)
    maps = [
        fine,
        coarse,
        _as_large(gradient(half, 2.0), fine),
        _as_large(gradient(_smaller(half), 2.0), fine),
        _as_large(texture, fine),
        fine / (cv2.blur(fine, (25, 25)) + np.float32(1)),  # 1: below it, a gradient is noise
        coarse / (cv2.blur(coarse, (41, 41)) + np.float32(1)),
    ]
    return Strengths(blurred, lab * lab, across[:, :, 0], down[:, :, 0], np.stack(maps))


def lab_of(image: Image) -> FloatArray:
    """Give Lab (H, W, 3), float32; of other bands than colours, their mean, and how far the first and last are from it."""
    values = finite(image)
    if image.bands in (RGB, GREY):
        colours = values if image.bands == RGB else np.repeat(values, 3, axis=2)
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(colours), cv2.COLOR_RGB2LAB), np.float32)
    mean = values.mean(axis=2)
    return np.stack([mean, values[:, :, 0] - mean, values[:, :, -1] - mean], axis=2) * np.float32(100)


def gradient(values: FloatArray, scale: float) -> FloatArray:
    """Give the greatest change a pixel (H, W) of ``values`` (H, W, C) blurred by ``scale`` pixels, in any direction [1]."""
    return _steepest(*_slopes(_blurred(values, scale)))


def _blurred(values: FloatArray, scale: float) -> FloatArray:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), scale), np.float32).reshape(
        values.shape
    )  # OpenCV drops a single channel


def _slopes(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Give the slopes of each channel (H, W, C) to the right and down."""
    sides = (cv2.filter2D(values, -1, kernel, borderType=cv2.BORDER_REPLICATE) for kernel in (_SLOPE, _SLOPE.T.copy()))
    across, down = (np.asarray(side, np.float32).reshape(values.shape) for side in sides)
    return across, down


def _steepest(across: FloatArray, down: FloatArray) -> FloatArray:
    """Give the root of the larger eigenvalue of the structure tensor (H, W)."""
    xx, yy, xy = (np.einsum("hwc,hwc->hw", *pair) for pair in ((across, across), (down, down), (across, down)))
    return np.asarray(np.sqrt((xx + yy + np.sqrt((xx - yy) ** 2 + 4 * xy * xy)) / 2))


def _texture(across: FloatArray, down: FloatArray) -> FloatArray:
    """Give the roots of the slopes in four directions (H, W, 4); the root, as one strong edge is not much texture."""
    slanted = np.float32(np.sqrt(0.5))
    sides = (across, down, (across + down) * slanted, (across - down) * slanted)
    return np.stack([np.sqrt(np.abs(side)) for side in sides], axis=2)


def _smaller(values: FloatArray) -> FloatArray:
    """Halve the size, never below a pixel."""
    height, width, channels = values.shape
    size = max(1, width // 2), max(1, height // 2)
    small = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32).reshape(size[1], size[0], channels)


def _as_large(values: FloatArray, other: FloatArray) -> FloatArray:
    return np.asarray(cv2.resize(values, other.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32).reshape(other.shape)
