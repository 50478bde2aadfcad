"""Overlap of classes: pixel accuracy, IoU, Dice, precision, recall and their means, all from one confusion matrix.

The rules, the same for every score here:

- Void pixels of the truth do not count, whatever is predicted there.
- Pixels the prediction leaves void, or gives a class the truth does not know, are wrong: they have a column of their own.
- A class in neither the truth nor the prediction, over all that is scored together, is left out of every mean. A class in
  the prediction alone has IoU, Dice, precision and recall 0 and counts in their means.
- ``<name>`` is computed once from the summed counts of the data set; ``<name>_per_image`` is the mean of the scores of
  single images, each by the same rules; images without a labelled pixel are left out of it.
"""

import math
from dataclasses import dataclass, field

import cv2
import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.errors import DataError, SizeMismatch
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Segmentation

_DATASET = {
    "miou": "mean IoU = TP / (TP + FP + FN) over the classes in the truth or the prediction",
    "pixel_accuracy": "right pixels / labelled pixels",
    "mean_accuracy": "mean over the classes of the truth of: right pixels / pixels of the class",
    "fw_iou": "IoU weighted by each class's share of the labelled pixels",
    "dice": "mean Dice = 2 TP / (2 TP + FP + FN) over the classes in the truth or the prediction",
    "precision": "mean of TP / (TP + FP) over the classes in the truth or the prediction; 0 for a class never predicted",
    "recall": "mean of TP / (TP + FN) over the classes in the truth or the prediction; 0 for a class not in the truth",
    "f1": "mean over classes of the harmonic mean of precision and recall, which for pixels is Dice",
}
RULES: dict[str, str] = {
    **_DATASET,
    **{f"{name}_per_image": f"mean over images of {name} of one image" for name in _DATASET},
}
NOTES: dict[str, str] = {
    "void": "void pixels of the truth do not count; pixels the prediction leaves void count as wrong",
    "absent classes": "a class in neither truth nor prediction is left out of the means; one in the prediction alone has IoU 0",
    "two means": "a plain name is one score of the summed counts of all images; <name>_per_image is the mean of image scores",
}
LOWER_IS_BETTER: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class Counts:
    """What overlap scores are made of; ``+`` joins the counts of different images, in any order, exactly.

    Attributes:
        labels: the L classes of the truth.
        confusion: (L, L + 1) pixels, truth by prediction; the last column is predicted void or unknown.
        images: one tuple an image: its scores, in the order of the data-set scores in ``RULES``.
    """

    labels: LabelSet
    confusion: IntArray
    images: tuple[tuple[float, ...], ...] = field(default=(), repr=False)

    def __add__(self, other: "Counts") -> "Counts":
        if not isinstance(other, Counts):
            return NotImplemented
        if not self.labels.same_classes(other.labels):
            raise DataError(f"counts of different classes do not add: {self.labels.names} and {other.labels.names}")
        return Counts(self.labels, self.confusion + other.confusion, self.images + other.images)

    def __radd__(self, other: object) -> "Counts":  # sum() starts with 0
        return self if other == 0 else NotImplemented


def confusion(truth: IntArray, prediction: IntArray, classes: int, void: int) -> IntArray:
    """Count pixels by class of truth and prediction: (L, L + 1); the last column is any other predicted value.

    Both maps are of one shape, of any number of axes. Pixels whose truth is ``void`` are not counted.

    >>> confusion(np.array([[0, 0, 1, 255]], np.uint8), np.array([[0, 1, 1, 0]], np.uint8), classes=2, void=255)
    array([[1, 1, 0],
           [0, 1, 0]])

    Raises:
        SizeMismatch: the shapes differ.
        DataError: the truth holds a value that is neither a class nor void.
    """
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    if truth.shape != prediction.shape:
        raise SizeMismatch(f"truth and prediction must have one size, got {truth.shape} and {prediction.shape}")
    if not truth.size:
        return np.zeros((classes, classes + 1), np.int64)
    width = truth.shape[-1] if truth.ndim else 1
    is_small = truth.dtype == prediction.dtype == np.uint8 and classes < 255 and classes <= void <= 255 and width < 2**23
    pairs = _pairs_by_histogram if is_small else _pairs_by_bincount
    return pairs(truth.reshape(-1, width), prediction.reshape(-1, width), classes, void)


