"""What methods on grey levels share: levels of any depth as one scale, and two-class results."""

from typing import Literal, TypeAlias, get_args

import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray
from pixelwise.core.errors import OptionError, nearest
from pixelwise.core.image import GREY, RGB, Image
from pixelwise.core.labels import Label, LabelSet
from pixelwise.core.segmentation import Segmentation

Foreground: TypeAlias = Literal["bright", "dark", "auto"]
FOREGROUND = 1
LABELS = LabelSet((Label("background", False, (0, 0, 0)), Label("foreground", True, (230, 46, 126))), {0: 0, 1: 1})


def grey_levels(image: Image) -> FloatArray:
    """Give the grey levels (H, W) as float32, 0 to 1 for integers; colours are weighted, other bands averaged.

    Pixels that are not a number take the lowest level.
    """
    is_colour = image.bands == RGB
    levels = image.to_bands(GREY).unit()[:, :, 0] if is_colour else image.unit().mean(axis=2, dtype=np.float32)
    if np.isfinite(levels).all():
        return levels
    finite = levels[np.isfinite(levels)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    return np.nan_to_num(levels, nan=low, posinf=high, neginf=low)


def two_classes(is_bright: BoolArray, foreground: Foreground) -> Segmentation:
    """Make background and foreground of bright pixels (H, W).

    ``auto`` takes the side that holds less of the image's border as foreground (bright on a tie): things are photographed
    with background around them.

    Raises:
        OptionError: ``foreground`` is none of bright, dark and auto.
    """
    if foreground not in get_args(Foreground):
        raise OptionError(f"foreground: got {foreground!r}; {nearest(str(foreground), get_args(Foreground))}")
    if foreground == "auto":
        border = (
            np.concatenate([is_bright[0], is_bright[-1], is_bright[:, 0], is_bright[:, -1]]) if is_bright.size else is_bright
        )
        foreground = "dark" if 2 * int(border.sum()) > border.size else "bright"
    is_foreground = is_bright if foreground == "bright" else ~is_bright
    return Segmentation.from_class_map(is_foreground.astype(np.uint8), LABELS)
