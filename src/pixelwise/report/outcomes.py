"""What became of the objects of an image, by the rules of the scores, as rows that a picture can be drawn from.

Instances are matched as ``metrics.objects`` does (IoU above 0.5, scores of at least 0.5), panoptic segments as
``metrics.panoptic_quality`` does. What is then left on both sides is matched once more whatever its class: those pairs are
objects of a wrong class. Predicted objects that lie mostly in a crowd, or in void, became nothing and are in no list.
"""

import numpy as np

from pixelwise.core.arrays import BoolArray, IntArray
from pixelwise.core.labels import VOID
from pixelwise.core.segmentation import Segmentation
from pixelwise.draw.objects import Outcome
from pixelwise.metrics import panoptic_quality
from pixelwise.metrics.objects.matching import Objects, Overlaps, inside, matched, overlaps
from pixelwise.metrics.segment_pairs import classes_under, require_comparable
from pixelwise.metrics.views import CONFIDENT

HIT = 0.5  # IoU that a hit exceeds


def outcome(prediction: Segmentation, truth: Segmentation) -> Outcome:
    """Match the objects, or the panoptic segments, of one image.

    Raises:
        SizeMismatch: the two differ in size.
        DataError: one of them is of another kind.
    """
    if truth.kind == "panoptic":
        return _panoptic(prediction, truth)
    require_comparable(prediction, truth, ("instance",))
    classes = classes_under(prediction, truth.labels)
    confident = np.full(len(prediction), True) if prediction.scores is None else prediction.scores >= CONFIDENT
    rows = np.flatnonzero(confident & (classes != VOID) & (prediction.masks.areas() > 0))
    areas = truth.masks.areas()
    true_rows, crowds = (np.flatnonzero((areas > 0) & chosen) for chosen in (~truth.is_crowd, truth.is_crowd))
    told = _chosen(prediction, rows, classes)
    true, groups = (_chosen(truth, each, truth.class_ids) for each in (true_rows, crowds))
    pairs = overlaps(told, true)
    hits = matched(pairs, HIT)
    is_out = inside(overlaps(told, groups), told.areas) > HIT
    anyhow = overlaps(_classless(told), _classless(true))
    return _sorted(hits, pairs, anyhow, is_out, rows, true_rows, crowds)


def is_found(found: Outcome, truth: Segmentation) -> BoolArray:
    """Tell which true objects (S,) were hit: those neither missed nor told another class, crowds left out."""
    hit = (truth.masks.areas() > 0) & ~truth.is_crowd
    hit[found.missed] = False
    hit[found.mistaken] = False
    return np.asarray(hit)


def words(found: Outcome) -> str:
    """Say how many objects became what.

    >>> none, one = np.zeros(0, int), np.zeros(1, int)
    >>> words(Outcome(one, none, none, one, none, none))
    '1 hit, 1 missed'
    """
    parts = [
        (len(found.hits), "hit" if len(found.hits) == 1 else "hits"),
        (len(found.missed), "missed"),
        (len(found.invented), "invented"),
        (len(found.confused), "of a wrong class"),
    ]
    return ", ".join(f"{count} {what}" for count, what in parts if count) or "nothing to find, nothing told"


def _panoptic(prediction: Segmentation, truth: Segmentation) -> Outcome:
    found = panoptic_quality.overlaps(prediction, truth)
    truths, predictions, shared = found.truths, found.predictions, found.shared
    union = found.true_areas[truths] + (found.areas - found.void)[predictions] - shared
    ious = np.where(found.is_crowd[truths], 0.0, shared / union)
    anyhow = Overlaps(truths, predictions, shared, ious)
    own = found.classes[predictions] == found.true_classes[truths]
    pairs = _kept(anyhow, np.flatnonzero(own))
    in_crowds = np.bincount(predictions, np.where(own & found.is_crowd[truths], shared, 0), len(found.areas))
    is_out = 2 * (found.void + in_crowds) > found.areas
    rows = np.flatnonzero((found.areas > 0) & (found.classes != VOID))
    true_rows = np.flatnonzero((found.true_areas > 0) & ~found.is_crowd)
    table, true_table = _places(rows, len(found.areas)), _places(true_rows, len(found.true_areas))
    pairs, anyhow = (_among(each, table, true_table) for each in (pairs, anyhow))
    return _sorted(matched(pairs, HIT), pairs, anyhow, is_out[rows], rows, true_rows, np.flatnonzero(found.is_crowd))


def _sorted(
    hits: IntArray, pairs: Overlaps, anyhow: Overlaps, is_out: BoolArray, rows: IntArray, true_rows: IntArray, crowds: IntArray
) -> Outcome:
    """Sort objects into lists; ``hits`` are rows of ``pairs``, and ``anyhow`` are pairs whatever their classes."""
    is_left, is_missed = np.full(len(rows), True), np.full(len(true_rows), True)
    is_left[pairs.predictions[hits]] = False
    is_missed[pairs.truths[hits]] = False
    rest = np.flatnonzero(is_left[anyhow.predictions] & is_missed[anyhow.truths])
    rest = rest[matched(_kept(anyhow, rest), HIT)]
    confused, mistaken = anyhow.predictions[rest], anyhow.truths[rest]
    is_left[confused] = False
    is_missed[mistaken] = False
    return Outcome(
        hits=rows[np.sort(pairs.predictions[hits])],
        confused=rows[confused],
        invented=rows[is_left & ~is_out],
        missed=true_rows[is_missed],
        crowds=crowds,
        mistaken=true_rows[mistaken],
    )


def _chosen(one: Segmentation, rows: IntArray, classes: IntArray) -> Objects:
    masks = one.masks.select(rows)
    return Objects(masks, classes[rows], masks.areas())


def _classless(objects: Objects) -> Objects:
    return objects._replace(classes=np.zeros_like(objects.classes))


def _places(rows: IntArray, length: int) -> IntArray:
    """Give the place of each segment among ``rows``, -1 for others."""
    table = np.full(length, -1)
    table[rows] = np.arange(len(rows))
    return table


def _among(pairs: Overlaps, table: IntArray, true_table: IntArray) -> Overlaps:
    """Number the segments of pairs by their places; pairs with a segment that has none are left out."""
    placed = pairs._replace(truths=true_table[pairs.truths], predictions=table[pairs.predictions])
    return _kept(placed, np.flatnonzero((placed.truths >= 0) & (placed.predictions >= 0)))


def _kept(pairs: Overlaps, rows: IntArray) -> Overlaps:
    return Overlaps(pairs.truths[rows], pairs.predictions[rows], pairs.shared[rows], pairs.ious[rows])
