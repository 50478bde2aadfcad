"""Draw outlines to the edges of the image by a guided filter [1]: what is found becomes, within each window, a line of colours.

The probability of a class, or the mask of a segment, is fitted by a linear function of the image's colours in each window, and
the means of these functions are the refined ones. Fast and local: it follows edges some pixels away, and decides nothing anew
as ``crf`` does. Cost: box filters, whatever the radius; strips of rows keep the memory that of the probabilities.

[1] He, Sun, Tang: Guided image filtering, IEEE Trans. Pattern Analysis and Machine Intelligence, 2013.
"""

from dataclasses import replace

import cv2
import numpy as np

from pixelwise.core.arrays import FloatArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import RGB, Image
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.effort import advance
from pixelwise.methods.grey import grey_levels
from pixelwise.refine.about import About
from pixelwise.refine.decided import decided
from pixelwise.refine.pieces import Piece, contested, reshaped

_STRIP = 2**20  # pixels filtered at once
_MAP = "the mask of each segment is filtered, and a pixel takes the strongest"
_MASKS = "each mask is filtered, whatever the others do"
ABOUT = About(
    rules={
        "semantic": "the probability of each class is filtered; without probabilities, the mask of each",
        "panoptic": _MAP,
        "regions": _MAP,
        "instance": _MASKS,
        "multilabel": _MASKS,
    },
    refused={},
    cost="linear in pixels times classes, or in the boxes of the segments",
    source="He, Sun, Tang, Guided image filtering, IEEE TPAMI 2013",
    uses_probabilities=True,
)


def refine(
    image: Image, found: Segmentation, *, radius: int = 4, softness: float = 0.01, threshold: float | None = None
) -> Segmentation:
    """Draw the outlines of ``found`` to the edges of ``image``.

    Args:
        radius: of the windows, in pixels, from 1 to 200; the outline moves about as far.
        softness: the variance of colours (of 0 to 1) below which a window counts as plain and is only smoothed, above 0.
        threshold: of two classes with probabilities, the foreground's above which a pixel counts.

    Raises:
        OptionError: an option is out of range.
    """
    if not 1 <= radius <= 200:
        raise OptionError(f"guided: the radius is in pixels, from 1 to 200, got {radius}")
    if not 1e-6 <= softness <= 1:
        raise OptionError(f"guided: the softness is from 1e-6 to 1, got {softness}")
    if found.kind == "semantic" and found.probabilities is not None:
        filtered = _filtered(image, found.probabilities, radius, softness)
        refined = decided(found.labels, filtered, threshold, is_void=found.panoptic_ids() == 0)
        return replace(refined, notes=found.notes)

    def strength(piece: Piece) -> FloatArray:
        part = Image(image.pixels[piece.window], image.bands)
        return _filtered(part, piece.mask[None].astype(np.float32), radius, softness)[0]

    if found.kind in ("instance", "multilabel"):
        return reshaped(found, lambda piece: strength(piece) > 0.5, 2 * radius)
    return contested(found, lambda piece: np.maximum(strength(piece), np.float32(1e-6) * piece.mask), 2 * radius)


def _filtered(image: Image, fields: FloatArray, radius: int, softness: float) -> FloatArray:
    """Filter fields (L, H, W) of 0 to 1; those of several classes still add up to 1."""
    found = np.empty(fields.shape, np.float32)
    height, width = image.size
    step = max(1, _STRIP // max(1, width))
    for top in range(0, height, step):
        first, last = max(0, top - 2 * radius), min(height, top + step + 2 * radius)
        guide = _Guide(guide_of(Image(image.pixels[first:last], image.bands)), radius, softness)
        rows = slice(top - first, min(height, top + step) - first)
        for index, field in enumerate(fields):
            found[index, top : top + step] = guide.applied(np.asarray(field[first:last], np.float32))[rows]
        strip = found[:, top : top + step]
        np.clip(strip, 0, 1, out=strip)
        if len(fields) > 1:
            strip /= np.maximum(strip.sum(axis=0), np.float32(1e-6))
        advance(min(1.0, (top + step) / max(1, height)))
    return found


def guide_of(image: Image) -> FloatArray:
    """Give the guide (H, W, 3 or 1) from 0 to 1: the colours, or the grey levels of other bands."""
    if image.bands == RGB:
        return np.nan_to_num(image.unit(), nan=0.0, posinf=1.0, neginf=0.0)
    return grey_levels(image)[:, :, None]


class _Guide:
    """The windows of a guide (H, W, C): their means, and the inverse of their covariance plus ``softness``."""

    def __init__(self, guide: FloatArray, radius: int, softness: float) -> None:
        self._radius = radius
        self._bands = [np.ascontiguousarray(guide[:, :, band]) for band in range(guide.shape[2])]
        self._means = [self._mean(band) for band in self._bands]
        count = len(self._bands)
        covariance = {
            (i, j): self._mean(self._bands[i] * self._bands[j]) - self._means[i] * self._means[j] + (softness if i == j else 0)
            for i in range(count)
            for j in range(i, count)
        }
        self._inverse = _inverted(covariance, count)

    def applied(self, field: FloatArray) -> FloatArray:
        """Fit ``field`` (H, W) in each window, and give the mean of the fits at each pixel."""
        mean, count = self._mean(field), len(self._bands)
        with_bands = [self._mean(band * field) - own * mean for band, own in zip(self._bands, self._means, strict=True)]
        found, rest = np.zeros(field.shape, np.float32), mean
        for i in range(count):
            slope = np.zeros(field.shape, np.float32)
            for j in range(count):
                slope += self._inverse[min(i, j), max(i, j)] * with_bands[j]
            rest = rest - slope * self._means[i]
            found += self._mean(slope) * self._bands[i]
        return found + self._mean(rest)

    def _mean(self, values: FloatArray) -> FloatArray:
        side = 2 * self._radius + 1
        return np.asarray(cv2.blur(values, (side, side), borderType=cv2.BORDER_REFLECT))


def _inverted(matrix: dict[tuple[int, int], FloatArray], count: int) -> dict[tuple[int, int], FloatArray]:
    """Invert symmetric matrices of 1 or 3 rows, each entry an image, by cofactors."""
    if count == 1:
        return {(0, 0): 1 / matrix[0, 0]}
    (a, b, c), (d, e), f = (matrix[0, 0], matrix[0, 1], matrix[0, 2]), (matrix[1, 1], matrix[1, 2]), matrix[2, 2]
    cofactors = {
        (0, 0): d * f - e * e,
        (0, 1): c * e - b * f,
        (0, 2): b * e - c * d,
        (1, 1): a * f - c * c,
        (1, 2): b * c - a * e,
        (2, 2): a * d - b * b,
    }
    scale = 1 / (a * cofactors[0, 0] + b * cofactors[0, 1] + c * cofactors[0, 2])
    return {place: each * scale for place, each in cofactors.items()}
