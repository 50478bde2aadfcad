"""Calibration: whether a pixel said to be right with probability p is right in a share p of cases.

A pixel's confidence is the probability given to the class it was told. What is kept of an image is a histogram of its
confidences, three kilobytes, so that scores, intervals and the reliability diagram of any number of images are made from it.

- A prediction without probabilities is taken at its word: confidence 1 in its class, 0 where it leaves the pixel void.
- Void pixels of the truth do not count; a true class the model does not know has probability 0, as in the overlap scores.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pixelwise.core.arrays import AnyArray, FloatArray, IntArray
from pixelwise.core.errors import DataError
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.interval import Resampled
from pixelwise.metrics.overlap import one_class_a_pixel

BINS = 15
# Each of the 15 bins is cut into 8, and the last of those halved again and again: most pixels are surer than 0.99.
EDGES = np.concatenate([np.arange(8 * BINS) / (8 * BINS), 1 - 2.0 ** -np.arange(1, 8) / (8 * BINS), [1.0]])
FLOOR = 1e-6  # the smallest probability the logarithm sees: one sure mistake must not make the sum infinite
_COARSE = np.minimum(np.arange(len(EDGES) - 1) // 8, BINS - 1)
_UNIT = 2.0**-20  # confidences are added in whole units, so that the order of adding makes no difference
_STRIP = 2**18  # pixels whose probabilities are looked at together

RULES: dict[str, str] = {
    "ece": f"expected calibration error: mean over pixels of |share right - mean confidence| in their one of {BINS} equal bins",
    "adaptive_ece": f"as ece, in {BINS} bins of about equally many pixels",
    "brier": "half the mean over pixels of the squared distance between probabilities and truth",
    "nll": f"mean over pixels of -ln(probability of the true class), which is taken as at least {FLOOR:g}; may exceed 1",
}
NOTES: dict[str, str] = {"confidence": "the confidence of a pixel is the probability given to the class it was told"}
KIND = "semantic"
LOWER_IS_BETTER: frozenset[str] = frozenset(RULES)
NEEDS_PROBABILITIES = True


@dataclass(frozen=True, eq=False)
class Counts:
    """What calibration is made of, a row an image; ``+`` joins images.

    Attributes:
        bins: (n, 3, 127) pixels, right pixels and added confidences (in 2^-20) between each two of ``EDGES``.
        sums: (n, 2) half squared distances and -logarithms, added over pixels.
    """

    bins: IntArray
    sums: FloatArray

    def __add__(self, other: "Counts") -> "Counts":
        if not isinstance(other, Counts):
            return NotImplemented
        return Counts(np.concatenate([self.bins, other.bins]), np.concatenate([self.sums, other.sums]))

    def __radd__(self, other: object) -> "Counts":  # sum() starts with 0
        return self if other == 0 else NotImplemented


def count(prediction: Segmentation, truth: Segmentation) -> Counts:
    """Count one image; classes are joined by name.

    Raises:
        SizeMismatch: the two differ in size.
        DataError: one of them may have several classes a pixel, or the probabilities are not of the prediction's classes.
    """
    one_class_a_pixel(prediction, truth)
    given = prediction.probabilities
    if given is not None and len(given) != len(prediction.labels):
        raise DataError(f"expected probabilities of {len(prediction.labels)} classes, got {len(given)}")
    told, true = prediction.class_map(), truth.class_map()
    bins, sums = np.zeros((1, 3, len(EDGES) - 1), np.int64), np.zeros((1, 2))
    rows = max(1, _STRIP // max(1, truth.size[1]))
    for top in range(0, truth.size[0], rows):
        strip = slice(top, top + rows)
        labelled = true[strip] != truth.labels.void
        probabilities = _one_hot(told[strip], prediction.labels) if given is None else given[:, strip]
        part = _strip(probabilities[:, labelled], told[strip][labelled], true[strip][labelled], prediction.labels, truth.labels)
        bins, sums = bins + part.bins, sums + part.sums
    return Counts(bins, sums)


def _one_hot(told: IntArray, labels: LabelSet) -> FloatArray:
    return np.asarray(told[None] == np.arange(len(labels), dtype=told.dtype)[:, None, None], np.float32)


def _strip(probabilities: FloatArray, told: IntArray, true: IntArray, own: LabelSet, labels: LabelSet) -> Counts:
    """Count K pixels: probabilities (L, K) and told classes (K,) of ``own``, true classes (K,) of ``labels``."""
    probabilities = np.concatenate([probabilities, np.zeros((1, len(true)), np.float32)]).astype(np.float32)  # void, unknown
    home = np.full(len(labels), len(own))
    for index, place in enumerate(own.map_to(labels)):
        if place >= 0:
            home[place] = index
    told, true, pixels = np.minimum(told, len(own)), home[true], np.arange(len(told))
    confidence, of_truth = probabilities[told, pixels].astype(np.float64), probabilities[true, pixels].astype(np.float64)
    right = (told == true) & (told < len(own))
    cells = np.clip(np.searchsorted(EDGES, confidence, side="right") - 1, 0, len(EDGES) - 2)
    added = [np.bincount(cells, weights, len(EDGES) - 1) for weights in (None, right, np.rint(confidence / _UNIT))]
    squares = np.einsum("lk,lk->k", probabilities, probabilities).astype(np.float64) - 2 * of_truth + 1
    logs = -np.log(np.maximum(of_truth, FLOOR))
    return Counts(np.array(added, np.int64)[None], np.array([[np.maximum(squares, 0).sum() / 2, logs.sum()]]))


def score(counts: Counts) -> dict[str, float]:
    """Give every score of ``RULES`` by name; NaN where nothing was counted."""
    sums = np.array([[math.fsum(column) for column in counts.sums.T]])
    return {name: float(values[0]) for name, values in _scores(counts.bins.sum(axis=0)[None], sums).items()}


def per_class(counts: Counts) -> dict[str, dict[str, float]]:
    """Give nothing: calibration is of all classes together."""
    return {}


def resampled(counts: Counts, weights: IntArray) -> Resampled:
    """Score B data sets in which image n stands ``weights[b, n]`` times."""
    times = weights.astype(np.float64)
    bins = times @ counts.bins.reshape(len(counts.bins), -1).astype(np.float64)
    return Resampled(_scores(bins.reshape(len(weights), 3, -1), times @ counts.sums), {})


def details(counts: Counts, names: Sequence[str]) -> dict[str, Any]:
    """Give the bins of the reliability diagram: pixels, mean confidence and share right."""
    pixels, right, confidence = _binned(counts.bins.sum(axis=0)[None], _COARSE[None])
    return {
        "reliability": [
            {
                "low": index / BINS,
                "high": (index + 1) / BINS,
                "pixels": int(pixels[0, index]),
                "confidence": float(confidence[0, index] / pixels[0, index]) if pixels[0, index] else None,
                "accuracy": float(right[0, index] / pixels[0, index]) if pixels[0, index] else None,
            }
            for index in range(BINS)
        ]
    }


def _scores(bins: AnyArray, sums: FloatArray) -> dict[str, FloatArray]:
    """Score B data sets from their bins (B, 3, 127) and sums (B, 2)."""
    pixels = bins[:, 0].astype(np.float64)
    total = pixels.sum(axis=1)
    middle = (np.cumsum(pixels, axis=1) - pixels / 2) / np.maximum(total, 1)[:, None]
    equal_mass = np.minimum((middle * BINS).astype(np.int64), BINS - 1)
    errors = [np.abs(right - said).sum(axis=1) for _, right, said in (_binned(bins, _COARSE[None]), _binned(bins, equal_mass))]
    tops = dict(zip(RULES, [*errors, *sums.T], strict=True))
    return {name: np.divide(top, total, out=np.full(len(total), math.nan), where=total > 0) for name, top in tops.items()}


def _binned(bins: AnyArray, homes: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Add fine bins (B, 3, 127) up into the 15 that ``homes`` (B or 1, 127) says: pixels, right, confidence (B, 15)."""
    places = (np.broadcast_to(homes, (len(bins), homes.shape[1])) + BINS * np.arange(len(bins))[:, None]).ravel()
    pixels, right, said = (
        np.bincount(places, bins[:, row].ravel(), BINS * len(bins)).reshape(-1, BINS).astype(np.float64) for row in range(3)
    )
    return pixels, right, said * _UNIT
