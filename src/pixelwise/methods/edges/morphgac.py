"""Let a contour shrink or grow until it meets edges, by morphological geodesic active contours [1].

From a box, a polygon, or Otsu's level grown a little, it shrinks; from points and scribbles, it grows. It stops where the
smoothed gradient is strong. An image of more than 2 Mpixel is worked on at that size, and the result brought back along its
edges. Cost: rounds x pixels, at most 2 Mpixel.

[1] Marquez-Neila, Baumela, Alvarez: A morphological approach to curvature-based evolution of curves and surfaces, IEEE Trans.
    PAMI 36(1), 2014.
"""

from typing import Literal, TypeAlias, get_args

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray, IntArray
from pixelwise.core.errors import OptionError, nearest
from pixelwise.core.image import Image
from pixelwise.core.prompt import Prompt
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.edges.start import found, is_shrinking, pointed_at, shrunk, stretched
from pixelwise.methods.effort import advance
from pixelwise.methods.grey import Foreground, check_foreground, levels_of, two_classes
from pixelwise.methods.reduced import enlarged, reduced

KIND: Kind = "semantic"
ABOUT = About(
    family="edge",
    good_for="one or several things with clear edges, pointed at by a box or a point",
    bad_for="outlines with gaps, through which it leaks; things far from where it starts",
    cost="rounds x pixels, at most 2 Mpixel",
    source="Marquez-Neila, Baumela, Alvarez: Morphological approach to curvature-based evolution, IEEE Trans. PAMI 36, 2014",
)
Way: TypeAlias = Literal["auto", "shrink", "grow"]
_STOPS = 0.4  # the speed below which the balloon does not push on
_SQUARE = np.ones((3, 3), np.uint8)
_LINES = [np.eye(3, dtype=np.uint8), np.eye(3, dtype=np.uint8)[::-1].copy()] + [
    np.pad(np.ones(shape, np.uint8), width) for shape, width in (((1, 3), ((1, 1), (0, 0))), ((3, 1), ((0, 0), (1, 1))))
]


def segment(
    image: Image,
    *,
    sigma: float = 2.0,
    steepness: float = 1000.0,
    rounds: int = 100,
    smoothing: int = 1,
    way: Way = "auto",
    channel: str = "grey",
    foreground: Foreground = "auto",
    prompts: tuple[Prompt, ...] = (),
) -> Segmentation:
    """Split ``image`` into foreground and background by contours that settle on edges.

    Args:
        sigma: of the Gaussian in whose gradient edges are looked for, in pixels of the image worked on, above 0.
        steepness: how much a gradient slows the contour; the speed is 1 / sqrt(1 + steepness x gradient).
        rounds: at most, a pixel each, from 1 to 10,000.
        smoothing: how often the contour is smoothed a round, from 0 to 10.
        way: ``shrink`` or ``grow``; by ``auto``, as what it starts from says.
        channel: ``grey``, a band by name, or ``hue``, ``saturation``, ``value``, ``lightness``, ``a``, ``b``.
        foreground: the side that starts as foreground without prompts: ``bright``, ``dark``, or ``auto``, the one that holds
            less of the border.
        prompts: where the contour starts: boxes, polygons, points and scribbles.

    Raises:
        OptionError: an option is out of its range, or a prompt outside the image.
        OutOfTime: the time limit is over.
    """
    for name, value, least, most in (("rounds", rounds, 1, 10_000), ("smoothing", smoothing, 0, 10)):
        if not least <= value <= most:
            raise OptionError(f"morphgac: {name} must be from {least} to {most}, got {value}")
    for name, amount, highest in (("sigma", sigma, 100), ("steepness", steepness, 1e9)):
        if not 0 < amount <= highest:
            raise OptionError(f"morphgac: {name} must be above 0 and at most {highest:g}, got {amount}")
    if way not in get_args(Way):
        raise OptionError(f"morphgac: way: got {way!r}; {nearest(str(way), get_args(Way))}")
    check_foreground(foreground)
    small, notes = reduced(image)
    levels = levels_of(small, channel)
    start = shrunk(pointed_at("morphgac", prompts, image.size), small.size) if prompts else None
    if not levels.size or levels.min() == levels.max():
        return two_classes(np.zeros(image.size, bool), "bright")
    if start is None:
        start = _grown(found(levels, foreground), round(2 * sigma))
    shrinks = is_shrinking(prompts) if way == "auto" else way == "shrink"
    mask = settled(stretched(levels), start, sigma, steepness, rounds, smoothing, -1 if shrinks else 1)
    return two_classes(enlarged(mask.view(np.uint8), small, image) > 0, "bright", notes)


def settled(
    levels: FloatArray, start: BoolArray, sigma: float, steepness: float, rounds: int, smoothing: int, balloon: int
) -> BoolArray:
    """Move the border of ``start`` (H, W) over levels (H, W) from 0 to 1, inwards for ``balloon`` -1, outwards for 1.

    A round is three steps of [1]: the balloon pushes where the speed is above ``_STOPS``, the border moves down the slope of
    the speed, and it is smoothed. (scikit-image has the same, but which of two smoothings comes first depends there on how
    many were done before in the process, and things cut by the image's border are eaten up from there.)
    """
    from skimage.segmentation import inverse_gaussian_gradient

    speed = inverse_gaussian_gradient(levels, alpha=steepness, sigma=sigma).astype(np.float32)
    slope = [_difference(speed, *order) for order in ((1, 0), (0, 1))]
    pushed, push = speed > _STOPS, cv2.erode if balloon < 0 else cv2.dilate
    place, passed = start.astype(np.uint8), 0
    still = 0
    for done in range(rounds):
        advance(done / rounds)
        before = place.copy()
        np.copyto(place, np.asarray(push(place, _SQUARE)), where=pushed)
        border = place.astype(np.float32)
        pull = slope[0] * _difference(border, 1, 0) + slope[1] * _difference(border, 0, 1)
        place[pull > 0], place[pull < 0] = 1, 0
        for _ in range(smoothing):
            first, second = (_without_bumps, _without_dents) if passed % 2 else (_without_dents, _without_bumps)
            place, passed = second(first(place)), passed + 1
        still = still + 1 if (place == before).all() else 0
        if still == 2:  # both orders of smoothing leave it as it is
            break
    return place > 0


def _without_bumps(mask: IntArray) -> IntArray:
    """Take away what no line of three pixels fits into, around a pixel."""
    return np.maximum.reduce([np.asarray(cv2.erode(mask, line)) for line in _LINES])


def _without_dents(mask: IntArray) -> IntArray:
    """Fill what no line of three pixels fits into, outside of the mask."""
    return np.minimum.reduce([np.asarray(cv2.dilate(mask, line)) for line in _LINES])


def _difference(values: FloatArray, across: int, down: int) -> FloatArray:
    return np.asarray(cv2.Sobel(values, cv2.CV_32F, across, down, ksize=1, borderType=cv2.BORDER_REPLICATE))


def _grown(mask: BoolArray, radius: int) -> BoolArray:
    ball = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(cv2.dilate(mask.view(np.uint8), ball)).view(bool)
