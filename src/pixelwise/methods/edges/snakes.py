"""Let closed curves settle on edges, each stiff and under tension: snakes [1].

A snake starts at the outline of each box, polygon, point's disc or stroke; without prompts, of each thing that Otsu's level
finds, grown a little. It keeps one piece. An image of more than 2 Mpixel is worked on at that size, and the result brought
back along its edges. Cost: things x rounds x points of a snake.

[1] Kass, Witkin, Terzopoulos: Snakes: active contour models, Int. J. Computer Vision 1(4), 1988.
"""

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.prompt import Prompt
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.edges.start import found, pointed_at, shrunk, stretched
from pixelwise.methods.effort import advance
from pixelwise.methods.grey import Foreground, check_foreground, levels_of, two_classes
from pixelwise.methods.reduced import enlarged, reduced

KIND: Kind = "semantic"
ABOUT = About(
    family="edge",
    good_for="a few things with smooth outlines, which may have gaps, each in a box drawn close around it",
    bad_for="corners and narrow bays; many things; things far from where a snake starts",
    cost="things x rounds x points, on at most 2 Mpixel",
    source="Kass, Witkin, Terzopoulos: Snakes: active contour models, Int. J. Computer Vision 1(4), 1988",
)
_SPACING = 1.0  # pixels between the points of a snake, if that makes from 32 to 400 of them: bending grows with their distance
_MARGIN = 16  # pixels around a snake's start that it sees, besides half of its own size
_GROWN = 2  # pixels by which what Otsu's level finds is grown: a snake comes from outside
_FRAME = 2


def segment(
    image: Image,
    *,
    tension: float = 0.015,
    stiffness: float = 0.1,
    step: float = 0.01,
    sigma: float = 2.0,
    rounds: int = 500,
    most: int = 64,
    channel: str = "grey",
    foreground: Foreground = "auto",
    prompts: tuple[Prompt, ...] = (),
) -> Segmentation:
    """Split ``image`` into what snakes enclose, the foreground, and the rest.

    Args:
        tension: the paper's alpha, how much a snake pulls itself together, from 0.
        stiffness: the paper's beta, how much it resists being bent, from 0.
        step: the paper's gamma, above 0: more gives smaller and steadier steps.
        sigma: of the Gaussian in whose gradient edges are looked for, in pixels of the image worked on, from 0.
        rounds: at most, from 1 to 100,000.
        most: how many snakes at most, from 1 to 10,000; those around the largest things are taken.
        channel: ``grey``, a band by name, or ``hue``, ``saturation``, ``value``, ``lightness``, ``a``, ``b``.
        foreground: the side that starts as foreground without prompts: ``bright``, ``dark``, or ``auto``, the one that holds
            less of the border.
        prompts: where snakes start: boxes, polygons, points and scribbles.

    Raises:
        OptionError: an option is out of its range, or a prompt outside the image.
        OutOfTime: the time limit is over.
    """
    _check(tension, stiffness, step, sigma, rounds, most)
    check_foreground(foreground)
    small, notes = reduced(image)
    levels = levels_of(small, channel)
    start = shrunk(pointed_at("snakes", prompts, image.size), small.size) if prompts else None
    if not levels.size or levels.min() == levels.max():
        return two_classes(np.zeros(image.size, bool), "bright")
    start = _grown(found(levels, foreground)) if start is None else start
    outlines = _outlines(start)
    if len(outlines) > most:
        notes = (*notes, f"{most} of {len(outlines)} things were looked at, the largest ones")
    smooth = stretched(np.asarray(cv2.GaussianBlur(levels, (0, 0), sigma)) if sigma else levels)
    mask = np.zeros(small.size, np.uint8)
    for index, outline in enumerate(outlines[:most]):
        advance(index / min(len(outlines), most))
        snake = settled(smooth, outline, tension, stiffness, step, rounds)
        cv2.fillPoly(mask, [np.rint(snake[:, ::-1]).astype(np.int32)], 1)
    return two_classes(enlarged(mask, small, image) > 0, "bright", notes)


def _check(tension: float, stiffness: float, step: float, sigma: float, rounds: int, most: int) -> None:
    for name, value in (("tension", tension), ("stiffness", stiffness), ("sigma", sigma)):
        if not 0 <= value <= 100:
            raise OptionError(f"snakes: {name} must be from 0 to 100, got {value}")
    for name, value, highest in (("rounds", rounds, 100_000), ("most", most, 10_000)):
        if not 1 <= value <= highest:
            raise OptionError(f"snakes: {name} must be from 1 to {highest:,}, got {value}")
    if not 0 < step <= 100:
        raise OptionError(f"snakes: the step must be above 0 and up to 100, got {step}")


def settled(levels: FloatArray, outline: FloatArray, tension: float, stiffness: float, step: float, rounds: int) -> FloatArray:
    """Move an outline (P, 2) of (row, column) over levels (H, W) from 0 to 1; only the image around it is looked at."""
    from skimage.segmentation import active_contour

    points = _resampled(outline)
    low, high = points.min(axis=0).astype(int), np.ceil(points.max(axis=0)).astype(int) + 1
    margin = _MARGIN + (high - low) // 2
    first, last = np.maximum(low - margin, 0), np.minimum(high + margin, levels.shape)
    window = levels[first[0] : last[0], first[1] : last[1]]
    padded = np.pad(window, _FRAME, mode="edge")  # the spline that it follows wants at least three pixels a side
    moved = active_contour(
        padded, points - first + _FRAME, tension, stiffness, w_edge=1, gamma=step, max_num_iter=rounds, convergence=0.05
    )
    return np.asarray(moved - _FRAME + first)


def _resampled(outline: FloatArray) -> FloatArray:
    """Place points (P, 2) at equal distances along a closed outline."""
    closed = np.vstack([outline, outline[:1]]).astype(np.float64)
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    count = int(np.clip(along[-1] / _SPACING, 32, 400))
    places = np.linspace(0, along[-1], count, endpoint=False)
    return np.stack([np.interp(places, along, closed[:, axis]) for axis in (0, 1)], axis=1)


def _outlines(mask: BoolArray) -> list[FloatArray]:
    """Trace the outer outlines (P, 2) of (row, column) of the parts of a mask (H, W), the largest part first."""
    traced, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    traced = sorted(traced, key=lambda each: (-cv2.contourArea(each), *each[0, 0].tolist()))
    return [each[:, 0, ::-1].astype(np.float64) for each in traced]


def _grown(mask: BoolArray) -> BoolArray:
    ball = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _GROWN + 1, 2 * _GROWN + 1))
    return np.asarray(cv2.dilate(mask.view(np.uint8), ball)).view(bool)
