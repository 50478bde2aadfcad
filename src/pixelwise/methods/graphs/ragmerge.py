"""Merge superpixels into ever larger regions, the most alike neighbours first, and cut the tree of merges at a level.

Superpixels are flooded on the gradient (``region_graph``). A pair of neighbours is weighed by the histograms of its regions
(lightness, colour, texture) and by the strength of the border between them at several scales (``pair_weights``), and after each
round of merges the unions are described anew (``region_tree``); small regions merge earlier. The whole tree is made once an
image, and every level is a cut of it: ``levels`` gives many for little more than one, and so does calling ``segment`` again
with the same ``Image``.
``fit`` learns the weights from segmented images instead.

Cost: some passes over the pixels of an image of at most 160 pixels a superpixel; a level is one look-up a pixel.

The rule is ours; its parts are the boundary strength of [1], the ultrametric tree of [2], and re-weighing after merging as in
[3], which learns it.

[1] Martin, Fowlkes and Malik, Learning to detect natural image boundaries using local brightness, color, and texture cues, PAMI
    2004.
[2] Arbelaez, Maire, Fowlkes and Malik, Contour detection and hierarchical image segmentation, PAMI 2011.
[3] Nunez-Iglesias et al., Machine learning of hierarchical clustering to segment 2D and 3D images, PLoS ONE 2013.
"""

import math
import zlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from pixelwise.core.arrays import IntArray
from pixelwise.core.image import Image
from pixelwise.core.sample import Dataset
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.graphs import pair_learning
from pixelwise.methods.graphs.boundary_strength import strengths
from pixelwise.methods.graphs.pair_weights import RULE, PairWeights
from pixelwise.methods.graphs.region_graph import RegionGraph, flooded, region_graph
from pixelwise.methods.graphs.region_tree import RegionTree, merged
from pixelwise.methods.growing.changes import check_range, is_plain
from pixelwise.methods.partition import as_regions
from pixelwise.methods.reduced import enlarged, reduced

KIND: Kind = "regions"
ABOUT = About(
    family="graph",
    good_for="parting photographs into things and grounds, coarse or fine, with all levels from one run",
    bad_for="things smaller than a superpixel; boundaries that only meaning shows",
    cost="grows with the pixels, on at most 160 a superpixel (320,000 as it is set)",
    source="Arbelaez et al., Contour detection and hierarchical image segmentation, PAMI 2011; here with region merging",
)
_CELL = (4.0, 12.0)  # sides of a superpixel's cell; 12 where the image allows it, as scales are in pixels
_FEW = 1000  # superpixels of an image too small for cells of 12
_PIXELS = 160  # a superpixel, at most


class _Made(NamedTuple):
    """A tree, what it was made with, and what is told about it."""

    key: tuple[int, PairWeights | None, int]
    tree: RegionTree
    notes: tuple[str, ...]


_RECENT: "WeakKeyDictionary[Image, _Made]" = WeakKeyDictionary()  # a tree lives as long as its image


def segment(
    image: Image, *, level: float = 0.6, regions: int = 0, superpixels: int = 2000, model: PairWeights | None = None
) -> Segmentation:
    """Part ``image`` into regions at one level of its tree.

    Args:
        level: the height of the cut: 0 merges only what is equal, 1 everything.
        regions: how many are wanted, in the place of a level; 0: as the level says.
        superpixels: at most about so many; images of more than 160 pixels for each are reduced.
        model: what ``fit`` learned; None weighs by the built-in rule.

    Raises:
        OptionError: an option is out of range.
    """
    check_range("ragmerge", "level", level, 0, 1)
    check_range("ragmerge", "regions", regions, 0)
    made = _made(image, superpixels, model)
    ids = made.tree.of_regions(regions) if regions else made.tree.at_level(level)
    return as_regions(ids, made.notes)


def levels(
    image: Image, heights: Sequence[float], *, superpixels: int = 2000, model: PairWeights | None = None
) -> list[Segmentation]:
    """Part ``image`` at each of several levels, from one tree.

    Raises:
        OptionError: an option is out of range.
    """
    return [segment(image, level=height, superpixels=superpixels, model=model) for height in heights]


def region_tree(image: Image, *, superpixels: int = 2000, model: PairWeights | None = None) -> RegionTree:
    """Give the whole tree of ``image``, with the superpixels at full size.

    Raises:
        OptionError: an option is out of range.
    """
    return _made(image, superpixels, model).tree


def fit(dataset: Dataset, *, superpixels: int = 2000, sample: int = 60_000, seed: int = 0) -> PairWeights:
    """Learn from segmented images how pairs of regions are weighed; of several truths an image, all count.

    Args:
        dataset: segmented wholly: what no truth holds is unknown.
        superpixels: as they will be when segmenting.
        sample: pairs of regions to learn from.
        seed: of what is drawn.

    Raises:
        OptionError: a number is out of range.
        DataError: there is nothing to learn from.
    """
    check_range("ragmerge", "sample", sample, 1)
    check_range("ragmerge", "superpixels", superpixels, 1)
    return pair_learning.learned_from(dataset, partial(_graph, superpixels=superpixels), sample, seed)


def _made(image: Image, superpixels: int, model: PairWeights | None) -> _Made:
    """Give the tree of an image, the one made last for it if nothing has changed since."""
    check_range("ragmerge", "superpixels", superpixels, 1)
    key = superpixels, model, zlib.crc32(np.ascontiguousarray(image.pixels).data)  # the pixels may have been written to
    recent = _RECENT.get(image)
    if recent is None or recent.key != key:
        recent = _Made(key, *_grown(image, superpixels, model))
        _RECENT[image] = recent
    return recent


def _grown(image: Image, superpixels: int, model: PairWeights | None) -> tuple[RegionTree, tuple[str, ...]]:
    if is_plain(image):
        return RegionTree(np.zeros(image.size, np.uint8), np.zeros((0, 2), np.int64), np.zeros(0)), ()
    small, notes = reduced(image, _PIXELS * superpixels)
    tree = merged(*_graph(small, superpixels), RULE if model is None else model)
    return replace(tree, ids=enlarged(tree.ids, small, image)), notes


def _graph(image: Image, superpixels: int) -> tuple[IntArray, RegionGraph]:
    """Give the superpixels (h, w), from 0, of an image as small as they want it, and their graph."""
    small, _ = reduced(image, _PIXELS * superpixels)
    pixels = small.size[0] * small.size[1]
    cell = max(min(_CELL[1], max(_CELL[0], math.sqrt(pixels / _FEW))), math.sqrt(pixels / superpixels))
    seen = strengths(small)
    ids = flooded(seen.maps[0], cell)
    return ids, region_graph(ids, seen)
