"""Smooth outlines: each pixel takes the segment that has most of the disc around it.

The majority filter: opening and closing at once, for any number of segments. Of equals, the pixel's own segment stays. What is
thinner than the disc's radius goes, poles and fences among it; where that matters, ``guided`` or ``crf`` follow the image.
Cost: a filter of the box of each segment.
"""

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Segmentation
from pixelwise.refine.about import About
from pixelwise.refine.pieces import Piece, contested, reshaped

_MAP = "each pixel takes the segment that has most of the disc around it"
_MASKS = "each mask keeps the pixels around which it has most of the disc, whatever the others do"
ABOUT = About(
    rules={"semantic": _MAP, "panoptic": _MAP, "regions": _MAP, "instance": _MASKS, "multilabel": _MASKS},
    refused={},
    cost="linear in the boxes of the segments, times the radius",
    source="the majority (mode) filter; of two classes, the median filter of Tukey, Exploratory Data Analysis, 1977",
)


def refine(image: Image, found: Segmentation, *, radius: int = 2) -> Segmentation:
    """Smooth the outlines of ``found``.

    Args:
        radius: of the disc, in pixels, from 1 to 50.

    Raises:
        OptionError: the radius is out of range.
    """
    if not 1 <= radius <= 50:
        raise OptionError(f"smooth: the radius is in pixels, from 1 to 50, got {radius}")
    disc = _disc(radius)
    if found.kind in ("instance", "multilabel"):
        return reshaped(found, lambda piece: _share(piece.mask, disc) > 0.5, radius)
    return contested(found, lambda piece: _bid(piece, disc), radius)


def _disc(radius: int) -> FloatArray:
    """Give the weights of a disc; the middle has a little more, which decides ties for the pixel's own segment."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disc = (y**2 + x**2 <= radius**2 + radius / 2).astype(np.float32)
    disc[radius, radius] += np.float32(0.5)
    return np.asarray(disc / disc.sum())


def _share(mask: BoolArray, disc: FloatArray) -> FloatArray:
    """Tell what share (h, w) of the disc around each pixel the mask has; the border is continued by its last pixels."""
    return np.asarray(cv2.filter2D(mask.astype(np.float32), cv2.CV_32F, disc, borderType=cv2.BORDER_REPLICATE))


def _bid(piece: Piece, disc: FloatArray) -> FloatArray:
    shares = _share(piece.mask, disc) * np.float32(2**20)
    return np.asarray(np.rint(shares))  # equal shares are equal, whatever the order of summing
