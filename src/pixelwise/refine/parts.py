"""The connected parts of a map, what each is part of, and which touch."""

from typing import NamedTuple

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.image import RGB, Image
from pixelwise.methods.partition import connected

_STRIP = 2**20  # pixels looked at together


class Parts(NamedTuple):
    """K connected parts.

    Attributes:
        map: (H, W) of parts, from 0.
        ids: (K,) what each is part of.
        areas: (K,) in pixels.
        pairs: (E, 2) parts that share a side of a pixel, the lower first, each pair once.
    """

    map: IntArray
    ids: IntArray
    areas: IntArray
    pairs: IntArray


def parts_of(ids: IntArray) -> Parts:
    """Find the parts of equal ids (H, W) that are connected by sides.

    >>> parts_of(np.array([[3, 3, 0], [0, 0, 3]])).ids.tolist()
    [3, 0, 0, 3]
    """
    numbers = connected(ids).astype(np.int32) - 1
    areas = np.bincount(numbers.ravel())
    own = np.zeros(len(areas), np.int64)
    own[numbers] = ids
    return Parts(numbers, own, areas, pairs_in(numbers))


def pairs_in(numbers: IntArray) -> IntArray:
    """List the pairs (E, 2) of numbers that touch in a map (H, W), each once, the lower first."""
    count = int(numbers.max(initial=0)) + 1
    codes = []
    step = max(1, _STRIP // max(1, numbers.shape[1]))
    for top in range(0, numbers.shape[0], step):
        strip = numbers[top : top + step + 1].astype(np.int64)
        for one, other in ((strip[:-1], strip[1:]), (strip[:step, :-1], strip[:step, 1:])):
            differ = one != other
            low, high = np.minimum(one[differ], other[differ]), np.maximum(one[differ], other[differ])
            codes.append(np.unique(low * count + high))
    return np.stack(np.divmod(np.unique(np.concatenate([*codes, np.zeros(0, np.int64)])), count), axis=1)


def mean_colours(image: Image, numbers: IntArray, areas: IntArray) -> FloatArray:
    """Give the mean colour (K, C) of each part: CIE L*a*b* of colours, and 0 to 100 of other bands."""
    sums = np.zeros((len(areas), len(image.bands)))
    step = max(1, _STRIP // max(1, numbers.shape[1]))
    for top in range(0, numbers.shape[0], step):
        values = colours_of(Image(image.pixels[top : top + step], image.bands)).reshape(-1, sums.shape[1])
        flat = numbers[top : top + step].ravel()
        for band in range(sums.shape[1]):
            sums[:, band] += np.bincount(flat, weights=values[:, band], minlength=len(areas))
    return sums / np.maximum(areas, 1)[:, None]


def colours_of(image: Image) -> FloatArray:
    """Give the colours (H, W, C) on a scale where a difference of 1 is just seen: L*a*b*, or bands from 0 to 100."""
    import cv2

    values = np.nan_to_num(image.unit(), nan=0.0, posinf=1.0, neginf=0.0)
    if image.bands == RGB:
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(values), cv2.COLOR_RGB2Lab))
    return values * np.float32(100)
