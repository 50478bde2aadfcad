"""A predictor whose results are refined: edges, holes, fragments, objects that touch."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from types import ModuleType

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image, as_image
from pixelwise.core.predictor import PLAIN, Predictor, Request
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.core.streaming import Streaming
from pixelwise.predict.decision import threshold_of
from pixelwise.predict.fingerprint import fingerprint
from pixelwise.predict.portions import portions
from pixelwise.refine.refiner import Refiner, chain

_VALUES = 2**26  # probabilities of the images given to the predictor at once


class Refined(Streaming):
    """A predictor whose segmentations go through refiners, from left to right; a ``Predictor``.

    >>> from pixelwise.methods.predictor import Method
    >>> Refined(Method("otsu"), "smallest(area=40)", "split").card.kind
    'instance'

    The predictor is asked for probabilities where the first refiner uses them and there are some. For huge images and many
    classes lay tiles around it, ``Tiled(Refined(predictor, "crf"), tile=1024)``, and no probabilities of the whole are held.
    """

    def __init__(self, predictor: Predictor, *refiners: str | Refiner | ModuleType) -> None:
        """Choose the refiners.

        Args:
            predictor: gives segmentations of any kind.
            refiners: by name, with options as in ``"crf(colour=8)"``; ``Refiner("crf", colour=8)``; or the module
                ``pixelwise.refine.crf``.

        Raises:
            UnknownName: there is no such refiner.
            OptionError: none is given, an option is unknown, or one cannot refine what it would be given.
        """
        self.predictor = predictor
        self.refiners = tuple(each for one in refiners for each in _read(one))
        if not self.refiners:
            raise OptionError("expected at least one refiner to put around a predictor, as in Refined(predictor, 'crf')")
        self._kind()

    def _kind(self) -> Kind:
        """Give the kind that comes out at the end.

        Raises:
            OptionError: a refiner does not take what it would be given.
        """
        kind = self.predictor.card.kind
        for refiner in self.refiners:
            kind = refiner.gives(kind)
        return kind

    @property
    def card(self) -> Card:
        """What the predictor is; a pixel may be changed by any other."""
        card, kind = self.predictor.card, self._kind()
        keeps = kind == "semantic" and all(refiner.about.uses_probabilities for refiner in self.refiners)
        return replace(card, kind=kind, field_of_view=None, gives_probabilities=card.gives_probabilities and keeps)

    def fingerprint(self) -> str:
        """Sum up the predictor and the refiners."""
        return hashlib.sha256(f"refined {self.refiners} {fingerprint(self.predictor)}".encode()).hexdigest()

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        """Segment each image and refine what was found.

        Raises:
            OptionError: probabilities are requested and a refiner does not give them back, or the predictor cannot do what is
                requested.
        """
        card = self.predictor.card
        if request.probabilities and not self.card.gives_probabilities:
            raise OptionError(f"{self.refiners} around '{card.name}' give no probabilities")
        given = [as_image(image) for image in images]
        wants = request.probabilities or (card.gives_probabilities and self.refiners[0].about.uses_probabilities)
        threshold = threshold_of(card, request) if card.kind == "semantic" and wants else None
        most = _VALUES if wants else sum(image.size[0] * image.size[1] for image in given)
        found, first = [], 0
        for some in portions(given, len(card.labels) if wants else 1, max(1, most)):
            prompts = request.prompts[first : first + len(some)]
            results = self.predictor(some, replace(request, probabilities=wants, prompts=prompts))
            found += [self._refined(image, one, threshold, request) for image, one in zip(some, results, strict=True)]
            first += len(some)
        return found

    def _refined(self, image: Image, found: Segmentation, threshold: float | None, request: Request) -> Segmentation:
        for refiner in self.refiners:
            found = refiner(image, found, threshold if found.probabilities is not None else None)
        return found if request.probabilities or found.probabilities is None else replace(found, probabilities=None)


def _read(one: str | Refiner | ModuleType) -> tuple[Refiner, ...]:
    if isinstance(one, str):
        return chain(one)
    return (Refiner(one.__name__.rpartition(".")[2]),) if isinstance(one, ModuleType) else (one,)
