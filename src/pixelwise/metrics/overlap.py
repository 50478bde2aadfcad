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
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from pixelwise.core.arrays import AnyArray, FloatArray, IntArray
from pixelwise.core.errors import DataError, SizeMismatch
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.confusion import confusion
from pixelwise.metrics.interval import Resampled

__all__ = [
    "Counts",
    "ImageSums",
    "class_map_under",
    "confusion",
    "count",
    "details",
    "one_class_a_pixel",
    "per_class",
    "resampled",
    "score",
]

_CHUNK = 2**21  # numbers unfolded at once while resampling
_ENOUGH = 1e-3  # share of an image's labelled pixels below which a class in it is too small to be its best or worst

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
KIND = "semantic"
LOWER_IS_BETTER: frozenset[str] = frozenset()


class ImageSums(NamedTuple):
    """What is kept of one image: its own scores, and for the K classes in it the pixels that its scores are made of.

    Attributes:
        scores: in the order of the data-set scores in ``RULES``; NaN where no pixel is labelled.
        classes: (K,) those in the truth or the prediction.
        sums: (3, K) pixels that are right, true and predicted.
    """

    scores: tuple[float, ...]
    classes: IntArray
    sums: IntArray


@dataclass(frozen=True, eq=False)
class Counts:
    """What overlap scores are made of; ``+`` joins the counts of different images, in any order, exactly.

    Attributes:
        labels: the L classes of the truth.
        confusion: (L, L + 1) pixels, truth by prediction; the last column is predicted void or unknown.
        images: what is kept of each image, in the order they were added; memory grows with the classes in an image, not L^2.
    """

    labels: LabelSet
    confusion: IntArray
    images: tuple[ImageSums, ...] = field(default=(), repr=False)

    def __add__(self, other: "Counts") -> "Counts":
        if not isinstance(other, Counts):
            return NotImplemented
        if not self.labels.same_classes(other.labels):
            raise DataError(f"counts of different classes do not add: {self.labels.names} and {other.labels.names}")
        return Counts(self.labels, self.confusion + other.confusion, self.images + other.images)

    def __radd__(self, other: object) -> "Counts":  # sum() starts with 0
        return self if other == 0 else NotImplemented


def count(prediction: Segmentation, truth: Segmentation) -> Counts:
    """Count one image; classes are joined by name, so the two may number them differently.

    Of instances and panoptic segments the classes alone count; crowds, and pixels under no segment of the truth, are void.

    Raises:
        SizeMismatch: the two differ in size.
        DataError: the prediction has no classes (regions), or classes that overlap (multilabel).
    """
    one_class_a_pixel(prediction, truth)
    matrix = confusion(truth.class_map(), class_map_under(prediction, truth.labels), len(truth.labels), truth.labels.void)
    sums = _sums(matrix)
    classes = np.flatnonzero(sums.any(axis=0))
    scores = tuple(float(value) for value in _means(sums).values())
    return Counts(truth.labels, matrix, (ImageSums(scores, classes, sums[:, classes]),))


def one_class_a_pixel(prediction: Segmentation, truth: Segmentation) -> None:
    """Refuse what cannot be compared pixel by pixel.

    Raises:
        SizeMismatch: the two differ in size.
        DataError: one has no classes (regions), or classes that overlap (multilabel).
    """
    for role, each in (("prediction", prediction), ("truth", truth)):
        if each.kind in ("regions", "multilabel"):
            reason = "has no classes; match its segments to classes first" if each.kind == "regions" else "may overlap"
            raise DataError(f"this score wants one class a pixel; this {role} is of kind '{each.kind}' and {reason}")
    if prediction.size != truth.size:
        raise SizeMismatch(f"the prediction is {prediction.size}, the truth {truth.size} (height, width); predict at full size")


def class_map_under(segmentation: Segmentation, labels: LabelSet) -> IntArray:
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
    means = {name: float(value) for name, value in _means(_sums(counts.confusion)).items()}
    rows = [image.scores for image in counts.images if not math.isnan(image.scores[0])]
    columns = list(zip(*rows, strict=True)) or [()] * len(means)
    for name, column in zip(tuple(means), columns, strict=True):
        means[f"{name}_per_image"] = math.fsum(column) / len(column) if column else math.nan  # fsum: order does not matter
    return means


def per_class(counts: Counts) -> dict[str, dict[str, float]]:
    """Give IoU, Dice, precision, recall, accuracy and the number of true pixels by class name; NaN for absent classes.

    Accuracy is NaN for a class that is not in the truth.
    """
    sums = _sums(counts.confusion)
    scores = _class_scores(sums)
    return {
        name: {key: float(values[index]) for key, values in scores.items()} | {"pixels": int(sums[1, index])}
        for index, name in enumerate(counts.labels.names)
    }


