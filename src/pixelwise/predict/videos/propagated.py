"""Point at objects in the first frame of a film, and have them followed through the rest."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np

from pixelwise.core.arrays import BoolArray
from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image, as_image
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import from_dense
from pixelwise.core.predictor import PLAIN, Predictor, Request
from pixelwise.core.prompt import Prompt
from pixelwise.core.segmentation import Segmentation
from pixelwise.core.streaming import Following, Picture
from pixelwise.draw.colours import background_classes
from pixelwise.predict.fingerprint import fingerprint
from pixelwise.predict.videos.carried import Carrier
from pixelwise.predict.videos.following import opened


@runtime_checkable
class FollowsPrompts(Following, Protocol):
    """A predictor that follows what it is pointed at by itself, as SAM 2 does."""

    def following(self, prompts: Sequence[Prompt] = (), masks: Sequence[BoolArray] = ()) -> Predictor:
        """Give the same predictor, told what to follow: an object a prompt, then one a mask (H, W) of the first frame."""


OBJECT = LabelSet.of(["object"], things=["object"])


class Propagated:
    """Follow what is in the first frame of a film through the rest of it; a ``Predictor`` of instances with ``track_ids``.

    What is in the first frame is stated as masks, or pointed at and cut out by a predictor that takes prompts. Each later frame
    is found from the one before (see ``video_carried``). Called with images, it takes them as one film from its start.
    """

    follows = True

    def __init__(self, first: Segmentation | Predictor, prompts: Sequence[Prompt] = (), cut: bool = True) -> None:
        """Choose what is followed.

        Args:
            first: the first frame's masks; or a predictor, as ``Method("grabcut")``, that cuts out what is pointed at.
            prompts: an object each, where a predictor is given.
            cut: find outlines anew in each frame; without, masks are moved alone, in half the time.

        Raises:
            OptionError: there is nothing to follow.
        """
        if isinstance(first, Segmentation):
            self.start: Segmentation | None = _objects(first)
            self.predictor: Predictor | None = None
            if not len(self.start):
                raise OptionError("there is no object in the first frame's masks to follow")
        else:
            self.start, self.predictor = None, first
            if not prompts:
                raise OptionError(
                    f"point at what '{first.card.name}' shall cut out of the first frame and follow: --box, --point, --prompts"
                )
        self.prompts = tuple(prompts)
        self.cut = cut

    @property
    def card(self) -> Card:
        """What this is: a predictor of the instances that are followed."""
        labels = OBJECT if self.start is None else self.start.labels
        return Card("propagated", "instance", labels, options={"cut": self.cut})

    def fingerprint(self) -> str:
        """Sum up what is followed."""
        if self.start is not None:
            told = [(runs.size, runs.counts) for runs in self.start.masks.run_lengths()]
        else:
            assert self.predictor is not None
            told = [fingerprint(self.predictor), *(one.to_json() for one in self.prompts)]
        return hashlib.sha256(f"propagated {self.cut} {self.card.labels.names} {told}".encode()).hexdigest()

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        """Follow through the frames of one film, from its start."""
        return list(self.stream(images, request))

    def stream(self, frames: Iterable[Picture], request: Request = PLAIN, batch: int = 8) -> Iterator[Segmentation]:
        """Give the objects of frame after frame; nothing is read ahead.

        Raises:
            OptionError: the first frame is of another size than its masks, or nothing is cut out where it was pointed at.
        """
        carrier: Carrier | None = None
        for frame in frames:
            image = opened(frame)
            if carrier is None:
                carrier = Carrier(self._begun(image, request), image, self.cut)
                yield carrier.found
            else:
                yield carrier.carry(image)

    def _begun(self, image: Image, request: Request) -> Segmentation:
        if self.start is not None:
            if self.start.size != image.size:
                raise OptionError(
                    f"the masks to follow are {self.start.size}, the first frame is {image.size} (height, width); give masks "
                    f"of the video's size"
                )
            return self.start
        assert self.predictor is not None
        masks = []
        for prompt in self.prompts:
            found = self.predictor([as_image(image)], replace(request, prompts=((prompt,),)))[0]
            masks.append(_objects(found).masks.dense().any(axis=0))
            if not masks[-1].any():
                raise OptionError(f"'{self.predictor.card.name}' finds nothing in the first frame at {prompt.to_json()}")
        numbers = np.arange(1, len(masks) + 1)
        return Segmentation("instance", from_dense(np.stack(masks)), numbers * 0, OBJECT, track_ids=numbers)


def _objects(found: Segmentation) -> Segmentation:
    """Take the segments as objects to follow, the lack of any class left out, numbered unless they are."""
    kept = found[~np.isin(found.class_ids, background_classes(found.labels))]
    kept = kept[kept.masks.areas() > 0]
    numbers = np.arange(1, len(kept) + 1) if kept.track_ids is None else kept.track_ids
    return replace(kept, kind="instance", track_ids=numbers, probabilities=None, boxes=None, areas=None)


def propagated(first: Segmentation | Predictor, prompts: Sequence[Prompt] = ()) -> Predictor:
    """Follow what is pointed at: by the predictor itself where it can, else from frame to frame by flow and colours.

    Raises:
        OptionError: there is nothing to follow.
    """
    if isinstance(first, FollowsPrompts):
        return first.following(prompts)
    return Propagated(first, prompts)
