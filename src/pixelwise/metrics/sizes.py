"""Recall by the size of the truth's segments: what a mean over pixels or classes hides, that small things are missed.

A segment is a connected part (eight neighbours) of one class in the truth; pixels under no class and crowds are none. Sizes
are areas in pixels, with COCO's bounds: small below 32 x 32, large from 96 x 96 on.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from pixelwise.core.arrays import AnyArray, FloatArray, IntArray
from pixelwise.core.labels import VOID
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.interval import Resampled
from pixelwise.metrics.overlap import one_class_a_pixel

BOUNDS = (16, 64, 256, 32**2, 3 * 32**2, 96**2, 4 * 96**2, 16 * 96**2)  # areas at which the next bin begins
_GROUPS = {"small": slice(0, 4), "medium": slice(4, 6), "large": slice(6, 9)}
_WORDS = {
    "small": "below 32 x 32 pixels",
    "medium": "from 32 x 32 to below 96 x 96 pixels",
    "large": "of 96 x 96 pixels or more",
}

RULES: dict[str, str] = {
    f"recall_{name}": f"right pixels / pixels of the connected segments of the truth {words}" for name, words in _WORDS.items()
}
NOTES: dict[str, str] = {"segments": "a segment is a connected part of one class in the truth (eight neighbours)"}
KIND = "semantic"
LOWER_IS_BETTER: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class Counts:
    """A row an image (n, 4, 9): segments, segments of which at least half is right, pixels and right pixels by size."""

    rows: IntArray

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(np.concatenate([self.rows, other.rows])) if isinstance(other, Counts) else NotImplemented

    def __radd__(self, other: object) -> "Counts":  # sum() starts with 0
        return self if other == 0 else NotImplemented


def count(prediction: Segmentation, truth: Segmentation) -> Counts:
    """Count the segments of one image's truth; classes are joined by name.

    Raises:
        SizeMismatch: the two differ in size.
        DataError: one of them may have several classes a pixel.
    """
    one_class_a_pixel(prediction, truth)
    true, own = truth.class_map(), prediction.labels
    homes = np.full(own.void + 1, VOID, np.int64)
    homes[: len(own)] = own.map_to(truth.labels)
    right = homes[prediction.class_map()] == true
    parts = [_segments(true, right, int(index)) for index in np.unique(truth.class_ids[~truth.is_crowd])] if true.size else []
    areas, hits = np.concatenate(parts, axis=1) if parts else np.zeros((2, 0), np.int64)
    bins = np.searchsorted(BOUNDS, areas, side="right")
    added = [np.bincount(bins, weights, len(BOUNDS) + 1) for weights in (None, 2 * hits >= areas, areas, hits)]
    return Counts(np.array(added, np.int64)[None])


def _segments(true: IntArray, right: AnyArray, index: int) -> IntArray:
    """Give the area and the right pixels (2, S) of each connected segment of one class."""
    mask = (true == index).astype(np.uint8)
    left, top, width, height = cv2.boundingRect(mask)
    box = slice(top, top + height), slice(left, left + width)
    if not width:
        return np.zeros((2, 0), np.int64)
    number, ids = cv2.connectedComponents(np.ascontiguousarray(mask[box]), connectivity=8)
    areas = np.bincount(ids.ravel(), minlength=number)[1:]
    return np.stack([areas, np.bincount(ids[right[box]], minlength=number)[1:]])


def score(counts: Counts) -> dict[str, float]:
    """Give every score of ``RULES`` by name; NaN for a size no segment has."""
    return {name: float(values[0]) for name, values in _scores(counts.rows.sum(axis=0)[None]).items()}


def per_class(counts: Counts) -> dict[str, dict[str, float]]:
    """Give nothing: sizes are of all classes together."""
    return {}


def resampled(counts: Counts, weights: IntArray) -> Resampled:
    """Score B data sets in which image n stands ``weights[b, n]`` times."""
    sums = weights.astype(np.float64) @ counts.rows.reshape(len(counts.rows), -1)
    return Resampled(_scores(sums.reshape(len(weights), 4, -1)), {})


def details(counts: Counts, names: Sequence[str]) -> dict[str, Any]:
    """Give the bins of size: areas from, below (None: no bound), segments, share found (half right or more) and recall."""
    total = counts.rows.sum(axis=0)
    edges = [1, *BOUNDS, None]
    return {
        "by_size": [
            {
                "from": edges[index],
                "below": edges[index + 1],
                "segments": segments,
                "pixels": pixels,
                "found": found / segments if segments else None,
                "recall": right / pixels if pixels else None,
            }
            for index, (segments, found, pixels, right) in enumerate(total.T.tolist())
        ]
    }


def _scores(sums: AnyArray) -> dict[str, FloatArray]:
    """Score B data sets from (B, 4, 9)."""
    found = {}
    for name, group in _GROUPS.items():
        pixels, right = (sums[:, row, group].sum(axis=1).astype(np.float64) for row in (2, 3))
        found[f"recall_{name}"] = np.divide(right, pixels, out=np.full(len(sums), math.nan), where=pixels > 0)
    return found
