"""Where pixels go: flip, scale, affine and crop or pad, multiplied into one matrix, so that an image is resampled once."""

import math

import cv2
import numpy as np

from pixelwise.core.arrays import AnyArray, FloatArray, IntArray, Size
from pixelwise.core.masks import DisjointMasks, Masks, OverlappingMasks, from_dense

IDENTITY = np.eye(3)


def flip(width: int) -> FloatArray:
    """Mirror left and right, as a matrix on pixel indices (x, y, 1).

    >>> (flip(4) @ [0, 0, 1]).tolist()
    [3.0, 0.0, 1.0]
    """
    return np.array([[-1.0, 0, width - 1], [0, 1, 0], [0, 0, 1]])


def flip_vertically(height: int) -> FloatArray:
    """Mirror top and bottom."""
    return np.array([[1.0, 0, 0], [0, -1, height - 1], [0, 0, 1]])


def scale(vertical: float, horizontal: float) -> FloatArray:
    """Scale about the top left corner of the image; pixel centres move as if pixels were squares."""
    return np.array([[horizontal, 0, (horizontal - 1) / 2], [0, vertical, (vertical - 1) / 2], [0, 0, 1]])


def affine(size: Size, degrees: float, shear: float) -> FloatArray:
    """Rotate (counter-clockwise, degrees) and shear (degrees) about the centre of (H, W)."""
    angle, slant = math.radians(degrees), math.tan(math.radians(shear))
    turn = np.array([[math.cos(angle), math.sin(angle), 0], [-math.sin(angle), math.cos(angle), 0], [0, 0, 1]])
    centre = shift((size[1] - 1) / 2, (size[0] - 1) / 2)
    return centre @ turn @ np.array([[1, slant, 0], [0, 1, 0], [0, 0, 1]]) @ np.linalg.inv(centre)


def shift(right: float, down: float) -> FloatArray:
    """Move by pixels."""
    return np.array([[1.0, 0, right], [0, 1, down], [0, 0, 1]])


def warp_image(pixels: AnyArray, matrix: FloatArray, size: Size, fill: FloatArray) -> AnyArray:
    """Resample pixels (H, W, C) to (h, w, C); ``fill`` (C,) outside.

    Bilinear; when it shrinks to less than half, the image is first reduced by areas, so that thin things do not flicker.
    """
    shrink = math.sqrt(abs(np.linalg.det(matrix[:2, :2])))
    if shrink < 0.5 and min(pixels.shape[:2]) > 8:
        factor = 2.0 ** math.floor(math.log2(1 / shrink))
        height, width = (max(round(side / factor), 1) for side in pixels.shape[:2])
        reduced = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
        matrix = matrix @ scale(pixels.shape[0] / height, pixels.shape[1] / width)
        pixels = reduced[:, :, None] if reduced.ndim == 2 else reduced
    channels = pixels.shape[2]
    if channels <= 4:
        warped = cv2.warpAffine(
            pixels,
            matrix[:2],
            (size[1], size[0]),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=fill.tolist(),
        )
        return warped[:, :, None] if warped.ndim == 2 else warped
    groups = [slice(start, start + 4) for start in range(0, channels, 4)]  # OpenCV fills borders of at most 4 channels
    return np.concatenate([warp_image(np.ascontiguousarray(pixels[:, :, g]), matrix, size, fill[g]) for g in groups], axis=2)


def warp_ids(ids: IntArray, matrix: FloatArray, size: Size, fill: int = 0) -> IntArray:
    """Resample an id map (H, W) to (h, w) without inventing ids: nearest neighbour, ``fill`` outside."""
    known = ids.dtype in (np.uint8, np.uint16)
    source = ids if known else ids.astype(np.float64)  # OpenCV resamples no 32-bit integers; float64 holds them exactly
    warped = cv2.warpAffine(
        source, matrix[:2], (size[1], size[0]), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=float(fill)
    )
    return warped if known else warped.astype(ids.dtype)


def warp_masks(masks: Masks, matrix: FloatArray, size: Size) -> Masks:
    """Resample masks to (h, w) in the holding they are in."""
    if isinstance(masks, DisjointMasks):
        return DisjointMasks(warp_ids(masks.ids, matrix, size), masks.count)
    if not len(masks):
        return OverlappingMasks((), size)
    moved = [warp_ids(masks.mask(index).view(np.uint8), matrix, size).view(bool) for index in range(len(masks))]
    found = from_dense(np.stack(moved))
    return OverlappingMasks(found.run_lengths(), size)
