"""A predictor whose objects are followed through a film: the same object has the same number in every frame."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from pixelwise.core.arrays import FloatArray
from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.predictor import PLAIN, Predictor, Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.core.streaming import Picture
from pixelwise.predict.fingerprint import fingerprint
from pixelwise.predict.tracking.shapes import thumbnail
from pixelwise.predict.tracking.tracks import Tracking, Tracks
from pixelwise.predict.videos.following import streamed

NO_OPTIONS = Tracking()
_CUT = 0.25  # mean change of grey levels, in [0, 1], from which one frame does not follow the other


class Tracked:
    """Follow the objects of a film (``Segmentation.track_ids``); a ``Predictor``.

    - Instances: those with a number are given; a faint detection that goes on with no track, and an object seen for the first
      time after the first frame, are left out, the latter until it is seen ``confirm`` frames on end.
    - Panoptic segments: every thing has a number at once, as a thing left out would leave a hole; a stuff class keeps
      the number class id + 1, and things count from the number of classes + 1.
    - Regions, as of a classical method: like things. Class maps have no objects; ``Refined(predictor, "split")`` makes some.

    Called with images, it takes them as one film from its start; ``stream`` takes any number of frames in flat memory. Put it
    outside of all that changes masks: ``Tracked(Tiled(predictor, 1024))``. A cut to another scene ends all tracks.
    """

    follows = True

    def __init__(self, predictor: Predictor, tracking: Tracking = NO_OPTIONS) -> None:
        """Choose what is followed, and how.

        Raises:
            OptionError: the predictor gives no objects.
        """
        kind = predictor.card.kind
        if kind in ("semantic", "multilabel"):
            raise OptionError(
                f"'{predictor.card.name}' gives {kind} classes, in which no object is told from another; follow the objects of "
                f"an instance or panoptic model, or part the classes first: Refined(predictor, 'split'), --refine split"
            )
        self.predictor = predictor
        self.tracking = tracking

    @property
    def card(self) -> Card:
        """What the predictor is."""
        return self.predictor.card

    def fingerprint(self) -> str:
        """Sum up the predictor and how objects are followed."""
        return hashlib.sha256(f"tracked {self.tracking} {fingerprint(self.predictor)}".encode()).hexdigest()

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        """Segment the frames of one film, from its start."""
        return list(self.stream(images, request))

    def stream(self, frames: Iterable[Picture], request: Request = PLAIN, batch: int = 8) -> Iterator[Segmentation]:
        """Segment frame after frame, with numbers that stay."""
        is_instance = self.card.kind == "instance"
        tracking = self.tracking if is_instance else replace(self.tracking, high=0.0, low=0.0, confirm=1)
        tracks, last, size = Tracks(tracking), None, None
        for image, found in streamed(self.predictor, frames, request, batch):
            shown = thumbnail(image)
            if last is not None and (_is_cut(last, shown) or size != image.size):
                tracks.end()
            last, size = shown, image.size
            yield _instances(tracks, found, image) if is_instance else _partition(tracks, found, image)


def _is_cut(last: FloatArray, shown: FloatArray) -> bool:
    return float(np.abs(last - shown).mean()) > _CUT


def _instances(tracks: Tracks, found: Segmentation, image: Image) -> Segmentation:
    numbers = tracks.follow(found, image)
    return replace(found, track_ids=numbers)[numbers > 0]


def _partition(tracks: Tracks, found: Segmentation, image: Image) -> Segmentation:
    """Number the things of a panoptic segmentation, or regions, and the stuff by its classes."""
    is_thing = np.isin(found.class_ids, found.labels.things) if found.kind == "panoptic" else np.ones(len(found), bool)
    offset = len(found.labels) if found.kind == "panoptic" else 0
    numbers = found.class_ids + 1
    numbers[is_thing] = offset + tracks.follow(found[is_thing], image)
    return replace(found, track_ids=numbers)
