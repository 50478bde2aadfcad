"""Parsing covering: how well the best counterpart covers each segment of the truth, large ones counting for more [1].

Covering of a class = sum over its segments R of the truth of |R| max IoU(R, R') / sum of |R|, where R' runs over the predicted
segments of the class in the same image; parsing covering is its mean over classes. Where panoptic quality counts every segment
once, this counts every pixel once, so a missed crumb costs little and a badly cut large segment much.

- Pixels that are void in the truth, or under its crowds, do not count; nothing in the prediction is punished for them.
- Sizes are pixels, as in the paper; the authors' program divides them by the size of the image by default.
- A class without a segment in the truth, over all that is scored together, is left out of the means: wrongly predicted segments
  of other classes cost only what they take away from the covering of others.

[1] Yang et al., DeeperLab: Single-Shot Image Parser, arXiv:1902.05093, 2019, section 5.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.class_rows import ClassRows, known_mean, ratio
from pixelwise.metrics.interval import Resampled
from pixelwise.metrics.panoptic_quality import overlaps
from pixelwise.metrics.segment_pairs import exact_totals, ordered_sums

_COVERING = "parsing covering = mean over {} classes of the best IoU of each segment of the truth, weighted by its pixels"
RULES: dict[str, str] = {
    "pc": _COVERING.format("all"),
    "pc_things": _COVERING.format("thing"),
    "pc_stuff": _COVERING.format("stuff"),
}
NOTES: dict[str, str] = {
    "parsing covering": "void pixels and crowds of the truth do not count; classes without a segment in the truth are left out",
}
KIND = "panoptic"
LOWER_IS_BETTER: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class Counts:
    """What covering is made of: 32 bytes for each class in an image; ``+`` joins the counts of different images.

    Attributes:
        rows: covered pixels (pixels times best IoU, added over segments) and pixels, by image and class of the truth.
    """

    rows: ClassRows

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.rows + other.rows) if isinstance(other, Counts) else NotImplemented

    def __radd__(self, other: object) -> "Counts":  # sum() starts with 0
        return self if other == 0 else NotImplemented


def count(prediction: Segmentation, truth: Segmentation) -> Counts:
    """Count one image; classes are joined by name.

    Raises:
        SizeMismatch: the two differ in size.
        DataError: one of them is of another kind, or a predicted score is not in [0, 1].
    """
    found = overlaps(prediction, truth)
    truths, predictions, shared = found.truths, found.predictions, found.shared
    in_crowds = np.bincount(predictions, np.where(found.is_crowd[truths], shared, 0), len(found.areas)).astype(np.int64)
    seen = found.areas - found.void - in_crowds
    fits = (found.true_classes[truths] == found.classes[predictions]) & ~found.is_crowd[truths]
    union = found.true_areas[truths] + seen[predictions] - shared
    ious = np.divide(shared, union, out=np.zeros(len(shared)), where=fits)
    best = np.zeros(len(found.true_areas))
    np.maximum.at(best, truths, ious)
    kept = ~found.is_crowd
    classes, areas, length = found.true_classes[kept], found.true_areas[kept], len(truth.labels)
    columns = [ordered_sums(classes, areas * best[kept], length), np.bincount(classes, areas, length)]
    return Counts(ClassRows.of(truth.labels, np.stack(columns, axis=1)))


def score(counts: Counts) -> dict[str, float]:
    """Give every score of ``RULES`` by name; NaN where the truth has no segment."""
    return {name: float(value) for name, value in _means(exact_totals(counts.rows), counts.rows.labels).items()}


def per_class(counts: Counts) -> dict[str, dict[str, float]]:
    """Give the covering of each class by name; NaN for classes that are not in the truth."""
    covered, pixels = exact_totals(counts.rows)
    return {name: {"pc": float(value)} for name, value in zip(counts.rows.labels.names, ratio(covered, pixels), strict=True)}


def resampled(counts: Counts, weights: IntArray) -> Resampled:
    """Score B data sets in which image n stands ``weights[b, n]`` times: every score, as arrays (B,)."""
    sums, labels = np.moveaxis(counts.rows.weighted(weights), -1, 0), counts.rows.labels
    by_class = ratio(*sums)
    return Resampled(_means(sums, labels), {name: {"pc": by_class[:, index]} for index, name in enumerate(labels.names)})


def details(counts: Counts, names: Sequence[str]) -> dict[str, Any]:
    """Give nothing: the scores of the classes say it all."""
    return {}


def _means(sums: FloatArray, labels: LabelSet) -> dict[str, FloatArray]:
    """Score whole data sets (…) from covered pixels and pixels of their classes (2, …, L)."""
    covering = ratio(*sums)
    is_thing = np.isin(np.arange(len(labels)), labels.things)
    return {
        "pc": known_mean(covering),
        "pc_things": known_mean(covering[..., is_thing]),
        "pc_stuff": known_mean(covering[..., ~is_thing]),
    }
