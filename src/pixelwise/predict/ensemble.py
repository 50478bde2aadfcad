"""Several predictors as one: the weighted mean of what they say.

Classes are joined by name, so the members may list them in any order, read images at other scales, be networks or methods.
A member without probabilities votes with its class map. Ensembles of networks trained apart are surer where they are right and
less sure where they are not [1]; what they disagree on is a measure of uncertainty (``predict.uncertainty``).

[1] Lakshminarayanan et al., Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles, NeurIPS 2017.
"""

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.predictor import PLAIN, Predictor, Request
from pixelwise.core.sample import Dataset, relabelled
from pixelwise.core.segmentation import Segmentation
from pixelwise.core.streaming import Streaming, refuse_following
from pixelwise.predict.decision import probabilities_of
from pixelwise.predict.fingerprint import fingerprint
from pixelwise.predict.opinions.committee import Opinion, refuse_prompts, segmented, shares_of
from pixelwise.predict.opinions.sampled import Progress, sampled_pixels
from pixelwise.predict.opinions.voted import voted
from pixelwise.predict.opinions.weighing import Goal, weighed_by


class Ensemble(Streaming):
    """A predictor that asks several, and takes the weighted mean of what they say; a ``Predictor``.

    Of classes the mean of the probabilities is taken. Of objects, those that members agree on are joined (``predict.voted``).
    """

    def __init__(self, predictors: Sequence[Predictor], weights: Sequence[float] | None = None) -> None:
        """Choose the members.

        Args:
            predictors: all of classes or all of objects, with the same classes by name; the first one's order is kept.
            weights: what each counts; all alike if not given.

        Raises:
            OptionError: there is none, they differ in kind or classes, or the weights do not fit.
        """
        self.predictors = tuple(predictors)
        if not self.predictors:
            raise OptionError("an ensemble needs at least one predictor, got none")
        for one in self.predictors:
            refuse_following(one)
        first, *others = (one.card for one in self.predictors)
        if first.kind not in ("semantic", "instance"):
            raise OptionError(
                f"'{first.name}' gives {first.kind} segments; ensembles are of semantic or of instance predictors"
            )
        for other in others:
            _require_alike(first, other)
        self.shares = shares_of(weights, len(self.predictors), "member")
        silent = dict.fromkeys(one.card.name for one in self.predictors if not one.card.gives_probabilities)
        votes = (f"'{name}' gives no probabilities, so it votes with its classes" for name in silent)
        self.notes = tuple(votes) if first.kind == "semantic" else ()

    @classmethod
    def weighed(
        cls,
        predictors: Sequence[Predictor],
        dataset: Dataset,
        goal: Goal = "likelihood",
        *,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> "Ensemble":
        """Choose the weights on labelled images: validation images, as members know those they were trained on by heart.

        Args:
            goal: ``likelihood`` makes the labels most likely; ``miou`` goes on from there to the highest mean IoU.
            seed: of the pixels that are looked at.

        Raises:
            OptionError: as above, or the members give objects.
            DataError: the data has no labelled pixels of their classes.
        """
        alike = cls(predictors)
        if alike.card.kind != "semantic":
            raise OptionError(f"weights are chosen for members that give classes; '{alike.card.name}' gives objects")

        def ask(image: Image) -> Iterator[Iterable[FloatArray]]:
            return (planes for _, some in alike.opinions([image]) for planes in some)

        pixels = sampled_pixels(ask, dataset, alike.card.labels, len(alike.predictors), seed=seed, progress=progress)
        return cls(predictors, weighed_by(goal, pixels))

    @property
    def card(self) -> Card:
        """What the members are together: it sees as far, and is read as large, as any of them."""
        cards = [one.card for one in self.predictors]
        first = cards[0]
        views = [card.field_of_view for card in cards]
        furthest = None if None in views else tuple(np.max([view for view in views if view], axis=0).tolist())
        thresholds = {card.threshold for card in cards}
        return replace(
            first,
            name=" + ".join(dict.fromkeys(card.name for card in cards)),
            scale=max(card.scale for card in cards),
            stride=math.lcm(*(card.stride for card in cards)),
            field_of_view=furthest,
            gives_probabilities=first.kind == "semantic",
            threshold=thresholds.pop() if len(thresholds) == 1 else None,
            training={**first.training, **_crop(cards)},  # the rest is told of the first one
        )

    def fingerprint(self) -> str:
        """Sum up the members and their weights."""
        members = " ".join(map(fingerprint, self.predictors))
        return hashlib.sha256(f"ensemble {self.shares} {members}".encode()).hexdigest()

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        """Segment each image by what the members say.

        Raises:
            OptionError: prompts are given, a threshold to members of more than two classes, or probabilities are wanted of
                objects.
        """
        refuse_prompts(request, "ensembles")
        if self.card.kind == "semantic":
            return segmented(self, images, request)
        if request.probabilities:
            raise OptionError(f"'{self.card.name}' gives objects, and no probabilities of classes")
        labels = self.card.labels
        found = [[relabelled(one, labels) for one in member(images)] for member in self.predictors]
        return [voted(of_image, self.shares, request.threshold) for of_image in zip(*found, strict=True)]

    def opinions(self, images: Sequence[Image]) -> Iterator[Opinion]:
        """Give the probabilities of each image, member after member, in the first one's order of classes."""
        labels = self.card.labels
        for member, share in zip(self.predictors, self.shares, strict=True):
            if share:
                wanted = Request(probabilities=member.card.gives_probabilities)
                own = labels.map_to(member.card.labels)
                yield share, [_planes(one, own, member.card) for one in member(images, wanted)]


def _require_alike(first: Card, other: Card) -> None:
    if other.kind != first.kind:
        raise OptionError(
            f"'{first.name}' gives {first.kind} segments and '{other.name}' {other.kind} ones; an ensemble is of one kind"
        )
    lacking = [name for name, place in zip(first.labels.names, first.labels.map_to(other.labels), strict=True) if place < 0]
    beyond = [name for name, place in zip(other.labels.names, other.labels.map_to(first.labels), strict=True) if place < 0]
    if lacking or beyond:
        parts = [f"lacks {', '.join(lacking[:5])}"] * bool(lacking) + [f"has {', '.join(beyond[:5])} besides"] * bool(beyond)
        raise OptionError(
            f"the members of an ensemble know the same classes by name, but '{other.name}' {' and '.join(parts)} beside "
            f"'{first.name}'; choose models trained on the same classes"
        )


def _crop(cards: Sequence[Card]) -> dict[str, Any]:
    """Give the largest of what the members were trained on, at the scale of the one read largest; nothing if one says none."""
    crops = [card.training.get("crop") for card in cards]
    if not all(isinstance(crop, list | tuple) and len(crop) == 2 for crop in crops):
        return {"crop": None}
    scale = max(card.scale for card in cards)
    sides = np.array([np.array(crop) * scale / card.scale for crop, card in zip(crops, cards, strict=True)])
    return {"crop": np.ceil(sides.max(axis=0)).astype(int).tolist()}


def _planes(found: Segmentation, own: IntArray, card: Card) -> Iterator[FloatArray]:
    """Give the probabilities (H, W) of classes, of which ``own`` are a member's numbers; its class map votes if it gives none.

    A pixel that it leaves void says nothing: all classes are alike there.
    """
    if card.gives_probabilities:
        given = probabilities_of(found, len(card.labels))
        yield from (given[index] for index in own)
        return
    classes = found.class_map()
    elsewhere = np.where(classes == found.labels.void, np.float32(1 / len(own)), np.float32(0))
    for index in own:
        yield np.where(classes == index, np.float32(1), elsewhere)
