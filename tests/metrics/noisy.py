"""Predictions that are wrong in every way a network is, made of the truth by a seeded rule.

Objects are dropped, found more than once, shifted, eaten into, merged with another of their class, or given another class;
and objects are invented. Scores are rounded to few digits, so that there are ties, within an image and across images.
"""

from dataclasses import dataclass, replace

import numpy as np

from pixelwise.core import runs
from pixelwise.core.arrays import BoolArray, IntArray
from pixelwise.core.masks import OverlappingMasks, paint
from pixelwise.core.runs import Runs
from pixelwise.core.segmentation import Segmentation


@dataclass(frozen=True)
class Noise:
    """How wrong predictions are.

    Attributes:
        dropped, merged, flipped: the share of objects that this happens to.
        again: how often an object is found besides the first time, at most.
        shift: the most pixels that an object is moved by, down and across.
        invented: objects that are not there, at most.
        digits: what scores are rounded to.
    """

    dropped: float = 0.15
    merged: float = 0.1
    flipped: float = 0.1
    again: int = 2
    shift: int = 6
    invented: int = 4
    digits: int = 2


PLAIN = Noise()


def noisy(truth: Segmentation, rng: np.random.Generator, noise: Noise = PLAIN) -> Segmentation:
    """Predict ``truth`` badly; of panoptic truth the better scored of two segments is on top, and crowds are left out."""
    height, width = truth.size
    found: list[Runs] = []
    classes: list[int] = []
    for index in np.flatnonzero(~truth.is_crowd).tolist():
        if rng.random() < noise.dropped:
            continue
        mask = truth.masks.mask(index)
        if rng.random() < noise.merged:
            mask = mask | truth.masks.mask(int(rng.choice(np.flatnonzero(truth.class_ids == truth.class_ids[index]))))
        for _ in range(1 + int(rng.integers(0, noise.again + 1))):
            found.append(runs.encode(_worn(mask, rng, noise.shift)))
            is_flipped = rng.random() < noise.flipped
            classes.append(int(rng.integers(len(truth.labels))) if is_flipped else int(truth.class_ids[index]))
    if 0 not in truth.size:
        for _ in range(int(rng.integers(0, noise.invented + 1))):
            found.append(runs.encode(_ellipse(height, width, rng)))
            classes.append(int(rng.integers(len(truth.labels))))
    scores = np.round(rng.random(len(found)), noise.digits)
    order = rng.permutation(len(found))
    masks = OverlappingMasks(tuple(found[index] for index in order), truth.size)
    wrong = Segmentation("instance", masks, np.array(classes, np.int64)[order], truth.labels, scores[order])
    return wrong if truth.kind == "instance" else _panoptic(wrong)


def _worn(mask: BoolArray, rng: np.random.Generator, shift: int) -> BoolArray:
    """Move a mask, and cut off a side of it now and then."""
    down, across = (int(by) for by in rng.integers(-shift, shift + 1, 2))
    moved = np.zeros_like(mask)
    height, width = mask.shape
    moved[max(down, 0) : height + min(down, 0), max(across, 0) : width + min(across, 0)] = mask[
        max(-down, 0) : height + min(-down, 0), max(-across, 0) : width + min(-across, 0)
    ]
    rows = np.flatnonzero(moved.any(axis=1))
    if rows.size > 2 and rng.random() < 0.5:
        moved[: rows[0] + int(rows.size * rng.uniform(0, 0.5))] = False
    return moved


def _ellipse(height: int, width: int, rng: np.random.Generator) -> BoolArray:
    middle, radii = rng.random(2) * (height, width), 1 + rng.random(2) * (height / 4, width / 4)
    down, across = np.ogrid[:height, :width]
    return np.asarray(((down - middle[0]) / radii[0]) ** 2 + ((across - middle[1]) / radii[1]) ** 2 <= 1)


def _panoptic(wrong: Segmentation) -> Segmentation:
    assert wrong.scores is not None
    things = np.isin(wrong.class_ids, wrong.labels.things)
    order: IntArray = np.argsort(wrong.scores, kind="stable")
    first = {int(wrong.class_ids[index]): int(index) for index in order.tolist()}
    kept = np.array([bool(things[row]) or first[int(one)] == row for row, one in enumerate(wrong.class_ids.tolist())], bool)
    painted = paint(wrong.masks, order[kept[order]])
    seen = np.flatnonzero(painted.areas() > 0)
    return replace(wrong[seen], kind="panoptic", masks=painted.select(seen))
