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

from pixelwise.core.arrays import BoolArray, FloatArray, IntArray
from pixelwise.core.image import Image

_STRIP = 2**17  # pixels described at once


class Strip(NamedTuple):
    """Some rows of a grid on an image: the first row of the grid, how many, and the features (F, P) of their pixels."""

    first: int
    count: int
    features: FloatArray


def strips(
    image: Image,
    scales: Sequence[float],
    rows: IntArray | None = None,
    columns: IntArray | None = None,
    wanted: BoolArray | None = None,
) -> Iterator[Strip]:
    """Describe the pixels where ``rows`` and ``columns`` of an image cross, in strips; without them, all pixels.

    Each strip is computed with as many rows around it as a blur reaches, so that strips equal the whole. Strips that have no
    row that is ``wanted``, of those of the grid, are left out.
    """
    height, width = image.size
    if not height * width:
        return
    rows = np.arange(height) if rows is None else rows
    reach = math.ceil(4 * max(scales)) + 2  # OpenCV cuts a Gaussian of floats off at 4 deviations; derivatives add a row
    step = max(1, int(_STRIP / width * len(rows) / height))
    for start in range(0, len(rows), step):
        if wanted is not None and not wanted[start : start + step].any():
            continue
        chosen = rows[start : start + step]
        first, last = max(0, int(chosen[0]) - reach), min(height, int(chosen[-1]) + 1 + reach)
        found = features_of(Image(image.pixels[first:last], image.bands), scales)[:, chosen - first]
        found = found if columns is None else found[:, :, columns]
        yield Strip(start, len(chosen), found.reshape(len(found), -1))


def features_of(image: Image, scales: Sequence[float]) -> FloatArray:
    """Describe every pixel: (F, H, W), the bands at each scale and, past the scale 0, gradient and curvature there."""
    values = np.nan_to_num(image.unit(), posinf=1.0, neginf=0.0)
    bands = np.ascontiguousarray(values.transpose(2, 0, 1), np.float32)
    found = np.empty((sum(len(bands) + 3 * (scale > 0) for scale in scales), *image.size), np.float32)
    place = 0
    for scale in scales:
        blurred = found[place : place + len(bands)]
        for row, band in enumerate(bands):
            blurred[row] = band if scale == 0 else cv2.GaussianBlur(band, (0, 0), scale)
        place += len(bands)
        if scale > 0:
            _derive(blurred.mean(axis=0, dtype=np.float32), scale, found[place : place + 3])
            place += 3
    return found


def _derive(grey: FloatArray, scale: float, found: FloatArray) -> None:
    """Fill in the gradient's length and the Hessian's eigenvalues (3, H, W), the smaller first, in units of the scale."""
    across, down = (cv2.Sobel(grey, cv2.CV_32F, *order, scale=scale / 8) for order in ((1, 0), (0, 1)))
    xx, yy, xy = (cv2.Sobel(grey, cv2.CV_32F, *order, scale=scale**2 / 4) for order in ((2, 0), (0, 2), (1, 1)))
    found[0] = cv2.magnitude(across, down)
    middle, apart = (xx + yy) / 2, cv2.magnitude((xx - yy) / 2, xy)
    np.subtract(middle, apart, out=found[1])
    np.add(middle, apart, out=found[2])
