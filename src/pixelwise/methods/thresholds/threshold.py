"""Split an image at a stated level, or keep what lies within ranges of grey, bands, HSV or Lab.

Ranges are in the units that people know: fractions of the full range for grey and bands; degrees for hue and fractions for
saturation and value; 0 to 100 for L*, and about -100 to 100 for a* and b*. A range of hue whose low end is above its high end
goes through red. Cost: one pass over the pixels.
"""

import math
from collections.abc import Sequence
from itertools import zip_longest
from typing import Literal, TypeAlias, get_args

import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray
from pixelwise.core.errors import OptionError, nearest
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.grey import Foreground, grey_levels, hsv, lab, levels_of, two_classes

KIND: Kind = "semantic"
ABOUT = About(
    family="threshold",
    good_for="the same light every time: scanners, conveyor belts, indices of satellite images; things of one colour",
    bad_for="light that changes from image to image",
    cost="one pass over the pixels",
    source="common practice; Gonzalez, Woods: Digital image processing, 4th edition, 2018, section 10.3",
)
Space: TypeAlias = Literal["grey", "bands", "hsv", "lab"]


def segment(
    image: Image,
    *,
    level: float = 0.5,
    channel: str = "grey",
    space: Space = "grey",
    low: Sequence[float] = (),
    high: Sequence[float] = (),
    foreground: Foreground = "bright",
) -> Segmentation:
    """Split ``image`` at ``level``, pixels above it are bright; or, given ``low`` or ``high``, by ranges: those within are.

    Args:
        level: as a fraction of the full range, so that 0.5 is the middle of 8 and of 16 bits alike.
        channel: what ``level`` splits: ``grey``, a band by name, or ``hue``, ``saturation``, ``value``, ``lightness``, ``a``,
            ``b``.
        space: what the ranges are of: ``grey``, all ``bands``, ``hsv`` or ``lab``.
        low: the low end of each channel's range, itself within; none given, no channel has one.
        high: the high end of each channel's range, itself within.
        foreground: the side that is the foreground: ``bright``, ``dark``, or ``auto``, the one that holds less of the border.

    Raises:
        OptionError: the level is outside 0 to 1, there is no such channel or space, or ranges and channels differ in number.
    """
    if not 0 <= level <= 1:
        raise OptionError(f"threshold: the level is a fraction of the full range, from 0 to 1; got {level}")
    if space not in get_args(Space):
        raise OptionError(f"threshold: space: got {space!r}; {nearest(str(space), get_args(Space))}")
    if low or high:
        return two_classes(within(_values(image, space), low, high, space == "hsv"), foreground)
    if space != "grey":
        raise OptionError(f"threshold: the space '{space}' needs ranges: low = ..., high = ..., a number for each channel")
    return two_classes(levels_of(image, channel) > level, foreground)


def within(values: FloatArray, low: Sequence[float], high: Sequence[float], is_hsv: bool = False) -> BoolArray:
    """Mark the pixels of ``values`` (H, W, C) that lie within the range of every channel.

    >>> within(np.array([[[350.0, 1, 1], [90.0, 1, 1]]]), (330, 0, 0), (30, 1, 1), is_hsv=True)
    array([[ True, False]])

    Raises:
        OptionError: the ends are not one for each channel, one is no number, or a low end is above a high one.
    """
    channels = values.shape[2]
    for name, ends in (("low", low), ("high", high)):
        if len(ends) not in (0, channels):
            raise OptionError(f"threshold: {name} needs a number for each of {channels} channels, got {list(ends)}")
        if any(math.isnan(end) for end in ends):
            raise OptionError(f"threshold: {name} needs numbers, got {list(ends)}")
    is_within = np.ones(values.shape[:2], bool)
    for channel, (least, most) in enumerate(zip_longest(low, high)):
        levels = values[:, :, channel]
        is_above = levels >= least if least is not None else is_within
        is_below = levels <= most if most is not None else is_within
        if least is None or most is None or least <= most:
            is_within &= is_above & is_below
        elif is_hsv and channel == 0:
            is_within &= is_above | is_below
        else:
            raise OptionError(f"threshold: channel {channel + 1} has a range from {least} to {most}; only hue goes round")
    return is_within


def _values(image: Image, space: Space) -> FloatArray:
    """Give the channels (H, W, C) of a space, in the units of its ranges."""
    if space == "grey":
        return grey_levels(image)[:, :, None]
    if space == "bands":
        return np.nan_to_num(image.unit())
    levels_of(image, "hue")  # refuses an image without colours by name
    return hsv(image) if space == "hsv" else lab(image)
