"""Where a contour starts: in what a person pointed at, or in what Otsu's level finds."""

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray, Size
from pixelwise.core.errors import OptionError
from pixelwise.core.prompt import Prompt
from pixelwise.methods.grey import Foreground, side_of
from pixelwise.methods.thresholds.otsu import above_otsu

_SMALLEST = 5000  # a part of the start that is less than one of so many of the pixels is noise
_REACH = 20  # a point stands for a disc of one of so many of the shorter side


def pointed_at(method: str, prompts: tuple[Prompt, ...], size: Size) -> BoolArray:
    """Draw the inside of prompts (H, W): boxes and polygons filled, points as discs, scribbles as strokes of that width.

    What is marked as background is taken away.

    Raises:
        OptionError: a prompt lies outside the image, or nothing is marked as inside.
    """
    mask = np.zeros(size, bool)
    radius = max(1, min(size) // _REACH)
    for prompt in prompts:
        prompt.checked(size)
        mask |= prompt.box_mask(size) | prompt.polygon_mask(size) | (prompt.markers(size, radius) == 2)
    for prompt in prompts:
        mask[prompt.markers(size) == 1] = False
    if not mask.any():
        raise OptionError(f"{method}: the prompts mark nothing as inside; give a box, a polygon, or a point that is inside")
    return mask


def shrunk(mask: BoolArray, size: Size) -> BoolArray:
    """Bring a mask (H, W) to a smaller size: a pixel is in if most of it is, or any of it where else nothing would be left."""
    if mask.shape == size:
        return mask
    shares = np.asarray(cv2.resize(mask.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA))
    return shares > 0.5 if (shares > 0.5).any() else shares > 0


def is_shrinking(prompts: tuple[Prompt, ...]) -> bool:
    """Tell whether a contour starts outside of its thing: from a box or polygon, or from Otsu's level grown a little."""
    return not prompts or any(prompt.box is not None or prompt.polygon for prompt in prompts)


def found(levels: FloatArray, foreground: Foreground) -> BoolArray:
    """Find things (H, W) at Otsu's level of ``levels`` (H, W), smoothed by a pixel; without specks and small holes.

    The side is as in ``two_classes``.
    """
    is_bright = above_otsu(np.asarray(cv2.GaussianBlur(levels, (0, 0), 1.0)))
    if not is_bright.any():
        return is_bright
    mask = is_bright if side_of(is_bright, foreground) == "bright" else ~is_bright
    least = mask.size // _SMALLEST
    return ~_without_parts(~_without_parts(mask, least), least)


def stretched(levels: FloatArray) -> FloatArray:
    """Stretch levels (H, W) to run from 0 to 1, so that a contour's options mean the same in every depth; a single one is 0."""
    low, high = float(levels.min()), float(levels.max())
    if low == high:
        return np.zeros(levels.shape, np.float32)
    return np.asarray((levels - low) / (high - low), np.float32)


def _without_parts(mask: BoolArray, least: int) -> BoolArray:
    _, parts, rows, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=4)
    is_kept = rows[:, cv2.CC_STAT_AREA] >= least
    is_kept[0] = False
    return np.asarray(is_kept[parts])
