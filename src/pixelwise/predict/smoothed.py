"""A predictor whose classes are steadied through a film: what flickers from frame to frame is averaged away."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from pixelwise.core.arrays import ByteArray, FloatArray
from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.predictor import PLAIN, Predictor, Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.core.streaming import Picture
from pixelwise.predict.decision import Decided, decide, probabilities_of, threshold_of
from pixelwise.predict.fingerprint import fingerprint
from pixelwise.predict.tracking.shapes import thumbnail
from pixelwise.predict.videos.flow import flow_between, grey_of
from pixelwise.predict.videos.following import streamed

Form = Literal["exponential", "flow"]
FORMS: tuple[Form, ...] = get_args(Form)
_CUT = 0.25  # mean change of grey levels, in [0, 1], from which a frame belongs to another scene


class Smoothed:
    """Average classes over the frames of a film; a ``Predictor``.

    The past counts ``weight``, and of it the frame before last ``weight`` again: an exponential mean, of which one frame of
    probabilities is held. ``exponential`` takes the past as it lies, for a camera that stands still; ``flow`` first carries it
    along by optical flow, and trusts it only where the pixel still looks the same, so that what moves leaves no trail.

    Probabilities are averaged where the predictor gives some. Where it gives classes alone, each frame votes for its class;
    a pixel without enough votes is void. Another scene or another size begins anew.
    """

    follows = True

    def __init__(self, predictor: Predictor, form: Form = "exponential", weight: float = 0.6) -> None:
        """Choose how to average.

        Args:
            weight: of the past, from 0 (nothing is averaged) to below 1.

        Raises:
            OptionError: the form or the weight does not exist, or the predictor does not give one class a pixel.
        """
        if form not in FORMS:
            raise OptionError(f"smoothing is one of {', '.join(FORMS)}; got {form!r}")
        if not 0 <= weight < 1:
            raise OptionError(f"the weight of the past is from 0 to below 1, got {weight}")
        if predictor.card.kind != "semantic":
            raise OptionError(
                f"'{predictor.card.name}' gives {predictor.card.kind} segments, and smoothing averages class maps; objects are "
                f"steadied by following them (Tracked, --track)"
            )
        self.predictor = predictor
        self.form: Form = form
        self.weight = weight

    @property
    def card(self) -> Card:
        """What the predictor is."""
        return self.predictor.card

    def fingerprint(self) -> str:
        """Sum up the predictor and the smoothing."""
        return hashlib.sha256(f"smoothed {self.form} {self.weight} {fingerprint(self.predictor)}".encode()).hexdigest()

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        """Segment the frames of one film, from its start."""
        return list(self.stream(images, request))

    def stream(self, frames: Iterable[Picture], request: Request = PLAIN, batch: int = 8) -> Iterator[Segmentation]:
        """Segment frame after frame, each averaged with those before.

        Raises:
            OptionError: probabilities are requested of a predictor that gives none, or a threshold does not fit it.
        """
        card = self.card
        if request.probabilities and not card.gives_probabilities:
            raise OptionError(f"'{card.name}' gives no probabilities")
        past = _Past(self.form, self.weight)
        if not card.gives_probabilities:
            for image, found in streamed(self.predictor, frames, request, batch):
                yield self._voted(found, past.mixed(image, _votes(found)))
            return
        threshold = threshold_of(card, request)
        asked = replace(request, probabilities=True, threshold=None)
        for image, found in streamed(self.predictor, frames, asked, batch):
            mixed = past.mixed(image, probabilities_of(found, len(card.labels)))
            decided = Decided(image.size, card.labels, threshold)
            decided.add(0, mixed)
            yield replace(decided.segmentation(mixed.copy() if request.probabilities else None), notes=found.notes)

    def _voted(self, found: Segmentation, votes: FloatArray) -> Segmentation:
        classes, highest = decide(votes, found.labels)
        classes[highest < (1 - self.weight) / 2] = found.labels.void
        scores = np.zeros(len(found.labels))
        if found.scores is not None:
            scores[found.class_ids] = found.scores
        made = Segmentation.from_class_map(classes, found.labels, scores if found.scores is not None else None)
        return replace(made, notes=found.notes)


def _votes(found: Segmentation) -> FloatArray:
    classes = found.class_map()
    return np.stack([classes == index for index in range(len(found.labels))]).astype(np.float32)


class _Past:
    """The mean of the frames so far."""

    def __init__(self, form: Form, weight: float) -> None:
        self._form, self._weight = form, weight
        self._mean: FloatArray | None = None
        self._shown: FloatArray | None = None
        self._grey: ByteArray = np.zeros((0, 0), np.uint8)

    def mixed(self, image: Image, values: FloatArray) -> FloatArray:
        """Average values (L, H, W) of a frame with the past; what is given is the past of the next, and not to be changed."""
        shown = thumbnail(image)
        grey = grey_of(image) if self._form == "flow" else self._grey
        mean, last = self._mean, self._shown
        is_new = mean is None or last is None or mean.shape != values.shape or float(np.abs(last - shown).mean()) > _CUT
        if is_new or mean is None:
            mean = np.array(values, np.float32)
        elif self._form == "exponential":
            mean = np.asarray(values + np.float32(self._weight) * (mean - values), np.float32)
        else:
            flow = flow_between(grey, self._grey, image.size)
            share = np.float32(self._weight) * flow.trust
            mean = np.stack([now + share * (flow.carried(then) - now) for now, then in zip(values, mean, strict=True)])
        self._mean, self._shown, self._grey = mean, shown, grey
        return mean
