"""Join the objects that several views or models found in one image.

Objects of one class that overlap are one object: the surest takes in what overlaps its mask, at most one from each opinion. Its
mask is where more than half of those that saw it, weighed by score and share, put it. Its score is their scores, summed by
share: an object that half of the opinions miss keeps half its score at most, as in weighted boxes fusion [1], of which this is
the form for masks.

[1] Solovyev et al., Weighted boxes fusion: ensembling boxes from different object detection models, Image and Vision
    Computing 107, 2021.
"""

from collections.abc import Sequence

import numpy as np

from pixelwise.core import runs
from pixelwise.core.arrays import FloatArray, IntArray, Size
from pixelwise.core.masks import OverlappingMasks
from pixelwise.core.runs import Runs
from pixelwise.core.segmentation import Segmentation

OVERLAP = 0.5  # IoU from which two objects are one; views of one network agree far better on what is one object


def voted(
    found: Sequence[Segmentation], shares: Sequence[float], threshold: float | None = None, overlap: float = OVERLAP
) -> Segmentation:
    """Join instances (S_k,) over one grid and one label set, found by K opinions with their ``shares``, surest first.

    Objects whose joined score is below ``threshold`` are left out.
    """
    masks = [mask for one in found for mask in one.masks.run_lengths()]
    scores = np.concatenate([_scores(one) for one in found])
    classes = np.concatenate([one.class_ids for one in found])
    source = np.repeat(np.arange(len(found)), [len(one) for one in found])
    votes = scores * np.asarray(shares)[source]
    kept_masks, kept_scores, kept_classes = [], [], []
    for index in np.unique(classes):
        rows = np.flatnonzero((classes == index) & (scores > 0))
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        for group in _groups([masks[row] for row in rows], source[rows], overlap):
            members = rows[group]
            score = min(1.0, float(votes[members].sum()))
            if threshold is not None and score < threshold:
                continue
            kept_masks.append(_vote([masks[row] for row in members], votes[members], found[0].size))
            kept_scores.append(score)
            kept_classes.append(int(index))
    order = np.argsort(-np.array(kept_scores), kind="stable").astype(np.int64)
    joined = OverlappingMasks(tuple(kept_masks), found[0].size).select(order)
    return Segmentation(
        "instance",
        joined,
        np.array(kept_classes, np.int64)[order],
        found[0].labels,
        scores=np.array(kept_scores, np.float64)[order],
    )


def _scores(one: Segmentation) -> FloatArray:
    return np.ones(len(one)) if one.scores is None else np.asarray(one.scores, np.float64)


def _groups(masks: Sequence[Runs], source: IntArray, overlap: float) -> list[list[int]]:
    """Group masks that come surest first: each is led by the first that is in none, and has one of each source."""
    if not masks:
        return []
    table = runs.intersection_over_union(masks, masks)
    free = np.ones(len(masks), bool)
    groups = []
    for lead in range(len(masks)):
        if not free[lead]:
            continue
        members, seen = [lead], {int(source[lead])}
        near = np.flatnonzero(free & (table[lead] >= overlap))
        for row in near[np.argsort(-table[lead, near], kind="stable")]:
            if int(source[row]) not in seen:
                members.append(int(row))
                seen.add(int(source[row]))
        free[members] = False
        groups.append(members)
    return groups


def _vote(masks: Sequence[Runs], votes: FloatArray, size: Size) -> Runs:
    """Keep the pixels for which more than half of the votes are; only the box around all masks is looked at."""
    if len(masks) == 1 or votes.max() * 2 > votes.sum():
        return masks[int(votes.argmax())]  # it outvotes all others together
    boxes = runs.boxes(masks)
    left, top = boxes[:, :2].min(axis=0).tolist()
    right, bottom = boxes[:, 2:].max(axis=0).tolist()
    total = np.zeros((bottom - top, right - left), np.float64)
    for mask, vote in zip(masks, votes, strict=True):
        total += vote * runs.decode(mask)[top:bottom, left:right]
    whole = np.zeros(size, bool)
    whole[top:bottom, left:right] = total * 2 > votes.sum()
    return runs.encode(whole)
