"""How unsure a prediction is: a map over the pixels, a number an object and a number an image, all from 0 (sure) to 1.

Of classes, from probabilities p of L classes a pixel:

- ``entropy``: the entropy of p, divided by the largest there is, log L: how little the prediction says.
- ``margin``: 1 less the lead of the most probable class over the second: how close the decision was.
- ``disagreement``: of a committee (views, an ensemble, passes with dropout), the entropy of its mean less the mean entropy of
  its opinions, divided by the largest it can be: what the opinions differ in, and not what all of them find unclear [1, 2].

Of objects, the entropy of their scores, in bits: 1 at a score of one half. An object found by half of the views only has such a
score, so views and ensembles say more here too. A pixel has the number of the object over it that is the least sure.

[1] Houlsby et al., Bayesian Active Learning for Classification and Preference Learning, 2011: BALD.
[2] Gal, Islam and Ghahramani, Deep Bayesian Active Learning with Image Data, ICML 2017.
"""

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from pixelwise.core.arrays import FloatArray
from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image, as_image
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.predictor import PLAIN, Predictor, Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.core.streaming import Streaming
from pixelwise.predict.decision import probabilities_of, threshold_of
from pixelwise.predict.fingerprint import fingerprint
from pixelwise.predict.opinions.committee import VALUES, Committee, Opinion, decided, gathered
from pixelwise.predict.portions import portions

