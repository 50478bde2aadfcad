"""Intervals of scores by the bootstrap: how far a score would move on other images of the same kind.

Images are drawn anew, as many as there are, with replacement, and each draw is scored from its summed counts: a score of the
data set is never the mean of scores of images. The interval holds the middle 95 % of the draws (percentile bootstrap [1]).
The draws depend on the seed and the number of images alone, so two predictors can be compared on the very same ones.

Frames of one film resemble each other; drawn as if they did not, their interval is too narrow. ``Bootstrap(group=...)``
draws whole groups instead of images.

[1] Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 13 and 16.
"""

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.errors import OptionError, nearest
from pixelwise.core.sample import Sample

Interval: TypeAlias = tuple[float, float]
_BLOCK = 2**21  # weights held at once
_MOST_UNDEFINED = 0.05
_FEW = 20  # independent images below which percentile intervals are known to be too narrow


class Resampled(NamedTuple):
    """Scores of B draws: arrays (B,) by score name, and by class name and score name."""

    scores: dict[str, FloatArray]
    per_class: dict[str, dict[str, FloatArray]]


@dataclass(frozen=True)
class Bootstrap:
    """How images are drawn.

    Attributes:
        resamples: how many data sets are drawn.
        level: the share of them an interval holds.
        seed: of the draws.
        group: what is drawn as a whole: None for single images, ``name`` for images whose names differ in the last number
            alone (frames of a film), or a key of the samples' ``meta``, such as ``sequence``.
    """

    resamples: int = 2000
    level: float = 0.95
    seed: int = 0
    group: str | None = None

    def __post_init__(self) -> None:
        if self.resamples < 100:
            raise OptionError(f"expected at least 100 resamples, got {self.resamples}: the ends of an interval need them")
        if not 0 < self.level < 1:
            raise OptionError(f"the level of an interval lies between 0 and 1, got {self.level}")

    @property
    def rule(self) -> str:
        """How the intervals are made, in words."""
        unit = "images" if self.group is None else f"groups of images of one '{self.group}'"
        return (
            f"<name>_interval is the middle {self.level:.0%} of {self.resamples:,} data sets of as many {unit}, drawn with "
            f"replacement (percentile bootstrap, seed {self.seed}), each scored from its summed counts; null where it cannot "
            f"be told: from one image, or for a score undefined in more than {_MOST_UNDEFINED:.0%} of the draws, as of a class "
            f"in fewer than three images"
        )


PLAIN = Bootstrap()


def caution(groups: Sequence[Hashable], bootstrap: Bootstrap = PLAIN) -> str:
    """Say what the number of images, or of groups of them, does to intervals; nothing where there are enough.

    >>> caution(["a", "b"])
    'only 2 images: intervals of so few are as a rule too narrow'
    """
    units = len(set(groups))
    what = "images" if bootstrap.group is None else f"groups of one '{bootstrap.group}'"
    if units < 2:
        return f"no intervals: they need at least two {what}, and {units} could be scored"
    return f"only {units} {what}: intervals of so few are as a rule too narrow" if units < _FEW else ""


def group_of(sample: Sample, group: str | None) -> Hashable:
    """Tell which group a sample is of; without grouping each is its own.

    >>> group_of(Sample("0016E5_07959", None, None, None), "name")
    '0016E5'

    Raises:
        OptionError: the sample's ``meta`` has no such key.
    """
    if group is None:
        return sample.name
    if group == "name":
        return re.sub(r"[\W_]*\d+$", "", sample.name)
    if group not in sample.meta:
        raise OptionError(f"{sample.name} does not say its '{group}'; {nearest(group, ['name', *sample.meta])}")
    return str(sample.meta[group])


