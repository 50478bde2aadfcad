"""The end that decoders of instances share: masks as run lengths, of which those without a pixel are left out."""

from collections.abc import Sequence

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray, Size
from pixelwise.core.errors import DataError
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import OverlappingMasks
from pixelwise.core.runs import Runs
from pixelwise.core.segmentation import Segmentation


def require_scores(scores: FloatArray) -> None:
    """Check that scores are numbers.

    Raises:
        DataError: one is not.
    """
    if not np.isfinite(scores).all():
        raise DataError("a score is not a number (NaN): the network's weights or its input are broken")


def instances(masks: Sequence[Runs], classes: IntArray, scores: FloatArray, size: Size, labels: LabelSet) -> Segmentation:
    """Make an instance segmentation of masks (D) of an image of ``size``, with classes (D,) and scores (D,)."""
    kept = [place for place, mask in enumerate(masks) if mask.area]
    return Segmentation(
        "instance",
        OverlappingMasks(tuple(masks[place] for place in kept), size),
        classes[kept].astype(np.int64),
        labels,
        scores=np.clip(scores[kept].astype(np.float64), 0, 1),
    )
