"""Decode classes, centres and offsets: group the pixels of things around centres, and name each group by a majority.

The rules are Panoptic-DeepLab's [1]. Offsets come at a fraction of the size and are enlarged bilinearly to the image's own
pixels, a strip of rows at a time; of all pixels at once only the classes, how sure they are, and the result are held.

[1] Cheng, Collins, Zhu, Liu, Huang, Adam, Chen: Panoptic-DeepLab, CVPR 2020, arXiv 1911.10194, section 3.3.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray, IntArray
from pixelwise.core.errors import DataError, OptionError
from pixelwise.core.idmaps import lookup
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks, smallest_dtype
from pixelwise.core.predictor import Request
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.decode.enlarged import Enlarged
from pixelwise.decode.frame import Frame

_STRIP = 2**20  # pixels whose offsets are enlarged at once
_AT_ONCE = 2**18  # distances that are compared at once: they stay in the processor's cache


class CentreReduced(NamedTuple):
    """What a centre head leaves of a batch.

    Attributes:
        semantic: (N, H, W) the class of each pixel; of instances, the number after the last class is no object.
        confidence: (N, H, W) its probability.
        offsets: (N, 2, h, w) rows and columns from a pixel to its centre, in pixels of the batch, over the batch's images and
            the padding that the network put below and to the right of them.
        centres: (N, K, 2) row and column of each centre, in pixels of the batch.
        scores: (N, K), 0 where there is no centre.
        padded: (N, 2) height and width that the offsets lie over, in pixels of the batch.
    """

    semantic: IntArray
    confidence: FloatArray
    offsets: FloatArray
    centres: IntArray
    scores: FloatArray
    padded: IntArray


@dataclass(frozen=True)
class Rules:
    """What is kept.

    Attributes:
        kind: ``panoptic``, or ``instance``, where every class is one of objects and pixels may be of none.
        centre_score: the least height of a centre in the heat map.
        stuff_area: panoptic: stuff of fewer pixels is left out; 2048 for Cityscapes' images of 1024 x 2048, 4096 for COCO.
    """

    kind: Kind = "panoptic"
    centre_score: float = 0.1
    stuff_area: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.centre_score <= 1:
            raise OptionError(f"[model] centre_score: expected a height from 0 to 1, got {self.centre_score}")
        if self.stuff_area < 0:
            raise OptionError(f"[model] stuff_area: expected 0 pixels or more, got {self.stuff_area}")

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values."""
        return asdict(self)


class _Counts(NamedTuple):
    """How many pixels of each class a group has, and the sum of their probabilities: (1 + K, L + 1).

    Row 0 has the pixels that belong to no centre.
    """

    pixels: FloatArray
    sure: FloatArray


def decode(
    reduced: CentreReduced, frames: Sequence[Frame], labels: LabelSet, request: Request, rules: Rules
) -> list[Segmentation]:
    """Make one segmentation an image.

    An object's score is its centre's height times the mean probability of its class over its pixels, where one that has
    another class counts 0 ([1], section 3.3). With ``request.threshold``, instances of a lower score are left out; for
    panoptic, centres of a lower one are, and their pixels go to other centres. Those that the network's own ``centre_score``
    has dropped do not come back. Pixels of things are void where there is no centre at all.

    Raises:
        DataError: an output is not a number.
        ValueError: probabilities are wanted of objects, which have none.
    """
    if request.probabilities:
        raise ValueError(f"expected a semantic model where probabilities are wanted, got one of kind {rules.kind}")
    found = []
    for index, frame in enumerate(frames):
        semantic, confidence = frame.undone(reduced.semantic[index]), frame.undone(reduced.confidence[index])
        if not np.isfinite(confidence).all() or not np.isfinite(reduced.offsets[index]).all():
            raise DataError("an output is not a number (NaN): the network's weights or its input are broken")
        scores = reduced.scores[index].astype(np.float64)
        least = request.threshold if rules.kind == "panoptic" and request.threshold is not None else 0.0
        kept = np.flatnonzero((scores > 0) & (scores >= least))
        is_thing = np.zeros(len(labels) + 1, bool)
        is_thing[: len(labels)] = rules.kind == "instance" or np.isin(np.arange(len(labels)), labels.things)
        height, width = reduced.padded[index].tolist()
        offsets = Enlarged(np.asarray(reduced.offsets[index], np.float32), frame, (height, width))
        groups, counts = _grouped(semantic, confidence, offsets, frame, reduced.centres[index, kept], is_thing)
        found.append(_named(groups, counts, np.clip(scores[kept], 0, 1), is_thing, labels, request, rules))
    return found


