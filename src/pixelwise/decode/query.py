"""Decode queries: each has probabilities of the classes and a mask, and what they mean together depends on the kind.

The rules are those of MaskFormer [1] and Mask2Former [2]. Masks come at a fraction of the image's size and are enlarged
bilinearly to its own pixels before anything is compared; never all at once, as 100 masks of a photo of 24 megapixels would take
9 GB. Where all masks are compared with each other, strips of rows are worked off one after another; elsewhere one mask after
another, cut to where it lies.

[1] Cheng, Schwing, Kirillov: Per-Pixel Classification is Not All You Need for Semantic Segmentation, NeurIPS 2021, section 3.4.
[2] Cheng, Misra, Schwing, Kirillov, Girdhar: Masked-attention Mask Transformer for Universal Image Segmentation, CVPR 2022.
[3] Li et al.: Mask DINO, CVPR 2023; the temperature is in the authors' code.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pixelwise.core import runs
from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.errors import DataError, OptionError
from pixelwise.core.labels import LabelSet, foreground_of
from pixelwise.core.masks import DisjointMasks, OverlappingMasks, smallest_dtype
from pixelwise.core.predictor import Request
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.decode.enlarged import Enlarged
from pixelwise.decode.frame import Frame
from pixelwise.decode.pixel import highest


class QueryReduced(NamedTuple):
    """What a query head leaves of a batch.

    Attributes:
        classes: (N, Q, L + 1) probabilities of the classes, and last of there being no object.
        masks: (N, Q, h, w) logits, over the batch's images and the padding that the network put below and to the right of them.
        padded: (N, 2) height and width that the masks lie over, in pixels of the batch.
    """

    classes: FloatArray
    masks: FloatArray
    padded: IntArray


@dataclass(frozen=True)
class Rules:
    """Thresholds of decoding; the defaults are the papers'.

    Attributes:
        object_score: panoptic: a query counts if its class is more probable than this.
        overlap: panoptic: a segment is dropped if less than this share of its query's mask is left to it by the others.
        mask: panoptic and instance: a pixel is of a mask where its probability exceeds this.
        detections: instance: so many pairs of a query and a class are kept, the most probable ones.
    """

    object_score: float = 0.8
    overlap: float = 0.8
    mask: float = 0.5
    detections: int = 100

    def __post_init__(self) -> None:
        for name in ("object_score", "overlap"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(f"[model] {name}: expected a share from 0 to 1, got {getattr(self, name)}")
        if not 0 < self.mask < 1:
            raise OptionError(f"[model] mask: expected a probability between 0 and 1, got {self.mask}")
        if self.detections < 1:
            raise OptionError(f"[model] detections: expected 1 or more, got {self.detections}")

    @property
    def mask_logit(self) -> float:
        """The logit that a mask's must exceed."""
        return math.log(self.mask / (1 - self.mask))


PAPER = Rules()


def decode(
    reduced: QueryReduced,
    frames: Sequence[Frame],
    labels: LabelSet,
    request: Request,
    kind: Kind,
    rules: Rules = PAPER,
    temperature: float = 0.0,
) -> list[Segmentation]:
    """Make one segmentation an image.

    Classes that are judged each by itself are less sure than those that share one probability; Mask DINO [3] therefore gives a
    pixel that several panoptic queries claim by a softmax of their classes at a ``temperature``. 0 takes classes as they are.

    With ``request.threshold``, instances of a lower score are left out, and it takes the place of ``rules.object_score`` for
    panoptic; for semantic with two classes, a pixel is foreground where that is more probable than the threshold.

    Raises:
        DataError: an output is not a number.
        ValueError: probabilities are wanted of objects, which have none.
    """
    if request.probabilities and kind != "semantic":
        raise ValueError(f"expected a semantic model where probabilities are wanted, got one of kind {kind}")
    found = []
    for classes, masks, padded, frame in zip(*reduced, frames, strict=True):
        if not np.isfinite(classes).all():
            raise DataError("a probability is not a number (NaN): the network's weights or its input are broken")
        enlarged = Enlarged(np.asarray(masks, np.float32), frame, (int(padded[0]), int(padded[1])))
        if kind == "semantic":
            found.append(_semantic(classes, enlarged, labels, request))
        elif kind == "instance":
            found.append(_instances(classes, enlarged, labels, request, rules))
        else:
            found.append(_panoptic(classes, enlarged, labels, request, rules, temperature))
    return found


def _sigmoid(logits: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -60, 60))))


def _sharpened(classes: FloatArray, temperature: float) -> FloatArray:
    """Give (Q,): the largest value of a softmax of probabilities (Q, L) at a temperature.

    >>> _sharpened(np.array([[0.5, 0.5]]), 0.06).tolist()
    [0.5]
    """
    return np.asarray(1 / np.exp((classes - classes.max(axis=1, keepdims=True)) / temperature).sum(axis=1))


