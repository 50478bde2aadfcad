"""Grow regions from seeds: a neighbour joins while its colour is near the region's mean so far [1].

Seeds are a person's marks. Without any, the image is laid out in cells, and the pixel of least steepness in each cell begins a
region; what no region takes gets seeds of its own, twice; then neighbours of alike mean are merged, the most alike first, and
what is left joins the nearest region. All regions grow at once, by one pixel a round, so that none runs around another.

Cost: each pixel is looked at some ten times, whatever the number of regions; rounds are as many as the longest way within a
region, and cheap.

[1] Adams and Bischof, Seeded region growing, IEEE Trans. Pattern Analysis and Machine Intelligence, 1994.
"""

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.prompt import Prompt
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.effort import advance
from pixelwise.methods.growing.alike import merged
from pixelwise.methods.growing.changes import check_range, colours, is_plain, steepness
from pixelwise.methods.growing.seeds import AROUND, cells, drawn, flattest, nearest_of
from pixelwise.methods.partition import as_regions, without_specks

KIND: Kind = "regions"
ABOUT = About(
    family="region",
    good_for="a thing of nearly one colour that a click can be put on; flat drawings and scans",
    bad_for="texture, and shading that changes slowly: regions leak through weak edges",
    cost="grows with the pixels; all of them are used",
    source="Adams and Bischof, Seeded region growing, IEEE Trans. Pattern Analysis and Machine Intelligence, 1994",
)
_TURNS = 3  # times that seeds are laid into what no region took


def segment(
    image: Image,
    *,
    tolerance: float = 0.12,
    deviations: float = 0.0,
    seeds: int = 400,
    smooth: float = 1.0,
    smallest: float = 0.0005,
    prompts: tuple[Prompt, ...] = (),
) -> Segmentation:
    """Grow a region from each prompt, or a partition from seeds that are found.

    With prompts there is a region for each, in their order, after one of what no prompt reached (if there is any).

    Args:
        tolerance: how far a pixel's colour may be from its region's mean; 0.01 is a step of Lab, as the eye sees.
        deviations: so many standard deviations of the region's colours are allowed on top.
        seeds: about how many are laid, without prompts.
        smooth: standard deviation of a blur before, in pixels.
        smallest: share of the image below which a found region is given to its neighbours.
        prompts: what to grow from; marks outside bar the way.

    Raises:
        OptionError: an option is out of range, or a prompt is outside the image or empty.
    """
    _check(tolerance, deviations, seeds, smooth, smallest)
    marks = drawn(prompts, image.size, "growing") if prompts else None
    if not image.pixels.size or (marks is None and is_plain(image)):
        return as_regions(np.zeros(image.size, np.uint8))
    values = colours(image, smooth)
    if marks is not None:
        found = grown(values, np.where(marks == AROUND, -1, np.maximum(marks - 1, 0)), tolerance, deviations)
        return as_regions(np.maximum(found, 0))
    found = nearest_of(_found(values, tolerance, deviations, seeds))
    return as_regions(without_specks(merged(found, values, tolerance), round(smallest * found.size)))


def _check(tolerance: float, deviations: float, seeds: int, smooth: float, smallest: float) -> None:
    check_range("growing", "tolerance", tolerance, 0)
    check_range("growing", "deviations", deviations, 0)
    check_range("growing", "smooth", smooth, 0, 100)
    check_range("growing", "smallest", smallest, 0, 1)
    if not 1 <= seeds <= 100_000:
        raise OptionError(f"growing: seeds must be from 1 to 100000, got {seeds}")


def _found(values: FloatArray, tolerance: float, deviations: float, seeds: int) -> IntArray:
    """Grow regions (H, W) from seeds in every cell, then from seeds in what is left; 0 where none came."""
    steep = steepness(values)
    side = cells(steep.shape, seeds)
    ids = np.zeros(steep.shape, np.int32)
    for turn in range(_TURNS):
        places = flattest(np.where(ids == 0, steep, np.inf), side)
        if not len(places):
            break
        first = int(ids.max()) + 1
        ids.ravel()[places] = np.arange(first, first + len(places))
        ids = grown(values, ids, tolerance, deviations)
        advance((turn + 1) / (_TURNS + 1))
    return ids


def grown(values: FloatArray, ids: IntArray, tolerance: float, deviations: float = 0.0) -> IntArray:
    """Let the regions of a map (H, W) take free pixels (0) beside them; -1 bars the way and stays.

    A pixel joins the first region to reach it whose mean is within ``tolerance`` (and so many ``deviations``) of its colour;
    of two that come in one round, the one from the left, right, above, below, in this order. A pixel that was refused is asked
    again when growth has come to rest, until nothing changes.

    Args:
        values: (H, W, C) colours.
    """
    height, width, bands = values.shape
    inner = np.pad(ids.astype(np.int32), 1, constant_values=-1).ravel()
    flat = np.pad(values, ((1, 1), (1, 1), (0, 0))).reshape(-1, bands)
    count = int(ids.max(initial=0))
    moments = _Moments(count, bands)
    border = np.flatnonzero(inner > 0)
    moments.add(inner[border], flat[border])
    steps = (1, -1, width + 2, -(width + 2))
    total, done = max(int((ids == 0).sum()), 1), 0
    while border.size:
        before = done
        while border.size:
            border = _round(inner, flat, border, moments, steps, tolerance, deviations)
            done += border.size
            advance(done / total)
        if done > before:
            border = np.flatnonzero(inner > 0)
            border = border[np.logical_or.reduce([inner[border + step] == 0 for step in steps])]
    return inner.reshape(height + 2, width + 2)[1:-1, 1:-1]


class _Moments:
    """Count, sum and sum of squares of the colours of each region: what mean and deviation follow from."""

    def __init__(self, count: int, bands: int) -> None:
        self.areas = np.zeros(count + 1)
        self.sums = np.zeros((count + 1, bands))
        self.squares = np.zeros(count + 1)

    def add(self, ids: IntArray, colours: FloatArray) -> None:
        """Take in pixels (P, C) of regions (P,)."""
        length = len(self.areas)
        self.areas += np.bincount(ids, minlength=length)
        for band in range(colours.shape[1]):
            self.sums[:, band] += np.bincount(ids, colours[:, band], length)
        self.squares += np.bincount(ids, (colours.astype(np.float64) ** 2).sum(axis=1), length)

    def means(self) -> FloatArray:
        return np.asarray(self.sums / np.maximum(self.areas, 1)[:, None], np.float32)

    def spread(self) -> FloatArray:
        """Give the standard deviation (K + 1,) of each region's colours."""
        mean = self.sums / np.maximum(self.areas, 1)[:, None]
        return np.asarray(np.sqrt(np.maximum(self.squares / np.maximum(self.areas, 1) - (mean**2).sum(axis=1), 0)))


def _round(
    inner: IntArray,
    flat: FloatArray,
    border: IntArray,
    moments: _Moments,
    steps: tuple[int, ...],
    tolerance: float,
    deviations: float,
) -> IntArray:
    """Let each region take pixels beside its border (P,); give those taken."""
    means, limits = moments.means(), (tolerance + deviations * moments.spread()) ** 2 + 1e-12
    taken = []
    for step in steps:
        near = border + step
        is_free = inner[near] == 0
        near, own = near[is_free], inner[border[is_free]]
        fits = ((flat[near] - means[own]) ** 2).sum(axis=1) <= limits[own]
        near, own = near[fits], own[fits]
        inner[near] = own
        taken.append(near)
    found = np.concatenate(taken)
    moments.add(inner[found], flat[found])
    return found