Measure = Literal["entropy", "margin", "disagreement"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
_TINY = np.float32(1e-30)


@dataclass(frozen=True, eq=False)
class Assessment:
    """A segmentation and how unsure it is.

    Attributes:
        segmentation: what was found.
        pixels: (H, W) from 0 to 1.
        segments: (S,) the mean over a segment's pixels; of objects, their own numbers.
    """

    segmentation: Segmentation
    pixels: FloatArray
    segments: FloatArray

    @property
    def image(self) -> float:
        """The mean over segments, 0 where there is none: a class counts alike whatever its area, as in mean IoU.

        So it finds the images of low mean IoU, to which a few unsure pixels of a class that is not there do as much as a
        missed street: on 45 images of CamVid the rank correlation of the two was -0.86, of the mean over pixels -0.34. The
        mean over pixels goes with the share of right pixels instead (-0.81).
        """
        return float(self.segments.mean()) if len(self.segments) else 0.0

    @property
    def mean(self) -> float:
        """The mean over all pixels."""
        return float(self.pixels.mean(dtype=np.float64)) if self.pixels.size else 0.0


class Uncertain(Streaming):
    """A predictor that says how unsure it is; as a ``Predictor`` it gives what the one inside gives.

    >>> from pixelwise.methods.predictor import Method
    >>> Uncertain(Method("gaussianmixture"), "variance")
    Traceback (most recent call last):
    pixelwise.core.errors.OptionError: expected an uncertainty of entropy, margin, disagreement, got 'variance'
    """

    def __init__(self, predictor: Predictor, measure: Measure = "entropy") -> None:
        """Choose the measure.

        Raises:
            OptionError: there is no such measure, or the predictor gives nothing it could be taken of.
        """
        card = predictor.card
        if measure not in MEASURES:
            raise OptionError(f"expected an uncertainty of {', '.join(MEASURES)}, got {measure!r}")
        if card.kind == "semantic" and not card.gives_probabilities:
            raise OptionError(f"'{card.name}' gives classes without probabilities, so nothing says how unsure it is")
        if card.kind not in ("semantic", "instance", "panoptic"):
            raise OptionError(
                f"'{card.name}' gives {card.kind} segments; uncertainty is of semantic, instance or panoptic ones"
            )
        if measure == "margin" and card.kind != "semantic":
            raise OptionError(
                f"a margin is between classes of a pixel; '{card.name}' gives {card.kind} segments, which have scores"
            )
        if measure == "disagreement" and card.kind == "semantic" and not isinstance(predictor, Committee):
            raise OptionError(
                f"disagreement is between several opinions, and '{card.name}' gives one; lay Views, Ensemble or Dropout around"
            )
        self.predictor = predictor
        self.measure: Measure = measure

    @property
    def card(self) -> Card:
        """What the predictor is."""
        return self.predictor.card

    def fingerprint(self) -> str:
        """Sum up the predictor and the measure."""
        return hashlib.sha256(f"uncertain {self.measure} {fingerprint(self.predictor)}".encode()).hexdigest()

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        """Segment each image."""
        return self.predictor(images, request)

    def assess(self, images: Sequence[Image], request: Request = PLAIN) -> list[Assessment]:
        """Segment each image and say how unsure that is.

        Raises:
            OptionError: prompts are given, or the predictor cannot do what is requested.
        """
        if request.prompts:
            raise OptionError("uncertainty is of predictions without prompts; leave out one of the two")
        given = [as_image(image) for image in images]
        if self.card.kind != "semantic":
            return [_of_objects(one) for one in self.predictor(given, request)]
        found = []
        for some in portions(given, len(self.card.labels), VALUES):
            found += self._portion(some, request)
        return found

    def _portion(self, images: Sequence[Image], request: Request) -> list[Assessment]:
        keep, wanted = request.probabilities, Request(probabilities=True, threshold=request.threshold)
        if isinstance(self.predictor, Committee) and self.measure == "disagreement":
            threshold, found = threshold_of(self.card, request), []
            for mean, pixels in _disagreements(self.predictor.opinions(images), self.predictor.shares, len(self.card.labels)):
                one = decided(mean, self.card, threshold, keep, self.predictor.notes)
                found.append(_of_classes(one, pixels))
            return found
        measured = entropy if self.measure == "entropy" else margin
        return [
            _of_classes(
                one if keep else replace(one, probabilities=None), measured(probabilities_of(one, len(self.card.labels)))
            )
            for one in self.predictor(images, wanted)
        ]


def entropy(probabilities: Iterable[FloatArray]) -> FloatArray:
    """Give the entropy (H, W) of probabilities, class after class (H, W), as a share of log L; 0 for one class.

    >>> entropy(np.array([[[0.5, 1.0]], [[0.5, 0.0]]], np.float32)).tolist()
    [[1.0, 0.0]]
    """
    total, length = _entropy(probabilities)
    return _unit(total / np.float32(math.log(length))) if length > 1 else np.zeros_like(total)


def _entropy(probabilities: Iterable[FloatArray]) -> tuple[FloatArray, int]:
    """Add up -p log p over classes, in nats, and count these."""
    total: FloatArray = np.zeros((0, 0), np.float32)
    length = 0
    for plane in probabilities:
        part = plane * np.log(np.maximum(plane, _TINY))
        total = total - part if length else -part
        length += 1
    return total, length


def margin(probabilities: Iterable[FloatArray]) -> FloatArray:
    """Give 1 less the lead of the most probable class over the second, (H, W); 0 for one class.

    >>> margin(np.array([[[0.5, 0.75]], [[0.5, 0.25]]], np.float32)).tolist()
    [[1.0, 0.5]]
    """
    first = second = None
    for plane in probabilities:
        if first is None:
            first = np.array(plane)
            continue
        second = np.minimum(first, plane) if second is None else np.maximum(second, np.minimum(first, plane))
        first = np.maximum(first, plane)
    assert first is not None  # a label set has a class
    return np.zeros_like(first) if second is None else _unit(1 - (first - second))


def _disagreements(
    opinions: Iterator[Opinion], shares: Sequence[float], length: int
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Give for each image the mean (L, H, W) of opinions and how far they disagree (H, W), with two sets in memory at most.

    That is at most the entropy of the shares, and at most log L.
    """
    most = min(math.log(length), -sum(share * math.log(share) for share in shares if share))
    means: list[FloatArray] = []
    clear: list[FloatArray] = []  # the mean entropy so far
    total = 0.0
    for share, given in opinions:
        total += share
        for row, planes in enumerate(given):
            if len(means) == row:
                means.append(gathered(planes, length))
                clear.append(_entropy(means[row])[0])
                continue
            own = np.zeros_like(clear[row])
            for mean, plane in zip(means[row], planes, strict=True):
                own -= plane * np.log(np.maximum(plane, _TINY))
                mean += (plane - mean) * (share / total)
            clear[row] += (own - clear[row]) * (share / total)
    for mean, own in zip(means, clear, strict=True):
        yield mean, _unit((_entropy(mean)[0] - own) / np.float32(most)) if most > 0 else np.zeros_like(own)


def segment_uncertainty(found: Segmentation, pixels: FloatArray) -> FloatArray:
    """Give the number (S,) of each segment, where that of each pixel (H, W) is known."""
    if found.kind != "semantic":
        return _bits(np.ones(len(found)) if found.scores is None else np.clip(np.asarray(found.scores, np.float64), 0, 1))
    masks = found.masks
    assert isinstance(masks, DisjointMasks)  # as semantic ones are
    sums = np.bincount(masks.ids.ravel(), pixels.ravel(), masks.count + 1)[1:]
    return np.asarray(sums / np.maximum(masks.areas(), 1))


def _of_classes(found: Segmentation, pixels: FloatArray) -> Assessment:
    return Assessment(found, pixels, segment_uncertainty(found, pixels))


def _of_objects(found: Segmentation) -> Assessment:
    segments = segment_uncertainty(found, np.zeros(0, np.float32))  # their scores alone tell
    pixels = np.zeros(found.size, np.float32)
    for index, one in enumerate(segments):
        np.maximum(pixels, np.float32(one), out=pixels, where=found.masks.mask(index))
    return Assessment(found, pixels, segments)


def _bits(scores: FloatArray) -> FloatArray:
    """Give the entropy of being right with a probability, in bits: 0 at 0 and 1, 1 at one half."""
    parts = [one * np.log2(np.maximum(one, 1e-30)) for one in (scores, 1 - scores)]
    return np.asarray(np.abs(parts[0] + parts[1]))


def _unit(values: FloatArray) -> FloatArray:
    return np.clip(values, 0, 1).astype(np.float32, copy=False)
