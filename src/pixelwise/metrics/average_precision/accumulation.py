"""From match tables to precision at 101 recalls, recall, and the twelve numbers of COCO: pycocotools' figures, bit for bit.

Predicted objects are gone through by falling score. Precision changes for the better at right ones alone, so the curve is
made at those: of D objects, as many as were found. All classes and thresholds are worked on together, and classes without
truth are left out: with us they are NaN, where pycocotools has -1.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray, IntArray
from pixelwise.metrics.average_precision.tables import AREAS, LIMITS, RECALLS, THRESHOLDS, Ranking

TINY = float(np.spacing(1))  # as pycocotools: keeps 0 / 0 away
_NONE = -1.0  # where a class has no object that counts

TWELVE: dict[str, tuple[str, float | None, str, int]] = {  # precision or recall, IoU (None: the mean), area, limit
    "ap": ("precision", None, "all", 100),
    "ap50": ("precision", 0.5, "all", 100),
    "ap75": ("precision", 0.75, "all", 100),
    "ap_small": ("precision", None, "small", 100),
    "ap_medium": ("precision", None, "medium", 100),
    "ap_large": ("precision", None, "large", 100),
    "ar1": ("recall", None, "all", 1),
    "ar10": ("recall", None, "all", 10),
    "ar100": ("recall", None, "all", 100),
    "ar_small": ("recall", None, "small", 100),
    "ar_medium": ("recall", None, "medium", 100),
    "ar_large": ("recall", None, "large", 100),
}


class Curves(NamedTuple):
    """Precision and score at each recall, in A ranges of area, with at most M objects an image; -1 where undefined.

    Attributes:
        classes: (K,) those of which an object counts.
        precision: (T, R, K, A, M) the best precision at this recall or above.
        scores: (T, R, K, A, M) the score at which the recall is reached.
        recall: (T, K, A, 3) the highest recall reached, for each of ``LIMITS``.
        objects: (A, K) the true objects that count.
    """

    classes: IntArray
    precision: FloatArray
    scores: FloatArray
    recall: FloatArray
    objects: IntArray


def curves(ranked: Ranking, limits: tuple[int, ...] = LIMITS[-1:]) -> Curves:
    """Make the curves of every class with objects, at every threshold, for each of ``limits``."""
    classes = np.flatnonzero(ranked.objects.any(axis=0))
    ranked = _of_classes(ranked, classes)
    shape = (len(THRESHOLDS), len(RECALLS), len(classes), len(AREAS), len(limits))
    precision, scores = np.full(shape, _NONE), np.full(shape, _NONE)
    recall = np.full((len(THRESHOLDS), len(classes), len(AREAS), len(LIMITS)), _NONE)
    for area, objects in enumerate(ranked.objects):
        known = objects > 0
        for number, limit in enumerate(LIMITS) if known.any() else ():
            rows = np.flatnonzero(ranked.ranks < limit)
            right, wrong = outcomes(ranked, area, rows)
            found = np.stack([np.bincount(ranked.classes[rows[one]], minlength=len(classes)) for one in right])
            recall[:, known, area, number] = found[:, known] / objects[known]
            if limit in limits:
                place = area, limits.index(limit)
                at_recalls = _at_recalls(right, wrong, ranked.classes[rows], ranked.scores[rows], objects)
                precision[:, :, known, *place], scores[:, :, known, *place] = (one[:, :, known] for one in at_recalls)
    return Curves(classes, precision, scores, recall, ranked.objects)


def _of_classes(ranked: Ranking, classes: IntArray) -> Ranking:
    """Keep the objects of some classes, which are numbered anew."""
    homes = np.full(ranked.objects.shape[1], -1)
    homes[classes] = np.arange(len(classes))
    rows = np.flatnonzero(homes[ranked.classes] >= 0)
    return Ranking(
        homes[ranked.classes[rows]],
        ranked.scores[rows],
        ranked.matched[:, rows],
        ranked.ignored[:, rows],
        ranked.images[rows],
        ranked.ranks[rows],
        ranked.objects[:, classes],
    )


def outcomes(ranked: Ranking, area: int, rows: IntArray) -> tuple[BoolArray, BoolArray]:
    """Tell at each threshold (T, D) which predicted objects are right, and which are wrong; ignored ones are neither."""
    bits = np.arange(len(THRESHOLDS), dtype=np.uint16)[:, None]
    matched, counted = ranked.matched[area, rows], ~ranked.ignored[area, rows]
    return ((matched & counted) >> bits & 1).astype(bool), ((~matched & counted) >> bits & 1).astype(bool)


def _at_recalls(
    right: BoolArray, wrong: BoolArray, classes: IntArray, scores: FloatArray, objects: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Give precision and score (T, R, K) at each recall, from what is right and wrong (T, D), class after class."""
    thresholds, length = len(right), len(objects)
    lines = np.arange(thresholds)[:, None]  # a class at a threshold is a line of its own, and all lines are worked on as one
    starts = (np.searchsorted(classes, np.arange(length)) + lines * right.shape[1]).ravel()
    places = np.flatnonzero(right)
    homes = (classes + lines * length).ravel()[places]
    firsts = np.searchsorted(places, np.append(starts, right.size))
    tops = np.arange(1, len(places) + 1) - firsts[homes]
    errors = np.append(0, np.cumsum(wrong))
    bottoms = errors[places] - errors[starts[homes]] + tops
    best = _best_from_here(tops / (bottoms + TINY), homes)
    needed = np.tile(_needed(objects), thresholds)
    have = np.diff(firsts)
    reached = (needed <= have) & (have > 0)
    where = np.where(reached, firsts[:-1] + np.maximum(needed, 1) - 1, 0)
    precision = np.where(reached, _taken(best, where), 0.0)
    at = np.where(needed > 0, _taken(places, where), starts)  # recall 0 is reached by the first object, right or wrong
    is_any = np.tile(np.bincount(classes, minlength=length) > 0, thresholds)
    score = np.where(reached | (needed == 0) & is_any, _taken(np.tile(scores, thresholds), at), 0.0)
    shape = (len(RECALLS), thresholds, length)
    return precision.reshape(shape).swapaxes(0, 1), score.reshape(shape).swapaxes(0, 1)


