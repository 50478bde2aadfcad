"""What pixels look like: brightness, contrast, hue, noise and blur. Geometry and masks stay as they are."""

import cv2
import numpy as np

from pixelwise.core.arrays import AnyArray, FloatArray


def jitter(pixels: AnyArray, brightness: float, contrast: float, gains: FloatArray) -> AnyArray:
    """Scale contrast about mid grey, then brightness, then each channel by its gain (C,); 1.0 changes nothing."""
    if pixels.dtype == np.uint8:
        levels = np.arange(256, dtype=np.float64)[:, None]
        table = np.clip(((levels - 127.5) * contrast + 127.5) * brightness * gains, 0, 255).round().astype(np.uint8)
        if pixels.shape[2] in (1, 3, 4):
            looked = cv2.LUT(pixels, table.reshape(1, 256, -1))
            return looked[:, :, None] if looked.ndim == 2 else looked
        return np.stack([table[pixels[:, :, channel], channel] for channel in range(pixels.shape[2])], axis=2)
    top = 65535.0 if pixels.dtype == np.uint16 else 1.0
    changed = np.clip(((pixels - top / 2) * contrast + top / 2) * brightness * gains, 0, top)
    return changed.round().astype(pixels.dtype) if pixels.dtype.kind == "u" else changed.astype(np.float32)


def turn_hue(pixels: AnyArray, degrees: float) -> AnyArray:
    """Turn the hue of RGB pixels (H, W, 3) uint8 by an angle; other images are given back unchanged.

    The turn is a rotation of the colour cube about its grey axis: linear, with no round trip through HSV.
    """
    if pixels.dtype != np.uint8 or pixels.shape[2] != 3:
        return pixels
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees)) / np.sqrt(3)
    third = (1 - cosine) / 3
    turn = np.array(
        [
            [cosine + third, third - sine, third + sine],
            [third + sine, cosine + third, third - sine],
            [third - sine, third + sine, cosine + third],
        ]
    )
    return cv2.transform(pixels, turn)


def add_noise(pixels: AnyArray, deviation: float, seed: int) -> AnyArray:
    """Add Gaussian noise of a standard deviation given as a share of the full range."""
    top = {"uint8": 255.0, "uint16": 65535.0}.get(pixels.dtype.name, 1.0)
    noise = np.random.default_rng(seed).standard_normal(pixels.shape, np.float32) * np.float32(deviation * top)
    changed = np.clip(pixels + noise, 0, top)
    return changed.round().astype(pixels.dtype) if pixels.dtype.kind == "u" else changed.astype(np.float32)


def blur(pixels: AnyArray, sigma: float) -> AnyArray:
    """Blur with a Gaussian of ``sigma`` pixels."""
    blurred = cv2.GaussianBlur(pixels, (0, 0), sigma)
    return blurred[:, :, None] if blurred.ndim == 2 else blurred