def draws(groups: Sequence[Hashable], bootstrap: Bootstrap = PLAIN) -> Iterator[IntArray]:
    """Draw data sets: blocks (b, N) of how often each image stands in a draw, ``bootstrap.resamples`` rows in all."""
    order: dict[Hashable, int] = {}
    member = np.array([order.setdefault(group, len(order)) for group in groups], np.int64)
    count = len(order)
    rng = np.random.default_rng(bootstrap.seed)
    step = max(1, min(bootstrap.resamples, _BLOCK // max(len(member), 1)))
    for start in range(0, bootstrap.resamples, step):
        rows = min(step, bootstrap.resamples - start)
        drawn = rng.integers(0, count, (rows, count)) + count * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count)
        yield times[:, member]


def resample(
    module: ModuleType,
    counts: Any,
    single: Sequence[Any],
    groups: Sequence[Hashable],
    rows: Sequence[int],
    bootstrap: Bootstrap = PLAIN,
) -> Resampled:
    """Score every draw of ``bootstrap`` from the images ``rows`` by a metric's module.

    A family with ``resampled(counts, weights)`` scores a block of draws at once from what its sum ``counts`` keeps of each
    image; for any other, the counts of ``single`` images are added up draw by draw. ``groups`` has an entry for each image.
    """
    parts = []
    for drawn in draws([groups[row] for row in rows], bootstrap):
        weights = np.zeros((len(drawn), len(groups)), np.int64)
        weights[:, list(rows)] = drawn
        parts.append(score_draws(module, counts, single, weights))
    scores = {name: np.concatenate([part.scores[name] for part in parts]) for name in parts[0].scores}
    classes = {
        name: {key: np.concatenate([part.per_class[name][key] for part in parts]) for key in parts[0].per_class[name]}
        for name in parts[0].per_class
    }
    return Resampled(scores, classes)


def score_draws(module: ModuleType, counts: Any, single: Sequence[Any], weights: IntArray) -> Resampled:
    """Score B data sets in which image n stands ``weights[b, n]`` times: (B, N)."""
    if hasattr(module, "resampled"):
        found: Resampled = module.resampled(counts, weights)
        return found
    return _by_adding(module, single, weights)


def joined(parts: Sequence[Resampled]) -> Resampled:
    """Put the scores of several families together."""
    per_class: dict[str, dict[str, FloatArray]] = {}
    for part in parts:
        for name, values in part.per_class.items():
            per_class.setdefault(name, {}).update(values)
    return Resampled({name: values for part in parts for name, values in part.scores.items()}, per_class)


def interval(values: FloatArray, level: float = PLAIN.level) -> Interval | None:
    """Give the middle ``level`` of the draws' scores; None where too many of them are undefined.

    >>> interval(np.arange(9.0), level=0.5)
    (2.0, 6.0)
    """
    known = values[~np.isnan(values)]
    if known.size < max(1, (1 - _MOST_UNDEFINED) * values.size):
        return None
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def intervals(resampled: Resampled, level: float) -> tuple[dict[str, Interval | None], dict[str, dict[str, Interval | None]]]:
    """Give the interval of every score, and of every class's scores."""
    return _each(resampled.scores, level), {name: _each(scores, level) for name, scores in resampled.per_class.items()}


def _each(scores: Mapping[str, FloatArray], level: float) -> dict[str, Interval | None]:
    return {name: interval(values, level) for name, values in scores.items()}


def _by_adding(module: ModuleType, single: Sequence[Any], weights: IntArray) -> Resampled:
    scores, classes = [], []
    for times in weights:
        total = _added([single[row] for row in np.repeat(np.arange(len(single)), times).tolist()])
        scores.append(module.score(total))
        classes.append(module.per_class(total))
    by_class: dict[str, dict[str, FloatArray]] = {
        name: {key: np.array([one[name][key] for one in classes], np.float64) for key in classes[0][name]}
        for name in classes[0]
    }
    return Resampled({name: np.array([one[name] for one in scores], np.float64) for name in scores[0]}, by_class)


def _added(counts: list[Any]) -> Any:
    """Add in pairs: counts that keep something of each image are then copied log N times, not N."""
    while len(counts) > 1:
        counts = [sum(counts[row + 1 : row + 2], counts[row]) for row in range(0, len(counts), 2)]
    return counts[0]
