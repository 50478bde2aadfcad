"""Partitions without classes: Rand index, variation of information and segmentation covering, as BSDS500 reports them.

The rules, with G a truth, S the segmentation that was predicted, and N the labelled pixels of an image:

- Probabilistic Rand index [2]: over the truths of an image, the mean share of pairs of pixels that both put together or both
  put apart.
- Variation of information [3]: H(S | G) + H(G | S) in bits (logarithms to base 2, as in BSDS500's figures), the mean over
  the truths of an image; 0 is perfect, and it may be more than 1. The first half is what S splits, the second what it merges.
- Covering [1]: the IoU of each region of each truth with the region of S that fits it best, weighted by area. As in BSDS500
  the sums run over all regions of all truths of the data set, so an image with more truths, or more pixels, counts for more.
  The other scores are means over images.
- Several predictions of one image, such as the levels of a hierarchy: ``_ods`` (optimal data-set scale) takes for each score
  the one level that is best over the whole set, ``_ois`` (optimal image scale) the best level of each image. With one level
  the two are equal. The halves of the variation of information are told at the levels where their sum is best.
- Pixels of a truth under no region, or under a crowd, are left out of all that is counted against that truth; what the
  prediction leaves under no region is one region more. A region is what shares a number, connected or not.
- A truth without a labelled pixel is left out; so is an image that has no other. One labelled pixel has a Rand index of 1.

Of an image 4 K + 7 numbers are kept, for K levels.

[1] Arbelaez, Maire, Fowlkes and Malik, Contour Detection and Hierarchical Image Segmentation, PAMI 2011.
[2] Unnikrishnan, Pantofaru and Hebert, Toward Objective Evaluation of Image Segmentation Algorithms, PAMI 2007.
[3] Meila, Comparing Clusterings: an Information Based Distance, Journal of Multivariate Analysis 2007.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.errors import DataError
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.interval import Resampled
from pixelwise.metrics.partition.tables import (
    best_overlaps,
    conditional_entropies,
    contingency,
    rand_index,
    region_ids,
)

__all__ = ["Counts", "count", "details", "per_class", "resampled", "score"]

KIND = "regions"
SEVERAL_TRUTHS = True
SEVERAL_LEVELS = True

_SCALES = {"ods": "at the level best for the whole set", "ois": "at the best level of each image"}
_MEASURES = {
    "pri": "probabilistic Rand index: share of pairs of pixels on which prediction and truth agree, mean over truths",
    "vi": "variation of information in bits, mean over truths; 0 is perfect",
    "vi_over": "H(prediction | truth) in bits, the over-segmentation half of vi",
    "vi_under": "H(truth | prediction) in bits, the under-segmentation half of vi",
    "covering": "IoU of each region of the truths with the predicted region that fits it best, weighted by area",
}
RULES: dict[str, str] = {
    **{f"{name}_{scale}": f"{text}; {where}" for name, text in _MEASURES.items() for scale, where in _SCALES.items()},
    "covering_best": "covering where each region of the truths takes the best fit of any level",
}
NOTES: dict[str, str] = {
    "regions": "a region is what shares a number, connected or not; its class does not count",
    "pixels of no region": "those of a truth, and those under a crowd, are left out; those of a prediction are one region more",
    "means of partitions": "pri and vi are means over images; covering is weighted by area over all truths, as in BSDS500",
    "regions without truth": "a truth without a labelled pixel is left out, and so is an image that has no other",
}
LOWER_IS_BETTER: frozenset[str] = frozenset(name for name in RULES if name.startswith("vi"))

_PRI, _OVER, _UNDER, _COVERING = range(4)  # of each level; covering is not yet divided by the pixels
_KNOWN, _PIXELS, _ANY_LEVEL = -3, -2, -1  # of each image: 1 if labelled, labelled pixels of all truths, best covering


@dataclass(frozen=True, eq=False)
class Counts:
    """A row an image (n, 4 K + 7): four measures of each of K levels, then at the image's own best level, then of the image.

    Rows add up to what data sets are scored from; that of an image without truth is 0.
    """

    rows: FloatArray

    @property
    def levels(self) -> int:
        """How many predictions an image has."""
        return (int(self.rows.shape[1]) - 7) // 4

    def __add__(self, other: "Counts") -> "Counts":
        if not isinstance(other, Counts):
            return NotImplemented
        if self.levels != other.levels:
            raise DataError(f"every image needs as many levels: some have {self.levels}, others {other.levels}")
        return Counts(np.concatenate([self.rows, other.rows]))

    def __radd__(self, other: object) -> "Counts":  # sum() starts with 0
        return self if other == 0 else NotImplemented


def count(prediction: Segmentation | Sequence[Segmentation], truth: Segmentation | Sequence[Segmentation]) -> Counts:
    """Count one image: one prediction or several levels of it, against one truth or several.

    Raises:
        SizeMismatch: a prediction and a truth differ in size.
        DataError: there is no prediction, or no truth.
    """
    levels, truths = several(prediction, "prediction"), several(truth, "truth")
    maps = [region_ids(one, void_crowds=True) for one in truths]
    measured, fits = [], []
    for level in levels:
        ids = region_ids(level)
        tables = [contingency(one, ids) for one in maps]
        seen = [table for table in tables if table.total]
        best = [best_overlaps(table) for table in seen]
        covered = math.fsum(float(table.true @ fit) for table, fit in zip(seen, best, strict=True))
        pairs = [(rand_index(table), *conditional_entropies(table)) for table in seen]
        measured.append((*(math.fsum(column) / len(seen) for column in zip(*pairs, strict=True)), covered))
        fits.append(best)
    if not seen:
        return Counts(np.zeros((1, 4 * len(levels) + 7)))
    highest = [np.max(each, axis=0) for each in zip(*fits, strict=True)]
    any_level = math.fsum(float(table.true @ fit) for table, fit in zip(seen, highest, strict=True))
    table = np.array(measured)
    whole = (1.0, float(sum(each.total for each in seen)), any_level)
    return Counts(np.concatenate([table.ravel(), _own_best(table), whole])[None])


def several(given: Segmentation | Sequence[Segmentation], role: str) -> tuple[Segmentation, ...]:
    """Take one segmentation or several.

    Raises:
        DataError: there is none.
    """
    found = (given,) if isinstance(given, Segmentation) else tuple(given)
    if not found:
        raise DataError(f"expected at least one {role}, got none")
    return found


def _own_best(table: FloatArray) -> FloatArray:
    """Take each measure (4,) at the level (K, 4) best for one image."""
    nearest = (table[:, _OVER] + table[:, _UNDER]).argmin()
    return np.array([table[:, _PRI].max(), *table[nearest, [_OVER, _UNDER]], table[:, _COVERING].max()])


def score(counts: Counts) -> dict[str, float]:
    """Give every score of ``RULES`` by name; NaN where no image has a labelled pixel."""
    return {name: float(values[0]) for name, values in _scores(_total(counts)[None]).items()}


def per_class(counts: Counts) -> dict[str, dict[str, float]]:
    """Give nothing: regions have no classes."""
    return {}


def resampled(counts: Counts, weights: IntArray) -> Resampled:
    """Score B data sets in which image n stands ``weights[b, n]`` times; each finds its own best level."""
    return Resampled(_scores(weights.astype(np.float64) @ counts.rows), {})


def details(counts: Counts, names: Sequence[str]) -> dict[str, Any]:
    """Give the scores of each level over the whole set, with the measures it is best for."""
    found = {name: values[0] for name, values in _by_level(_total(counts)[None]).items()}
    best = {"pri": found["pri"].max(), "vi": found["vi"].min(), "covering": found["covering"].max()}
    return {
        "by_level": [
            {
                "level": level + 1,
                **{name: float(values[level]) for name, values in found.items()},
                "best_for": [name for name, value in best.items() if found[name][level] == value],
            }
            for level in range(counts.levels)
        ]
    }


def _total(counts: Counts) -> FloatArray:
    return np.array([math.fsum(column) for column in counts.rows.T])  # fsum: the order of images does not matter


def _by_level(sums: FloatArray) -> dict[str, FloatArray]:
    """Score each level (B, K) of B data sets from their summed rows."""
    table = sums[:, :-7].reshape(len(sums), -1, 4)
    images, pixels = (np.where(sums[:, [column]] > 0, sums[:, [column]], np.nan) for column in (_KNOWN, _PIXELS))
    over, under = table[..., _OVER] / images, table[..., _UNDER] / images
    return {
        "pri": table[..., _PRI] / images,
        "vi": over + under,
        "vi_over": over,
        "vi_under": under,
        "covering": table[..., _COVERING] / pixels,
    }


def _scores(sums: FloatArray) -> dict[str, FloatArray]:
    """Score B data sets from their summed rows (B, 4 K + 7)."""
    of_set, of_image = _by_level(sums), _by_level(np.hstack([sums[:, -7:-3], sums[:, -7:]]))  # as if of a single level
    nearest = of_set["vi"].argmin(axis=1)[:, None]
    found = {}
    for name, values in of_set.items():
        if name in ("pri", "covering"):
            found[f"{name}_ods"] = values.max(axis=1)
        else:
            found[f"{name}_ods"] = np.take_along_axis(values, nearest, axis=1)[:, 0]
        found[f"{name}_ois"] = of_image[name][:, 0]
    pixels = np.where(sums[:, _PIXELS] > 0, sums[:, _PIXELS], np.nan)
    return found | {"covering_best": sums[:, _ANY_LEVEL] / pixels}
