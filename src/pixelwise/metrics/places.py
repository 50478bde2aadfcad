"""Overlap by where pixels lie in the image: a 3 x 3 grid, its middle cell, its sides and its corners.

A mean over all pixels hides that the rim of images is told worse: there networks see less around a pixel, lenses are darker,
and tiles are joined. The rules of void and of absent classes are those of ``overlap``. An image is cut into thirds, rounded
down; one of fewer than three rows or columns has empty cells.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

import numpy as np

from pixelwise.core.arrays import AnyArray, FloatArray, IntArray
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.class_rows import ClassRows, known_mean, ratio
from pixelwise.metrics.interval import Resampled
from pixelwise.metrics.overlap import class_map_under, confusion, one_class_a_pixel

GRID = 3
_CELLS = {"centre": (4,), "sides": (1, 3, 5, 7), "corners": (0, 2, 6, 8)}  # of the grid, row by row
_WORDS = {"centre": "the middle cell", "sides": "the four cells beside the middle", "corners": "the four cells at the corners"}

RULES: dict[str, str] = {
    f"miou_{name}": f"miou of the pixels in {words} of a {GRID} x {GRID} grid laid over each image"
    for name, words in _WORDS.items()
}
NOTES: dict[str, str] = {
    "places": f"each image is cut into {GRID} x {GRID} cells; a class in neither truth nor prediction there is left out"
}
KIND = "semantic"
LOWER_IS_BETTER: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class Counts:
    """Of each class in each image, the right, true and predicted pixels of each cell: rows of 9 x 3 numbers."""

    rows: ClassRows

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.rows + other.rows) if isinstance(other, Counts) else NotImplemented

    def __radd__(self, other: object) -> "Counts":  # sum() starts with 0
        return self if other == 0 else NotImplemented


def count(prediction: Segmentation, truth: Segmentation) -> Counts:
    """Count one image cell by cell; classes are joined by name.

    Raises:
        SizeMismatch: the two differ in size.
        DataError: one of them may have several classes a pixel.
    """
    one_class_a_pixel(prediction, truth)
    labels = truth.labels
    true, found = truth.class_map(), class_map_under(prediction, labels)
    rows, columns = (list(pairwise(side * cut // GRID for cut in range(GRID + 1))) for side in truth.size)
    table = np.zeros((len(labels), GRID * GRID, 3), np.int64)
    for cell, ((top, bottom), (left, right)) in enumerate(product(rows, columns)):
        place = slice(top, bottom), slice(left, right)
        matrix = confusion(true[place], found[place], len(labels), labels.void)
        table[:, cell] = np.stack([np.diagonal(matrix), matrix.sum(axis=1), matrix[:, :-1].sum(axis=0)], axis=1)
    return Counts(ClassRows.of(labels, table.reshape(len(labels), -1)))


def score(counts: Counts) -> dict[str, float]:
    """Give every score of ``RULES`` by name; NaN where no pixel is labelled."""
    return {name: float(values[0]) for name, values in _scores(_cells(counts.rows.totals()[None])).items()}


def per_class(counts: Counts) -> dict[str, dict[str, float]]:
    """Give nothing: places are of all classes together."""
    return {}


def resampled(counts: Counts, weights: IntArray) -> Resampled:
    """Score B data sets in which image n stands ``weights[b, n]`` times."""
    return Resampled(_scores(_cells(counts.rows.weighted(weights))), {})


def details(counts: Counts, names: Sequence[str]) -> dict[str, Any]:
    """Give mIoU, pixel accuracy and labelled pixels of each cell, as three rows of three; None where nothing is labelled."""
    sums = _cells(counts.rows.totals()[None])[0]
    right, true, _ = sums.sum(axis=1).T
    shown = {"miou": _miou(sums), "pixel_accuracy": ratio(right, true)}
    return {
        "by_place": {
            **{
                name: [[None if math.isnan(one) else one for one in row] for row in _grid(values)]
                for name, values in shown.items()
            },
            "pixels": _grid(true),
        }
    }


def _grid(values: AnyArray) -> list[list[Any]]:
    rows: list[list[Any]] = values.reshape(GRID, GRID).tolist()
    return rows


def _cells(table: AnyArray) -> AnyArray:
    """Take the numbers of B data sets (B, L, 27) by cell: (B, 9, L, 3)."""
    return table.reshape(*table.shape[:2], GRID * GRID, 3).swapaxes(1, 2)


def _miou(sums: AnyArray) -> FloatArray:
    """Give the mean IoU (…) of right, true and predicted pixels (…, L, 3)."""
    right, true, predicted = np.moveaxis(sums, -1, 0)
    return known_mean(ratio(right, true + predicted - right))


def _scores(sums: AnyArray) -> dict[str, FloatArray]:
    """Score B data sets from (B, 9, L, 3)."""
    return {f"miou_{name}": _miou(sums[:, list(cells)].sum(axis=1)) for name, cells in _CELLS.items()}
