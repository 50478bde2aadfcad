"""Flood a relief from its valleys; where two floods meet is a border: of areas, or between objects that touch [1].

``of="gradient"``: the relief is the steepness of the colours, and every valley deeper than ``contrast`` becomes an object: a
partition. ``of="distance"``: the foreground is Otsu's, the relief is the distance from its border upside down, and every summit
that stands ``depth`` pixels above the saddles around it (h-maxima) is an object of its own: touching grains and cells come
apart. With prompts, the objects are theirs alone; what they mark as outside is background.

Cost: grows with the pixels times the logarithm of the border; on at most 4 megapixels.

[1] Vincent and Soille, Watersheds in digital spaces, IEEE Trans. Pattern Analysis and Machine Intelligence, 1991; compactness:
Neubert and Protzel, Compact watershed and preemptive SLIC, ICPR 2014; seeds: Soille, Morphological Image Analysis, 2003.
"""

from typing import Literal, TypeAlias, get_args

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray, IntArray
from pixelwise.core.errors import OptionError, nearest
from pixelwise.core.image import Image
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.prompt import Prompt
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods import METHODS
from pixelwise.methods.about import About
from pixelwise.methods.effort import advance
from pixelwise.methods.grey import FOREGROUND, LABELS, Foreground
from pixelwise.methods.growing.changes import check_range, colours, is_plain, steepness
from pixelwise.methods.growing.seeds import AROUND, drawn_small
from pixelwise.methods.partition import numbered_from_1, without_specks
from pixelwise.methods.reduced import enlarged, reduced

Relief: TypeAlias = Literal["gradient", "distance"]
KIND: Kind = "panoptic"
ABOUT = About(
    family="region",
    good_for="touching grains, cells and coins (of='distance'); areas with closed edges; completing a person's marks",
    bad_for="texture and noise without smoothing: every dip becomes a region",
    cost="grows with the pixels, on at most 4 megapixels",
    source="Vincent and Soille, Watersheds in digital spaces, IEEE Trans. Pattern Analysis and Machine Intelligence, 1991",
)
_PIXELS = 4_000_000


def segment(
    image: Image,
    *,
    of: Relief = "gradient",
    smooth: float = 2.0,
    contrast: float = 0.015,
    depth: float = 1.0,
    compactness: float = 0.0,
    smallest: int = 16,
    foreground: Foreground = "auto",
    prompts: tuple[Prompt, ...] = (),
) -> Segmentation:
    """Flood ``image``: each object is a segment of the class foreground, what is around them one of the class background.

    Objects are numbered from the top left, or as the prompts; one without any pixel is left out.

    Args:
        of: what the relief is, see above; with prompts, ``distance`` floods the foreground alone.
        smooth: standard deviation of a blur before, in pixels of the image worked on, as all lengths here; half of it before
            Otsu's level is found.
        contrast: how deep a valley of the steepness must be to count; 0.01 is a step of Lab a pixel.
        depth: how far, in pixels, a summit of the distance must stand above its saddles.
        compactness: how much a flood prefers to stay near its seed, 0 not at all.
        smallest: area in pixels of the image worked on; a found object below it goes to its neighbours, or to the background.
        foreground: the side of Otsu's level that holds the objects: ``bright``, ``dark``, or ``auto``.
        prompts: where the floods begin.

    Raises:
        OptionError: an option is out of range, or a prompt is outside the image or empty.
    """
    for name, value in (("contrast", contrast), ("depth", depth), ("compactness", compactness), ("smallest", smallest)):
        check_range("watershed", name, value, 0)
    check_range("watershed", "smooth", smooth, 0, 100)
    if of not in get_args(Relief):
        raise OptionError(f"watershed: of: got {of!r}; {nearest(str(of), get_args(Relief))}")
    small, notes = reduced(image, _PIXELS)
    marks = drawn_small(prompts, image.size, small.size, "watershed") if prompts else None
    if not image.pixels.size or (marks is None and is_plain(small)):
        return _as_objects(np.full(image.size, int(of == "gradient"), np.int32), notes)
    inside = _foreground(small, smooth, foreground) if of == "distance" else None
    if marks is not None:
        ids = _from_marks(steepness(colours(small, smooth)), marks, inside, compactness)
    elif inside is not None:
        ids = touching_objects(inside, depth, compactness, smallest)
    else:
        ids = valleys(steepness(colours(small, smooth)), contrast, compactness, smallest)
    return _as_objects(enlarged(ids, small, image), notes)


