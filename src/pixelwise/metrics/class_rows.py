"""Numbers kept of each class in each image: what scores by class are made of, and what the bootstrap draws from.

An image costs a row for each class that has something to tell in it, so memory grows with the classes in an image and never
with all classes of a data set.
"""

import math
from dataclasses import dataclass

import numpy as np

from pixelwise.core.arrays import AnyArray, FloatArray, IntArray
from pixelwise.core.errors import DataError
from pixelwise.core.labels import LabelSet


@dataclass(frozen=True, eq=False)
class ClassRows:
    """Counts of N images as M rows of V numbers; ``+`` joins different images, in any order.

    Attributes:
        labels: the L classes of the truth.
        count: N; an image may have no row.
        images: (M,) the image a row is of, in the order they were added.
        classes: (M,) the class it is of.
        values: (M, V)
    """

    labels: LabelSet
    count: int
    images: IntArray
    classes: IntArray
    values: AnyArray

    @classmethod
    def of(cls, labels: LabelSet, table: AnyArray) -> "ClassRows":
        """Take one image's numbers (L, V); classes that have none but zeros are left out.

        >>> ClassRows.of(LabelSet.of(["sky", "car"]), np.array([[0, 0], [3, 1]])).classes.tolist()
        [1]
        """
        classes = np.flatnonzero(table.any(axis=1))
        return cls(labels, 1, np.zeros(len(classes), np.int64), classes, table[classes])

    def __add__(self, other: "ClassRows") -> "ClassRows":
        if not isinstance(other, ClassRows):
            return NotImplemented
        if not self.labels.same_classes(other.labels):
            raise DataError(f"counts of different classes do not add: {self.labels.names} and {other.labels.names}")
        return ClassRows(
            self.labels,
            self.count + other.count,
            np.concatenate([self.images, other.images + self.count]),
            np.concatenate([self.classes, other.classes]),
            np.concatenate([self.values, other.values]),
        )

    def __radd__(self, other: object) -> "ClassRows":  # sum() starts with 0
        return self if other == 0 else NotImplemented

    def totals(self) -> AnyArray:
        """Add up all images (L, V); whole numbers exactly."""
        found = np.zeros((len(self.labels), self.values.shape[1]), self.values.dtype)
        np.add.at(found, self.classes, self.values)
        return found

    def weighted(self, weights: IntArray) -> FloatArray:
        """Add up B data sets (B, L, V) in which image n stands ``weights[b, n]`` times."""
        found = np.zeros((len(weights), len(self.labels), self.values.shape[1]))
        for index in np.unique(self.classes):
            own = self.classes == index
            found[:, index] = weights[:, self.images[own]].astype(np.float64) @ self.values[own].astype(np.float64)
        return found

    def image_means(self, scores: FloatArray) -> FloatArray:
        """Average the rows' scores (M,) over the classes of each image (N,), leaving out NaN; NaN for an image without any."""
        known = ~np.isnan(scores)
        total = np.bincount(self.images[known], scores[known], self.count)
        return ratio(total, np.bincount(self.images[known], minlength=self.count))


def ratio(top: AnyArray, bottom: AnyArray) -> FloatArray:
    """Divide; NaN where there is nothing to divide by."""
    out = np.full(np.broadcast_shapes(np.shape(top), np.shape(bottom)), math.nan)
    return np.asarray(np.divide(top, bottom, out=out, where=np.asarray(bottom) > 0))


def known_mean(values: FloatArray) -> FloatArray:
    """Average over the last axis what is not NaN; NaN where all is.

    >>> known_mean(np.array([[1, np.nan, 0], [np.nan, np.nan, np.nan]])).tolist()
    [0.5, nan]
    """
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1))


def exact_mean(values: FloatArray) -> float:
    """Average what is not NaN, to the same last bit in any order; NaN where all is."""
    known = values[~np.isnan(values)]
    return math.fsum(known.tolist()) / len(known) if len(known) else math.nan
