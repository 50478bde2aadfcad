"""Decode boxes with a mask in each."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode.frame import Frame
from pixelwise.decode.instances import instances, require_scores
from pixelwise.decode.paste import pasted


class BoxReduced(NamedTuple):
    """What a box head leaves of a batch: the detections of each image, best first.

    Attributes:
        boxes: (N, D, 4) left, top, right, bottom, in pixels of the batch.
        classes, scores: (N, D).
        masks: (N, D, m, m) in [0, 1], spread over the box.
        counts: (N,) how many of the D rows are detections.
    """

    boxes: FloatArray
    classes: IntArray
    scores: FloatArray
    masks: FloatArray
    counts: IntArray


def decode(
    reduced: BoxReduced, frames: Sequence[Frame], labels: LabelSet, request: Request, aligned: bool = True
) -> list[Segmentation]:
    """Make one instance segmentation an image.

    With ``request.threshold``, only detections of at least that score are kept; those that the network's own threshold has
    dropped do not come back. Boxes are brought to the image's own pixels before masks are pasted, so that a mask is as fine
    there as the network gave it. A detection without a pixel is left out.

    Args:
        aligned: how masks lie in their boxes, see ``decode.paste``.

    Raises:
        DataError: a score is not a number.
    """
    require_scores(reduced.scores)
    found = []
    for index, frame in enumerate(frames):
        scores = reduced.scores[index, : int(reduced.counts[index])].astype(np.float64)
        rows = np.flatnonzero(scores >= (request.threshold or 0.0))
        boxes = reduced.boxes[index, rows].astype(np.float64) / np.tile(frame.scale[::-1], 2)
        masks = [pasted(cells, box, frame.size, aligned) for cells, box in zip(reduced.masks[index, rows], boxes, strict=True)]
        found.append(instances(masks, reduced.classes[index, rows], scores[rows], frame.size, labels))
    return found
