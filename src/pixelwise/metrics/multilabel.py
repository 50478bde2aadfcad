"""Overlap of classes that may share pixels: each class is a question of its own, scored by IoU, Dice, precision and recall.

The rules:

- A pixel under no segment is of no class, and counts. Under a segment of the truth marked as crowd nothing counts for its
  class.
- Classes are joined by name; a class of the prediction that the truth does not know is left out.
- A class in neither the truth nor the prediction, over all that is scored together, is left out of the means. A class in one of
  them alone has 0.
"""

import math
from dataclasses import dataclass

import numpy as np

from pixelwise.core.arrays import BoolArray, IntArray
from pixelwise.core.errors import DataError, SizeMismatch
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Segmentation

RULES: dict[str, str] = {
    "multilabel_miou": "mean over classes of TP / (TP + FP + FN), the pixels of each class counted by themselves",
    "multilabel_dice": "mean over classes of 2 TP / (2 TP + FP + FN)",
    "multilabel_precision": "mean over classes of TP / (TP + FP); 0 for a class never predicted",
    "multilabel_recall": "mean over classes of TP / (TP + FN); 0 for a class not in the truth",
    "exact_match": "pixels of which every class is right / pixels",
}
NOTES: dict[str, str] = {
    "no class": "a pixel under no segment is of no class, and counts; a crowd does not count, for its class alone",
    "absent classes of several": "a class in neither truth nor prediction is left out of the means; in one alone it has 0",
}
KIND = "multilabel"
LOWER_IS_BETTER: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class Counts:
    """What the scores are made of; ``+`` joins the counts of different images, in any order, exactly.

    Attributes:
        labels: the L classes of the truth.
        sums: (3, L) pixels that are right, true and predicted.
        exact: pixels of which every class is right, and all pixels.
    """

    labels: LabelSet
    sums: IntArray
    exact: tuple[int, int]

    def __add__(self, other: "Counts") -> "Counts":
        if not isinstance(other, Counts):
            return NotImplemented
        if not self.labels.same_classes(other.labels):
            raise DataError(f"counts of different classes do not add: {self.labels.names} and {other.labels.names}")
        exact = (self.exact[0] + other.exact[0], self.exact[1] + other.exact[1])
        return Counts(self.labels, self.sums + other.sums, exact)

    def __radd__(self, other: object) -> "Counts":  # sum() starts with 0
        return self if other == 0 else NotImplemented


def count(prediction: Segmentation, truth: Segmentation) -> Counts:
    """Count one image.

    Raises:
        SizeMismatch: the two differ in size.
        DataError: one is not multilabel.
    """
    for role, each in (("prediction", prediction), ("truth", truth)):
        if each.kind != KIND:
            raise DataError(f"this score wants classes that may overlap; this {role} is of kind '{each.kind}'")
    if prediction.size != truth.size:
        raise SizeMismatch(f"the prediction is {prediction.size}, the truth {truth.size} (height, width); predict at full size")
    predicted = {truth.labels.names.index(name): row for row, name in enumerate(prediction.names) if name in truth.labels.names}
    true = {int(index): row for row, index in enumerate(truth.class_ids)}
    sums = np.zeros((3, len(truth.labels)), np.int64)
    wrong = np.zeros(truth.size, bool)
    nothing: BoolArray = np.zeros(truth.size, bool)
    for index in {*predicted, *true}:
        one = prediction.masks.mask(predicted[index]) if index in predicted else nothing
        other = truth.masks.mask(true[index]) if index in true else nothing
        if index in true and truth.is_crowd[true[index]]:
            one, other = one & ~other, nothing
        sums[:, index] = np.count_nonzero(one & other), np.count_nonzero(other), np.count_nonzero(one)
        wrong |= one != other
    return Counts(truth.labels, sums, (wrong.size - int(wrong.sum()), wrong.size))


def score(counts: Counts) -> dict[str, float]:
    """Give every score of ``RULES`` by name; NaN where nothing was counted."""
    rows = [row for row in _rows(counts) if not math.isnan(row["iou"])]
    names = {"multilabel_miou": "iou", "multilabel_dice": "dice", "multilabel_precision": "precision"}
    means = {
        name: math.fsum(row[key] for row in rows) / len(rows) if rows else math.nan
        for name, key in {**names, "multilabel_recall": "recall"}.items()
    }
    right, total = counts.exact
    return {**means, "exact_match": right / total if total else math.nan}


def per_class(counts: Counts) -> dict[str, dict[str, float]]:
    """Give IoU, Dice, precision, recall and the number of true pixels by class name; NaN for absent classes."""
    return dict(zip(counts.labels.names, _rows(counts), strict=True))


def _rows(counts: Counts) -> list[dict[str, float]]:
    rows = []
    for right, true, predicted in counts.sums.T.tolist():
        either = true + predicted - right
        if not either:
            rows.append({**dict.fromkeys(("iou", "dice", "precision", "recall"), math.nan), "pixels": true})
            continue
        rows.append(
            {
                "iou": right / either,
                "dice": 2 * right / (true + predicted),
                "precision": right / predicted if predicted else 0.0,
                "recall": right / true if true else 0.0,
                "pixels": true,
            }
        )
    return rows
