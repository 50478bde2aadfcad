"""Give each pixel to the seed that a random walker starting there reaches first, most likely [1].

Steps are likely between pixels alike and unlikely over edges, so that weak gaps in an edge are closed. scikit-image's
implementation; same numbers, same result. Seeds are a person's marks. Without any, the flattest pixel of each of 144 cells is a
candidate, and those are taken that differ most in colour and place, one after the other.

Cost: a linear system a seed; on at most 100,000 pixels.

[1] Grady, Random walks for image segmentation, IEEE Trans. Pattern Analysis and Machine Intelligence, 2006.
"""

import warnings

import cv2
import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.prompt import Prompt
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.growing.changes import check_range, colours, finite, is_plain, steepness
from pixelwise.methods.growing.seeds import cells, drawn_small, farthest, flattest, nearest_of
from pixelwise.methods.partition import as_regions
from pixelwise.methods.reduced import enlarged, reduced

KIND: Kind = "regions"
ABOUT = About(
    family="graph",
    good_for="marks on things with weak or broken borders, as in scans and microscopy",
    bad_for="many seeds, and images without marks",
    cost="grows faster than the pixels, on at most 100,000, times the seeds",
    source="Grady, Random walks for image segmentation, IEEE TPAMI 2006",
)
_PIXELS = 100_000
_CELLS = 144
_UNSETTLED = "the linear systems were not solved to their tolerance; a smaller beta helps"
_DIRECT = 4096  # pixels below which the systems are solved directly, to the last digit


def segment(image: Image, *, beta: float = 1000.0, seeds: int = 6, prompts: tuple[Prompt, ...] = ()) -> Segmentation:
    """Part ``image`` among its seeds, in the order of the prompts; marks outside are a region before them.

    Args:
        beta: how much a difference of colour hinders a step.
        seeds: how many are found, without prompts.
        prompts: where walkers arrive, a region each.

    Raises:
        OptionError: an option is out of range, or a prompt is outside the image or empty.
    """
    check_range("randomwalker", "beta", beta, 0)
    if not 1 <= seeds <= 64:
        raise OptionError(f"randomwalker: seeds must be from 1 to 64, got {seeds}")
    small, notes = reduced(image, _PIXELS)
    marks = drawn_small(prompts, image.size, small.size, "randomwalker") if prompts else None
    if is_plain(image):
        return as_regions(np.zeros(image.size, np.uint8) if marks is None else enlarged(nearest_of(marks), small, image), notes)
    if marks is None:
        marks = found_marks(small, seeds)
    ids, is_settled = walked(finite(small), marks, beta)
    return as_regions(enlarged(ids, small, image), notes if is_settled else (*notes, _UNSETTLED))


def found_marks(image: Image, count: int) -> IntArray:
    """Find at most ``count`` seeds that differ most: numbers from 1 on small discs of a map (H, W)."""
    height, width = image.size
    values = colours(image, 1.0)
    places = flattest(steepness(values), cells(image.size, _CELLS))
    rows, columns = places // width, places % width
    where = np.stack([rows, columns], axis=1) / max(height, width)
    chosen = places[farthest(np.concatenate([values[rows, columns], 0.5 * where], axis=1), count)]
    marks = np.zeros(image.size, np.int32)
    radius = min(height, width) // 100
    for index, place in enumerate(chosen.tolist()):
        cv2.circle(marks, (place % width, place // width), radius, index + 1, -1)
    return marks


def walked(values: FloatArray, marks: IntArray, beta: float) -> tuple[IntArray, bool]:
    """Give each pixel of ``values`` (H, W, C) the number of a mark (H, W), 0 being unknown; and whether the solver settled."""
    from skimage.segmentation import random_walker

    present = np.unique(marks[marks > 0])
    if len(present) == 1:
        return np.full_like(marks, present[0]), True
    if not (marks == 0).any():
        return marks, True
    numbered = np.where(marks > 0, np.searchsorted(present, marks) + 1, 0)
    mode = "bf" if marks.size <= _DIRECT else "cg_j"
    with warnings.catch_warnings(record=True) as told:  # its advice on other solvers is not passed on
        warnings.simplefilter("always")
        found = random_walker(values.astype(np.float64), numbered, beta=beta, mode=mode, tol=1e-3, channel_axis=-1)
    is_settled = not any("convergence" in str(one.message) for one in told)
    return np.append(0, present)[np.clip(found, 1, len(present))], is_settled
