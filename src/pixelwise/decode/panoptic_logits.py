"""Decode UPSNet's panoptic head [1]: pixels are classified among stuff, the objects found, and being none of both.

What a pixel's logits are is a formula without parameters of the semantic logits, the boxes and the masks inside them; so it is
computed here, at the image's own pixels, a strip of rows at a time, and no exported graph has to hold a map for each object.

[1] Xiong, Liao, Zhao, Hu, Bai, Yumer, Urtasun: UPSNet: A Unified Panoptic Segmentation Network, CVPR 2019, arXiv 1901.03784,
    sections 3.1 and 3.2.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray, Size
from pixelwise.core.errors import DataError, OptionError
from pixelwise.core.idmaps import lookup, stretches
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks, smallest_dtype
from pixelwise.core.predictor import Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode.enlarged import Enlarged
from pixelwise.decode.frame import Frame
from pixelwise.decode.fused import things_and_stuff
from pixelwise.decode.merge import counted
from pixelwise.decode.paste import pasted, spread
from pixelwise.decode.pixel import highest


class PanopticReduced(NamedTuple):
    """What a panoptic head leaves of a batch.

    Attributes:
        boxes, classes, scores, counts: the detections, as of a box head; classes count the things alone.
        masks: (N, D, m, m) logits, spread over the box.
        semantic: (N, L, h, w) logits of all classes, over the batch's images and their padding.
        padded: (N, 2) height and width that these lie over, in pixels of the batch.
    """

    boxes: FloatArray
    classes: IntArray
    scores: FloatArray
    masks: FloatArray
    counts: IntArray
    semantic: FloatArray
    padded: IntArray


@dataclass(frozen=True)
class Pruning:
    """Which detections become objects, and which stuff is left out.

    Attributes:
        score: detections below it are dropped; the paper has 0.6.
        box_overlap: one is dropped if a surer one's box, of whatever class, overlaps its box by more than this IoU.
        mask_overlap: one is dropped if more than this share of its mask belongs to surer ones of its class.
        area: pixels of the image below which a class of stuff is left out.
    """

    score: float = 0.6
    box_overlap: float = 0.5
    mask_overlap: float = 0.3
    area: int = 64

    def __post_init__(self) -> None:
        for name in ("score", "box_overlap", "mask_overlap"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(
                    f"[model] {name.replace('score', 'object_score')}: expected 0 to 1, got {getattr(self, name)}"
                )
        if self.area < 0:
            raise OptionError(f"[model] stuff_area: expected 0 pixels or more, got {self.area}")


class Placed(NamedTuple):
    """One object at the image's pixels.

    Attributes:
        of_class: among the labels.
        score: of the detection.
        corner: first row and column of its box.
        down, across: (rows, m + 2) and (columns, m + 2) weights of the cells at each.
        cells: (m + 2, m + 2) mask logits with a rim.
    """

    of_class: int
    score: float
    corner: tuple[int, int]
    down: FloatArray
    across: FloatArray
    cells: FloatArray

    @property
    def columns(self) -> slice:
        """Of the box."""
        return slice(self.corner[1], self.corner[1] + len(self.across))

    def rows_in(self, rows: slice) -> slice:
        """Give the rows of the box that lie in ``rows``; an empty slice for none."""
        top = max(rows.start, self.corner[0])
        return slice(top, max(top, min(rows.stop, self.corner[0] + len(self.down))))


def decode(
    reduced: PanopticReduced, frames: Sequence[Frame], labels: LabelSet, request: Request, rules: Pruning
) -> list[Segmentation]:
    """Make one panoptic segmentation an image; ``request.threshold`` takes the place of ``rules.score``.

    Pixels that are most likely none of the stuff and of the objects found are void, as the paper has it.

    Raises:
        DataError: an output is not a number.
    """
    if not (np.isfinite(reduced.semantic).all() and np.isfinite(reduced.scores).all()):
        raise DataError("a logit is not a number (NaN): the network's weights or its input are broken")
    if request.threshold is not None:
        rules = replace(rules, score=request.threshold)
    things, stuff = (np.array(rows, np.int64) for rows in things_and_stuff(labels))
    found = []
    for index, frame in enumerate(frames):
        count = int(reduced.counts[index])
        boxes = reduced.boxes[index, :count].astype(np.float64) / np.tile(frame.scale[::-1], 2)
        classes, scores = things[reduced.classes[index, :count].astype(np.int64)], reduced.scores[index, :count]
        objects = pruned(boxes, classes, scores.astype(np.float64), reduced.masks[index, :count], frame.size, rules)
        height, width = reduced.padded[index].tolist()
        logits = Enlarged(np.asarray(reduced.semantic[index], np.float32), frame, (height, width))
        found.append(_segmented(logits, objects, things, stuff, labels, rules.area))
    return found


def pruned(
    boxes: FloatArray, classes: IntArray, scores: FloatArray, masks: FloatArray, size: Size, rules: Pruning
) -> list[Placed]:
    """Keep the detections (D,), the surest first, that surer ones leave enough of ([1], section 3.2)."""
    kept: list[int] = []
    for row in np.argsort(-scores, kind="stable").tolist():
        if scores[row] >= rules.score and not (_ious(boxes[row], boxes[kept]) > rules.box_overlap).any():
            kept.append(row)
    runs = [pasted(1 / (1 + np.exp(-np.clip(masks[row], -60, 60))), boxes[row], size, aligned=True) for row in kept]
    firsts, lasts, cuts = stretches(runs)
    good = []
    for of_class in np.unique(classes[kept]):
        taken = np.zeros(size[0] * size[1], bool)
        for place in np.flatnonzero(classes[kept] == of_class).tolist():
            own = slice(cuts[place], cuts[place + 1])
            pixels = counted(firsts[own], lasts[own])
            if pixels.size and taken[pixels].sum() <= rules.mask_overlap * pixels.size:
                good.append(place)
                taken[pixels] = True
    return [
        _placed(boxes[row], int(classes[row]), float(scores[row]), masks[row], size) for row in (kept[g] for g in sorted(good))
    ]


def _ious(box: FloatArray, others: FloatArray) -> FloatArray:
    """Give the intersection over union (K,) of a box and others (K, 4)."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.clip(sides, 0, None).prod(axis=1)
    areas = (others[:, 2:] - others[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod()
    return np.asarray(shared / np.maximum(areas - shared, 1e-9))


def _placed(box: FloatArray, of_class: int, score: float, mask: FloatArray, size: Size) -> Placed:
    left, across = spread(box[0], box[2], size[1], mask.shape[1])
    top, down = spread(box[1], box[3], size[0], mask.shape[0])
    return Placed(of_class, score, (top, left), down, across, np.pad(mask.astype(np.float64), 1))


def _segmented(
    logits: Enlarged, objects: Sequence[Placed], things: IntArray, stuff: IntArray, labels: LabelSet, area: int
) -> Segmentation:
    """Classify all pixels, and drop stuff that has too few."""
    ids = np.zeros(logits.size, smallest_dtype(len(stuff) + len(objects)))
    sums = np.zeros(len(stuff))
    for rows, values in logits.strips(logits.masks):
        won = winners(values, objects, things, stuff, rows)
        ids[rows] = won
        sums += _certainty(values, won, stuff)
    counts = np.bincount(ids.ravel(), minlength=len(stuff) + len(objects) + 1)
    means = sums / np.maximum(counts[1 : len(stuff) + 1], 1)
    large = 1 + np.flatnonzero(counts[1 : len(stuff) + 1] >= max(1, area))
    seen = np.flatnonzero(counts[len(stuff) + 1 :])
    table = np.zeros(len(counts), ids.dtype)
    table[len(stuff) + 1 + seen] = 1 + np.arange(len(seen))
    table[large] = 1 + len(seen) + np.arange(len(large))
    count = len(seen) + len(large)
    classes = [*(objects[row].of_class for row in seen), *stuff[large - 1]]
    scores = np.array([*(objects[row].score for row in seen), *means[large - 1]], np.float64)
    masks = DisjointMasks(lookup(table, ids).astype(smallest_dtype(count)), count)
    return Segmentation("panoptic", masks, np.array(classes, np.int64), labels, scores=np.clip(scores, 0, 1))


def _certainty(values: FloatArray, won: IntArray, stuff: IntArray) -> FloatArray:
    """Sum the probability (S,) that the semantic logits give each class of stuff over the pixels it won."""
    sums = np.zeros(len(stuff))
    top = values.max(axis=0)
    whole = top + np.log(np.exp(values - top).sum(axis=0))
    for channel, row in enumerate(stuff):
        own = won == channel + 1
        sums[channel] = np.exp(values[row][own] - whole[own]).sum(dtype=np.float64)
    return sums


def winners(values: FloatArray, objects: Sequence[Placed], things: IntArray, stuff: IntArray, rows: slice) -> IntArray:
    """Give the channel (h, W) of the highest panoptic logit ([1], section 3.1), counted from 1; 0 for unknown.

    The channels are stuff, then objects. An object's logits are those of its class plus those of its mask inside its box, and 0
    outside; unknown's are the highest of the things less the highest among what the objects took of these. Where an object
    would win by such a 0, outside its box, the pixel is unknown as well.

    Args:
        values: (L, h, W) semantic logits of the rows ``rows`` of the image.
    """
    won = np.zeros(values.shape[1:], np.int64)
    best = np.full(values.shape[1:], -np.inf)
    if len(stuff):
        ground = values[stuff]
        won = highest(ground[None])[0].astype(np.int64) + 1
        best = np.take_along_axis(ground, won[None] - 1, 0)[0].astype(np.float64)
    taken, cover = np.full(values.shape[1:], -np.inf), np.zeros(values.shape[1:], np.int64)
    for channel, one in enumerate(objects, len(stuff) + 1):
        inner = one.rows_in(rows)
        part = slice(inner.start - rows.start, inner.stop - rows.start), one.columns
        own = values[one.of_class][part]
        down = one.down[inner.start - one.corner[0] : inner.stop - one.corner[0]]
        logits = own + down @ one.cells @ one.across.T
        won[part] = np.where(logits > best[part], channel, won[part])
        best[part] = np.maximum(best[part], logits)
        taken[part] = np.maximum(taken[part], own)
        cover[part] += 1
    outside = cover < max(1, len(objects))  # also where there is no object at all
    unknown = values[things].max(axis=0) - np.where(outside, np.maximum(taken, 0), taken)
    return np.where((unknown > best) | (outside & (best < 0) & bool(objects)), 0, won)
