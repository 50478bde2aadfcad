"""Choose what the members of an ensemble count, on labelled pixels.

The weights that make the labels most likely are those of a mixture, and expectation maximisation finds them: each member's
weight becomes the mean share it has in the probability of the true classes, again and again. No step size is to be chosen,
every round is at least as good as the one before, and the best weights are found, as the likelihood has one peak [1]. Mean IoU
has no gradient; from there, weight is moved between two members as long as that raises it, in smaller and smaller parts.

[1] Dempster, Laird and Rubin, Maximum Likelihood from Incomplete Data via the EM Algorithm, 1977.
"""

from itertools import permutations
from typing import Literal, get_args

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.errors import OptionError
from pixelwise.predict.opinions.sampled import SampledPixels

Goal = Literal["likelihood", "miou"]
_TINY = 1e-30
_ROUNDS = 2000
_STILL = 1e-6  # the largest change of a weight at which the rounds end
_STEPS = (0.2, 0.1, 0.05, 0.025)
_LEAST_GAIN = 1e-5  # of mean IoU


def weighed_by(goal: Goal, pixels: SampledPixels) -> tuple[float, ...]:
    """Choose weights (M,) that add up to 1, for opinions on pixels.

    Raises:
        OptionError: there is no such goal.
    """
    if goal not in get_args(Goal):
        raise OptionError(f"expected weights chosen by {' or '.join(get_args(Goal))}, got {goal!r}")
    of_truth = pixels.probabilities[:, pixels.classes, np.arange(len(pixels.classes))]
    weights = most_likely(of_truth)
    if goal == "miou":
        weights = _highest_iou(weights, pixels)
    return tuple(np.round(weights, 6).tolist())


def most_likely(of_truth: FloatArray) -> FloatArray:
    """Find the weights (M,) whose mixture makes true classes most likely; ``of_truth`` (M, K) is what each gave to them.

    >>> most_likely(np.array([[0.9, 0.9, 0.9], [0.1, 0.1, 0.1]])).round(3).tolist()
    [1.0, 0.0]
    """
    given = np.maximum(of_truth.astype(np.float64), _TINY)
    weights = np.full(len(given), 1 / len(given))
    for _ in range(_ROUNDS):
        parts = weights[:, None] * given
        found = (parts / parts.sum(axis=0)).mean(axis=1)
        change, weights = float(np.abs(found - weights).max()), found
        if change < _STILL:
            break
    return np.asarray(weights / weights.sum())


def _highest_iou(weights: FloatArray, pixels: SampledPixels) -> FloatArray:
    """Move weight from one member to another while that raises the mean IoU."""
    best = _mean_iou(weights, pixels)
    for step in _STEPS:
        is_better = True
        while is_better:
            is_better = False
            for giver, taker in permutations(range(len(weights)), 2):
                moved = weights.copy()
                part = min(step, moved[giver])
                moved[giver], moved[taker] = moved[giver] - part, moved[taker] + part
                if part and (score := _mean_iou(moved, pixels)) > best + _LEAST_GAIN:
                    weights, best, is_better = moved, score, True
    return weights


def _mean_iou(weights: FloatArray, pixels: SampledPixels) -> float:
    told: IntArray = np.einsum("m,mlk->lk", weights.astype(np.float32), pixels.probabilities).argmax(axis=0)
    length = pixels.probabilities.shape[1]
    right = np.bincount(told[told == pixels.classes], minlength=length)
    either = np.bincount(told, minlength=length) + np.bincount(pixels.classes, minlength=length) - right
    is_there = np.bincount(pixels.classes, minlength=length) > 0
    return float((right[is_there] / either[is_there]).mean())
