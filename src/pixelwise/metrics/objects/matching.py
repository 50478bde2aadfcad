"""Which predicted objects hit which true ones, which are split and which are merged, in one image."""

from typing import NamedTuple

import numpy as np

from pixelwise.core import runs
from pixelwise.core.arrays import BoolArray, FloatArray, IntArray
from pixelwise.core.labels import VOID
from pixelwise.core.masks import DisjointMasks, Masks, paint
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.segment_pairs import classes_under, joint
from pixelwise.metrics.views import CONFIDENT

THRESHOLDS = np.arange(10, 20) / 20  # 0.5 to 0.95, each the nearest number to its decimal
LINKED = 0.1  # IoU above which two objects have to do with one another, for splits and merges


class Objects(NamedTuple):
    """S objects of one side: masks, classes (S,) numbered as in the truth, and areas (S,); the order says nothing."""

    masks: Masks
    classes: IntArray
    areas: IntArray


class Overlaps(NamedTuple):
    """The K pairs of objects of one class that share pixels: which (K,), how many pixels (K,), and their IoU (K,)."""

    truths: IntArray
    predictions: IntArray
    shared: IntArray
    ious: FloatArray


class Compared(NamedTuple):
    """How the predicted objects of an image compare with the true ones.

    Attributes:
        predictions, truths: the P and S objects that count.
        pairs: those that share pixels.
        hits: of each threshold, the rows of ``pairs`` that are hits.
        ignored: (thresholds, P) predicted objects that are left out, as they lie in a crowd and hit nothing.
        is_split, is_merge: (S,) and (P,).
    """

    predictions: Objects
    truths: Objects
    pairs: Overlaps
    hits: tuple[IntArray, ...]
    ignored: BoolArray
    is_split: BoolArray
    is_merge: BoolArray


def compare(prediction: Segmentation, truth: Segmentation) -> Compared:
    """Match the objects of one image, class by class."""
    predictions, truths, crowds = sides(prediction, truth)
    pairs = overlaps(predictions, truths)
    in_crowd = inside(overlaps(predictions, crowds), predictions.areas)
    hits = tuple(matched(pairs, threshold) for threshold in THRESHOLDS.tolist())
    ignored = in_crowd > THRESHOLDS[:, None]
    for row, own in zip(ignored, hits, strict=True):
        row[pairs.predictions[own]] = False
    return Compared(predictions, truths, pairs, hits, ignored, *divided(pairs, predictions, truths, ignored[0]))


def sides(prediction: Segmentation, truth: Segmentation) -> tuple[Objects, Objects, Objects]:
    """Take the predicted objects that count, the true ones, and the crowds of the truth.

    Objects without a pixel count on no side; predicted ones count with a score of at least ``CONFIDENT`` and a class that the
    truth knows.
    """
    confident = np.full(len(prediction), True) if prediction.scores is None else prediction.scores >= CONFIDENT
    classes = classes_under(prediction, truth.labels)
    found = _objects(prediction.masks, classes, confident & (classes != VOID))
    return (
        found,
        _objects(truth.masks, truth.class_ids, ~truth.is_crowd),
        _objects(truth.masks, truth.class_ids, truth.is_crowd),
    )


def _objects(masks: Masks, classes: IntArray, kept: BoolArray) -> Objects:
    """Keep some objects, in an order that only their masks decide: ties must not depend on numbering."""
    areas, coded = masks.areas(), masks.run_lengths() if kept.any() else ()
    rows = np.array(sorted(np.flatnonzero(kept & (areas > 0)).tolist(), key=lambda row: coded[row].counts), np.int64)
    return Objects(masks.select(rows), classes[rows], areas[rows])


def overlaps(predictions: Objects, truths: Objects) -> Overlaps:
    """Compare the objects of each class: by id maps where both sides are disjoint, else by run lengths."""
    if isinstance(predictions.masks, DisjointMasks) and isinstance(truths.masks, DisjointMasks):
        first, second, pixels = joint(truths.masks.ids, predictions.masks.ids, (len(truths.masks), len(predictions.masks)))
        kept = (first > 0) & (second > 0)
        rows, columns, shared = first[kept] - 1, second[kept] - 1, pixels[kept]
        alike = truths.classes[rows] == predictions.classes[columns]
        rows, columns, shared = rows[alike], columns[alike], shared[alike]
    else:
        rows, columns, shared = _by_runs(predictions, truths)
    return Overlaps(rows, columns, shared, shared / (truths.areas[rows] + predictions.areas[columns] - shared))


def _by_runs(predictions: Objects, truths: Objects) -> tuple[IntArray, IntArray, IntArray]:
    found = [np.zeros((3, 0), np.int64)]
    coded, true = predictions.masks.run_lengths(), truths.masks.run_lengths()
    for index in np.intersect1d(predictions.classes, truths.classes):
        columns, rows = np.flatnonzero(predictions.classes == index), np.flatnonzero(truths.classes == index)
        ious = runs.intersection_over_union([true[row] for row in rows], [coded[column] for column in columns])
        first, second = np.nonzero(ious)
        both = truths.areas[rows[first]] + predictions.areas[columns[second]]
        iou = ious[first, second]  # = shared / (both - shared), so the pixels follow, exact once rounded
        found.append(np.stack([rows[first], columns[second], np.rint(iou * both / (1 + iou)).astype(np.int64)]))
    rows, columns, shared = np.concatenate(found, axis=1)
    return rows, columns, shared


