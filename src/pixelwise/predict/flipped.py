"""Average a predictor's probabilities over mirrored, and turned, copies of an image."""

from collections.abc import Iterator, Sequence

from pixelwise.core.card import Card
from pixelwise.core.image import Image
from pixelwise.core.predictor import PLAIN, Predictor, Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.core.streaming import Streaming
from pixelwise.predict.opinions.committee import Opinion, refuse_prompts, require_classes
from pixelwise.predict.views import View, Views


class Flipped(Streaming):
    """A predictor that sees each image several times, and takes the mean of what it says; a ``Predictor``.

    The mean is exact where all views agree: a predictor to which left and right are the same gives what it gives alone. For
    large images put it inside ``Tiled``, so that probabilities are held for a tile at a time. ``Views`` has scales besides.
    """

    notes: tuple[str, ...] = ()

    def __init__(self, predictor: Predictor, vertical: bool = False, turns: bool = False) -> None:
        """Choose the views: the image and its mirror image.

        Args:
            predictor: gives probabilities of semantic segmentations.
            vertical: also upside down, for images without an up (4 views).
            turns: also by quarter turns (8 views, the vertical ones among them).

        Raises:
            OptionError: the predictor gives no probabilities to average.
        """
        require_classes(predictor.card, "flips take the mean of class probabilities, so leave them out")
        self.predictor = predictor
        self._views = Views(predictor, scales=(1.0,), turns=turns, vertical=vertical)

    @property
    def card(self) -> Card:
        """What the predictor is."""
        return self._views.card

    @property
    def views(self) -> tuple[View, ...]:
        """What is seen of each image."""
        return self._views.views

    @property
    def shares(self) -> tuple[float, ...]:
        """What each view counts."""
        return self._views.shares

    def fingerprint(self) -> str:
        """Sum up the predictor and the views."""
        return self._views.fingerprint()

    def opinions(self, images: Sequence[Image]) -> Iterator[Opinion]:
        """Give the probabilities of each image, view after view."""
        return self._views.opinions(images)

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        """Segment each image by the mean of its views.

        Raises:
            OptionError: prompts are given, or a threshold to a predictor of more than two classes.
        """
        refuse_prompts(request, "flips")
        return self._views(images, request)
