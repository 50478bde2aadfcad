"""What pixels look like: all that is linear in one matrix of channels, all that is a curve in one table a channel.

Masks stay as they are. Every function takes pixels (H, W, C) of uint8, uint16 or float32 and gives the same type.
"""

import cv2
import numpy as np

from pixelwise.core.arrays import AnyArray, FloatArray

LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R 601-2, as ``Image.to_bands`` weighs colours to grey
_TOPS = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}


def top_of(pixels: AnyArray) -> float:
    """Give the highest value of the pixels' type."""
    return _TOPS[pixels.dtype.name]


def jitter(pixels: AnyArray, brightness: float, contrast: float, gains: FloatArray, gamma: float = 1.0) -> AnyArray:
    """Raise to ``gamma``, scale contrast about mid grey, then brightness, then each channel by its gain (C,).

    1.0 changes nothing. Integers go through one table, so a pixel costs the same however much is asked for.
    """
    top = top_of(pixels)
    if pixels.dtype == np.float32:
        return _curve(pixels, top, brightness, contrast, gains, gamma).astype(np.float32, copy=False)
    levels = np.arange(int(top) + 1, dtype=np.float64)[:, None]
    table = _curve(levels, top, brightness, contrast, gains, gamma).round().astype(pixels.dtype)
    if pixels.dtype == np.uint8 and pixels.shape[2] in (1, 3, 4):
        looked = cv2.LUT(pixels, table.reshape(1, 256, -1))
        return looked[:, :, None] if looked.ndim == 2 else looked
    return np.stack([table[:, channel].take(pixels[:, :, channel]) for channel in range(pixels.shape[2])], axis=2)


def _curve(levels: AnyArray, top: float, brightness: float, contrast: float, gains: FloatArray, gamma: float) -> FloatArray:
    if gamma != 1:
        levels = top * np.clip(levels / top, 0, 1) ** gamma
    return np.asarray(np.clip(((levels - top / 2) * contrast + top / 2) * brightness * gains, 0, top))


def linear(brightness: float, contrast: float, gains: FloatArray, top: float) -> FloatArray:
    """Write the same change, without gamma, as a matrix (C, C + 1) on channels: factors, then what is added."""
    gains = np.asarray(gains, np.float64) * brightness
    return np.column_stack([np.diag(gains * contrast), gains * (top / 2) * (1 - contrast)])


def hue_turn(degrees: float) -> FloatArray:
    """Turn the hue of RGB by an angle: a matrix (3, 3) on channels.

    The turn is a rotation of the colour cube about its grey axis: linear, with no round trip through HSV.
    """
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees)) / np.sqrt(3)
    third = (1 - cosine) / 3
    return np.array(
        [
            [cosine + third, third - sine, third + sine],
            [third + sine, cosine + third, third - sine],
            [third - sine, third + sine, cosine + third],
        ]
    )


def saturation_change(factor: float) -> FloatArray:
    """Move RGB away from its grey (factor above 1) or towards it; 0 is grey: a matrix (3, 3) on channels.

    >>> (saturation_change(0) @ [1, 1, 1]).round(6).tolist()
    [1.0, 1.0, 1.0]
    """
    return factor * np.eye(3) + (1 - factor) * np.tile(LUMA, (3, 1))


def mixed(pixels: AnyArray, matrix: FloatArray, out: AnyArray | None = None) -> AnyArray:
    """Mix channels by a matrix (3, 3), or (3, 4) with what is added; what leaves the range is cut.

    ``out`` may be ``pixels`` themselves, as in NumPy: new memory costs as much time as the work.
    """
    found = cv2.transform(pixels, matrix, dst=out)
    return np.clip(found, 0, 1, out=found) if pixels.dtype == np.float32 else found


def turn_hue(pixels: AnyArray, degrees: float) -> AnyArray:
    """Turn the hue of pixels of three channels by an angle; others are given back unchanged."""
    return mixed(pixels, hue_turn(degrees)) if pixels.shape[2] == 3 else pixels
