"""Decode the detections of a grid head: each is a mask at a fraction of the image's size, with a class and a score."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import Request
from pixelwise.core.runs import Runs
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode.enlarged import Enlarged
from pixelwise.decode.frame import Frame
from pixelwise.decode.instances import instances, require_scores
from pixelwise.decode.paste import joined

_AT_ONCE = 2**20  # pixels of a mask that are enlarged at once


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
    require_scores(reduced.scores)
    logit = math.log(mask / (1 - mask))
    found = []
    for classes, scores, masks, count, padded, frame in zip(*reduced, frames, strict=True):
        enlarged = Enlarged(np.asarray(masks, np.float32), frame, (int(padded[0]), int(padded[1])))
        rows = np.flatnonzero(scores[: int(count)] >= (request.threshold or 0.0))
        coded = [_coded(enlarged, row, logit) for row in rows.tolist()]
        found.append(instances(coded, classes[rows], scores[rows], enlarged.size, labels))
    return found


def _coded(enlarged: Enlarged, row: int, logit: float) -> Runs:
    """Give the pixels at which a mask lies above a logit, some columns of the image after others."""
    place = enlarged.around(enlarged.masks[row], logit)
    rows, columns = place if place is not None else (slice(0, 0), slice(0, 0))
    one, wide = enlarged.masks[row : row + 1], max(1, _AT_ONCE // max(1, rows.stop - rows.start))
    strips = (slice(left, min(left + wide, columns.stop)) for left in range(columns.start, columns.stop, wide))
    return joined(((strip.start, enlarged.part(one, rows, strip)[0] > logit) for strip in strips), rows.start, enlarged.size)
