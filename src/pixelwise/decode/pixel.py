"""Decode per-pixel classes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.labels import LabelSet, foreground_of
from pixelwise.core.predictor import Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode.frame import Frame


class PixelReduced(NamedTuple):
    """What a pixel head leaves of a batch.

    Attributes:
        classes: (N, H, W) the most probable class.
        confidence: (N, L) mean probability of each class over the pixels it won; 0 where it won none.
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
        scores = reduced.confidence[index].astype(np.float64)
        if has_threshold:
            front = foreground_of(labels)
            classes = np.where(probabilities[front] > request.threshold, front, 1 - front).astype(np.uint8)
            won = [each[classes == row] for row, each in enumerate(probabilities)]
            scores = np.array([each.mean(dtype=np.float64) if each.size else 0.0 for each in won])
        kept = probabilities if request.probabilities else None
        found.append(Segmentation.from_class_map(classes.astype(_dtype(labels)), labels, np.clip(scores, 0, 1), kept))
    return found


def _dtype(labels: LabelSet) -> type[np.unsignedinteger]:  # type: ignore[type-arg]
    return np.uint8 if labels.void == 255 else np.uint16