def resampled(counts: Counts, weights: IntArray) -> Resampled:
    """Score B data sets in which image n stands ``weights[b, n]`` times: every score, as arrays (B,)."""
    sums = _weighted(counts, weights)
    scores = _means(sums)
    own = np.array([image.scores for image in counts.images]).reshape(len(counts.images), len(scores))
    known = ~np.isnan(own[:, 0]) if len(own) else np.zeros(0, bool)
    shares = weights[:, known].astype(np.float64)
    for name, column in zip(tuple(scores), own[known].T, strict=True):
        scores[f"{name}_per_image"] = _ratio(shares @ column, shares.sum(axis=1))
    by_class = _class_scores(sums)
    names = enumerate(counts.labels.names)
    return Resampled(scores, {name: {key: values[:, index] for key, values in by_class.items()} for index, name in names})


def details(counts: Counts, names: Sequence[str]) -> dict[str, Any]:
    """Find the images, of these ``names``, in which each class is told best and worst by IoU.

    Images with less than a thousandth of their labelled pixels of a class are passed over, unless there are no others.
    """
    found: dict[str, dict[str, dict[str, Any]]] = {}
    if not counts.images:
        return {"best_worst": found}
    rows = np.repeat(np.arange(len(counts.images)), [len(image.classes) for image in counts.images])
    classes = np.concatenate([image.classes for image in counts.images])
    right, true, predicted = np.concatenate([image.sums for image in counts.images], axis=1)
    ious = _ratio(right, true + predicted - right)
    is_ample = true >= _ENOUGH * np.bincount(rows, true, len(counts.images))[rows]
    order = np.argsort(classes[true > 0], kind="stable")
    places = np.flatnonzero(true > 0)[order]
    for group in np.split(places, np.flatnonzero(np.diff(classes[places])) + 1) if places.size else ():
        shown = group[is_ample[group]] if is_ample[group].any() else group
        ends = {"best": shown[ious[shown].argmax()], "worst": shown[ious[shown].argmin()]}
        found[counts.labels.names[classes[group[0]]]] = {
            end: {"name": names[rows[place]], "iou": float(ious[place])} for end, place in ends.items()
        }
    return {"best_worst": found}


def _sums(matrix: IntArray) -> IntArray:
    """Give (3, L): right, true and predicted pixels, of which every score is made."""
    return np.stack([np.diagonal(matrix), matrix.sum(axis=1), matrix[:, :-1].sum(axis=0)])


def _weighted(counts: Counts, weights: IntArray) -> FloatArray:
    """Add up the images (3, B, L), each as often as its weight says; float64 holds these whole numbers exactly."""
    length = len(counts.labels)
    total = np.zeros((len(weights), 3 * length))
    step = max(1, _CHUNK // (3 * length))
    for start in range(0, len(counts.images), step):
        images = counts.images[start : start + step]
        unfolded = np.zeros((len(images), 3, length))
        for row, image in enumerate(images):
            unfolded[row][:, image.classes] = image.sums
        total += weights[:, start : start + step].astype(np.float64) @ unfolded.reshape(len(images), -1)
    return np.asarray(total.reshape(len(weights), 3, length).swapaxes(0, 1))


def _class_scores(sums: AnyArray) -> dict[str, FloatArray]:
    """Score each class (…, L) from right, true and predicted pixels (3, …, L)."""
    right, true, predicted = sums
    either = true + predicted - right
    present = either > 0
    precision, recall = (np.where(present, _ratio(right, total, 0.0), np.nan) for total in (predicted, true))
    dice = _ratio(2 * right, true + predicted)
    accuracy = _ratio(right, true)
    return {"iou": _ratio(right, either), "dice": dice, "precision": precision, "recall": recall, "accuracy": accuracy}


def _means(sums: AnyArray) -> dict[str, FloatArray]:
    """Score whole data sets (…) from right, true and predicted pixels (3, …, L)."""
    scores = _class_scores(sums)
    right, true, _ = sums
    total = true.sum(axis=-1)
    return {
        "miou": _mean(scores["iou"]),
        "pixel_accuracy": _ratio(right.sum(axis=-1), total),
        "mean_accuracy": _mean(scores["accuracy"]),
        "fw_iou": _ratio(np.nansum(scores["iou"] * true, axis=-1), total),
        "dice": _mean(scores["dice"]),
        "precision": _mean(scores["precision"]),
        "recall": _mean(scores["recall"]),
        "f1": _mean(scores["dice"]),
    }


def _ratio(top: AnyArray, bottom: AnyArray, otherwise: float = math.nan) -> FloatArray:
    return np.asarray(np.divide(top, bottom, out=np.full(np.shape(bottom), otherwise), where=np.asarray(bottom) > 0))


def _mean(values: FloatArray) -> FloatArray:
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1))
