"""What cuts in two begin with: marks of inside and outside, or the image's frame where nobody marked anything."""

from collections.abc import Sequence

import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray, IntArray, Size
from pixelwise.core.errors import OptionError
from pixelwise.core.prompt import Prompt
from pixelwise.methods.growing.seeds import drawn

OUTSIDE, INSIDE = 1, 2
_FRAME = 20  # the frame is one part in so many of the shorter side, a pixel at least
_UNLIKE = 0.1  # share of the pixels that are taken for inside, where nobody says what is


def is_boxed(prompts: Sequence[Prompt]) -> bool:
    """Tell whether every prompt has a box, so that what lies in none is outside."""
    return bool(prompts) and all(one.box is not None for one in prompts)


def marks_of(prompts: Sequence[Prompt], size: Size, small: Size, method: str) -> IntArray:
    """Draw prompts for a cut on a map (h, w): 0 unknown, 1 outside, 2 inside.

    All objects are one foreground. What lies outside every box is outside, if each prompt has one.

    Raises:
        OptionError: a mark is outside the image (H, W), or a prompt says nothing.
    """
    scaled = [one.checked(size).scaled(size, small) for one in prompts]
    stated = [one for one in scaled if one.points or one.polygon or one.scribbles]
    has_inside = any(inside for one in stated for *_, inside in (*one.points, *one.scribbles)) or any(
        one.polygon for one in stated
    )
    if has_inside:
        found = np.minimum(drawn(stated, small, method), INSIDE).astype(np.uint8)
    else:
        found = np.zeros(small, np.uint8)
        for one in stated:
            np.maximum(found, one.markers(small).astype(np.uint8), out=found)
    boxes = [one.box_mask(small) for one in scaled if one.box is not None]
    if not has_inside and not boxes:
        raise OptionError(f"{method}: the prompts mark no inside; give a box, or points, strokes or a polygon inside")
    if is_boxed(scaled):
        found[~np.logical_or.reduce(boxes) & (found == 0)] = OUTSIDE
    return found


def frame_of(size: Size) -> BoolArray:
    """Mark the frame (H, W) of an image, a twentieth of its shorter side wide; of one too small for it, nothing."""
    height, width = size
    wide = max(1, min(height, width) // _FRAME)
    found = np.zeros(size, bool)
    if min(height, width) > 2 * wide:
        found[:wide], found[-wide:], found[:, :wide], found[:, -wide:] = True, True, True, True
    return found


def unlike_frame(values: FloatArray, frame: BoolArray) -> BoolArray:
    """Mark the tenth of the pixels (H, W) whose colours are least those of the frame: what a photographer put there.

    Likeness is the share of the frame's pixels in a colour's cell of a coarse grid, blurred, as background fills frames.
    """
    levels = _cells(values)
    counts = np.bincount(levels[frame].ravel(), minlength=int(levels.max()) + 1)
    likeness = counts[levels].astype(np.float64)
    likeness[frame] = np.inf
    distance = np.sqrt(((values - np.median(values[frame], axis=0)) ** 2).sum(axis=2))
    distance[frame] = -1
    order = np.lexsort((-distance.ravel(), likeness.ravel()))
    chosen = np.zeros(levels.shape, bool)
    chosen.ravel()[order[: max(1, int(_UNLIKE * order.size))]] = True
    return chosen & ~frame


def _cells(values: FloatArray) -> IntArray:
    """Number the cells (H, W) of a grid of colours, up to 8 a band for the first three bands."""
    found = np.zeros(values.shape[:2], np.int64)
    for band in range(min(values.shape[2], 3)):
        one = values[:, :, band]
        low, high = float(one.min()), float(one.max())
        steps = np.zeros(one.shape, np.int64) if high <= low else np.minimum((one - low) / (high - low) * 8, 7).astype(np.int64)
        found = found * 8 + steps
    return found
