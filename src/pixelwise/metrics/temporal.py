"""Steadiness of classes in films: do predictions change where, and only where, what is seen changes.

The scores compare each frame with the one before it:

- ``temporal_stability``: of the pixels whose true class stays the same from one frame to the next, the share whose predicted
  class stays the same too, right or wrong: what flickers is not in it.
- ``video_consistency``: of those pixels, the share that is predicted right in both frames: VC of [1] over two frames.
- ``temporal_consistency``: the mean IoU of the prediction with that of the frame before, carried along by the optical flow of
  the images [2, 3]. The flow (OpenCV's DIS [4], from the frame to the one before, on grey images) takes the nearest pixel;
  what comes from outside of the image is left out. It needs no truth. If the two frames have truth, pixels count only where
  the flow carries the true class onto itself: elsewhere something was uncovered, or the flow is wrong, and neither is the
  prediction's fault; the details tell how many are left. The mean is over classes in either map; pixels that are predicted no
  class are one class more.

Each score is a mean over the pairs of frames of a clip, then over clips. The first frame of a clip, an image that stands alone
and a frame that follows one that could not be counted have none; nor has, for the flow, a frame whose images are below 12
pixels or cannot be read, and for the others one without truth in both frames. Classes are joined by name; a predicted class
that the truth does not know is no class.

Of a frame four numbers are kept.

[1] Miao et al., VSPW: A Large-scale Dataset for Video Scene Parsing in the Wild, CVPR 2021.
[2] Varghese et al., Unsupervised Temporal Consistency Metric for Video Segmentation in Highly-Automated Driving, CVPRW 2020.
[3] Liu et al., Efficient Semantic Video Segmentation with Per-frame Inference, ECCV 2020.
[4] Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np

from pixelwise.core.arrays import ByteArray, FloatArray, IntArray, Size
from pixelwise.core.errors import PixelwiseError, SizeMismatch
from pixelwise.core.image import GREY, RGB, Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.confusion import confusion
from pixelwise.metrics.context import ALONE, Before, Context
from pixelwise.metrics.interval import Resampled
from pixelwise.metrics.overlap import one_class_a_pixel

KIND = "semantic"
WANTS_CONTEXT = True
UNIT = "clip"

RULES: dict[str, str] = {
    "temporal_consistency": "mean IoU of a prediction with that of the frame before, carried along by optical flow",
    "temporal_stability": "pixels whose predicted class stays the same / pixels whose true class does, from frame to frame",
    "video_consistency": "pixels right in both frames / pixels whose true class stays the same, from frame to frame",
}
NOTES: dict[str, str] = {
    "pairs of frames": "each frame is compared with the one before it; means are over the pairs of a clip, then over clips",
    "flow": "dense inverse search, nearest pixel; left out: what it carries from outside, or where it fails on the truth",
}
LOWER_IS_BETTER: frozenset[str] = frozenset()

_LEAST_SIDE = 12  # pixels: below it the flow has no patch to search with


@dataclass(frozen=True, eq=False)
class Counts:
    """What is kept of each frame, in the order they were added.

    Attributes:
        clips: the film of each; None for an image that stands alone.
        rows: (n, 4) the scores of ``RULES``, NaN where unknown, and the share of labelled pixels at which flow was trusted.
    """

    clips: tuple[str | None, ...]
    rows: FloatArray

    def __add__(self, other: "Counts") -> "Counts":
        if not isinstance(other, Counts):
            return NotImplemented
        return Counts(self.clips + other.clips, np.concatenate([self.rows, other.rows]))

    def __radd__(self, other: object) -> "Counts":  # sum() starts with 0
        return self if other == 0 else NotImplemented


def count(prediction: Segmentation, truth: Segmentation, context: Context = ALONE) -> Counts:
    """Compare one frame with the one before it.

    Raises:
        SizeMismatch: prediction, truth and image differ in size, or the two frames do.
        DataError: one of them may have several classes a pixel.
    """
    one_class_a_pixel(prediction, truth)
    row = np.full((1, len(RULES) + 1), math.nan)
    before = context.before
    if before is not None:
        one_class_a_pixel(before.prediction, before.truth)
        if before.truth.size != truth.size:
            raise SizeMismatch(f"a frame is {truth.size}, the one before it {before.truth.size} (height, width)")
        labels = truth.labels
        predicted = _Pair(_numbered(prediction, labels), _numbered(before.prediction, labels))
        true = _Pair(_numbered(truth, labels), _numbered(before.truth, labels))
        row[0, 1:3] = _steady(predicted, true, len(labels))
        if (flow := _flow(context, before, truth.size)) is not None:
            row[0, [0, 3]] = _carried(predicted, true, flow, len(labels))
    return Counts((context.clip,), row)


class _Pair(NamedTuple):
    """Class maps (H, W) of a frame and of the one before it."""

    now: IntArray
    then: IntArray


def _numbered(one: Segmentation, labels: LabelSet) -> IntArray:
    """Give the class map (H, W) numbered as in ``labels``; L where it has no class of them."""
    table = np.full(one.labels.void + 1, len(labels), np.uint8 if len(labels) < 254 else np.uint16)
    homes = one.labels.map_to(labels)
    table[: len(homes)] = np.where(homes < 0, len(labels), homes)
    return np.asarray(table[one.class_map()])


def _steady(predicted: _Pair, true: _Pair, none: int) -> tuple[float, float]:
    """Give the shares, of pixels whose true class stays, whose predicted class stays, and stays right; ``none`` is no class."""
    stays = (true.now == true.then) & (true.now < none)
    whole = int(np.count_nonzero(stays))
    if not whole:
        return math.nan, math.nan
    kept = stays & (predicted.now == predicted.then)
    right = kept & (predicted.now == true.now)
    return int(np.count_nonzero(kept)) / whole, int(np.count_nonzero(right)) / whole


def _flow(context: Context, before: Before, size: Size) -> FloatArray | None:
    """Find where each pixel (H, W, 2), across and down, was in the frame before; None where the images do not tell."""
    if context.image is None or before.image is None or min(size) < _LEAST_SIDE:
        return None
    try:
        images = context.image(), before.image()
    except PixelwiseError:
        return None
    if strange := [one.size for one in images if one.size != size]:
        raise SizeMismatch(f"the image is {strange[0]}, the truth {size} (height, width)")
    now, then = (_grey(one) for one in images)
    return np.asarray(cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(now, then, None))


def _grey(image: Image) -> ByteArray:
    if image.bands in (RGB, GREY):
        return np.ascontiguousarray(image.to_bands(GREY).bytes()[:, :, 0])
    return np.asarray(np.rint(np.clip(image.unit().mean(axis=2), 0, 1) * 255), np.uint8)


def _carried(predicted: _Pair, true: _Pair, flow: FloatArray, none: int) -> tuple[float, float]:
    """Give the mean IoU with what the flow carries along, and the share of labelled pixels at which the flow is trusted."""
    height, width = true.now.shape
    rows = np.rint(np.arange(height)[:, None] + flow[..., 1]).astype(np.int64)
    columns = np.rint(np.arange(width) + flow[..., 0]).astype(np.int64)
    trusted = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    place = np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)
    true_then, share = true.then[place], math.nan
    labelled = trusted & (true.now < none) & (true_then < none)
    if labelled.any():
        trusted = labelled & (true.now == true_then)
        share = int(np.count_nonzero(trusted)) / int(np.count_nonzero(labelled))
    return _mean_iou(predicted.now[trusted], predicted.then[place][trusted], none + 1), share


def _mean_iou(one: IntArray, other: IntArray, classes: int) -> float:
    table = confusion(one, other, classes, int(np.iinfo(one.dtype).max))
    both = np.diagonal(table)
    either = table.sum(axis=1) + table.sum(axis=0)[:classes] - both
    return float((both[either > 0] / either[either > 0]).mean()) if either.any() else math.nan


def score(counts: Counts) -> dict[str, float]:
    """Give every score of ``RULES`` by name; NaN where no pair of frames has it."""
    return {name: _mean(list(_clip_means(counts, column).values())) for column, name in enumerate(RULES)}


def per_class(counts: Counts) -> dict[str, dict[str, float]]:
    """Give nothing: steadiness is of all classes together."""
    return {}


def resampled(counts: Counts, weights: IntArray) -> Resampled:
    """Score B data sets in which frame n stands ``weights[b, n]`` times; a clip weighs as much as its frames on average."""
    drawn = weights.astype(np.float64)
    found: dict[str, FloatArray] = {}
    for column, name in enumerate(RULES):
        values = counts.rows[:, column]
        shares = np.zeros(len(values))  # of its clip
        for rows in _clips(counts, column).values():
            shares[rows] = 1 / len(rows)
        whole = drawn @ shares
        found[name] = (drawn @ (np.nan_to_num(values) * shares)) / np.where(whole > 0, whole, np.nan)
    return Resampled(found, {})


def details(counts: Counts, names: Sequence[str]) -> dict[str, Any]:
    """Give the scores of each clip, its pairs of frames, and the share of labelled pixels at which the flow was trusted."""
    means = {name: _clip_means(counts, column) for column, name in enumerate((*RULES, "flow_trusted"))}
    pairs = {clip: len(rows) for column in (1, 0) for clip, rows in _clips(counts, column).items()}
    return {
        "steadiness": [
            {"clip": clip, "pairs": pairs[clip], **{name: found.get(clip) for name, found in means.items()}}
            for clip in sorted(pairs, key=str)
        ]
    }


def _clips(counts: Counts, column: int) -> dict[Hashable, list[int]]:
    """List the rows of each clip that have a score."""
    found: dict[Hashable, list[int]] = {}
    for row in np.flatnonzero(~np.isnan(counts.rows[:, column])).tolist():
        found.setdefault(counts.clips[row], []).append(row)
    return found


def _clip_means(counts: Counts, column: int) -> dict[Hashable, float]:
    return {clip: _mean(counts.rows[rows, column].tolist()) for clip, rows in _clips(counts, column).items()}


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan  # fsum: the order of frames does not matter
