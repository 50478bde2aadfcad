"""Average a predictor's probabilities over mirrored, and turned, copies of an image."""

import hashlib
from collections.abc import Sequence

import numpy as np

from pixelwise.core.arrays import AnyArray, FloatArray
from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image, as_image
from pixelwise.core.predictor import PLAIN, Predictor, Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.predict.decision import Decided, probabilities_of, threshold_of
from pixelwise.predict.fingerprint import fingerprint
from pixelwise.predict.portions import portions

_VALUES = 2**26  # probabilities of the images given to the predictor at once: a quarter of a gigabyte, held twice
_View = tuple[bool, int]  # mirrored left to right, then turned by so many quarters


class Flipped:
    """A predictor that sees each image several times, and takes the mean of what it says; a ``Predictor``.

    The mean is exact where all views agree: a predictor to which left and right are the same gives what it gives alone. For
    large images put it inside ``Tiled``, so that probabilities are held for a tile at a time.
    """

    def __init__(self, predictor: Predictor, vertical: bool = False, turns: bool = False) -> None:
        """Choose the views: the image and its mirror image.

        Args:
            predictor: gives probabilities of semantic segmentations.
            vertical: also upside down, for images without an up (4 views).
            turns: also by quarter turns (8 views, the vertical ones among them).

        Raises:
            OptionError: the predictor gives no probabilities to average.
        """
        card = predictor.card
        if card.kind != "semantic" or not card.gives_probabilities:
            raise OptionError(
                f"'{card.name}' gives {card.kind} segments "
                f"{'without probabilities' if card.kind == 'semantic' else '(not semantic ones)'}; "
                f"flips take the mean of class probabilities, so leave them out"
            )
        self.predictor = predictor
        quarters = range(4) if turns else (0, 2) if vertical else (0,)
        self.views: tuple[_View, ...] = tuple((mirrored, turn) for turn in quarters for mirrored in (False, True))

    @property
    def card(self) -> Card:
        """What the predictor is."""
        return self.predictor.card

    def fingerprint(self) -> str:
        """Sum up the predictor and the views."""
        return hashlib.sha256(f"flipped {self.views} {fingerprint(self.predictor)}".encode()).hexdigest()

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        """Segment each image by the mean of its views.

        Raises:
            OptionError: prompts are given, or a threshold to a predictor of more than two classes.
        """
        if request.prompts:
            raise OptionError("prompts say places in the image as it is and cannot be given to flips; leave out one of the two")
        threshold, labels = threshold_of(self.card, request), self.card.labels
        found = []
        for some in portions([as_image(image) for image in images], len(labels), _VALUES):
            for probabilities in self._means(some):
                decided = Decided((probabilities.shape[1], probabilities.shape[2]), labels, threshold)
                decided.add(0, probabilities)
                found.append(decided.segmentation(probabilities if request.probabilities else None))
        return found

    def _means(self, images: Sequence[Image]) -> list[FloatArray]:
        """Take the mean of the probabilities (L, H, W) of each image over the views, with two sets in memory at most."""
        means: list[FloatArray] = []
        for count, view in enumerate(self.views, start=1):
            seen = [Image(np.ascontiguousarray(_shown(image.pixels, view)), image.bands) for image in images]
            results = self.predictor(seen, Request(probabilities=True))
            if count == 1:
                means = [np.array(probabilities_of(one, len(self.card.labels))) for one in results]
                continue
            for mean, one in zip(means, results, strict=True):
                undone = _undone(probabilities_of(one, len(mean)), view)
                for each, other in zip(mean, undone, strict=True):
                    each += (other - each) / count  # a running mean: views that agree leave it as it is, to the last bit
        return means


def _shown(pixels: AnyArray, view: _View) -> AnyArray:
    """Mirror and turn (H, W, C)."""
    mirrored, turn = view
    return np.rot90(pixels[:, ::-1] if mirrored else pixels, turn)


def _undone(probabilities: AnyArray, view: _View) -> AnyArray:
    """Turn and mirror (L, H, W) back."""
    mirrored, turn = view
    back = np.rot90(probabilities, -turn, axes=(1, 2))
    return back[:, :, ::-1] if mirrored else back
