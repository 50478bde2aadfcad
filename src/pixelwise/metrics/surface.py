"""Distances between the surfaces of truth and prediction, in units of the data's own spacing: HD95, ASSD and surface Dice.

A surface pixel is one of a class that has, among its four neighbours, another class or what lies outside the image. Distances
go from the centre of each surface pixel to that of the nearest surface pixel of the same class in the other map; the surface is
counted in pixels, not measured along its length. Each class of each image is scored alone:

- ``hd95``: the larger of the two 95th percentiles (linear interpolation), prediction to truth and truth to prediction.
- ``assd``: the mean of the distances of both ways together [1].
- ``nsd``: the share of all surface pixels, of both, that are no further than 2 units from the other surface [2].

An image keeps five numbers for each class in it (56 bytes); while it is counted, about 15 bytes a pixel are used, and 30 for
each surface pixel.

[1] Heimann et al., Comparison and evaluation of methods for liver segmentation from CT datasets, IEEE TMI 2009.
[2] Nikolov et al., Clinically applicable segmentation of head and neck anatomy for radiotherapy, JMIR 2021 (arXiv 2018).
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pixelwise.core.arrays import BoolArray, IntArray
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.class_rows import ClassRows, exact_mean, ratio
from pixelwise.metrics.context import ALONE, Context
from pixelwise.metrics.edges import CROSS, Gaps, class_maps, framed, gaps, unlike
from pixelwise.metrics.interval import Resampled

TOLERANCE = 2.0  # in units of the spacing
_BOTH = "; mean over images and classes where both have a surface; a length in the data's units (pixels without a spacing)"

RULES: dict[str, str] = {
    "hd95": f"the larger 95th percentile of surface distances, truth to prediction and the reverse{_BOTH}; may exceed 1",
    "assd": f"average symmetric surface distance{_BOTH}; may exceed 1",
    "nsd": (
        f"share of the surface pixels of both that are within {TOLERANCE:g} units of the other's surface (surface Dice); mean "
        f"over images and classes where either has a surface"
    ),
}
NOTES: dict[str, str] = {
    "surfaces": (
        "void pixels of the truth do not count, and where a class meets them is no surface; pixels left void, or given a class "
        "the truth does not know, are outside every class"
    ),
    "one-sided surfaces": (
        "where only one of truth and prediction has a surface of a class, there is no distance: nsd is 0, and hd95 and assd "
        "leave that class of that image out; the details (surfaces) say how often, to be read beside both"
    ),
}
KIND = "semantic"
LOWER_IS_BETTER: frozenset[str] = frozenset({"hd95", "assd"})
WANTS_CONTEXT = True

Counts = ClassRows  # in the order of RULES, then 1 where the truth has a surface, and 1 where the prediction has


def count(prediction: Segmentation, truth: Segmentation, context: Context = ALONE) -> Counts:
    """Count one image; classes are joined by name, and distances are in units of the context's spacing.

    Raises:
        SizeMismatch: the two differ in size.
        DataError: one of them may have several classes a pixel.
    """
    told, true = class_maps(prediction, truth)
    is_void = true == truth.labels.void
    edges = framed(unlike(told, is_void, CROSS), is_void), framed(unlike(true, is_void, CROSS), is_void)
    table = np.zeros((len(truth.labels), 5))
    for found in gaps(told, true, edges, len(truth.labels), context.spacing):
        table[found.class_id] = (*_scores(found), len(found.true) > 0, len(found.told) > 0)
    return ClassRows.of(truth.labels, table)


def _scores(found: Gaps) -> tuple[float, float, float]:
    """Score one class of one image."""
    if not (len(found.told) and len(found.true)):
        return math.nan, math.nan, 0.0
    pooled = np.concatenate([found.told, found.true])
    worst = max(np.percentile(found.told, 95), np.percentile(found.true, 95))
    return float(worst), float(pooled.mean()), float(np.mean(pooled <= TOLERANCE * (1 + 1e-9)))  # 3 * 0.1 is not 0.3


def score(counts: Counts) -> dict[str, float]:
    """Give every score of ``RULES`` by name; NaN where no two surfaces could be compared."""
    return {name: exact_mean(counts.values[:, column]) for column, name in enumerate(RULES)}


def per_class(counts: Counts) -> dict[str, dict[str, float]]:
    """Give every score by class name; NaN for classes without a surface."""
    rows = {index: _only(counts, counts.classes == index) for index in range(len(counts.labels))}
    return {name: score(rows[index]) for index, name in enumerate(counts.labels.names)}


def _only(counts: Counts, kept: BoolArray) -> Counts:
    return replace(counts, images=counts.images[kept], classes=counts.classes[kept], values=counts.values[kept])


def resampled(counts: Counts, weights: IntArray) -> Resampled:
    """Score B data sets in which image n stands ``weights[b, n]`` times."""
    values = counts.values[:, : len(RULES)]
    known = ~np.isnan(values)
    kept = replace(counts, values=np.concatenate([np.where(known, values, 0.0), known], axis=1))
    sums = kept.weighted(weights)
    tops, numbers = sums[..., : len(RULES)], sums[..., len(RULES) :]
    every, classes = ratio(tops.sum(axis=1), numbers.sum(axis=1)), ratio(tops, numbers)
    return Resampled(
        dict(zip(RULES, every.T, strict=True)),
        {name: dict(zip(RULES, classes[:, index].T, strict=True)) for index, name in enumerate(counts.labels.names)},
    )


def details(counts: Counts, names: Sequence[str]) -> dict[str, Any]:
    """Say by class in how many images a surface is in both, in the truth alone and in the prediction alone."""
    in_truth, in_prediction = counts.values[:, 3] > 0, counts.values[:, 4] > 0
    sides = {"both": in_truth & in_prediction, "truth_only": ~in_prediction, "prediction_only": ~in_truth}
    found = {side: np.bincount(counts.classes[kept], minlength=len(counts.labels)).tolist() for side, kept in sides.items()}
    return {
        "surfaces": {
            name: {side: numbers[index] for side, numbers in found.items()} for index, name in enumerate(counts.labels.names)
        }
    }