def _needed(objects: IntArray) -> IntArray:
    """Count the objects (R, L) that must be found for each recall, by the very divisions that a recall is made with."""
    needed = np.zeros((len(RECALLS), len(objects)), np.int64)
    for number in np.unique(objects[objects > 0]).tolist():
        needed[:, objects == number] = np.searchsorted(np.arange(number + 1) / number, RECALLS)[:, None]
    return needed


def _best_from_here(values: FloatArray, homes: IntArray) -> FloatArray:
    """Give the highest of the values (P,) from each on to the last of its class, in as many steps as it has binary digits."""
    best, step = values.copy(), 1
    while step < len(best):
        same = homes[step:] == homes[:-step]
        if not same.any():
            break
        best[:-step] = np.where(same, np.maximum(best[:-step], best[step:]), best[:-step])
        step *= 2
    return best


def _taken(values: FloatArray | IntArray, where: IntArray) -> FloatArray:
    return np.asarray(values[np.minimum(where, len(values) - 1)] if len(values) else np.zeros(where.shape, values.dtype))


def twelve(found: Curves) -> dict[str, float]:
    """Take COCO's twelve numbers from the curves (of at most 100 objects); NaN where no class has an object that counts."""
    names = list(AREAS)
    scores = {}
    for name, (kind, iou, area, limit) in TWELVE.items():
        rows = slice(None) if iou is None else np.flatnonzero(iou == THRESHOLDS)
        if kind == "precision":
            values = found.precision[rows][:, :, :, names.index(area), -1]
        else:
            values = found.recall[rows][:, :, names.index(area), LIMITS.index(limit)]
        known = values[values > _NONE]
        scores[name] = float(known.mean()) if known.size else math.nan
    return scores


def of_classes(found: Curves, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Give the scores of each class, and how many true objects of it count; NaN where there are none."""
    precision, recall = found.precision[:, :, :, 0, -1], found.recall[:, :, 0, -1]
    columns = {
        "ap": precision.mean(axis=(0, 1)),
        "ap50": precision[THRESHOLDS == 0.5].mean(axis=(0, 1)),
        "ap75": precision[THRESHOLDS == 0.75].mean(axis=(0, 1)),
        "ar100": recall.mean(axis=0),
    }
    scores: dict[str, dict[str, float]] = {name: {**dict.fromkeys(columns, math.nan), "objects": 0} for name in names}
    for row, index in enumerate(found.classes.tolist()):
        if objects := int(found.objects[0, row]):
            scores[names[index]] = {**{key: float(values[row]) for key, values in columns.items()}, "objects": objects}
    return scores
