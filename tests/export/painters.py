"""Predictors of a few lines for tests of proofs: they need no torch, and their faults are planted at will."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from pixelwise.core.card import Card
from pixelwise.core.errors import DataError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN, Request
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation

LABELS = LabelSet.of(["dark", "grey", "bright"])
CARD = Card("painter", "semantic", LABELS, gives_probabilities=True)


@dataclass
class Painter:
    """Gives each pixel the class of its red value, changed by ``fault`` (H, W, C) -> (H, W, C) and ``shift``."""

    fault: Callable[[np.ndarray], np.ndarray] = lambda pixels: pixels
    shift: int = 0
    sharpness: float = 20.0
    card: Card = CARD
    calls: list[int] = field(default_factory=list)

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        self.calls.append(len(images))
        return [self._one(image, request.probabilities) for image in images]

    def _one(self, image: Image, wanted: bool) -> Segmentation:
        if image.size == (1, 1):
            raise DataError("expected an image of more than a pixel")
        red = self.fault(image.unit())[:, :, 0]
        logits = -self.sharpness * np.abs(red[None] - np.array([0.1, 0.5, 0.9], np.float32)[:, None, None])
        odds = np.roll(np.exp(logits), self.shift, axis=0)
        shares = (odds / odds.sum(axis=0)).astype(np.float32)
        return Segmentation.from_class_map(
            shares.argmax(axis=0).astype(np.uint8), self.card.labels, shares.max(axis=(1, 2)), shares if wanted else None
        )


def pictures(count: int = 8, size: tuple[int, int] = (16, 24), truth: bool = True) -> Dataset:
    """Draw noise whose truth is what ``Painter`` gives, but for a tenth of the pixels."""
    rng, samples = np.random.default_rng(0), []
    for index in range(count):
        image = Image(rng.integers(0, 256, (*size, 3)).astype(np.uint8))
        classes = Painter()([image])[0].class_map().copy()
        wrong = rng.random(size) < 0.1
        classes[wrong] = (classes[wrong] + 1) % 3
        samples.append(Sample.of(f"p{index}", image, Segmentation.from_class_map(classes, LABELS) if truth else None))
    return Dataset(samples, LABELS if truth else LabelSet(()), "semantic", name="noise")