def inside(pairs: Overlaps, areas: IntArray) -> FloatArray:
    """Give the largest share of each predicted object (P,) that lies in one crowd; ``pairs`` are with crowds."""
    found = np.zeros(len(areas))
    np.maximum.at(found, pairs.predictions, pairs.shared / areas[pairs.predictions])
    return found


def matched(pairs: Overlaps, threshold: float) -> IntArray:
    """Choose the pairs that are hits: IoU above the threshold, each object in one at most.

    Disjoint objects leave no choice, as IoU above 0.5 is reached with one other at most. Where objects overlap, as many pairs
    as possible are chosen, and among those the ones of the greatest added IoU.
    """
    close = np.flatnonzero(pairs.ious > threshold)
    truths, predictions = pairs.truths[close], pairs.predictions[close]
    alone = (np.bincount(truths)[truths] == 1) & (np.bincount(predictions)[predictions] == 1)
    if alone.all():
        return close
    from scipy.optimize import linear_sum_assignment  # on first use: overlapping objects are rare

    contested = close[~alone]
    rows, row = np.unique(pairs.truths[contested], return_inverse=True)
    columns, column = np.unique(pairs.predictions[contested], return_inverse=True)
    gains = np.zeros((len(rows), len(columns)))
    gains[row, column] = 1 + pairs.ious[contested] / (2 * min(gains.shape))  # all IoU together weigh less than one pair more
    chosen = np.zeros(gains.shape, bool)
    chosen[linear_sum_assignment(gains, maximize=True)] = True
    return np.sort(np.concatenate([close[alone], contested[chosen[row, column]]]))


class Aggregated(NamedTuple):
    """What the aggregated Jaccard index is made of.

    Attributes:
        shared, covered: (S,) pixels that each true object and the predicted one it takes share, and that they cover.
        left: (P,) pixels of the predicted objects that none takes, 0 for the others.
    """

    shared: IntArray
    covered: IntArray
    left: IntArray


def aggregated(pairs: Overlaps, predictions: Objects, truths: Objects) -> Aggregated:
    """Let each true object take the predicted one of the highest IoU, also if another has taken it [1].

    Of several equally good ones, one is taken that none has taken before.

    [1] Kumar et al., A Dataset and a Technique for Generalized Nuclear Segmentation, IEEE TMI 36(7), 2017, algorithm 1.
    """
    shared, covered = np.zeros(len(truths.areas), np.int64), truths.areas.copy()
    is_taken = np.zeros(len(predictions.areas), bool)
    order = np.lexsort((pairs.predictions, -pairs.ious, pairs.truths))
    groups = np.split(order, np.flatnonzero(np.diff(pairs.truths[order])) + 1)
    for group in groups if order.size else ():
        best = group[pairs.ious[group] == pairs.ious[group[0]]]
        taken = best[np.argmin(is_taken[pairs.predictions[best]])]
        truth, own = pairs.truths[taken], pairs.predictions[taken]
        is_taken[own] = True
        shared[truth] = pairs.shared[taken]
        covered[truth] += predictions.areas[own] - pairs.shared[taken]
    return Aggregated(shared, covered, np.where(is_taken, 0, predictions.areas))


def divided(pairs: Overlaps, predictions: Objects, truths: Objects, ignored: BoolArray) -> tuple[BoolArray, BoolArray]:
    """Mark the true objects that are split (S,) and the predicted ones that merge several (P,) [2].

    Two objects are linked if their IoU exceeds 0.1; one linked with two or more of the other side is split, or merges. Where
    the objects of a class overlap, each pixel goes to the smallest one there: else neighbours that lie on one another would be
    linked with each other's counterparts. ``ignored`` predictions (P,) are linked with nothing.

    [2] Caicedo et al., Evaluation of Deep Learning Strategies for Nucleus Segmentation in Fluorescence Images, Cytometry Part A
    95(9), 2019; the threshold is that of the evaluation they published.
    """
    if not (isinstance(predictions.masks, DisjointMasks) and isinstance(truths.masks, DisjointMasks)):
        pairs = _seen_pairs(predictions, truths)
    linked = (pairs.ious > LINKED) & ~ignored[pairs.predictions]
    splits = np.bincount(pairs.truths[linked], minlength=len(truths.areas)) > 1
    merges = np.bincount(pairs.predictions[linked], minlength=len(predictions.areas)) > 1
    return splits, merges


def _seen_pairs(predictions: Objects, truths: Objects) -> Overlaps:
    """Compare what is seen of the objects of each class when smaller ones are painted over larger ones."""
    nothing = np.zeros(0, np.int64)
    found = [Overlaps(nothing, nothing, nothing, np.zeros(0))]
    for index in np.intersect1d(predictions.classes, truths.classes):
        rows = [np.flatnonzero(each.classes == index) for each in (predictions, truths)]
        own, true = (_seen(each, kept) for each, kept in zip((predictions, truths), rows, strict=True))
        pairs = overlaps(own, true)
        found.append(pairs._replace(truths=rows[1][pairs.truths], predictions=rows[0][pairs.predictions]))
    return Overlaps(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _seen(objects: Objects, rows: IntArray) -> Objects:
    """Keep some objects, and of each what no smaller one of them covers."""
    masks = objects.masks.select(rows)
    if not isinstance(masks, DisjointMasks):
        masks = paint(masks, np.argsort(-objects.areas[rows], kind="stable"))
    return Objects(masks, objects.classes[rows], masks.areas())
