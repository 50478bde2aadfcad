"""What is kept of an image for average precision: which predicted objects found a true one, as bits."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.errors import DataError
from pixelwise.core.labels import LabelSet
from pixelwise.metrics.context import Key

THRESHOLDS = np.linspace(0.5, 0.95, 10)  # of IoU; made as pycocotools makes them, to the last bit
RECALLS = np.linspace(0.0, 1.0, 101)
AREAS: dict[str, tuple[float, float]] = {  # in pixels; both ends belong to a range
    "all": (0, 1e10),
    "small": (0, 32**2),
    "medium": (32**2, 96**2),
    "large": (96**2, 1e10),
}
LIMITS = (1, 10, 100)  # the most predicted objects of a class in an image that count, best scores first


class Matches(NamedTuple):
    """What is kept of one image with D predicted objects and C classes in its truth: 26 bytes an object, 18 a class.

    Attributes:
        key: the image's place in the order of images.
        classes: (D,) of the predicted objects, rising; at most 100 of a class.
        scores: (D,) falling within a class; of equal ones the first predicted is first.
        matched: (4, D) by range of area, bit t set where the object found a true one at ``THRESHOLDS[t]``.
        ignored: (4, D) likewise, bit t set where the object counts neither as right nor as wrong.
        true_classes: (C,) classes of the truth's objects.
        objects: (4, C) the true objects of each class that count in each range of area.
    """

    key: Key
    classes: IntArray
    scores: FloatArray
    matched: IntArray
    ignored: IntArray
    true_classes: IntArray
    objects: IntArray

    @property
    def content(self) -> bytes:
        """Everything but the key, to put images of equal keys in one order however they were added."""
        return b"|".join(np.ascontiguousarray(part).tobytes() for part in self[1:])


@dataclass(frozen=True, eq=False)
class Counts:
    """The match tables of images; ``+`` joins those of different images, in any order.

    Attributes:
        labels: the L classes of the truth.
        images: one table an image, in the order they were added.
    """

    labels: LabelSet
    images: tuple[Matches, ...] = field(default=(), repr=False)

    def __add__(self, other: "Counts") -> "Counts":
        if not isinstance(other, Counts):
            return NotImplemented
        if not self.labels.same_classes(other.labels):
            raise DataError(f"counts of different classes do not add: {self.labels.names} and {other.labels.names}")
        return Counts(self.labels, self.images + other.images)

    def __radd__(self, other: object) -> "Counts":  # sum() starts with 0
        return self if other == 0 else NotImplemented


class Ranking(NamedTuple):
    """The D predicted objects of all images: class after class, within a class by falling score, then by image.

    Attributes:
        classes, scores, matched, ignored: as in ``Matches``, (D,) and (4, D).
        images: (D,) the image of each, by its place in ``Counts.images``.
        ranks: (D,) how many objects of its class and image come before it.
        objects: (4, L) the true objects that count.
    """

    classes: IntArray
    scores: FloatArray
    matched: IntArray
    ignored: IntArray
    images: IntArray
    ranks: IntArray
    objects: IntArray


def ranking(counts: Counts) -> Ranking:
    """Put the predicted objects of all images into the one order that average precision goes by."""
    length, images = len(counts.labels), [counts.images[row] for row in in_order(counts)]
    sizes = [len(one.scores) for one in images]
    classes = np.concatenate([np.zeros(0, np.int64), *(one.classes for one in images)]).astype(np.int64)
    scores = np.concatenate([np.zeros(0), *(one.scores for one in images)])
    rows = np.repeat(np.array(in_order(counts), np.int64), sizes)
    order = np.lexsort((-scores, classes))  # stable: of equal scores, those of the earlier image are first
    places = np.arange(len(classes))
    is_first = np.ones(len(classes), bool)
    is_first[1:] = (classes[1:] != classes[:-1]) | (rows[1:] != rows[:-1])
    ranks = places - np.maximum.accumulate(np.where(is_first, places, 0))
    objects = np.zeros((len(AREAS), length), np.int64)
    for one in images:
        objects[:, one.true_classes] += one.objects
    return Ranking(
        classes[order],
        scores[order],
        _beside([one.matched for one in images])[:, order],
        _beside([one.ignored for one in images])[:, order],
        rows[order],
        ranks[order],
        objects,
    )


def in_order(counts: Counts) -> list[int]:
    """Sort the images by key; those of equal keys by what is in them, so that the order of adding does not matter."""
    images = counts.images
    if len({one.key for one in images}) == len(images):
        return sorted(range(len(images)), key=lambda row: images[row].key)
    return sorted(range(len(images)), key=lambda row: (images[row].key, images[row].content))


def _beside(parts: list[IntArray]) -> IntArray:
    return np.concatenate([np.zeros((len(AREAS), 0), np.uint16), *parts], axis=1)