def _as_objects(ids: IntArray, notes: tuple[str, ...]) -> Segmentation:
    """Make a segmentation of a map (H, W): 0 is background."""
    numbered, count = numbered_from_1(ids)
    classes = np.full(count, FOREGROUND)
    classes[:1] = 1 - FOREGROUND if (ids == 0).any() else FOREGROUND
    return Segmentation(KIND, DisjointMasks(numbered, count), classes, LABELS, notes=notes)


def _foreground(image: Image, smooth: float, foreground: Foreground) -> BoolArray:
    """Find the foreground (H, W) by Otsu's level after a blur."""
    blurred = image
    if smooth > 0:
        pixels = np.nan_to_num(image.pixels) if image.pixels.dtype.kind == "f" else image.pixels
        blurred = Image(cv2.GaussianBlur(pixels, (0, 0), smooth / 2).reshape(image.pixels.shape), image.bands)
    found: Segmentation = METHODS["otsu"].segment(blurred, foreground=foreground)
    return np.asarray(found.class_map() == FOREGROUND)


def _from_marks(relief: FloatArray, marks: IntArray, inside: BoolArray | None, compactness: float) -> IntArray:
    """Flood from marks (H, W) as ``drawn_small`` makes them; what is marked as outside, or not in ``inside``, is 0."""
    from skimage.segmentation import watershed

    mask = None if inside is None else inside | (marks > 0)
    flooded = watershed(relief, marks, mask=mask, compactness=compactness)
    return np.where(flooded == AROUND, 0, np.maximum(flooded - 1, 0))


def valleys(relief: FloatArray, contrast: float, compactness: float = 0.0, smallest: int = 0) -> IntArray:
    """Part a relief (H, W) into the basins of its valleys deeper than ``contrast``, numbered from 1."""
    from skimage.segmentation import watershed

    seeds = _minima(relief, contrast)
    advance(0.5)
    return without_specks(watershed(relief, seeds, compactness=compactness), smallest)


def touching_objects(inside: BoolArray, depth: float, compactness: float = 0.0, smallest: int = 0) -> IntArray:
    """Number the objects of a mask (H, W), those that touch apart: one a summit of the distance that stands out by ``depth``.

    >>> mask = np.zeros((7, 15), bool)
    >>> mask[1:6, 1:7], mask[1:6, 8:14], mask[3, 7] = True, True, True
    >>> touching_objects(mask, depth=1)[3].tolist()
    [0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 0]
    """
    from skimage.segmentation import watershed

    if not inside.any():
        return np.zeros(inside.shape, np.int32)
    framed = np.pad(inside.astype(np.uint8), 1)  # the image's border is a border of objects
    relief = -cv2.distanceTransform(framed, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    seeds = np.where(inside, _minima(relief, depth), 0)
    advance(0.5)
    found = watershed(relief, seeds, mask=inside, compactness=compactness)
    areas = np.bincount(found.ravel())
    areas[0] = max(smallest, 0)
    return np.where(areas[found] >= smallest, found, 0)


def _minima(relief: FloatArray, depth: float) -> IntArray:
    """Number the minima (H, W) of a relief that are deeper than ``depth``: its h-minima; at least one."""
    from skimage.measure import label
    from skimage.morphology import local_minima, reconstruction

    filled = reconstruction(relief + np.float32(depth), relief, "erosion") if depth > 0 else relief
    found: IntArray = label(local_minima(filled), connectivity=2)
    return found if found.any() else np.ones(relief.shape, np.int32)
