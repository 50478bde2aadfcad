"""What IoU is lost to: borders, wrong extents, confused classes, missed and invented segments.

Every wrong pixel is of exactly one kind, so that for each class the losses add up to 1 - IoU, and their means to 1 - mIoU. As
TIDE [1] does for boxes, it is asked first whether whole segments are wrong. A segment is a connected part (eight neighbours) of
one class, void left out. One of the truth is *found* if at least half of its pixels have their class predicted within 2 pixels
(by rows and columns), one of the prediction is *real* if at least half of its pixels have their class in the truth within 2; so
a thin segment a little beside its place is both. A wrong pixel lies in one of the truth and one of the prediction, and is

- ``confusion``: the true segment is not found, and the predicted one is not real: it was seen and given another class;
- ``missed``: the true segment is not found; what covers it is a segment that is real elsewhere, or void;
- ``invented``: the predicted segment is not real; what it covers is found elsewhere;
- ``borders``: both segments are right as wholes, and a border between classes of the truth is within 2 pixels [2];
- ``extent``: both are right as wholes, and the pixel is further in: a segment reaches too far, or not far enough.

Void in the prediction is no segment that could be wrong: where a found segment is left void, its border or its extent is.

An image keeps eleven whole numbers for each class in it (104 bytes); while it is counted, about 15 bytes a pixel are used.

[1] Bolya et al., TIDE: A General Toolbox for Identifying Object Detection Errors, ECCV 2020.
[2] Kohli, Ladický and Torr, Robust Higher Order Potentials for Enforcing Label Consistency, IJCV 2009: errors in such a band.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from pixelwise.core.arrays import AnyArray, BoolArray, FloatArray, IntArray
from pixelwise.core.idmaps import present_in
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.class_rows import ClassRows, known_mean, ratio
from pixelwise.metrics.edges import class_maps, square, unlike
from pixelwise.metrics.interval import Resampled

NEAR = 2  # pixels: about how well people draw borders
FOUND = 0.5
RIGHT, VOID_PIXEL = 0, 255
ERROR_KINDS: dict[int, str] = {1: "borders", 2: "extent", 3: "confusion", 4: "missed", 5: "invented"}
_BORDERS, _EXTENT, _CONFUSION, _MISSED, _INVENTED = ERROR_KINDS
_SHOWN = 8  # images of each kind

_WHERE = {
    "borders": f"in segments that are right as wholes, within {NEAR} pixels of a border between classes of the truth",
    "extent": f"in segments that are right as wholes, further than {NEAR} pixels from a border: too far or not far enough",
    "confusion": "where a true segment that is not found lies under a predicted one that is not real: it got another class",
    "missed": "where a true segment that is not found is covered by one that is real elsewhere, or by void",
    "invented": "where a predicted segment that is not real covers one that is found elsewhere",
}
RULES: dict[str, str] = {
    f"iou_lost_to_{kind}": f"mean over classes of the share of a class's pixels, true or predicted, that are wrong {where}"
    for kind, where in _WHERE.items()
}
NOTES: dict[str, str] = {
    "error kinds": (
        f"every wrong pixel is of one kind, so the losses of a class add up to 1 - IoU and their means to 1 - mIoU; a segment "
        f"is a connected part of one class; a true one is found if at least half of its pixels have their class predicted "
        f"within {NEAR} pixels, a predicted one is real if at least half of its pixels have their class in the truth within "
        f"{NEAR}; a predicted class the truth does not know counts as void; void pixels of the truth do not count"
    )
}
KIND = "semantic"
LOWER_IS_BETTER: frozenset[str] = frozenset(RULES)

Counts = ClassRows  # right pixels, wrong pixels of the class in the truth by kind, wrong pixels of it in the prediction by kind


def count(prediction: Segmentation, truth: Segmentation) -> Counts:
    """Count one image; classes are joined by name.

    Raises:
        SizeMismatch: the two differ in size.
        DataError: one of them may have several classes a pixel.
    """
    told, true = class_maps(prediction, truth)
    kinds, length = _kinds(told, true), len(truth.labels)
    wrong = (kinds != RIGHT) & (kinds != VOID_PIXEL)
    right = np.bincount(true[kinds == RIGHT], minlength=length)[:, None]
    columns = [right, *(_by_kind(classes[wrong], kinds[wrong], length) for classes in (true, told))]
    return ClassRows.of(truth.labels, np.concatenate(columns, axis=1))


def error_map(prediction: Segmentation, truth: Segmentation) -> IntArray:
    """Map what is wrong (H, W) uint8: 0 where it is right, 255 where the truth is void, else a key of ``ERROR_KINDS``.

    Raises:
        SizeMismatch: the two differ in size.
        DataError: one of them may have several classes a pixel.
    """
    return _kinds(*class_maps(prediction, truth))


def _kinds(told: IntArray, true: IntArray) -> IntArray:
    if not true.size:
        return np.zeros(true.shape, np.uint8)
    void = np.iinfo(true.dtype).max
    is_void = true == void
    told = np.where(is_void, void, told)  # what is predicted there must not join or part segments
    is_lost, is_false = _unmatched(true, told), _unmatched(told, true)
    kinds = np.full(true.shape, _EXTENT, np.uint8)
    kinds[unlike(true, is_void, square(NEAR))] = _BORDERS
    kinds[is_false] = _INVENTED
    kinds[is_lost] = _MISSED
    kinds[is_lost & is_false] = _CONFUSION
    kinds[told == true] = RIGHT
    kinds[is_void] = VOID_PIXEL
    return kinds


def _unmatched(classes: IntArray, others: IntArray) -> BoolArray:
    """Mark the segments of ``classes`` of which too few pixels have their class near them in ``others``."""
    found = np.zeros(classes.shape, bool)
    void = np.iinfo(classes.dtype).max
    alone = np.where(_near(classes, others), void, classes)  # few pixels as a rule, so that counting them costs little
    for index in present_in(alone[alone != void]).tolist():
        mask = classes == index
        left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
        box = np.s_[top : top + height, left : left + width]
        number, ids = cv2.connectedComponents(mask[box].astype(np.uint8), connectivity=8)
        areas, missing = (np.bincount(ids[pixels], minlength=number) for pixels in (mask[box], alone[box] == index))
        is_bad = missing > (1 - FOUND) * areas
        if is_bad.any():
            found[box] |= is_bad[ids]
    return found


def _near(classes: IntArray, others: IntArray) -> BoolArray:
    """Mark the pixels whose class is within ``NEAR`` of them in ``others``."""
    found = np.zeros(classes.shape, bool)
    height, width = classes.shape
    for down in range(-NEAR, NEAR + 1):
        for right in range(-NEAR, NEAR + 1):
            here = np.s_[max(0, -down) : max(0, height - down), max(0, -right) : max(0, width - right)]
            there = np.s_[max(0, down) : max(0, height + down), max(0, right) : max(0, width + right)]
            found[here] |= classes[here] == others[there]
    return found


def _by_kind(classes: IntArray, kinds: IntArray, length: int) -> IntArray:
    """Count wrong pixels by class and kind (L, 5); those without a class are not counted."""
    own = classes < length
    pairs = classes[own].astype(np.int64) * len(ERROR_KINDS) + kinds[own] - 1
    return np.bincount(pairs, minlength=length * len(ERROR_KINDS)).reshape(length, -1)


def score(counts: Counts) -> dict[str, float]:
    """Give every score of ``RULES`` by name; NaN where nothing was counted."""
    return {name: float(known_mean(values)) for name, values in _lost(counts.totals()).items()}


def per_class(counts: Counts) -> dict[str, dict[str, float]]:
    """Give the losses of each class by its name, which add up to 1 - IoU; NaN for absent classes."""
    lost = _lost(counts.totals())
    return {name: {key: float(values[index]) for key, values in lost.items()} for index, name in enumerate(counts.labels.names)}


def resampled(counts: Counts, weights: IntArray) -> Resampled:
    """Score B data sets in which image n stands ``weights[b, n]`` times."""
    lost = _lost(counts.weighted(weights))
    by_class = {name: {key: values[:, index] for key, values in lost.items()} for index, name in enumerate(counts.labels.names)}
    return Resampled({name: known_mean(values) for name, values in lost.items()}, by_class)


def details(counts: Counts, names: Sequence[str]) -> dict[str, Any]:
    """Give the share of the labelled pixels that is wrong by kind, and the images, of these ``names``, worst by each kind."""
    wrong = np.zeros((counts.count, len(ERROR_KINDS)), np.int64)
    right = np.zeros(counts.count, np.int64)
    np.add.at(wrong, counts.images, counts.values[:, 1 : 1 + len(ERROR_KINDS)])
    np.add.at(right, counts.images, counts.values[:, 0])
    labelled = right + wrong.sum(axis=1)
    shares, total = ratio(wrong, labelled[:, None]), ratio(wrong.sum(axis=0), labelled.sum())
    worst = {
        kind: [{"name": names[row], "share": float(shares[row, column])} for row in _highest(shares[:, column])]
        for column, kind in enumerate(ERROR_KINDS.values())
    }
    return {"wrong_by_kind": dict(zip(ERROR_KINDS.values(), total.tolist(), strict=True)), "worst_by_kind": worst}


def _highest(shares: FloatArray) -> list[int]:
    """Find the images with the most of a kind of error, worst first; those with none are left out."""
    order = np.argsort(-np.nan_to_num(shares), kind="stable")[:_SHOWN]
    return [row for row in order.tolist() if shares[row] > 0]


def _lost(sums: AnyArray) -> dict[str, FloatArray]:
    """Give the IoU that each kind costs each class (…) of the counts (…, 11)."""
    kinds = len(ERROR_KINDS)
    wrong = sums[..., 1 : 1 + kinds] + sums[..., 1 + kinds :]
    either = np.asarray(sums).sum(axis=-1)
    return {name: ratio(wrong[..., column], either) for column, name in enumerate(RULES)}
