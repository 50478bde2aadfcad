"""Match predicted objects with true ones, the best scored first, at ten thresholds of IoU and in four ranges of area at once.

The rule is COCO's [1]. In each class, predicted objects choose by falling score; each takes, of the true objects that are
still free, the one with the highest IoU not below the threshold (of equal ones the last). True objects that do not count,
because they are crowds or of another size, are taken only if there is no other; a crowd is never used up. What has found
such an object, or has found none and is itself of another size, is ignored.

The ten thresholds are ten bits of a number: who is free, who matches and who is left are told for all of them by one
operation, and only pairs with an IoU of at least 0.5 are looked at, of which there are few.

[1] Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014, and the evaluation code that came with it.
"""

from collections.abc import Iterable

import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray, IntArray
from pixelwise.core.errors import DataError, SizeMismatch
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.average_precision.overlaps import Compare
from pixelwise.metrics.average_precision.tables import AREAS, LIMITS, THRESHOLDS, Matches
from pixelwise.metrics.context import Key

_ALL = (1 << len(THRESHOLDS)) - 1


def match(prediction: Segmentation, truth: Segmentation, key: Key, compare: Compare, areas: FloatArray) -> Matches:
    """Match the objects of one image; ``areas`` (S,) are those of the predicted ones, the truth's are as stated.

    Predicted objects of classes that the truth does not know are left out.
    """
    homes = _classes_under(prediction, truth.labels)
    scores = scores_of(prediction)
    order = np.lexsort((-scores, homes))
    rows = _best(order[homes[order] >= 0], homes)
    classes = homes[rows]
    out_of_range = _outside(truth.stated_areas())
    unwanted = out_of_range | truth.is_crowd
    matched, ignored = _match_classes(rows, classes, truth, unwanted, compare)
    is_other_size = _outside(areas[rows])
    ignored = np.where(is_other_size, ignored | (_ALL & ~matched), ignored)
    true_classes = np.unique(truth.class_ids)
    objects = np.stack([np.bincount(truth.class_ids[~row], minlength=len(truth.labels))[true_classes] for row in unwanted])
    return Matches(
        key,
        classes.astype(np.uint16),
        scores[rows],
        matched.astype(np.uint16),
        ignored.astype(np.uint16),
        true_classes.astype(np.uint16),
        objects.astype(np.uint32),
    )


def scores_of(prediction: Segmentation) -> FloatArray:
    """Give the scores (S,), 1 where none are given.

    Raises:
        DataError: one is no number from 0 to 1.
    """
    if prediction.scores is None:
        return np.ones(len(prediction))
    scores = prediction.scores.astype(np.float64)
    wrong = np.flatnonzero(~((scores >= 0) & (scores <= 1)))
    if wrong.size:
        index = int(wrong[0])
        raise DataError(
            f"expected scores from 0 to 1, but segment {index} ({prediction.names[index]}) of the prediction has "
            f"{scores[index]:g}"
        )
    return scores


def require_same_size(prediction: Segmentation, truth: Segmentation) -> None:
    """Refuse a prediction of another size.

    Raises:
        SizeMismatch: the two differ in size.
    """
    if prediction.size != truth.size:
        raise SizeMismatch(f"the prediction is {prediction.size}, the truth {truth.size} (height, width); predict at full size")


def _classes_under(prediction: Segmentation, labels: LabelSet) -> IntArray:
    """Give the classes (S,) as ``labels`` numbers them; -1 for those it does not know."""
    own = prediction.labels
    return prediction.class_ids if own.same_classes(labels) else own.map_to(labels)[prediction.class_ids]


def _best(rows: IntArray, homes: IntArray) -> IntArray:
    """Keep the first 100 rows of each class."""
    if len(rows) <= LIMITS[-1]:
        return rows
    classes = homes[rows]
    ranks = np.arange(len(rows)) - np.searchsorted(classes, classes)
    return rows[ranks < LIMITS[-1]]


def _outside(areas: FloatArray) -> BoolArray:
    """Tell which areas (S,) are outside each range (4, S)."""
    return np.stack([(areas < low) | (areas > high) for low, high in AREAS.values()])


def _match_classes(
    rows: IntArray, classes: IntArray, truth: Segmentation, unwanted: BoolArray, compare: Compare
) -> tuple[IntArray, IntArray]:
    """Match class by class: the bits (4, D) that say where each predicted object has matched, and where it is ignored."""
    matched, ignored = np.zeros((2, len(AREAS), len(rows)), np.int64)
    crowd = truth.is_crowd
    for index in np.intersect1d(classes, truth.class_ids).tolist():
        columns = np.flatnonzero(truth.class_ids == index)
        first, last = np.searchsorted(classes, (index, index + 1))
        options = _options(compare(rows[first:last], columns))
        places = [first + place for place in options]
        for area in range(len(AREAS)) if options else ():
            found = _choose(options.values(), unwanted[area, columns].tolist(), crowd[columns].tolist())
            matched[area, places], ignored[area, places] = np.array(found).T
    return matched, ignored


def _options(table: FloatArray) -> dict[int, list[tuple[int, int]]]:
    """List what each predicted object could match at some threshold: true objects, best first, with the bits of thresholds."""
    down, across = np.nonzero(table >= THRESHOLDS[0])
    values = table[down, across]
    order = np.lexsort((-across, -values, down))
    levels = np.searchsorted(THRESHOLDS, values[order], side="right")
    options: dict[int, list[tuple[int, int]]] = {}
    for place, column, level in zip(down[order].tolist(), across[order].tolist(), levels.tolist(), strict=True):
        options.setdefault(place, []).append((column, (1 << level) - 1))
    return options


def _choose(options: Iterable[list[tuple[int, int]]], unwanted: list[bool], crowd: list[bool]) -> list[tuple[int, int]]:
    """Let one predicted object after the other choose: bits where it matched, and of them those where the match is ignored."""
    taken = [0] * len(crowd)
    found = []
    for each in options:
        matched, unused = 0, 0
        for wanted in (True, False):
            for column, levels in each:
                if unwanted[column] == wanted:
                    continue
                bits = levels & ~matched & ~taken[column]
                matched |= bits
                if not wanted:
                    unused |= bits
                if not crowd[column]:
                    taken[column] |= bits
        found.append((matched, unused))
    return found
