"""Several opinions on one image, taken together: the mean of their probabilities, with two sets of them in memory at most.

A committee is a predictor whose answer is the weighted mean of several: views of an image, the members of an ensemble, passes
of a network with dropout. What they share stands here; where the opinions come from is each committee's own.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np

from pixelwise.core.arrays import FloatArray
from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image, as_image
from pixelwise.core.predictor import Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.predict.decision import Decided, threshold_of
from pixelwise.predict.portions import portions

VALUES = 2**26  # probabilities of the images worked on at once: a quarter of a gigabyte, held twice
# What an opinion counts, and an image's probabilities, class after class (H, W): so they can be made as they are asked for.
Opinion = tuple[float, Sequence[Iterable[FloatArray]]]


@runtime_checkable
class Committee(Protocol):
    """A predictor that asks several times and takes the mean; ``notes`` say what to know of how it does."""

    notes: tuple[str, ...]

    @property
    def card(self) -> Card:
        """What this predictor is."""

    @property
    def shares(self) -> tuple[float, ...]:
        """What each opinion counts; they add up to 1."""

    def opinions(self, images: Sequence[Image]) -> Iterator[Opinion]:
        """Give one opinion after the other, each on all images, with its share; those that count nothing are left out."""


def shares_of(weights: Sequence[float] | None, count: int, what: str) -> tuple[float, ...]:
    """Make weights add up to 1; without any, all count alike.

    >>> shares_of([3, 1], 2, "member")
    (0.75, 0.25)

    Raises:
        OptionError: there is not one a ``what``, one is negative or not finite, or all are 0.
    """
    if weights is None:
        return (1 / count,) * count
    given = [float(weight) for weight in weights]
    if len(given) != count or not all(0 <= weight < math.inf for weight in given) or not sum(given):
        raise OptionError(f"expected {count} weights, one a {what}, from 0 up and not all 0; got {list(weights)}")
    return tuple(weight / sum(given) for weight in given)


def require_classes(card: Card, why: str) -> None:
    """Refuse a predictor that gives no probabilities of classes; ``why`` says what they are needed for.

    Raises:
        OptionError: it does not.
    """
    if card.kind != "semantic" or not card.gives_probabilities:
        given = "without probabilities" if card.kind == "semantic" else "(not semantic ones)"
        raise OptionError(f"'{card.name}' gives {card.kind} segments {given}; {why}")


def refuse_prompts(request: Request, what: str) -> None:
    """Refuse prompts.

    Raises:
        OptionError: there are some.
    """
    if request.prompts:
        raise OptionError(f"prompts say places in the image as it is and cannot be given to {what}; leave out one of the two")


def mean_of(opinions: Iterator[Opinion], length: int) -> list[FloatArray]:
    """Take the weighted mean (L, H, W) of each image over opinions on ``length`` classes.

    It is a running mean: opinions that agree leave it as it is, to the last bit.
    """
    means: list[FloatArray] = []
    total = 0.0
    for share, given in opinions:
        total += share
        for row, planes in enumerate(given):
            if len(means) == row:
                means.append(gathered(planes, length))
                continue
            for mean, plane in zip(means[row], planes, strict=True):
                mean += (plane - mean) * (share / total)
    return means


def gathered(planes: Iterable[FloatArray], length: int) -> FloatArray:
    """Copy ``length`` planes (H, W) into one array (L, H, W), without holding them twice."""
    found: FloatArray = np.empty((length, 0, 0), np.float32)
    for row, plane in enumerate(planes):
        if not row:
            found = np.empty((length, *plane.shape), np.float32)
        found[row] = plane
    return found


def segmented(committee: Committee, images: Sequence[Image], request: Request, held: int = VALUES) -> list[Segmentation]:
    """Segment each image by the mean of a committee, a few images at a time.

    Args:
        held: the most probabilities of images worked on at once.

    Raises:
        OptionError: a threshold is given to a predictor of more than two classes.
    """
    threshold, labels = threshold_of(committee.card, request), committee.card.labels
    found = []
    for some in portions([as_image(image) for image in images], len(labels), held):
        for mean in mean_of(committee.opinions(some), len(labels)):
            found.append(decided(mean, committee.card, threshold, request.probabilities, committee.notes))
    return found


def decided(
    probabilities: FloatArray, card: Card, threshold: float | None, keep: bool, notes: tuple[str, ...] = ()
) -> Segmentation:
    """Make a semantic segmentation of probabilities (L, H, W), with them in it where they are to be kept."""
    decision = Decided((probabilities.shape[1], probabilities.shape[2]), card.labels, threshold)
    decision.add(0, probabilities)
    return replace(decision.segmentation(probabilities if keep else None), notes=notes)
