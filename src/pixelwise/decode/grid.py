"""Decode the detections of a grid head: each is a mask at a fraction of the image's size, with a class and a score."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pixelwise.core import runs
from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.errors import DataError
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import OverlappingMasks
from pixelwise.core.predictor import Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode.enlarged import Enlarged
from pixelwise.decode.frame import Frame


class GridReduced(NamedTuple):
    """What a grid head leaves of a batch: the detections of each image, best first.

    Attributes:
        classes, scores: (N, D).
        masks: (N, D, h, w) logits, over the batch's images and the padding that the network put below and to the right of them.
        counts: (N,) how many of the D rows are detections.
        padded: (N, 2) height and width that the masks lie over, in pixels of the batch.
    """

    classes: IntArray
    scores: FloatArray
    masks: FloatArray
    counts: IntArray
    padded: IntArray


def decode(
    reduced: GridReduced, frames: Sequence[Frame], labels: LabelSet, request: Request, mask: float = 0.5
) -> list[Segmentation]:
    """Make one instance segmentation an image.

    With ``request.threshold``, only detections of at least that score are kept; those that the network's own threshold has
    dropped do not come back. Masks are enlarged to the image's own pixels one after another, each where it lies, so that a
    hundred take little more memory than one. A detection without a pixel is left out.

    Args:
        mask: a pixel is inside where its probability exceeds this.

    Raises:
        DataError: an output is not a number.
    """
    logit = math.log(mask / (1 - mask))
    found = []
    for classes, scores, masks, count, padded, frame in zip(*reduced, frames, strict=True):
        if not np.isfinite(scores).all():
            raise DataError("a score is not a number (NaN): the network's weights or its input are broken")
        enlarged = Enlarged(np.asarray(masks, np.float32), frame, (int(padded[0]), int(padded[1])))
        kept, coded = [], []
        for row in np.flatnonzero(scores[: int(count)] >= (request.threshold or 0.0)).tolist():
            place = enlarged.around(enlarged.masks[row], logit)
            if place is None:
                continue
            whole = np.zeros(enlarged.size, bool)
            whole[place] = enlarged.part(enlarged.masks[row : row + 1], *place)[0] > logit
            if whole.any():
                kept.append(row)
                coded.append(runs.encode(whole))
        found.append(
            Segmentation(
                "instance",
                OverlappingMasks(tuple(coded), enlarged.size),
                classes[kept].astype(np.int64),
                labels,
                scores=np.clip(scores[kept].astype(np.float64), 0, 1),
            )
        )
    return found
