"""Split an image at one level that is found on its histogram: what most threshold methods share.

Levels become whole numbers, so that a histogram is exact: 8 bits have 256, and 16 bits 65,536. Fractions are counted in steps
of 1/65535, doubled or halved until their range fits into 65,536 numbers; values that come from 8 or 16 bits keep their order
and their distances. Sums are kept in double precision: in single, those of a photograph of 24 Mpixel lose single pixels.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.image import GREY, RGB, Image
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.grey import Foreground, check_foreground, levels_of, two_classes

GROUPS = 256  # bins for rules that look at the shape of a histogram: of 65,536 bins the most would hold a pixel or none


class Histogram(NamedTuple):
    """How often each level occurs, from the lowest that does to the highest that does.

    Attributes:
        counts: (B,) pixels in each bin; the first and the last hold some.
        lasts: (B,) the highest code that is counted in each bin.
    """

    counts: IntArray
    lasts: IntArray


def codes_of(image: Image, channel: str = "grey") -> IntArray:
    """Give one channel (H, W) as whole numbers: uint8 where that holds all its levels, else uint16.

    Raises:
        OptionError: the image has no such channel.
    """
    levels = levels_of(image, channel)
    is_stored = channel in image.bands or (image.bands in (RGB, GREY) and channel in ("grey", *RGB))
    if image.pixels.dtype.kind == "u" and is_stored:
        return np.rint(levels * np.float32(np.iinfo(image.pixels.dtype).max)).astype(image.pixels.dtype)
    return fraction_codes(levels)


def fraction_codes(levels: FloatArray) -> IntArray:
    """Give fractions (H, W) as uint16, in steps of 1/65535 times the power of two that lets their range fit.

    >>> fraction_codes(np.array([[0.0, 0.2, 1.0]]))
    array([[    0, 13107, 65535]], dtype=uint16)
    >>> fraction_codes(np.array([[0.1, 0.2]]))
    array([[    0, 52428]], dtype=uint16)
    """
    low, high = (float(levels.min()), float(levels.max())) if levels.size else (0.0, 0.0)
    if low == high:
        return np.zeros(levels.shape, np.uint16)
    scale = 65535 * 2.0 ** math.floor(-math.log2(high - low))
    return np.minimum(np.rint((levels - np.float64(low)) * scale), 65535).astype(np.uint16)


def histogram_of(codes: IntArray, groups: int | None = None) -> Histogram:
    """Count the levels of codes (H, W), which must not be empty.

    With ``groups``, levels of more than 8 bits are first divided by the step that they all share (257 where 8 bits were
    stretched to 16), and then, if they still are more, counted in so many bins of equal width.
    """
    counts = np.bincount(codes.ravel())
    first = int(np.flatnonzero(counts)[0])
    counts, span = counts[first:], len(counts) - first
    starts = np.arange(span)
    if groups is not None and codes.dtype != np.uint8:
        starts = starts[:: shared_step(counts)]
        if len(starts) > groups:
            starts = -(np.arange(groups) * -span // groups)  # rounded up
        counts = np.add.reduceat(counts, starts)
    return Histogram(counts, first + np.append(starts[1:], span) - 1)


def shared_step(counts: IntArray) -> int:
    """Give the largest step such that only every so manyth level occurs, counted from the first; 1 for a single level.

    >>> shared_step(np.array([3, 0, 0, 1, 0, 0, 2]))
    3
    """
    used = np.flatnonzero(counts)
    return int(np.gcd.reduce(used - used[0])) or 1


def split(
    image: Image,
    channel: str,
    foreground: Foreground,
    find: Callable[[IntArray], float],
    groups: int | None = None,
) -> Segmentation:
    """Split ``image`` at the level that ``find`` gives: pixels above it are bright. One level alone is all background.

    Args:
        channel: as in ``levels_of``.
        foreground: as in ``two_classes``.
        find: takes the counts (B,) of at least two levels, gives the last dark bin, or a place between two bins.
        groups: as in ``histogram_of``.

    Raises:
        OptionError: there is no such channel or side.
    """
    check_foreground(foreground)
    codes = codes_of(image, channel)
    if not codes.size or codes.min() == codes.max():
        return two_classes(np.zeros(codes.shape, bool), "bright")
    histogram = histogram_of(codes, groups)
    return two_classes(codes > histogram.lasts[math.floor(find(histogram.counts))], foreground)
