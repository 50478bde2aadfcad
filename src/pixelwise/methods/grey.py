"""What methods on grey levels share: one channel of an image as levels of one scale, and two-class results."""

from dataclasses import replace
from typing import Literal, TypeAlias, get_args

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray
from pixelwise.core.errors import OptionError, nearest
from pixelwise.core.image import GREY, RGB, Image
from pixelwise.core.labels import Label, LabelSet
from pixelwise.core.segmentation import Segmentation

Foreground: TypeAlias = Literal["bright", "dark", "auto"]
FOREGROUND = 1
LABELS = LabelSet((Label("background", False, (0, 0, 0)), Label("foreground", True, (230, 46, 126))), {0: 0, 1: 1})
_HSV = ("hue", "saturation", "value")
_LAB = ("lightness", "a", "b")


def grey_levels(image: Image) -> FloatArray:
    """Give the grey levels (H, W) as float32, 0 to 1 for integers; colours are weighted, other bands averaged.

    Pixels that are not a number take the lowest level. Bands that hold no number at all are left out.
    """
    if not image.pixels.size:
        return np.zeros(image.size, np.float32)
    image = _without_dead_bands(image)
    is_colour = image.bands == RGB
    levels = image.to_bands(GREY).unit()[:, :, 0] if is_colour else image.unit().mean(axis=2, dtype=np.float32)
    return _numbers(levels)


def levels_of(image: Image, channel: str = "grey") -> FloatArray:
    """Give one channel (H, W) of an image as float32, 0 to 1 for integers.

    Args:
        channel: ``grey``; a band of the image by name, as ``red``; or, of colour images, ``hue``, ``saturation``, ``value``,
            ``lightness``, ``a`` (green to red) or ``b`` (blue to yellow), each from 0 to 1.

    Raises:
        OptionError: the image has no such channel.
    """
    if channel == "grey":
        return grey_levels(image)
    if channel in image.bands:
        return _numbers(image.to_bands((channel,)).unit()[:, :, 0])
    is_colour = set(RGB) <= set(image.bands) or image.bands == GREY
    known = ["grey", *image.bands, *(_HSV + _LAB + RGB if is_colour else ())]
    if channel not in known:
        raise OptionError(f"channel: got {channel!r}; {nearest(str(channel), known)}")
    colours = image.to_bands(RGB)
    if channel in RGB:
        return _numbers(colours.unit()[:, :, RGB.index(channel)])
    if channel in _HSV:
        return hsv(colours)[:, :, _HSV.index(channel)] / np.float32(360 if channel == "hue" else 1)
    levels = lab(colours)[:, :, _LAB.index(channel)]
    return levels / np.float32(100) if channel == "lightness" else (levels + np.float32(128)) / np.float32(255)


def hsv(image: Image) -> FloatArray:
    """Give hue in degrees, saturation and value from 0 to 1 (H, W, 3) of an image of three colours or grey."""
    return np.asarray(cv2.cvtColor(_colours(image), cv2.COLOR_RGB2HSV))


def lab(image: Image) -> FloatArray:
    """Give CIE L* from 0 to 100, a* and b* around 0 (H, W, 3) of an image of three colours or grey."""
    return np.asarray(cv2.cvtColor(_colours(image), cv2.COLOR_RGB2LAB))


def two_classes(is_bright: BoolArray, foreground: Foreground, notes: tuple[str, ...] = ()) -> Segmentation:
    """Make background and foreground of bright pixels (H, W).

    ``auto`` takes the side that holds less of the image's border as foreground (bright on a tie): things are photographed
    with background around them. ``notes`` say how it was made.

    Raises:
        OptionError: ``foreground`` is none of bright, dark and auto.
    """
    is_foreground = is_bright if side_of(is_bright, foreground) == "bright" else ~is_bright
    return replace(Segmentation.from_class_map(is_foreground.astype(np.uint8), LABELS), notes=notes)


def side_of(is_bright: BoolArray, foreground: Foreground) -> Literal["bright", "dark"]:
    """Give the side that is the foreground: the one asked for, or by ``auto`` the one that holds less of the border.

    Raises:
        OptionError: ``foreground`` is none of bright, dark and auto.
    """
    check_foreground(foreground)
    if foreground != "auto":
        return foreground
    border = np.concatenate([is_bright[0], is_bright[-1], is_bright[:, 0], is_bright[:, -1]]) if is_bright.size else is_bright
    return "dark" if 2 * int(border.sum()) > border.size else "bright"


def check_foreground(foreground: str) -> None:
    """Refuse what is no side.

    Raises:
        OptionError: ``foreground`` is none of bright, dark and auto.
    """
    if foreground not in get_args(Foreground):
        raise OptionError(f"foreground: got {foreground!r}; {nearest(str(foreground), get_args(Foreground))}")


def _without_dead_bands(image: Image) -> Image:
    if image.pixels.dtype.kind != "f" or len(image.bands) == 1 or np.isfinite(image.pixels[:1, :1]).all():
        return image  # a band with a number in its first pixel is not dead
    alive = np.flatnonzero(np.isfinite(image.pixels).any(axis=(0, 1)))
    if len(alive) in (0, len(image.bands)):
        return image
    return Image(image.pixels[:, :, alive], tuple(image.bands[band] for band in alive))


def _numbers(levels: FloatArray) -> FloatArray:
    if np.isfinite(levels).all():
        return levels
    finite = levels[np.isfinite(levels)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    return np.nan_to_num(levels, nan=low, posinf=high, neginf=low)


def _colours(image: Image) -> FloatArray:
    values = np.clip(np.nan_to_num(image.to_bands(RGB).unit(), posinf=1.0, neginf=0.0), 0, 1)
    return np.ascontiguousarray(values, np.float32)
