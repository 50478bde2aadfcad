"""Superpixels: how well small regions keep to the borders of a truth that is coarser than they are.

The rules, with G the regions of a truth, S the superpixels, and N the labelled pixels of an image:

- Boundary recall: of the boundary pixels of the truth, the share that has a boundary pixel of the superpixels within two rows
  and two columns. A boundary pixel has one of another region above, below, to the left or to the right.
- Undersegmentation error [1]: the sum over G and S that meet of min(pixels of S inside G, pixels of S outside G), divided
  by N. A superpixel that only grazes a region is not charged in full, as it was in earlier definitions. 0 is perfect.
- Achievable segmentation accuracy [2]: the share of pixels that are right where each superpixel takes the region of the truth
  that it shares most pixels with.
- Each is the mean over the truths of an image, then over images. Pixels of a truth under no region, or under a crowd, are left
  out, and where they begin is no boundary; what the prediction leaves under no region is one superpixel more.
- An image without a labelled pixel is left out; one whose truths have no boundary is left out of boundary recall.

The details have the number of superpixels and their compactness [3], the mean of 4 pi area / perimeter^2 weighted by area:
pi / 4 for squares. The perimeter is the number of pixel sides to other superpixels or to the image's edge.

Of an image seven numbers are kept.

[1] Neubert and Protzel, Superpixel Benchmark and Comparison, Forum Bildverarbeitung 2012.
[2] Liu, Tuzel, Ramalingam and Chellappa, Entropy Rate Superpixel Segmentation, CVPR 2011.
[3] Schick, Fischer and Stiefelhagen, Measuring and Evaluating the Compactness of Superpixels, ICPR 2012.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray, IntArray
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.interval import Resampled
from pixelwise.metrics.partition import several
from pixelwise.metrics.partition.tables import Contingency, contingency, region_ids

KIND = "regions"
SEVERAL_TRUTHS = True
WITHIN = 2  # rows and columns

RULES: dict[str, str] = {
    "boundary_recall": f"boundary pixels of the truth with one of a superpixel within {WITHIN} rows and columns / all of them",
    "undersegmentation_error": "sum over pairs of min(superpixel inside, outside the region) / labelled pixels; 0 is perfect",
    "asa": "achievable segmentation accuracy: pixels right where each superpixel takes the region it shares most with / all",
}
NOTES: dict[str, str] = {
    "means over truths": "superpixel scores are means over the truths of an image, then over images",
    "superpixels": "pixels of a truth under no region or a crowd are left out; those of a prediction are one superpixel more",
}
LOWER_IS_BETTER: frozenset[str] = frozenset({"undersegmentation_error"})

_NEIGHBOURS = (  # a pixel and the one to the right, a pixel and the one below
    (np.s_[:, :-1], np.s_[:, 1:]),
    (np.s_[:-1], np.s_[1:]),
)


@dataclass(frozen=True, eq=False)
class Counts:
    """A row an image (n, 7): recall, error and accuracy, 1 if it has a boundary, 1 if a label, superpixels and compactness.

    Rows add up to what data sets are scored from; that of an image without truth is 0.
    """

    rows: FloatArray

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(np.concatenate([self.rows, other.rows])) if isinstance(other, Counts) else NotImplemented

    def __radd__(self, other: object) -> "Counts":  # sum() starts with 0
        return self if other == 0 else NotImplemented


def count(prediction: Segmentation, truth: Segmentation | Sequence[Segmentation]) -> Counts:
    """Count one image against one truth or several.

    Raises:
        SizeMismatch: the prediction and a truth differ in size.
        DataError: there is no truth.
    """
    ids = region_ids(prediction)
    maps = [region_ids(one, void_crowds=True) for one in several(truth, "truth")]
    pairs = [(one, table) for one in maps if (table := contingency(one, ids)).total]
    if not pairs:
        return Counts(np.zeros((1, 7)))
    side = 2 * WITHIN + 1
    near = cv2.dilate(_boundary(ids, ids >= 0).view(np.uint8), np.ones((side, side), np.uint8)).view(bool)
    recalls = [float(near[edge].mean()) for one, _ in pairs if (edge := _boundary(one, one > 0)).any()]
    errors, accuracies = ([of(table) for _, table in pairs] for of in (_undersegmentation, _achievable))
    means = [math.fsum(each) / max(1, len(each)) for each in (recalls, errors, accuracies)]
    return Counts(np.array([[*means, float(bool(recalls)), 1.0, *_shape(ids)]]))


def _boundary(ids: IntArray, counts: BoolArray) -> BoolArray:
    """Mark the pixels (H, W) beside another region, of those that count."""
    found = np.zeros(ids.shape, bool)
    for one, other in _NEIGHBOURS:
        differs = (ids[one] != ids[other]) & counts[one] & counts[other]
        found[one] |= differs
        found[other] |= differs
    return found


def _undersegmentation(table: Contingency) -> float:
    outside = table.predicted[table.columns] - table.pixels
    return int(np.minimum(table.pixels, outside).sum()) / table.total


def _achievable(table: Contingency) -> float:
    most = np.zeros(len(table.predicted), np.int64)
    np.maximum.at(most, table.columns, table.pixels)
    return int(most.sum()) / table.total


def _shape(ids: IntArray) -> tuple[float, float]:
    """Give the number of superpixels and their compactness."""
    areas = np.bincount(ids.ravel())
    sides = np.zeros(len(areas), np.int64)
    for edge in (ids[0], ids[-1], ids[:, 0], ids[:, -1]):
        sides += np.bincount(edge, minlength=len(areas))
    for one, other in _NEIGHBOURS:
        differs = ids[one] != ids[other]
        for beside in (ids[one], ids[other]):
            sides += np.bincount(beside[differs], minlength=len(areas))
    areas, sides = areas[areas > 0].astype(np.float64), sides[areas > 0]
    return float(len(areas)), math.fsum(4 * math.pi * areas**2 / sides**2) / float(areas.sum())


def score(counts: Counts) -> dict[str, float]:
    """Give every score of ``RULES`` by name; NaN where no image has what it is made of."""
    return {name: float(values[0]) for name, values in _scores(_total(counts)[None]).items()}


def per_class(counts: Counts) -> dict[str, dict[str, float]]:
    """Give nothing: regions have no classes."""
    return {}


def resampled(counts: Counts, weights: IntArray) -> Resampled:
    """Score B data sets in which image n stands ``weights[b, n]`` times."""
    return Resampled(_scores(weights.astype(np.float64) @ counts.rows), {})


def details(counts: Counts, names: Sequence[str]) -> dict[str, Any]:
    """Give the mean number of superpixels an image and their mean compactness; None where nothing was counted."""
    *_, images, number, compactness = _total(counts).tolist()
    known = images > 0
    return {
        "superpixels": {
            "per_image": number / images if known else None,
            "compactness": compactness / images if known else None,
        }
    }


def _total(counts: Counts) -> FloatArray:
    return np.array([math.fsum(column) for column in counts.rows.T])  # fsum: the order of images does not matter


def _scores(sums: FloatArray) -> dict[str, FloatArray]:
    """Score B data sets from their summed rows (B, 7)."""
    bounded, labelled = (np.where(column > 0, column, np.nan) for column in (sums[:, 3], sums[:, 4]))
    return dict(zip(RULES, (sums[:, 0] / bounded, sums[:, 1] / labelled, sums[:, 2] / labelled), strict=True))
