"""Decode a yes or no for each class and pixel."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode.frame import Frame


class MultilabelReduced(NamedTuple):
    """What a pixel head of kind multilabel leaves of a batch.

    Attributes:
        members: (N, L, H, W) whether a pixel is of a class: where its probability is above 0.5; (N, 0, H, W) if that is to be
            seen from the probabilities.
        confidence: (N, L) mean probability of each class over the pixels it has; 0 where it has none.
        probabilities: (N, L, H, W), or (N, 0, H, W) where they were not asked for.
    """

    members: BoolArray
    confidence: FloatArray
    probabilities: FloatArray


def decode(reduced: MultilabelReduced, frames: Sequence[Frame], labels: LabelSet, request: Request) -> list[Segmentation]:
    """Make one multilabel segmentation an image; a class without a pixel has no segment.

    With ``request.threshold``, a pixel is of each class that is more probable than the threshold, in place of 0.5. A class's
    score is its mean probability over the pixels it has.

    Raises:
        ValueError: probabilities are wanted, for themselves or for the threshold, and there are none.
    """
    needs = request.probabilities or request.threshold is not None
    if needs and reduced.probabilities.shape[1] != len(labels):
        raise ValueError(f"expected probabilities of {len(labels)} classes, got {reduced.probabilities.shape[1]}")
    found = []
    for index, frame in enumerate(frames):
        probabilities = frame.undone(reduced.probabilities[index])
        if request.threshold is None and reduced.members.shape[1] == len(labels):
            members = frame.undone(reduced.members[index])
            scores = reduced.confidence[index].astype(np.float64)
        else:
            members = probabilities > (0.5 if request.threshold is None else request.threshold)
            scores = np.array([_mean(each, of) for each, of in zip(probabilities, members, strict=True)])
        present = np.flatnonzero(members.any(axis=(1, 2)))
        found.append(
            Segmentation.from_masks(
                "multilabel",
                members[present],
                present,
                labels,
                scores=np.clip(scores[present], 0, 1),
                probabilities=probabilities if request.probabilities else None,
            )
        )
    return found


def _mean(probabilities: FloatArray, mask: BoolArray) -> float:
    return float(probabilities[mask].mean(dtype=np.float64)) if mask.any() else 0.0
