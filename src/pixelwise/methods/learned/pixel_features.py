"""Describe pixels by what is around them at several scales: colour, edges, and the curvature of the grey levels [1].

At each scale in pixels the bands are blurred, and of the blurred grey level the length of the gradient is taken, and the two
eigenvalues of the Hessian: both negative on a bright blob, one on a bright line. The scale 0 is a pixel's own colour.

[1] Arganda-Carreras et al., Trainable Weka Segmentation, Bioinformatics, 2017.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.image import Image

_STRIP = 2**17  # pixels described at once


class Strip(NamedTuple):
    """Some rows of a grid on an image: the first row of the grid, how many, and the features (P, F) of their pixels."""

    first: int
    count: int
    features: FloatArray


def strips(
    image: Image, scales: Sequence[float], rows: IntArray | None = None, columns: IntArray | None = None
) -> Iterator[Strip]:
    """Describe the pixels where ``rows`` and ``columns`` of an image cross, in strips; without them, all pixels.

    Each strip is computed with as many rows around it as a blur reaches, so that strips equal the whole.
    """
    height, width = image.size
    if not height * width:
        return
    rows = np.arange(height) if rows is None else rows
    reach = math.ceil(4 * max(scales)) + 2  # OpenCV cuts a Gaussian of floats off at 4 deviations; derivatives add a row
    step = max(1, int(_STRIP / width * len(rows) / height))
    for start in range(0, len(rows), step):
        chosen = rows[start : start + step]
        first, last = max(0, int(chosen[0]) - reach), min(height, int(chosen[-1]) + 1 + reach)
        found = features_of(Image(image.pixels[first:last], image.bands), scales)[chosen - first]
        found = found if columns is None else found[:, columns]
        yield Strip(start, len(chosen), found.reshape(-1, found.shape[2]))


def features_of(image: Image, scales: Sequence[float]) -> FloatArray:
    """Describe every pixel: (H, W, F), the bands at each scale and, past the scale 0, gradient and curvature there."""
    values = np.nan_to_num(image.unit(), posinf=1.0, neginf=0.0)
    bands = values.shape[2]
    found = np.empty((*image.size, sum(bands + 3 * (scale > 0) for scale in scales)), np.float32)
    place = 0
    for scale in scales:
        blurred = values if scale == 0 else _blurred(values, scale)
        found[:, :, place : place + bands] = blurred
        place += bands
        if scale > 0:
            found[:, :, place : place + 3] = _derivatives(blurred.mean(axis=2, dtype=np.float32), scale)
            place += 3
    return found


def _derivatives(grey: FloatArray, scale: float) -> FloatArray:
    """Give the gradient's length and the Hessian's eigenvalues (H, W, 3), the smaller first, times the scale they are of."""
    across, down = (cv2.Sobel(grey, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    xx, yy, xy = (cv2.Sobel(grey, cv2.CV_32F, *order, scale=1 / 4) for order in ((2, 0), (0, 2), (1, 1)))
    middle, apart = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    lengths = np.hypot(across, down) * np.float32(scale)
    return np.stack([lengths, (middle - apart) * np.float32(scale**2), (middle + apart) * np.float32(scale**2)], axis=2)


def _blurred(values: FloatArray, scale: float) -> FloatArray:
    bands = [cv2.GaussianBlur(np.ascontiguousarray(values[:, :, band]), (0, 0), scale) for band in range(values.shape[2])]
    return np.stack(bands, axis=2)
