"""The proof that an exported model does what the model it was made of does: on real images, from the file to the segmentation.

Both see the same images. What differs is told as pixels, segments, probabilities and, where there is truth, as scores with the
paired interval of their difference [1].
``Bounds`` decide; what lies outside is a sentence of ``problems``.

[1] Efron and Tibshirani, An Introduction to the Bootstrap, 1993.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pixelwise.core.errors import DataError
from pixelwise.core.predictor import Predictor
from pixelwise.core.sample import Dataset
from pixelwise.export.agreement import Agreement
from pixelwise.export.bounds import Bounds, bounds_of
from pixelwise.export.turns import Seen, Turns
from pixelwise.metrics.comparison import Comparison, words_for
from pixelwise.metrics.interval import PLAIN, Bootstrap
from pixelwise.metrics.tally import Progress

_WORST = 6


@dataclass(frozen=True)
class Parity:
    """How an exported model compares with the model it was made of.

    Attributes:
        precision: the exported model computes in.
        bounds: it was held to.
        images: one row an image.
        probability: the largest difference of any probability; None where one of the two gives none.
        probed: the images that was looked for on.
        comparison: the scores of both, the model as A; None without truth.
        problems: what lies outside the bounds, a sentence each; none if the proof holds.
        notes: what the reader must know besides.
        failures: images neither could be run on, and why.
        about: what was compared: the names of both, the data.
    """

    precision: str
    bounds: Bounds
    images: tuple[Seen, ...]
    probability: float | None = None
    probed: int = 0
    comparison: Comparison | None = None
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    failures: tuple[tuple[str, str], ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether all figures lie within the bounds."""
        return not self.problems

    @property
    def total(self) -> Agreement:
        """What both have in common over all images."""
        return sum((one.agreement for one in self.images), Agreement())

    @property
    def worst(self) -> tuple[Seen, ...]:
        """The images on which the two differ most, of those on which they differ."""
        ranked = sorted(self.images, key=lambda one: one.agreement.share)
        return tuple(one for one in ranked[:_WORST] if one.agreement.share < 1)

    @property
    def seconds(self) -> tuple[float, float]:
        """The median time of one image, of the model and of the exported one."""
        model, exported = zip(*(one.seconds for one in self.images), strict=True)
        return float(np.median(model)), float(np.median(exported))

    @property
    def scores(self) -> tuple[str, float, float] | None:
        """The name of the score that decides, and what both reach; None where there is none."""
        if self.comparison is None:
            return None
        found = self.comparison.scores[self.comparison.main]
        return None if math.isnan(found.value) else (self.comparison.main, found.a, found.b)

    @property
    def drop(self) -> float | None:
        """By how much the exported model scores worse; below 0 where it scores better, None without a score."""
        if self.comparison is None or self.scores is None:
            return None
        _, model, exported = self.scores
        return exported - model if self.comparison.lower_is_better else model - exported

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values."""
        total, (model, exported) = self.total, self.seconds
        return {
            "format": "pixelwise parity 1",
            "holds": self.holds,
            "problems": list(self.problems),
            **dict(self.about),
            "precision": self.precision,
            "bounds": self.bounds.to_json(),
            "images": len(self.images),
            "equal_pixels": total.share,
            "equal_pixels_of_worst_image": min(one.agreement.share for one in self.images),
            "segments": {
                "model": total.segments[0],
                "exported": total.segments[1],
                "matched": total.matched,
                "of_another_class": total.renamed,
                "largest_score_difference": total.score,
            },
            "largest_probability_difference": self.probability,
            "images_of_probabilities": self.probed,
            **self._scores_json(),
            "seconds_an_image": {"model": model, "exported": exported, "model_over_exported": model / max(exported, 1e-9)},
            "worst_images": [{"name": one.name, "equal_pixels": one.agreement.share} for one in self.worst],
            "notes": list(self.notes),
            "failures": [{"name": name, "error": error} for name, error in self.failures],
        }

    def _scores_json(self) -> dict[str, Any]:
        if self.comparison is None or self.scores is None:
            return {"score": None, "scores": {}}
        name, model, exported = self.scores
        bounds = self.comparison.scores[name].interval
        difference = None if bounds is None else list(bounds)
        told = {key: value for key, value in self.comparison.to_json().items() if key in ("a", "b", "difference", "verdict")}
        return {
            "score": {"name": name, "model": model, "exported": exported, "drop": self.drop, "difference_interval": difference},
            "scores": {"model": told["a"], "exported": told["b"], "exported_less_model": told["difference"]},
            "verdict": told["verdict"],
        }


def compare(
    model: Predictor,
    exported: Predictor,
    samples: Dataset,
    *,
    precision: str = "fp32",
    bounds: Bounds | None = None,
    bootstrap: Bootstrap = PLAIN,
    progress: Progress | None = None,
) -> Parity:
    """Run two predictors on the same images, and tell how far they agree and whether that is within the bounds.

    Args:
        model: what was exported.
        exported: the file, opened by its runtime.
        samples: images, with or without truth.
        precision: the exported model computes in; says the bounds where none are given.
        progress: called after each image.

    Raises:
        DataError: there is no image both could be run on.
        UnsettledLabels: the data's stored values do not fit the model's value map.
        OptionError: there is no such precision, or the data's truth cannot be scored against such predictions.
    """
    bounds = bounds_of(precision) if bounds is None else bounds
    both = Turns(model, exported, samples)
    for row, sample in enumerate(samples):
        both.see(row, sample)
        if progress is not None:
            progress(row + 1, len(samples))
    if not both.seen:
        told = "; ".join([*(f"{name}: {error}" for name, error in both.failures[:1]), *both.problems[:1]])
        raise DataError(f"{samples.name}: there is no image that both models could be run on{f' ({told})' if told else ''}")
    found = Parity(
        precision,
        bounds,
        tuple(both.seen),
        both.probability,
        both.probed,
        both.comparison(bootstrap),
        notes=tuple(both.notes),
        failures=tuple(both.failures),
        about={"model": model.card.name, "exported": exported.card.name, "data": samples.name},
    )
    problems = (*_of_cards(model, exported), *both.problems, *_outside(found))
    return replace(found, problems=problems)


def _of_cards(model: Predictor, exported: Predictor) -> list[str]:
    """Say where two cards promise something else."""
    found = []
    a, b = model.card, exported.card
    if a.kind != b.kind:
        found.append(f"the exported model gives {b.kind} segments, the model {a.kind}")
    if a.labels.names != b.labels.names:
        rows = zip(a.labels.names, b.labels.names, strict=False)
        row = next((row for row, (one, other) in enumerate(rows) if one != other), min(len(a.labels), len(b.labels)))
        names = [repr(labels.names[row]) if row < len(labels) else "nothing" for labels in (a.labels, b.labels)]
        found.append(f"class {row} is {names[1]} in the exported model and {names[0]} in the model")
    return found


def _outside(found: Parity) -> list[str]:
    """Say which figures lie outside the bounds."""
    bounds, total, drop = found.bounds, found.total, found.drop
    least = bounds.equal if drop is not None else max(bounds.equal or 0.0, bounds.equal_alone or 0.0)
    problems = []
    if least is not None and total.share < least:
        worst = min(found.images, key=lambda one: one.agreement.share)
        problems.append(
            f"equal pixels {share_words(total.share)}, below the bound of {share_words(least)}; least on {worst.name}: "
            f"{share_words(worst.agreement.share)}"
        )
    if drop is not None and bounds.drop is not None and drop > bounds.drop:
        assert found.scores is not None
        name, model, exported = found.scores
        problems.append(
            f"{words_for(name)} {100 * model:.2f} became {100 * exported:.2f}, {100 * drop:.2f} points worse; the bound is "
            f"{100 * bounds.drop:g}"
        )
    if found.probability is not None and bounds.probability is not None and found.probability > bounds.probability:
        problems.append(f"a probability differs by {found.probability:.4f}, above the bound of {bounds.probability:g}")
    return problems


def share_words(value: float) -> str:
    """Write a share with as many decimals as tell it from 1, and never as more than it is.

    >>> share_words(0.9), share_words(0.99987), share_words(0.999), share_words(1.0)
    ('90 %', '99.987 %', '99.9 %', '100 %')
    """
    decimals = 1 if value < 0.99 else 3 if value < 0.9999 else 6
    return f"{math.floor(100 * value * 10**decimals + 1e-6) / 10**decimals:g} %"
