"""Decode per-pixel classes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.labels import LabelSet
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

    With ``request.threshold`` and two classes, a pixel is class 1 where its probability is above the threshold.
    """
    found = []
    for index, frame in enumerate(frames):
        height, width = frame.size
        classes = reduced.classes[index, :height, :width]
        probabilities = reduced.probabilities[index, :, :height, :width]
        if request.threshold is not None and len(labels) == 2:
            classes = (probabilities[1] > request.threshold).astype(np.uint8)
        kept = probabilities if request.probabilities else None
        scores = np.clip(reduced.confidence[index].astype(np.float64), 0, 1)
        found.append(Segmentation.from_class_map(classes.astype(_dtype(labels)), labels, scores, kept))
    return found


def _dtype(labels: LabelSet) -> type[np.unsignedinteger]:  # type: ignore[type-arg]
    return np.uint8 if labels.void == 255 else np.uint16
