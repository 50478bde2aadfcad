"""Flood areas whose colour changes little from pixel to pixel, as a paint bucket does.

From a prompt, the area around its marks is filled: of pixels alike to their neighbours one after the other, or of pixels alike
to the colour of the marks. Without prompts, every pixel is joined with the neighbours it is alike to, and each connected area
is a region; areas below ``smallest`` are given to the nearest one that is larger. Alike means that no band differs by more than
``tolerance``, as in OpenCV's floodFill, whose result this is.

Cost: a few passes over the pixels.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray, IntArray
from pixelwise.core.errors import OptionError, nearest
from pixelwise.core.image import Image
from pixelwise.core.prompt import Prompt
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.effort import advance
from pixelwise.methods.growing.changes import check_range, finite
from pixelwise.methods.growing.seeds import AROUND, FIRST, drawn
from pixelwise.methods.partition import as_regions, without_specks

Like: TypeAlias = Literal["neighbour", "seed"]
KIND: Kind = "regions"
ABOUT = About(
    family="region",
    good_for="flat drawings, maps, scans, a plain background behind a thing",
    bad_for="photographs with noise or soft edges: one gap and the flood goes on",
    cost="a few passes over the pixels; all of them are used",
    source="Smith, Tint fill, SIGGRAPH 1979",
)
_ROUNDING = 1e-6  # so that a difference of 5 / 255 is within a tolerance of 5 / 255


def segment(
    image: Image,
    *,
    tolerance: float = 0.02,
    like: Like = "neighbour",
    smallest: float = 0.0005,
    prompts: tuple[Prompt, ...] = (),
) -> Segmentation:
    """Flood from each prompt, or part the whole image into areas without a jump.

    With prompts there is a region for each, in their order, after one of what no flood reached (if there is any); where two
    floods meet, the earlier prompt keeps what it has.

    Args:
        tolerance: the largest difference in any band, as a fraction of the full range.
        like: whom a pixel must be alike to: the ``neighbour`` it is reached from, or the ``seed``, the mean colour of the
            prompt's marks.
        smallest: share of the image below which an area, without prompts, is given to the nearest larger one.
        prompts: where to flood from; marks outside bar the way.

    Raises:
        OptionError: an option is out of range, a prompt is outside the image or empty, or ``like="seed"`` has no prompts.
    """
    check_range("floodfill", "tolerance", tolerance, 0, 1)
    check_range("floodfill", "smallest", smallest, 0, 1)
    if like not in get_args(Like):
        raise OptionError(f"floodfill: like: got {like!r}; {nearest(str(like), get_args(Like))}")
    if prompts:
        return as_regions(
            _flooded(finite(image), drawn(prompts, image.size, "floodfill", radius=0), len(prompts), tolerance, like)
        )
    if like == "seed":
        raise OptionError("floodfill: like='seed' wants prompts, whose colour is compared; give some, or like='neighbour'")
    areas = areas_without_jump(finite(image), tolerance)
    return as_regions(without_specks(areas, round(smallest * areas.size)))


def _flooded(values: FloatArray, marks: IntArray, count: int, tolerance: float, like: Like) -> IntArray:
    """Give a map (H, W): k + 1 where prompt k's flood came, else 0."""
    barred = marks == AROUND
    areas = areas_without_jump(values, tolerance, barred) if like == "neighbour" else None
    found = np.zeros(marks.shape, np.int32)
    for index in range(count):
        advance(index / count)
        own = marks == FIRST + index
        if not own.any():  # later prompts were drawn over it
            continue
        reached = _of_colour(values, own, barred, tolerance) if areas is None else _among(areas, areas[own])
        found[reached & (found == 0) & ~barred] = index + 1
    return found


def _of_colour(values: FloatArray, own: BoolArray, barred: BoolArray, tolerance: float) -> BoolArray:
    """Mark the pixels (H, W) connected with ``own`` and near its mean colour."""
    colour = values[own].mean(axis=0)
    is_alike = (np.abs(values - colour).max(axis=2) <= tolerance + _ROUNDING) & ~barred | own
    _, parts = cv2.connectedComponents(is_alike.astype(np.uint8), connectivity=4)
    return _among(parts, parts[own])


def _among(ids: IntArray, wanted: Sequence[int] | IntArray) -> BoolArray:
    """Mark the pixels (H, W) whose number is one of ``wanted``."""
    table = np.zeros(int(ids.max()) + 1, bool)
    table[wanted] = True
    return table[ids]


def areas_without_jump(values: FloatArray, tolerance: float, barred: BoolArray | None = None) -> IntArray:
    """Number the areas (H, W) in which no step from pixel to pixel is above ``tolerance`` in any band of (H, W, C).

    Pixels and the ways between them are drawn as one picture of twice the size, whose connected parts are the areas.
    """
    height, width = values.shape[:2]
    ways = np.zeros((max(2 * height - 1, 0), max(2 * width - 1, 0)), np.uint8)
    ways[::2, ::2] = 1
    is_free = np.ones((height, width), bool) if barred is None else ~barred
    ways[::2, 1::2] = _even(values[:, 1:], values[:, :-1], tolerance) & is_free[:, 1:] & is_free[:, :-1]
    ways[1::2, ::2] = _even(values[1:], values[:-1], tolerance) & is_free[1:] & is_free[:-1]
    if not ways.size:
        return np.zeros((height, width), np.int32)
    _, parts = cv2.connectedComponents(ways, connectivity=4)
    return np.ascontiguousarray(parts[::2, ::2])


def _even(first: FloatArray, second: FloatArray, tolerance: float) -> BoolArray:
    """Compare two arrays (H, W, C) band by band, which takes no room for all differences at once."""
    found = np.ones(first.shape[:2], bool)
    for band in range(first.shape[2]):
        found &= np.abs(first[:, :, band] - second[:, :, band]) <= tolerance + _ROUNDING
    return found
