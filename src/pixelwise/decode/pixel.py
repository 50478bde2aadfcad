"""Decode per-pixel classes."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.errors import DataError
from pixelwise.core.labels import LabelSet, foreground_of
from pixelwise.core.predictor import Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode.frame import Frame

_STRIP = 2**15  # pixels whose logits are compared at once


class PixelReduced(NamedTuple):
    """What a pixel head leaves of a batch.

    Attributes:
        classes: (N, H, W) the most probable class.
        confidence: (N, L) mean probability of each class over the pixels it won, 0 where it won none; or (N, H, W) the
            probability of each pixel's class, of which the means are taken here.
        probabilities: (N, L, H, W), or (N, 0, H, W) where they were not asked for.
    """

    classes: IntArray
    confidence: FloatArray
    probabilities: FloatArray


def decode(reduced: PixelReduced, frames: Sequence[Frame], labels: LabelSet, request: Request) -> list[Segmentation]:
    """Make one semantic segmentation an image.

    With ``request.threshold`` and two classes, a pixel is foreground where that is more probable than the threshold; a class's
    score is then its mean probability over the pixels it has, as it is without.

    Raises:
        ValueError: probabilities are wanted, for themselves or for the threshold, and there are none.
    """
    has_threshold = request.threshold is not None and len(labels) == 2
    if (has_threshold or request.probabilities) and reduced.probabilities.shape[1] != len(labels):
        raise ValueError(f"expected probabilities of {len(labels)} classes, got {reduced.probabilities.shape[1]}")
    found = []
    for index, frame in enumerate(frames):
        classes = frame.undone(reduced.classes[index])
        probabilities = frame.undone(reduced.probabilities[index])
        if reduced.confidence.ndim == 3:
            scores = _means(frame.undone(reduced.confidence[index]), classes, len(labels))
        else:
            scores = reduced.confidence[index].astype(np.float64)
        if has_threshold:
            front = foreground_of(labels)
            classes = np.where(probabilities[front] > request.threshold, front, 1 - front).astype(np.uint8)
            won = [each[classes == row] for row, each in enumerate(probabilities)]
            scores = np.array([each.mean(dtype=np.float64) if each.size else 0.0 for each in won])
        kept = probabilities if request.probabilities else None
        classes = classes.astype(_dtype(labels), copy=False)
        found.append(Segmentation.from_class_map(classes, labels, np.clip(scores, 0, 1), kept))
    return found


def _means(values: FloatArray, classes: IntArray, length: int) -> FloatArray:
    """Give the mean (L,) of the values at each class's pixels; 0 for a class that has none."""
    flat = classes.ravel()
    sums, pixels = np.bincount(flat, values.ravel(), length), np.bincount(flat, minlength=length)
    return np.asarray(sums / np.maximum(pixels, 1))


def highest(logits: FloatArray) -> IntArray:
    """Give the class of the highest logit (N, H, W) of (N, L, H, W): the first of equals, as argmax does.

    Strips of rows are looked at class by class, so that all that is compared stays in the cache: ten times as fast as
    ``torch.argmax`` over the classes of an image.

    >>> highest(np.array([0.1, 0.7, 0.7], np.float32).reshape(1, 3, 1, 1)).tolist()
    [[[1]]]

    Raises:
        DataError: a logit is not a number.
    """
    count, length, height, width = logits.shape
    if not length:
        raise DataError("expected logits of at least one class, got none")
    classes = np.empty((count, height, width), np.uint8 if length <= 256 else np.uint16)
    rows = max(1, _STRIP // max(width, 1))
    strips = [(index, slice(top, top + rows)) for index in range(count) for top in range(0, height, rows)]

    def fill(part: tuple[int, slice]) -> None:
        index, strip = part
        classes[index, strip] = _highest(logits[index, :, strip], classes.dtype)

    if len(strips) < 8:  # a thread costs more than it saves
        for part in strips:
            fill(part)
        return classes
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 4)) as pool:
        list(pool.map(fill, strips))
    return classes


def _highest(logits: FloatArray, dtype: np.dtype[Any]) -> IntArray:
    best = logits[0].copy()
    classes = np.zeros(best.shape, dtype)
    for index in range(1, len(logits)):
        is_higher = logits[index] > best
        np.maximum(best, logits[index], out=best)
        np.maximum(classes, is_higher * classes.dtype.type(index), out=classes)  # later classes have higher numbers
    if np.isnan(best).any():
        raise DataError("a logit is not a number (NaN): the network's weights or its input are broken")
    return classes


def _dtype(labels: LabelSet) -> type[np.unsignedinteger]:  # type: ignore[type-arg]
    return np.uint8 if labels.void == 255 else np.uint16
