"""Agreement of boundaries: Boundary IoU, and the F-score of boundary pixels.

Overlap hardly sees a ragged outline around a large segment; these two look at nothing else. An image keeps seven whole numbers
for each class in it (72 bytes); while it is counted, about 15 bytes a pixel are used, and 30 for each boundary pixel.

- ``boundary_iou`` [1]: IoU of the pixels of truth and prediction that lie within 2 % of the image's diagonal of the edge of
  their own class, by rows and columns (the 3 x 3 erosion of the paper, repeated). Outside the image is outside every class.
- ``boundary_f1``: a boundary pixel is one of a class with another class among its four neighbours; the image's own border is
  none. It is matched if a boundary pixel of its class in the other map is within 0.8 % of the diagonal, rounded up, as in the
  contour accuracy of DAVIS [2]. Precision is the matched share of predicted boundary pixels, recall that of the true ones.
  The mean over images is the one of the literature [3]; the plain name counts the pixels of all images together.

[1] Cheng et al., Boundary IoU, CVPR 2021. [2] Perazzi et al., A Benchmark Dataset and Evaluation Methodology for Video Object
Segmentation, CVPR 2016. [3] Csurka et al., What is a good evaluation measure for semantic segmentation?, BMVC 2013.
"""

import math

import numpy as np

from pixelwise.core.arrays import AnyArray, FloatArray, IntArray, Size
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.class_rows import ClassRows, exact_mean, known_mean, ratio
from pixelwise.metrics.edges import CROSS, class_maps, diagonal, framed, gaps, square, unlike
from pixelwise.metrics.interval import Resampled

ZONE = 0.02  # of the diagonal
BOUND = 0.008

RULES: dict[str, str] = {
    "boundary_iou": "mean over classes of the IoU of the pixels within 2 % of the image diagonal of the edge of the class",
    "boundary_iou_per_image": "mean over images of boundary_iou of one image",
    "boundary_f1": (
        "mean over classes of the harmonic mean of: share of predicted boundary pixels with a true one of the class within "
        "0.8 % of the image diagonal, and the reverse; pixels of all images together"
    ),
    "boundary_f1_per_image": "mean over images of boundary_f1 of one image, which is the mean used in the literature (BF)",
}
NOTES: dict[str, str] = {
    "boundary scores": (
        "void pixels of the truth do not count, and where a class meets them is no boundary; pixels left void, or given a "
        "class the truth does not know, are outside every class; for boundary_iou so is what is beyond the image, for "
        "boundary_f1 the border of the image is no boundary"
    ),
    "absent boundaries": (
        "a class with a boundary in neither is left out of the means; one with it in the truth or prediction alone is 0"
    ),
}
KIND = "semantic"
LOWER_IS_BETTER: frozenset[str] = frozenset()

Counts = ClassRows  # both zones, true zone, predicted zone; predicted boundary, of it matched; true boundary, of it matched


def zone_reach(size: Size) -> int:
    """Give the width in pixels of the zone of ``boundary_iou``.

    >>> zone_reach((360, 480)), zone_reach((4000, 6000))
    (12, 144)
    """
    return max(1, round(ZONE * diagonal(size)))


def bound(size: Size) -> int:
    """Give the distance in pixels at which ``boundary_f1`` still matches.

    >>> bound((360, 480)), bound((4000, 6000))
    (5, 58)
    """
    return max(1, math.ceil(BOUND * diagonal(size)))


def count(prediction: Segmentation, truth: Segmentation) -> Counts:
    """Count one image; classes are joined by name.

    Raises:
        SizeMismatch: the two differ in size.
        DataError: one of them may have several classes a pixel.
    """
    told, true = class_maps(prediction, truth)
    return ClassRows.of(truth.labels, np.concatenate([_zones(told, true, truth), _matches(told, true, truth)], axis=1))


def _zones(told: IntArray, true: IntArray, truth: Segmentation) -> IntArray:
    """Count pixels (L, 3) in both zones, in that of the truth and in that of the prediction."""
    is_void, reach = true == truth.labels.void, zone_reach(truth.size)
    near_told, near_true = (framed(unlike(each, is_void, square(reach)), is_void, reach) for each in (told, true))
    kept = (true[near_told & near_true & (told == true)], true[near_true], told[near_told])
    length = len(truth.labels)
    return np.stack([np.bincount(each, minlength=length)[:length] for each in kept], axis=1)


def _matches(told: IntArray, true: IntArray, truth: Segmentation) -> IntArray:
    """Count boundary pixels (L, 4): predicted, of them matched, true, of them matched."""
    is_void, most = true == truth.labels.void, bound(truth.size)
    edges = unlike(told, is_void, CROSS), unlike(true, is_void, CROSS)
    found = np.zeros((len(truth.labels), 4), np.int64)
    for class_id, from_told, from_true in gaps(told, true, edges, len(truth.labels), below=most + 1):
        matched = [np.count_nonzero(each <= most) for each in (from_told, from_true)]
        found[class_id] = len(from_told), matched[0], len(from_true), matched[1]
    return found


def score(counts: Counts) -> dict[str, float]:
    """Give every score of ``RULES`` by name; NaN where nothing was counted."""
    classes, own = _class_scores(counts.totals()), _image_scores(counts)
    found: dict[str, float] = {}
    for name in own:
        found[name] = float(known_mean(classes[name]))
        found[f"{name}_per_image"] = exact_mean(own[name])
    return found


def per_class(counts: Counts) -> dict[str, dict[str, float]]:
    """Give Boundary IoU, boundary F-score, precision and recall by class name; NaN for classes without a boundary."""
    scores = _class_scores(counts.totals())
    return {
        name: {key: float(values[index]) for key, values in scores.items()} for index, name in enumerate(counts.labels.names)
    }


def resampled(counts: Counts, weights: IntArray) -> Resampled:
    """Score B data sets in which image n stands ``weights[b, n]`` times."""
    classes, own = _class_scores(counts.weighted(weights)), _image_scores(counts)
    found: dict[str, FloatArray] = {}
    for name, values in own.items():
        known = ~np.isnan(values)
        times = weights[:, known].astype(np.float64)
        found[name] = known_mean(classes[name])
        found[f"{name}_per_image"] = ratio(times @ values[known], times.sum(axis=1))
    names = enumerate(counts.labels.names)
    return Resampled(found, {name: {key: values[:, index] for key, values in classes.items()} for index, name in names})


def _image_scores(counts: Counts) -> dict[str, FloatArray]:
    """Score single images (N,)."""
    rows = _class_scores(counts.values)
    return {name: counts.image_means(rows[name]) for name in ("boundary_iou", "boundary_f1")}


def _class_scores(sums: AnyArray) -> dict[str, FloatArray]:
    """Score classes (…) from their sums (…, 7)."""
    both, in_truth, in_prediction, predicted, found, true, met = np.moveaxis(np.asarray(sums, np.float64), -1, 0)
    either = predicted + true > 0
    precision, recall = (
        np.where(either, np.nan_to_num(ratio(top, bottom)), math.nan) for top, bottom in ((found, predicted), (met, true))
    )
    harmonic = np.where(either, np.nan_to_num(ratio(2 * precision * recall, precision + recall)), math.nan)
    return {
        "boundary_iou": ratio(both, in_truth + in_prediction - both),
        "boundary_f1": harmonic,
        "boundary_precision": precision,
        "boundary_recall": recall,
    }
