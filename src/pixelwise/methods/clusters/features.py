"""Describe pixels by colour, place and texture: what clustering compares.

Distances between descriptions are Euclidean, so the scales matter: colours go from 0 to about 1; place is the share of the
longer side times its weight; all channels of a texture together vary as much as the colours do, times its weight.
"""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import cv2
import numpy as np

from pixelwise.core.arrays import FloatArray
from pixelwise.core.errors import OptionError, nearest
from pixelwise.core.image import RGB, Image

Space: TypeAlias = Literal["lab", "luv", "hsv", "bands"]
Texture: TypeAlias = Literal["none", "gabor", "patterns", "structure"]
_FARTHEST = 100.0  # of a weight: beyond, nothing else is seen
_NARROWEST, _WIDEST = 1e-6, 1000.0  # of a distance: no two levels of 16 bits are nearer, and no descriptions farther apart


@dataclass(frozen=True)
class Features:
    """What a pixel is described by.

    Attributes:
        space: ``lab`` and ``luv`` measure colours as the eye does, ``hsv`` takes the cone of hue, saturation and value, so that
            the hue of what is dark or grey counts little; images of other bands than red, green and blue fall back to
            ``bands``, the values as stored.
        place: the weight of x and y: at 1, the ends of the longer side differ as black and white do; 0 leaves them out.
        texture: ``gabor`` is the strength of stripes of two widths in four directions, ``patterns`` the histogram of local
            binary patterns around the pixel, ``structure`` the strength and direction of the structure tensor.
        texture_weight: of texture beside colour; at 1 both vary alike over the image.
        smooth: the standard deviation of a Gaussian over the colours first, in pixels; 0 is none.
    """

    space: Space = "lab"
    place: float = 0.0
    texture: Texture = "none"
    texture_weight: float = 1.0
    smooth: float = 0.0

    def checked(self, method: str) -> "Features":
        """Give them back if they are in range.

        Raises:
            OptionError: one is not; the message begins with the method's name.
        """
        for name, value, known in (("space", self.space, get_args(Space)), ("texture", self.texture, get_args(Texture))):
            if value not in known:
                raise OptionError(f"{method}: {name}: got {value!r}; {nearest(str(value), known)}")
        for name in ("place", "texture_weight", "smooth"):
            if not 0 <= getattr(self, name) <= _FARTHEST:
                raise OptionError(f"{method}: {name} must be from 0 to {_FARTHEST:g}, got {getattr(self, name)}")
        return self

    @property
    def are_of_colour_alone(self) -> bool:
        """Tell whether pixels of one colour are described alike, wherever they are."""
        return not (self.place or self.smooth or (self.texture != "none" and self.texture_weight))


def check_width(method: str, name: str, width: float | None) -> None:
    """Refuse a distance between descriptions that is too small or too large to compare by; None is one to be found.

    Raises:
        OptionError: it is.
    """
    if width is not None and not _NARROWEST <= width <= _WIDEST:
        raise OptionError(
            f"{method}: {name} must be from {_NARROWEST:g} to {_WIDEST:g}; black and white are 1 apart; got {width}"
        )


def colours(image: Image, space: Space) -> FloatArray:
    """Give the colours (H, W, C) of ``image`` in ``space``, from 0 to about 1; what is not a number counts as 0.

    The first is the brightness where the space is not ``bands``.
    """
    values = image.unit()
    if image.pixels.dtype.kind == "f":
        values = np.nan_to_num(values, posinf=1.0, neginf=0.0)
    if space == "bands" or image.bands != RGB or not values.size:
        return values
    if space == "hsv":
        turned = cv2.cvtColor(np.ascontiguousarray(values), cv2.COLOR_RGB2HSV)
        angle, chroma = turned[:, :, 0] * np.float32(math.pi / 180), turned[:, :, 1] * turned[:, :, 2]
        return np.stack([turned[:, :, 2], chroma * np.cos(angle), chroma * np.sin(angle)], axis=2)
    code = cv2.COLOR_RGB2LAB if space == "lab" else cv2.COLOR_RGB2LUV
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(values), code) / np.float32(100), np.float32)


def brightness(values: FloatArray, bands: tuple[str, ...], space: Space) -> FloatArray:
    """Give the brightness (N,) of descriptions (N, F) of images with ``bands``: of the colour space, or the bands' mean."""
    return values[:, 0] if bands == RGB and space != "bands" else values[:, : len(bands)].mean(axis=1)


def blurred(values: FloatArray, deviation: float) -> FloatArray:
    """Blur each channel of (H, W, C) with a Gaussian; 0 changes nothing."""
    if not deviation or not values.size:
        return values
    bands = [cv2.GaussianBlur(np.ascontiguousarray(values[:, :, band]), (0, 0), deviation) for band in range(values.shape[2])]
    return np.stack(bands, axis=2)
