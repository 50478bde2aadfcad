"""Objects found, missed, invented, split and merged, for sets of many objects alike, such as nuclei.

A predicted object hits a true one of its class if their IoU exceeds a threshold; each hits and is hit once. Of a class, at a
threshold, TP are the hits, FN the true objects without one (misses), FP the predicted objects without one (inventions).

- Predicted objects with a score below 0.5 do not count; those without scores all do. These scores judge one answer, not a
  ranking of guesses.
- Crowds of the truth are neither hit nor missed. A predicted object without a hit at a threshold is left out there if more of
  it than the threshold lies in one crowd of its class.
- Objects without a pixel count on neither side; predicted objects of a class the truth does not know do not count.
- A class with no TP, FP or FN, over all that is scored together, is left out of the means. Precision is 0 for a class of which
  nothing was predicted, recall 0 for one that is not in the truth.
- ``<name>`` is made of the summed counts of the data set; ``<name>_per_image`` is the mean of the scores of single images, each
  by the same rules; images without an object on either side are left out of it. The Data Science Bowl 2018 ranked by
  ``dsb_ap_per_image``, of one class.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pixelwise.core.arrays import AnyArray, FloatArray, IntArray
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.class_rows import ClassRows, exact_mean, known_mean, ratio
from pixelwise.metrics.interval import Resampled
from pixelwise.metrics.objects.matching import THRESHOLDS, Compared, aggregated, compare
from pixelwise.metrics.segment_pairs import exact_totals, ordered_sums, require_comparable
from pixelwise.metrics.sizes import BOUNDS
from pixelwise.metrics.views import CONFIDENT

_DATASET = {
    "dsb_ap": "Data Science Bowl 2018: mean over IoU thresholds 0.5, 0.55 … 0.95 of TP / (TP + FP + FN), mean over classes",
    "object_f1": "2 TP / (2 TP + FP + FN) at IoU above 0.5, mean over classes",
    "object_f1_75": "2 TP / (2 TP + FP + FN) at IoU above 0.75, mean over classes",
    "object_precision": "TP / (TP + FP) at IoU above 0.5, mean over classes",
    "object_recall": "TP / (TP + FN) at IoU above 0.5, mean over classes",
    "matched_iou": "mean IoU of the hits at IoU above 0.5, mean over classes with hits",
    "aji": "aggregated Jaccard index (Kumar 2017): shared / covered pixels of true objects and their best counterparts, and of "
    "predicted objects that are none's; mean over classes",
    "split_rate": "true objects linked (IoU above 0.1) with two or more predicted ones / true objects, mean over classes",
    "merge_rate": "predicted objects linked (IoU above 0.1) with two or more true ones / predicted objects, mean over classes",
}
_BY_IMAGE = ("dsb_ap", "object_f1", "aji")
RULES: dict[str, str] = {**_DATASET, **{f"{name}_per_image": f"mean over images of {name} of one image" for name in _BY_IMAGE}}
NOTES: dict[str, str] = {
    "objects": f"objects match within their class, each once; predicted ones count with a score of at least {CONFIDENT}",
    "crowds of objects": "predicted objects without a hit that lie mostly (by more than the threshold) in a crowd do not count",
    "absent classes of objects": "a class with no object on either side is left out of the means; unknown classes do not count",
    "overlapping objects": "where objects of a class overlap, a pixel is of the smallest, for splits and merges alone",
}
KIND = "instance"
LOWER_IS_BETTER: frozenset[str] = frozenset({"split_rate", "merge_rate"})

_MANY = len(THRESHOLDS)
_TRUE, _PREDICTED, _, _, _, _SPLITS, _MERGES = range(7)
_HITS, _IGNORED = slice(7, 7 + _MANY), slice(7 + _MANY, 7 + 2 * _MANY)
_BY_SIZE = ("objects", "hits", "splits", "inventions", "merges")


@dataclass(frozen=True, eq=False)
class Counts:
    """What object scores are made of; ``+`` joins the counts of different images.

    Attributes:
        rows: by image and class, 27 numbers (232 bytes): true and predicted objects, added IoU of the hits at 0.5, shared and
            covered pixels of the aggregated Jaccard index, splits, merges, and at each threshold hits and objects left out.
        by_size: (5, 9) true objects, hits and splits by the size of the true object, inventions and merges by that of the
            predicted one; hits and inventions at IoU 0.5.
    """

    rows: ClassRows
    by_size: IntArray

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.rows + other.rows, self.by_size + other.by_size) if isinstance(other, Counts) else NotImplemented

    def __radd__(self, other: object) -> "Counts":  # sum() starts with 0
        return self if other == 0 else NotImplemented


def count(prediction: Segmentation, truth: Segmentation) -> Counts:
    """Count one image; classes are joined by name.

    Raises:
        SizeMismatch: the two differ in size.
        DataError: one of them has other segments than objects, or a predicted score is not in [0, 1].
    """
    require_comparable(prediction, truth, ("instance",))
    found, length = compare(prediction, truth), len(truth.labels)
    return Counts(ClassRows.of(truth.labels, _table(found, length)), _sizes(found))


def _table(found: Compared, length: int) -> FloatArray:
    """Give the 27 numbers of each class in one image (L, 27)."""
    predictions, truths, pairs = found.predictions, found.truths, found.pairs
    jaccard, first = aggregated(pairs, predictions, truths), found.hits[0]
    left = np.where(found.ignored[0], 0, jaccard.left)

    def by_class(classes: IntArray, weights: AnyArray | None = None) -> AnyArray:
        return np.bincount(classes, weights, length)

    columns = [
        by_class(truths.classes),
        by_class(predictions.classes),
        ordered_sums(truths.classes[pairs.truths[first]], pairs.ious[first], length),
        by_class(truths.classes, jaccard.shared),
        by_class(truths.classes, jaccard.covered) + by_class(predictions.classes, left),
        by_class(truths.classes, found.is_split),
        by_class(predictions.classes, found.is_merge),
        *(by_class(truths.classes[pairs.truths[own]]) for own in found.hits),
        *(by_class(predictions.classes, row) for row in found.ignored),
    ]
    return np.stack(columns, axis=1).astype(np.float64)


def _sizes(found: Compared) -> IntArray:
    """Count the objects of one image by size (5, 9)."""
    of_truth, of_prediction = (np.searchsorted(BOUNDS, each.areas, side="right") for each in (found.truths, found.predictions))
    first = found.hits[0]
    is_hit = np.isin(np.arange(len(of_truth)), found.pairs.truths[first])
    is_invented = ~found.ignored[0] & ~np.isin(np.arange(len(of_prediction)), found.pairs.predictions[first])
    kept = [of_truth, of_truth[is_hit], of_truth[found.is_split], of_prediction[is_invented], of_prediction[found.is_merge]]
    return np.stack([np.bincount(bins, minlength=len(BOUNDS) + 1) for bins in kept])


def score(counts: Counts) -> dict[str, float]:
    """Give every score of ``RULES`` by name; NaN where no class has an object."""
    by_class = _class_scores(exact_totals(counts.rows))
    means = {name: float(known_mean(values)) for name, values in by_class.items()}
    return means | {f"{name}_per_image": exact_mean(values) for name, values in _by_image(counts).items()}


def per_class(counts: Counts) -> dict[str, dict[str, float]]:
    """Give the scores and numbers of objects of each class by name, hits, misses and inventions at IoU 0.5; NaN if absent."""
    sums = exact_totals(counts.rows)
    scores, hits = _class_scores(sums), sums[_HITS][0]
    numbers = {
        "objects": sums[_TRUE],
        "hits": hits,
        "misses": sums[_TRUE] - hits,
        "inventions": sums[_PREDICTED] - sums[_IGNORED][0] - hits,
        "splits": sums[_SPLITS],
        "merges": sums[_MERGES],
    }
    return {
        name: {key: float(values[index]) for key, values in scores.items()}
        | {key: int(values[index]) for key, values in numbers.items()}
        for index, name in enumerate(counts.rows.labels.names)
    }


def resampled(counts: Counts, weights: IntArray) -> Resampled:
    """Score B data sets in which image n stands ``weights[b, n]`` times: every score, as arrays (B,)."""
    by_class = _class_scores(np.moveaxis(counts.rows.weighted(weights), -1, 0))
    scores = {name: known_mean(values) for name, values in by_class.items()}
    for name, own in _by_image(counts).items():
        known = ~np.isnan(own)
        shares = weights[:, known].astype(np.float64)
        scores[f"{name}_per_image"] = ratio(shares @ own[known], shares.sum(axis=1))
    names = enumerate(counts.rows.labels.names)
    return Resampled(scores, {name: {key: values[:, index] for key, values in by_class.items()} for index, name in names})


def details(counts: Counts, names: Sequence[str]) -> dict[str, Any]:
    """Give objects by size (areas from, below; None: no bound), and hits, misses and inventions by IoU threshold."""
    edges = [1, *BOUNDS, None]
    sizes = [dict(zip(_BY_SIZE, column, strict=True)) for column in counts.by_size.T.tolist()]
    sums = exact_totals(counts.rows)
    scores = known_mean(_f1(sums))
    true, predicted = sums[_TRUE].sum(), sums[_PREDICTED].sum()
    curve = []
    for threshold, hits, ignored, f1 in zip(
        THRESHOLDS, sums[_HITS].sum(axis=1), sums[_IGNORED].sum(axis=1), scores, strict=True
    ):
        numbers = {"hits": int(hits), "misses": int(true - hits), "inventions": int(predicted - ignored - hits)}
        curve.append({"iou": float(threshold), **numbers, "f1": None if np.isnan(f1) else float(f1)})
    return {
        "objects_by_size": [
            {"from": edges[row], "below": edges[row + 1], **one, "misses": one["objects"] - one["hits"]}
            for row, one in enumerate(sizes)
        ],
        "objects_by_iou": curve,
    }


def _by_image(counts: Counts) -> dict[str, FloatArray]:
    """Give the scores of single images (N,), each the mean over its classes; NaN for an image without objects."""
    scores = _class_scores(counts.rows.values.T)
    return {name: counts.rows.image_means(scores[name]) for name in _BY_IMAGE}


def _f1(sums: AnyArray) -> FloatArray:
    return ratio(2 * sums[_HITS], sums[_TRUE] + sums[_PREDICTED] - sums[_IGNORED])


def _class_scores(sums: AnyArray) -> dict[str, FloatArray]:
    """Score each class (…, L) from its sums (27, …, L)."""
    true, predicted, iou, shared, covered, splits, merges = sums[:7]
    hits, counted = sums[_HITS], predicted - sums[_IGNORED]
    either = true + counted - hits
    f1, is_there = _f1(sums), either[0] > 0
    precision, recall = (np.where(is_there & (total == 0), 0.0, ratio(hits[0], total)) for total in (counted[0], true))
    return {
        "dsb_ap": known_mean(np.moveaxis(ratio(hits, either), 0, -1)),
        "object_f1": f1[0],
        "object_f1_75": f1[5],
        "object_precision": precision,
        "object_recall": recall,
        "matched_iou": ratio(iou, hits[0]),
        "aji": ratio(shared, covered),
        "split_rate": ratio(splits, true),
        "merge_rate": ratio(merges, counted[0]),
    }