def _pairs_by_histogram(truth: IntArray, prediction: IntArray, classes: int, void: int) -> IntArray:
    """Count uint8 maps in strips of rows: OpenCV counts in float32, which is exact only below 2^24 a cell."""
    rows = max(1, 2**23 // truth.shape[1])
    bins = classes + 2  # each class, void, and what must not be in the truth
    table = np.full(256, classes + 1, np.uint8)
    table[:classes], table[void] = np.arange(classes), classes
    total = np.zeros((bins, classes + 1), np.int64)
    for top in range(0, len(truth), rows):
        strips = [cv2.LUT(truth[top : top + rows], table), np.minimum(prediction[top : top + rows], classes)]
        ranges = [0, bins, 0, classes + 1]
        total += np.rint(cv2.calcHist(strips, [0, 1], None, [bins, classes + 1], ranges)).astype(np.int64)
    if total[-1].any():
        strange = np.unique(truth[(truth >= classes) & (truth != void)])
        raise _strange(strange, classes, void)
    return total[:classes]


def _pairs_by_bincount(truth: IntArray, prediction: IntArray, classes: int, void: int) -> IntArray:
    labelled = truth != void
    rows, columns = truth[labelled].astype(np.int64), prediction[labelled].astype(np.int64)
    if rows.size and (rows.min() < 0 or rows.max() >= classes):
        raise _strange(np.unique(rows[(rows < 0) | (rows >= classes)]), classes, void)
    columns[(columns < 0) | (columns > classes)] = classes
    pairs = np.bincount(rows * (classes + 1) + columns, minlength=classes * (classes + 1))
    return pairs.reshape(classes, classes + 1)


def _strange(values: IntArray, classes: int, void: int) -> DataError:
    return DataError(f"the truth holds {values[:5].tolist()}; expected classes 0..{classes - 1} and {void} for void")


def count(prediction: Segmentation, truth: Segmentation) -> Counts:
    """Count one image; classes are joined by name, so the two may number them differently.

    Of instances and panoptic segments the classes alone count; crowds, and pixels under no segment of the truth, are void.

    Raises:
        SizeMismatch: the two differ in size.
        DataError: the prediction has no classes (regions), or classes that overlap (multilabel).
    """
    for role, each in (("prediction", prediction), ("truth", truth)):
        if each.kind in ("regions", "multilabel"):
            reason = "has no classes; match its segments to classes first" if each.kind == "regions" else "may overlap"
            raise DataError(f"overlap scores want one class a pixel; this {role} is of kind '{each.kind}' and {reason}")
    if prediction.size != truth.size:
        raise SizeMismatch(f"the prediction is {prediction.size}, the truth {truth.size} (height, width); predict at full size")
    matrix = confusion(truth.class_map(), _class_map_under(prediction, truth.labels), len(truth.labels), truth.labels.void)
    row = tuple(_means(matrix).values())
    return Counts(truth.labels, matrix, (row,) if matrix.any() else ())


def _class_map_under(segmentation: Segmentation, labels: LabelSet) -> IntArray:
    """Give the class map (H, W) numbered as in ``labels``; void where it has no class of that name."""
    classes = segmentation.class_map()
    own = segmentation.labels
    if own.same_classes(labels):
        return classes
    table = np.full(own.void + 1, labels.void, np.uint8 if labels.void == 255 else np.uint16)
    places = own.map_to(labels)
    table[: len(own)] = np.where(places < 0, labels.void, places)
    return np.asarray(table[classes])


def score(counts: Counts) -> dict[str, float]:
    """Give every score of ``RULES`` by name; NaN where nothing was counted."""
    means = _means(counts.confusion)
    columns = list(zip(*counts.images, strict=True)) or [()] * len(means)
    for name, column in zip(tuple(means), columns, strict=True):
        means[f"{name}_per_image"] = math.fsum(column) / len(column) if column else math.nan  # fsum: order does not matter
    return means


def per_class(counts: Counts) -> dict[str, dict[str, float]]:
    """Give IoU, Dice, precision, recall, accuracy and the number of true pixels by class name; NaN for absent classes.

    Accuracy is NaN for a class that is not in the truth.
    """
    scores = _class_scores(counts.confusion)
    return {
        name: {key: float(values[index]) for key, values in scores.items()} | {"pixels": int(counts.confusion[index].sum())}
        for index, name in enumerate(counts.labels.names)
    }


def _class_scores(matrix: IntArray) -> dict[str, FloatArray]:
    right = np.diagonal(matrix)
    true, predicted = matrix.sum(axis=1), matrix[:, :-1].sum(axis=0)
    either = true + predicted - right
    present = either > 0
    precision, recall = (np.where(present, _ratio(right, total, 0.0), np.nan) for total in (predicted, true))
    dice = _ratio(2 * right, true + predicted)
    accuracy = _ratio(right, true)
    return {"iou": _ratio(right, either), "dice": dice, "precision": precision, "recall": recall, "accuracy": accuracy}


def _means(matrix: IntArray) -> dict[str, float]:
    scores = _class_scores(matrix)
    total = int(matrix.sum())
    true = matrix.sum(axis=1)
    return {
        "miou": _mean(scores["iou"]),
        "pixel_accuracy": int(np.trace(matrix)) / total if total else math.nan,
        "mean_accuracy": _mean(scores["accuracy"]),
        "fw_iou": float(np.nansum(scores["iou"] * true)) / total if total else math.nan,
        "dice": _mean(scores["dice"]),
        "precision": _mean(scores["precision"]),
        "recall": _mean(scores["recall"]),
        "f1": _mean(scores["dice"]),
    }


def _ratio(top: IntArray, bottom: IntArray, otherwise: float = math.nan) -> FloatArray:
    return np.divide(top, bottom, out=np.full(len(top), otherwise), where=bottom > 0)


def _mean(values: FloatArray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else math.nan
