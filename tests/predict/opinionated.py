"""A predictor of tests whose probabilities follow from the pixels by a function, so that what averages must give is known."""

import numpy as np

from pixelwise.core.card import Card
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN, Request
from pixelwise.core.segmentation import Segmentation

LABELS = LabelSet.of(["background", "a"])
WANTED = Request(probabilities=True)


class Given:
    """Give the foreground's probability (H, W) by a function of the pixels (H, W, C)."""

    def __init__(self, function, labels=LABELS, name="given", **card):
        self.card = Card(name, "semantic", labels, **{"gives_probabilities": True, **card})
        self.function = function
        self.sizes, self.calls = [], 0

    def __call__(self, images, request=PLAIN):
        self.calls += 1
        self.sizes += [image.size for image in images]
        found = []
        for image in images:
            front = self.function(image.pixels).astype(np.float32)
            both = np.stack([1 - front, front])
            classes = (both[1] > both[0]).astype(np.uint8)
            kept = both if request.probabilities else None
            found.append(Segmentation.from_class_map(classes, self.card.labels, np.full(2, 0.5), kept))
        return found


class Objects:
    """Give the same instances for every image, as ``masks`` (S, H, W) with ``scores``, by a function of the image's size."""

    def __init__(self, function, name="objects"):
        self.card = Card(name, "instance", LabelSet.of(["cell", "rod"]))
        self.function = function

    def __call__(self, images, request=PLAIN):
        return [self._found(image) for image in images]

    def _found(self, image):
        masks, classes, scores = self.function(image)
        return Segmentation.from_masks("instance", masks, classes, self.card.labels, scores=np.array(scores))


def brightness(pixels):
    return pixels[:, :, 0] / 255.0


def always(probability):
    return lambda pixels: np.full(pixels.shape[:2], probability)


def ramp(pixels):
    """A predictor with a bias: what lies further right is more probable."""
    return np.broadcast_to((np.arange(pixels.shape[1]) + 0.5) / pixels.shape[1], pixels.shape[:2])


def noise(size, seed=0):
    return Image(np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8))
