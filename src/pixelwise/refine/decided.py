"""From refined probabilities to classes and scores."""

import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray
from pixelwise.core.labels import LabelSet, foreground_of
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode.pixel import highest


def decided(labels: LabelSet, probabilities: FloatArray, threshold: float | None, is_void: BoolArray) -> Segmentation:
    """Give each pixel its most probable class of (L, H, W), or by the foreground's ``threshold`` of two; void where told.

    A class's score is its mean probability over the pixels it has. The probabilities are kept.
    """
    if threshold is not None and len(labels) == 2:
        front = foreground_of(labels)
        classes = np.where(probabilities[front] > threshold, front, 1 - front).astype(np.uint8)
    else:
        classes = highest(probabilities[None])[0]
    classes = classes.astype(np.uint8 if labels.void == 255 else np.uint16)
    scores = np.zeros(len(labels))
    for index in range(len(labels)):
        won = probabilities[index][classes == index]
        scores[index] = won.mean(dtype=np.float64) if won.size else 0.0
    classes[is_void] = labels.void
    return Segmentation.from_class_map(classes, labels, np.clip(scores, 0, 1), probabilities)
