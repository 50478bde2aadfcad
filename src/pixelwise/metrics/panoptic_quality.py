"""Panoptic quality: how well segments are found and how well they fit, for things and stuff by one rule [1].

A segment of the prediction and one of the truth match if they are of one class and their IoU exceeds 0.5, which no segment can
reach with two others. Of a class, PQ = sum of the IoU of matches / (TP + FP / 2 + FN / 2) = SQ x RQ.

The rules are those of the COCO panoptic task's evaluation (panopticapi), and scores equal its:

- Void pixels of the truth are taken out of the union before IoU is judged.
- Crowds match nothing and are not missed.
- A predicted segment without a match is no false positive if more than half of it is void or in a crowd of its class; where
  an image has several crowds of a class, the last of them is looked at.
- A class without any TP, FP or FN, over all that is scored together, is left out of the means.

What panopticapi refuses has a rule too: segments without a pixel count on neither side, and predicted segments of a class the
truth does not know are no false positives of any class; what lies under them is missed.

[1] Kirillov, He, Girshick, Rother and Dollár, Panoptic Segmentation, CVPR 2019.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray, IntArray
from pixelwise.core.labels import VOID, LabelSet
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.class_rows import ClassRows, known_mean, ratio
from pixelwise.metrics.interval import Resampled
from pixelwise.metrics.segment_pairs import classes_under, exact_totals, joint, ordered_sums, require_comparable

_QUALITIES = {
    "pq": "panoptic quality = sum of the IoU of matches / (TP + FP / 2 + FN / 2), mean over {} classes",
    "sq": "segmentation quality = mean IoU of matches, 0 for a class without any, mean over {} classes",
    "rq": "recognition quality = TP / (TP + FP / 2 + FN / 2), mean over {} classes",
}
RULES: dict[str, str] = {
    **{name: rule.format("all") for name, rule in _QUALITIES.items()},
    **{f"{name}_things": rule.format("thing") for name, rule in _QUALITIES.items()},
    **{f"{name}_stuff": rule.format("stuff") for name, rule in _QUALITIES.items()},
}
NOTES: dict[str, str] = {
    "matches": "segments of one class match if their IoU, without the truth's void pixels, exceeds 0.5; crowds match nothing",
    "left out": "a predicted segment without a match that is mostly void or in a crowd of its class is no false positive",
    "absent classes of pq": "a class without any TP, FP or FN is left out of the means; segments without pixels do not count",
    "unknown classes of pq": "predicted segments of a class the truth does not know count for no class",
}
KIND = "panoptic"
LOWER_IS_BETTER: frozenset[str] = frozenset()
_TP, _FP, _FN, _IOU, _LEFT_OUT = range(5)


@dataclass(frozen=True, eq=False)
class Counts:
    """What panoptic quality is made of: 56 bytes for each class in an image; ``+`` joins the counts of different images.

    Attributes:
        rows: TP, FP, FN, the added IoU of the TP, and predicted segments left out, by image and class.
        unknown: predicted segments of classes the truth does not know.
    """

    rows: ClassRows
    unknown: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.rows + other.rows, self.unknown + other.unknown) if isinstance(other, Counts) else NotImplemented

    def __radd__(self, other: object) -> "Counts":  # sum() starts with 0
        return self if other == 0 else NotImplemented


class Overlaps(NamedTuple):
    """How the S segments of a truth and the P of a prediction of the same image lie on one another.

    Attributes:
        truths, predictions, shared: (K,) the pairs of segments that share pixels, whatever their classes, and how many.
        true_classes, true_areas: (S,).
        classes, areas: (P,) of the prediction, the classes numbered as in the truth, else ``VOID``.
        void: (P,) the pixels of each predicted segment that are void in the truth.
        is_crowd: (S,).
    """

    truths: IntArray
    predictions: IntArray
    shared: IntArray
    true_classes: IntArray
    true_areas: IntArray
    classes: IntArray
    areas: IntArray
    void: IntArray
    is_crowd: BoolArray


def overlaps(prediction: Segmentation, truth: Segmentation) -> Overlaps:
    """Lay the segments of a prediction over those of the truth.

    Raises:
        SizeMismatch: the two differ in size.
        DataError: one of them is of another kind, or a predicted score is not in [0, 1].
    """
    require_comparable(prediction, truth, ("panoptic",))
    first, second, pixels = joint(truth.panoptic_ids(), prediction.panoptic_ids(), (len(truth), len(prediction)))
    true_areas = np.bincount(first, pixels, len(truth) + 1)[1:].astype(np.int64)
    areas = np.bincount(second, pixels, len(prediction) + 1)[1:].astype(np.int64)
    void = np.zeros(len(prediction) + 1, np.int64)
    begin = int(np.searchsorted(first, 1))  # pairs are in order, those with void first
    void[second[:begin]] = pixels[:begin]
    first, second, pixels = (each[begin:][second[begin:] > 0] for each in (first, second, pixels))
    classes = classes_under(prediction, truth.labels)
    return Overlaps(first - 1, second - 1, pixels, truth.class_ids, true_areas, classes, areas, void[1:], truth.is_crowd)


def count(prediction: Segmentation, truth: Segmentation) -> Counts:
    """Count one image; classes are joined by name.

    Raises:
        SizeMismatch: the two differ in size.
        DataError: one of them is of another kind, or a predicted score is not in [0, 1].
    """
    found = overlaps(prediction, truth)
    truths, predictions, shared = found.truths, found.predictions, found.shared
    union = found.true_areas[truths] + (found.areas - found.void)[predictions] - shared
    ious = shared / union
    of_one_class = found.true_classes[truths] == found.classes[predictions]
    hits = np.flatnonzero((ious > 0.5) & of_one_class & ~found.is_crowd[truths])
    is_missed = (found.true_areas > 0) & ~found.is_crowd
    is_missed[truths[hits]] = False
    is_extra = (found.areas > 0) & (found.classes != VOID)
    is_extra[predictions[hits]] = False
    is_left_out = is_extra & (2 * (found.void + _in_crowds(found, len(truth.labels))) > found.areas)
    length, classes = len(truth.labels), found.true_classes[truths[hits]]
    table = np.empty((5, length))
    table[_TP] = np.bincount(classes, minlength=length)
    table[_FP] = np.bincount(found.classes[is_extra & ~is_left_out], minlength=length)
    table[_FN] = np.bincount(found.true_classes[is_missed], minlength=length)
    table[_IOU] = ordered_sums(classes, ious[hits], length)
    table[_LEFT_OUT] = np.bincount(found.classes[is_left_out], minlength=length)
    return Counts(ClassRows.of(truth.labels, table.T), int(np.count_nonzero(found.areas[found.classes == VOID])))


def _in_crowds(found: Overlaps, length: int) -> IntArray:
    """Count the pixels (P,) of predicted segments in a crowd of their class."""
    inside = np.zeros(len(found.areas), np.int64)
    if not found.is_crowd.any():
        return inside
    crowd = np.full(length, VOID)
    for segment in np.flatnonzero(found.is_crowd).tolist():
        crowd[found.true_classes[segment]] = segment
    classes = found.classes[found.predictions]
    is_own = (classes != VOID) & (crowd[classes] == found.truths)
    inside[found.predictions[is_own]] = found.shared[is_own]
    return inside


def score(counts: Counts) -> dict[str, float]:
    """Give every score of ``RULES`` by name; NaN where no class has a segment."""
    return {name: float(value) for name, value in _means(exact_totals(counts.rows), counts.rows.labels).items()}


def per_class(counts: Counts) -> dict[str, dict[str, float]]:
    """Give PQ, SQ, RQ, TP, FP and FN by class name; NaN for absent classes."""
    sums = exact_totals(counts.rows)
    scores = _class_scores(sums)
    return {
        name: {key: float(values[index]) for key, values in scores.items()}
        | {key: int(sums[row, index]) for key, row in (("tp", _TP), ("fp", _FP), ("fn", _FN))}
        for index, name in enumerate(counts.rows.labels.names)
    }


def resampled(counts: Counts, weights: IntArray) -> Resampled:
    """Score B data sets in which image n stands ``weights[b, n]`` times: every score, as arrays (B,)."""
    sums, labels = np.moveaxis(counts.rows.weighted(weights), -1, 0), counts.rows.labels
    by_class = _class_scores(sums)
    names = enumerate(labels.names)
    return Resampled(
        _means(sums, labels), {name: {key: values[:, index] for key, values in by_class.items()} for index, name in names}
    )


def details(counts: Counts, names: Sequence[str]) -> dict[str, Any]:
    """Give a row for all classes, for things and for stuff: classes counted, scores, and segments by what became of them."""
    sums, labels = exact_totals(counts.rows), counts.rows.labels
    means = score(counts)
    rows = []
    for group, suffix, members in _groups(labels):
        own = sums[:, members]
        rows.append(
            {
                "group": group,
                "classes": int((own[: _FN + 1].sum(axis=0) > 0).sum()),
                **{name: _known(means[name + suffix]) for name in _QUALITIES},
                **{key: int(own[row].sum()) for key, row in (("tp", _TP), ("fp", _FP), ("fn", _FN))},
                "left_out": int(own[_LEFT_OUT].sum()),
            }
        )
    return {"panoptic_groups": rows, "panoptic_unknown": counts.unknown}


def _groups(labels: LabelSet) -> list[tuple[str, str, BoolArray]]:
    is_thing = np.isin(np.arange(len(labels)), labels.things)
    return [("all", "", is_thing | True), ("things", "_things", is_thing), ("stuff", "_stuff", ~is_thing)]


def _class_scores(sums: FloatArray) -> dict[str, FloatArray]:
    """Score each class (…, L) from its sums (5, …, L)."""
    tp, fp, fn, iou, _ = sums
    weight = tp + 0.5 * fp + 0.5 * fn
    quality = np.where((weight > 0) & (tp == 0), 0.0, ratio(iou, tp))
    return {"pq": ratio(iou, weight), "sq": quality, "rq": ratio(tp, weight)}


def _means(sums: FloatArray, labels: LabelSet) -> dict[str, FloatArray]:
    """Score whole data sets (…) from the sums of their classes (5, …, L)."""
    scores = _class_scores(sums)
    groups = _groups(labels)
    return {name + suffix: known_mean(scores[name][..., members]) for _, suffix, members in groups for name in _QUALITIES}


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