def _semantic(classes: FloatArray, enlarged: Enlarged, labels: LabelSet, request: Request) -> Segmentation:
    """Give each pixel the class of the largest sum, over the queries, of class times mask probability ([1], section 3.4).

    The sums, divided by their total, are the probabilities; a class's score is its mean probability over the pixels it has.
    """
    weights = np.ascontiguousarray(classes[:, :-1].T, np.float32)  # (L, Q)
    front = foreground_of(labels) if request.threshold is not None and len(labels) == 2 else None
    won = np.zeros(enlarged.size, np.uint8 if labels.void == 255 else np.uint16)
    kept = np.zeros((len(labels), *enlarged.size), np.float32) if request.probabilities else None
    sums, pixels = np.zeros(len(labels)), np.zeros(len(labels))
    for rows, logits in enlarged.strips(enlarged.masks):
        spread = weights @ _sigmoid(logits).reshape(len(logits), -1)
        spread /= np.maximum(spread.sum(axis=0), 1e-12)
        if front is None:
            own = highest(spread[None, :, None])[0, 0]
        else:
            own = np.where(spread[front] > request.threshold, front, 1 - front)
        sums += np.bincount(own, spread[own, np.arange(own.size)], len(labels))
        pixels += np.bincount(own, minlength=len(labels))
        won[rows] = own.reshape(-1, enlarged.size[1])
        if kept is not None:
            kept[:, rows] = spread.reshape(len(labels), -1, enlarged.size[1])
    return Segmentation.from_class_map(won, labels, np.clip(sums / np.maximum(pixels, 1), 0, 1), kept)


def _instances(classes: FloatArray, enlarged: Enlarged, labels: LabelSet, request: Request, rules: Rules) -> Segmentation:
    """Keep the most probable pairs of a query and a class; a score is the class's times the mask's mean probability inside."""
    chances = classes[:, :-1].ravel()
    least = request.threshold or 0.0
    masks, rows, scores = [], [], []
    for pair in np.argsort(-chances, kind="stable")[: rules.detections].tolist():
        query, of_class = divmod(pair, len(labels))
        place = enlarged.around(enlarged.masks[query], rules.mask_logit)
        if place is None or chances[pair] < least:
            continue
        logits = enlarged.part(enlarged.masks[query : query + 1], *place)[0]
        inside = logits > rules.mask_logit
        score = float(chances[pair]) * float(_sigmoid(logits[inside]).mean(dtype=np.float64)) if inside.any() else 0.0
        if not inside.any() or score < least:
            continue
        whole = np.zeros(enlarged.size, bool)
        whole[place] = inside
        masks.append(runs.encode(whole))
        rows.append(of_class)
        scores.append(score)
    order = np.argsort(-np.array(scores), kind="stable")
    found = OverlappingMasks(tuple(masks), enlarged.size).select(order)
    return Segmentation(
        "instance", found, np.array(rows, np.int64)[order], labels, scores=np.clip(np.array(scores)[order], 0, 1)
    )


def _panoptic(
    classes: FloatArray, enlarged: Enlarged, labels: LabelSet, request: Request, rules: Rules, temperature: float
) -> Segmentation:
    """Give each pixel to the query of the largest class times mask probability, and drop what the others cover mostly.

    Queries of one stuff class become one segment, whose score is the best of theirs.
    """
    best, chances = classes.argmax(axis=1), classes.max(axis=1)
    least = rules.object_score if request.threshold is None else request.threshold
    kept = np.flatnonzero((best < len(labels)) & (chances > least))
    claims = _sharpened(classes[kept, :-1], temperature) if temperature else chances[kept]
    ids = np.zeros(enlarged.size, smallest_dtype(len(kept)))
    own, whole = np.zeros(len(kept)), np.zeros(len(kept))
    for rows, logits in enlarged.strips(enlarged.masks[kept]) if len(kept) else ():
        winner = (claims[:, None, None] * _sigmoid(logits)).argmax(axis=0)
        inside = logits > rules.mask_logit
        own += np.bincount(winner.ravel(), minlength=len(kept))
        whole += inside.sum(axis=(1, 2))
        ids[rows] = np.where(np.take_along_axis(inside, winner[None], 0)[0], winner + 1, 0)
    counts = np.bincount(ids.ravel(), minlength=len(kept) + 1)[1:]
    table, rows_of, scores = np.zeros(len(kept) + 1, np.int64), list[int](), list[float]()
    stuff: dict[int, int] = {}
    for place in np.flatnonzero((counts > 0) & (own >= rules.overlap * whole)).tolist():
        of_class, score = int(best[kept[place]]), float(chances[kept[place]])
        number = stuff.get(of_class, len(rows_of) + 1)
        if number > len(rows_of):
            rows_of.append(of_class)
            scores.append(score)
        scores[number - 1] = max(scores[number - 1], score)
        if not labels.labels[of_class].is_thing:
            stuff[of_class] = number
        table[place + 1] = number
    found = DisjointMasks(table[ids].astype(smallest_dtype(len(rows_of))), len(rows_of))
    return Segmentation("panoptic", found, np.array(rows_of, np.int64), labels, scores=np.clip(np.array(scores), 0, 1))
