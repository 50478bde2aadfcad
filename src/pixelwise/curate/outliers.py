"""Find images that are far from the rest of their set in size, shape, number of bands, brightness, contrast or colour.

Robust: the distance from the median in units of the median absolute deviation (as a normal distribution's standard
deviation), never less than a floor that stands for "the same to the eye". The thresholds are wide, as nothing is wrong with
a set of many kinds of photographs.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pixelwise.core.arrays import FloatArray
from pixelwise.curate.looks import Look, Looked, known

_LEAST = 8  # images from which on there is a rest to be far from
_FAR = 6.0  # deviations
_MOST = 0.05  # of the images: more of them are no outliers
_TO_NORMAL = 1.4826
Figure = Callable[[Look], float]


@dataclass(frozen=True)
class Odd:
    """Sample ``row`` is odd; ``texts`` say in what."""

    row: int
    texts: tuple[str, ...]


@dataclass(frozen=True)
class _Measure:
    """A figure of an image, the floor of its deviation, and how a value of it is told."""

    of: Figure
    floor: float
    tell: Callable[[float], str]


_MEASURES = (
    _Measure(lambda look: math.log(look.size[0] * look.size[1]), 0.06, lambda value: f"{math.exp(value):,.0f} pixels"),
    _Measure(
        lambda look: math.log(look.size[1] / look.size[0]), 0.06, lambda value: f"{math.exp(value):.2f} times as wide as high"
    ),
    _Measure(lambda look: sum(look.colour[:3]) / 3, 0.04, lambda value: f"a mean brightness of {100 * value:.0f} %"),
    _Measure(
        lambda look: math.log(max(look.colour[3], 1e-3)), 0.12, lambda value: f"a contrast of {100 * math.exp(value):.1f} %"
    ),
    _Measure(lambda look: look.colour[0] - look.colour[1], 0.025, lambda value: f"red minus green of {100 * value:+.0f} %"),
    _Measure(lambda look: look.colour[2] - look.colour[1], 0.025, lambda value: f"blue minus green of {100 * value:+.0f} %"),
)


def find_odd(looks: Sequence[Looked]) -> list[Odd]:
    """Find the images that are far from the rest; blank ones are left out, as they are told apart anyway."""
    images = [(row, one) for row, one in known(looks) if not one.is_blank]
    if len(images) < _LEAST:
        return []
    texts: dict[int, list[str]] = {}
    for measure in _MEASURES:
        values = np.array([measure.of(one) for _, one in images])
        far = deviations(values, measure.floor)
        usual = float(np.median(values))
        odd = np.flatnonzero(np.abs(far) > _FAR)
        if len(odd) > max(2, _MOST * len(images)):
            continue  # so many are another kind of image: upright photographs among wide ones, another stain
        for place in odd:
            row = images[place][0]
            text = f"{measure.tell(float(values[place]))}, where {measure.tell(usual)} is usual"
            texts.setdefault(row, []).append(text)
    bands = Counter(one.bands for _, one in images)
    common, count = bands.most_common(1)[0]
    if count >= 0.95 * len(images):
        for row, one in images:
            if one.bands != common and {one.bands, common} != {1, 3}:  # grey among colours is read as colours
                texts.setdefault(row, []).append(f"{one.bands} bands, where {common} are usual")
    return [Odd(row, tuple(found)) for row, found in sorted(texts.items())]


def deviations(values: FloatArray, floor: float) -> FloatArray:
    """Give each value's robust distance from the median, in deviations of at least ``floor``.

    >>> deviations(np.array([1.0, 1.0, 1.0, 1.0, 3.0]), 0.5)
    array([0., 0., 0., 0., 4.])
    """
    off = values - np.median(values)
    return np.asarray(off / max(_TO_NORMAL * float(np.median(np.abs(off))), floor))
