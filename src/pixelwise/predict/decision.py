"""From averaged probabilities to classes and scores, block after block of rows, so that no copy of them all is made."""

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray, Size
from pixelwise.core.card import Card
from pixelwise.core.errors import DataError, OptionError
from pixelwise.core.labels import LabelSet, foreground_of
from pixelwise.core.predictor import Request
from pixelwise.core.segmentation import Segmentation

BLOCK = 2**18  # pixels decided at once: what they need stays in the processor's cache


def class_type(labels: LabelSet) -> type[np.unsignedinteger]:  # type: ignore[type-arg]
    """Choose the type of a class map that holds the classes and void."""
    return np.uint8 if labels.void <= 255 else np.uint16


def threshold_of(card: Card, request: Request) -> float | None:
    """Choose the threshold for a predictor's probabilities: the request's, else its card's.

    Raises:
        OptionError: one is asked for, and there are not two classes.
    """
    if request.threshold is not None and len(card.labels) != 2:
        raise OptionError(
            f"a threshold is for models of two classes (background and one more); '{card.name}' has {len(card.labels)}"
        )
    return request.threshold if request.threshold is not None else card.threshold


def probabilities_of(found: Segmentation, length: int) -> FloatArray:
    """Give the probabilities (L, H, W) that a predictor's card promised.

    Raises:
        DataError: they are not there, or not of ``length`` classes.
    """
    if found.probabilities is None or len(found.probabilities) != length:
        given = "none" if found.probabilities is None else f"{len(found.probabilities)}"
        raise DataError(f"the predictor's card promises probabilities of {length} classes; it gave those of {given}")
    return found.probabilities


def decide(probabilities: FloatArray, labels: LabelSet, threshold: float | None = None) -> tuple[IntArray, FloatArray]:
    """Choose the classes (h, w) of pixels by their probabilities (L, h, w), and give the probability of each one's class.

    A pixel takes its most probable class, the first of equals; with a threshold, the foreground of two where that is more
    probable than it.
    """
    dtype = class_type(labels)
    if threshold is not None and len(probabilities) == 2:
        front = foreground_of(labels)
        is_front = probabilities[front] > threshold
        chosen = np.where(is_front, front, 1 - front).astype(dtype)
        return chosen, np.where(is_front, probabilities[front], probabilities[1 - front])
    classes = np.zeros(probabilities.shape[1:], dtype)
    highest = probabilities[0].copy()
    for index in range(1, len(probabilities)):  # several times faster than argmax over the first axis
        np.copyto(classes, index, where=probabilities[index] > highest)
        np.maximum(highest, probabilities[index], out=highest)
    return classes, highest


class Decided:
    """A semantic segmentation in the making: probabilities go in from top to bottom.

    A pixel takes its most probable class, or with a threshold the foreground where that is more probable than it. A class's
    score is its mean probability over the pixels it has.
    """

    def __init__(self, size: Size, labels: LabelSet, threshold: float | None) -> None:
        self._labels = labels
        self._threshold = threshold
        self._classes = np.full(size, labels.void, class_type(labels))
        self._counts = np.zeros(len(labels))
        self._sums = np.zeros(len(labels))

    def add(self, top: int, probabilities: FloatArray) -> None:
        """Decide the rows from ``top`` on, of which these are the probabilities (L, rows, W)."""
        length, height, width = probabilities.shape
        step = max(1, BLOCK // max(width, 1))
        for first in range(0, height, step):
            classes, highest = decide(probabilities[:, first : first + step], self._labels, self._threshold)
            self._classes[top + first : top + first + len(classes)] = classes
            flat = classes.ravel().astype(np.intp)
            self._counts += np.bincount(flat, minlength=length)
            self._sums += np.bincount(flat, weights=highest.ravel(), minlength=length)

    def segmentation(self, probabilities: FloatArray | None = None) -> Segmentation:
        """Give the segmentation, with ``probabilities`` (L, H, W) where they are to be kept."""
        scores = np.clip(self._sums / np.maximum(self._counts, 1), 0, 1)
        return Segmentation.from_class_map(self._classes, self._labels, scores, probabilities)
