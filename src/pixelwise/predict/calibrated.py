"""Probabilities that mean what they say: temperature scaling.

Networks are surer than they are right. Their logits divided by one number, the temperature, have the same largest class, and
the number that makes the labelled pixels of a validation set most likely also brings confidence near to accuracy [1]. Logits
are the logarithms of the probabilities but for a number a pixel, which the softmax takes out again; so this works on whatever
gives probabilities. A network with a temperature in its card divides its logits itself (``models.heads.pixel``).

[1] Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image, as_image
from pixelwise.core.predictor import PLAIN, Predictor, Request
from pixelwise.core.sample import Dataset
from pixelwise.core.segmentation import Segmentation
from pixelwise.core.streaming import Streaming
from pixelwise.predict.decision import BLOCK, probabilities_of, threshold_of
from pixelwise.predict.fingerprint import fingerprint
from pixelwise.predict.opinions.committee import VALUES, decided, refuse_prompts, require_classes
from pixelwise.predict.opinions.sampled import Progress, SampledPixels, sampled_pixels
from pixelwise.predict.portions import portions

NEEDED = "a temperature is of class probabilities, so this cannot be calibrated"
RANGE = (0.05, 20.0)  # of temperatures looked at
_TINY = 1e-30  # stands for a probability that 32 bits hold as 0
_GOLDEN = (math.sqrt(5) - 1) / 2
_CLOSE = 1e-4  # of log T: a ten-thousandth of the temperature


class Calibrated(Streaming):
    """A predictor whose probabilities are brought to a temperature; a ``Predictor``."""

    def __init__(self, predictor: Predictor, temperature: float) -> None:
        """Choose the temperature: above 1 makes a predictor less sure, below 1 surer.

        Raises:
            OptionError: the predictor gives no probabilities of classes, or the temperature is not above 0.
        """
        require_classes(predictor.card, NEEDED)
        if not 0 < temperature < math.inf:
            raise OptionError(f"expected a temperature above 0, got {temperature}")
        self.predictor = predictor
        self.temperature = float(temperature)

    @classmethod
    def fitted(cls, predictor: Predictor, dataset: Dataset, *, seed: int = 0, progress: Progress | None = None) -> "Calibrated":
        """Find the temperature that makes the labels of a data set most likely: of validation images, never of training ones.

        Raises:
            OptionError: the predictor gives no probabilities of classes.
            DataError: the data has no labelled pixels of its classes.
        """
        require_classes(predictor.card, NEEDED)
        return cls(predictor, temperature_of(pixels_of(predictor, dataset, seed=seed, progress=progress)))

    @property
    def card(self) -> Card:
        """What the predictor is; a threshold of its card keeps its place among the probabilities."""
        card = self.predictor.card
        moved = None if card.threshold is None else threshold_at(card.threshold, self.temperature)
        return replace(card, threshold=moved)

    def fingerprint(self) -> str:
        """Sum up the predictor and the temperature."""
        return hashlib.sha256(f"calibrated {self.temperature} {fingerprint(self.predictor)}".encode()).hexdigest()

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        """Segment each image.

        Raises:
            OptionError: prompts are given, or a threshold to a predictor of more than two classes.
        """
        refuse_prompts(request, "calibrated predictors")
        card, found = self.card, []
        threshold = threshold_of(card, request)
        for some in portions([as_image(image) for image in images], len(card.labels), VALUES):
            for one in self.predictor(some, Request(probabilities=True)):
                cooled = at_temperature(probabilities_of(one, len(card.labels)), self.temperature)
                found.append(decided(cooled, card, threshold, request.probabilities, one.notes))
        return found


def at_temperature(probabilities: FloatArray, temperature: float) -> FloatArray:
    """Bring probabilities (L, H, W) to a temperature: a softmax of their logarithms divided by it.

    >>> np.round(at_temperature(np.array([0.8, 0.2], np.float32).reshape(2, 1, 1), 2.0).ravel(), 3).tolist()
    [0.6669999957084656, 0.3330000042915344]
    """
    found = np.empty(probabilities.shape, np.float32)
    rows = max(1, BLOCK // max(1, probabilities.shape[2]))
    for top in range(0, probabilities.shape[1], rows):
        strip = slice(top, top + rows)
        spread = np.log(np.maximum(probabilities[:, strip], _TINY)) / np.float32(temperature)
        spread -= spread.max(axis=0)
        np.exp(spread, out=spread)
        found[:, strip] = spread / spread.sum(axis=0)
    return found


def threshold_at(threshold: float, temperature: float) -> float:
    """Move a threshold of the foreground's probability to a temperature, so that the same pixels are above it.

    >>> threshold_at(0.5, 3.0), threshold_at(0.0, 3.0), round(threshold_at(0.8, 2.0), 3)
    (0.5, 0.0, 0.667)
    """
    if threshold in (0, 1):
        return threshold
    return 1 / (1 + math.pow((1 - threshold) / threshold, 1 / temperature))


def pixels_of(predictor: Predictor, dataset: Dataset, *, seed: int = 0, progress: Progress | None = None) -> SampledPixels:
    """Draw labelled pixels of a data set and what a predictor says of them."""
    labels, wanted = predictor.card.labels, Request(probabilities=True)
    return sampled_pixels(
        lambda image: (probabilities_of(one, len(labels)) for one in predictor([image], wanted)),
        dataset,
        labels,
        seed=seed,
        progress=progress,
    )


def temperature_of(pixels: SampledPixels) -> float:
    """Find the temperature of the first opinion at which the pixels' classes are most likely.

    The negative log-likelihood is convex in 1 / T, so it has one lowest point in log T, and golden sections close in on it.
    """
    logits = np.log(np.maximum(pixels.probabilities[0].astype(np.float64), _TINY))

    def loss(place: float) -> float:
        return negative_log_likelihood(logits * math.exp(-place), pixels.classes)

    low, high = (math.log(end) for end in RANGE)
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = loss(left), loss(right)
    while high - low > _CLOSE:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = loss(right)
    return round(math.exp((low + high) / 2), 4)


def negative_log_likelihood(logits: FloatArray, classes: IntArray) -> float:
    """Give the mean over K pixels of -ln(probability of their class), from logits (L, K)."""
    top = logits.max(axis=0)
    spread = np.log(np.exp(logits - top).sum(axis=0)) + top
    return float((spread - logits[classes, np.arange(len(classes))]).mean())