def _grouped(
    semantic: IntArray, confidence: FloatArray, offsets: Enlarged, frame: Frame, centres: IntArray, is_thing: BoolArray
) -> tuple[IntArray, _Counts]:
    """Give each pixel (H, W) a code: k for the k-th of K centres, K + 1 + c for stuff of class c, 0 for none."""
    height, width = semantic.shape
    count, length = len(centres), len(is_thing)
    codes = np.zeros((height, width), smallest_dtype(count + length))
    pixels, sure = np.zeros((count + 1) * length), np.zeros((count + 1) * length)
    step = max(1, _STRIP // max(width, 1))
    down, across = ((np.arange(side) + 0.5) * scale - 0.5 for side, scale in zip(frame.size, frame.scale, strict=True))
    for top in range(0, height, step):
        rows = slice(top, min(top + step, height))
        own = semantic[rows].astype(np.int64)
        inside = is_thing[own]
        group = np.zeros(own.shape, np.int64)
        if count and inside.any():
            shift = offsets.part(offsets.masks, rows, slice(0, width))
            targets = np.stack([shift[0] + down[rows, None], shift[1] + across], axis=-1)[inside]
            group[inside] = 1 + nearest(targets, centres)
        place = (group * length + own).ravel()
        pixels += np.bincount(place, minlength=pixels.size)
        sure += np.bincount(place, confidence[rows].ravel(), sure.size)
        codes[rows] = np.where(inside, group, np.where(own < length - 1, count + 1 + own, 0))
    return codes, _Counts(pixels.reshape(-1, length), sure.reshape(-1, length))


def nearest(points: FloatArray, centres: FloatArray | IntArray) -> IntArray:
    """Give (P,): which of the centres (K, 2) is nearest to each point (P, 2); of equally near ones the first.

    >>> nearest(np.array([[0.0, 1.0], [5.0, 5.0]]), np.array([[4, 4], [0, 0]])).tolist()
    [1, 0]
    """
    found = np.empty(len(points), np.int64)
    points, centres = points.astype(np.float32), centres.astype(np.float32)
    step = max(1, _AT_ONCE // max(len(centres), 1))
    for first in range(0, len(points), step):
        part = points[first : first + step]
        distances = np.square(part[:, :1] - centres[:, 0])
        distances += np.square(part[:, 1:] - centres[:, 1])
        found[first : first + step] = distances.argmin(axis=1)
    return found


def _named(
    codes: IntArray,
    counts: _Counts,
    heights: FloatArray,
    is_thing: BoolArray,
    labels: LabelSet,
    request: Request,
    rules: Rules,
) -> Segmentation:
    """Give each group the class that most of its pixels have, and stuff its own."""
    of_group = counts.pixels[1:]
    votes = of_group.argmax(axis=1) if len(of_group) else np.zeros(0, np.int64)
    areas = of_group.sum(axis=1)
    scores = heights * counts.sure[1:][np.arange(len(votes)), votes] / np.maximum(areas, 1)
    is_kept = areas > 0
    if rules.kind == "instance":
        is_kept &= scores >= (request.threshold or 0.0)
    groups = np.flatnonzero(is_kept)
    groups = groups[np.argsort(-scores[groups], kind="stable")]
    stuff_pixels = np.where(is_thing, 0, counts.pixels[0])[: len(labels)]
    stuff = np.flatnonzero((stuff_pixels > 0) & (stuff_pixels >= rules.stuff_area))
    table = np.zeros(len(heights) + len(is_thing) + 1, smallest_dtype(len(groups) + len(stuff)))
    table[1 + groups] = np.arange(1, len(groups) + 1)
    table[len(heights) + 1 + stuff] = len(groups) + np.arange(1, len(stuff) + 1)
    found = DisjointMasks(lookup(table, codes), len(groups) + len(stuff))
    sure = np.concatenate([scores[groups], counts.sure[0, stuff] / np.maximum(stuff_pixels[stuff], 1)])
    return Segmentation(rules.kind, found, np.concatenate([votes[groups], stuff]), labels, scores=np.clip(sure, 0, 1))
