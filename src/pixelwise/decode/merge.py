"""Merge objects that may overlap and a map of stuff into one panoptic segmentation, by the rule of Panoptic FPN [1].

Objects come first, the surest before the others, and each keeps the pixels that none before it has; one that has lost too much
is dropped. What no object has is stuff, of which classes with too few pixels are dropped. Their pixels stay under no segment.

[1] Kirillov, He, Girshick, Rother, Dollár: Panoptic Segmentation, CVPR 2019, arXiv 1801.00868, section 6; in the words of
    Kirillov, Girshick, He, Dollár: Panoptic Feature Pyramid Networks, CVPR 2019, arXiv 1901.02446, section 4.1.
"""

from dataclasses import dataclass

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.errors import OptionError
from pixelwise.core.idmaps import lookup, stretches
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks, smallest_dtype
from pixelwise.core.segmentation import Segmentation


@dataclass(frozen=True)
class Merging:
    """Thresholds of the rule.

    Attributes:
        score: objects below it are dropped.
        overlap: an object is dropped if more than this share of it belongs to surer ones.
        area: pixels of the image below which a class of stuff is dropped. The paper's code has 4096 at 800 x 1333, a 260th of
            the image; 64 is that share of 128 x 128.
    """

    score: float = 0.5
    overlap: float = 0.5
    area: int = 64

    def __post_init__(self) -> None:
        for name in ("score", "overlap"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(f"[model] merge_{name}: expected 0 to 1, got {getattr(self, name)}")
        if self.area < 0:
            raise OptionError(f"[model] stuff_area: expected 0 pixels or more, got {self.area}")


PAPER = Merging(area=4096)


def merged(
    instances: Segmentation,
    classes: IntArray,
    labels: LabelSet,
    rules: Merging = PAPER,
    confidence: FloatArray | None = None,
) -> Segmentation:
    """Merge ``instances``, whose classes are those of ``labels``, and ``classes`` (H, W), in which only stuff counts.

    Args:
        confidence: (L,) scores of the classes of stuff; None gives them 1.

    >>> labels = LabelSet.of(["sky", "car"], things=["car"])
    >>> car = Segmentation.from_masks("instance", [np.array([[False, True]])], [1], labels, scores=np.array([0.9]))
    >>> found = merged(car, np.array([[0, 0]], np.uint8), labels, Merging(area=1))
    >>> found.names, found.panoptic_ids().tolist()
    (['car', 'sky'], [[2, 1]])
    """
    ids, rows = _laid_out(instances, rules)
    found = instances.class_ids[rows]
    table = np.zeros(max(int(classes.max(initial=0)), len(labels)) + 1, np.int64)
    free = ids == 0
    areas = np.bincount(classes[free], minlength=len(labels))[: len(labels)]
    is_stuff = np.array([not label.is_thing for label in labels.labels], bool)
    stuff = np.flatnonzero(is_stuff & (areas >= max(1, rules.area)))
    table[stuff] = len(rows) + 1 + np.arange(len(stuff))
    count = len(rows) + len(stuff)
    ids = np.where(free, lookup(table, classes), ids).astype(smallest_dtype(count))
    sure = np.ones(len(labels)) if confidence is None else confidence
    scores = np.concatenate([_scores(instances)[rows], sure[stuff]])
    return Segmentation(
        "panoptic", DisjointMasks(ids, count), np.concatenate([found, stuff]), labels, scores=np.clip(scores, 0, 1)
    )


def _laid_out(instances: Segmentation, rules: Merging) -> tuple[IntArray, IntArray]:
    """Lay the objects onto a map of ids (H, W), and list those that are kept (K,), the surest first."""
    height, width = instances.size
    scores = _scores(instances)
    firsts, lasts, cuts = stretches(instances.masks.run_lengths())
    ids = np.zeros(height * width, smallest_dtype(len(instances)))  # column by column, as run lengths go
    kept: list[int] = []
    for row in np.argsort(-scores, kind="stable").tolist():
        own = slice(cuts[row], cuts[row + 1])
        pixels = counted(firsts[own], lasts[own])
        if scores[row] < rules.score or not pixels.size:
            continue
        left = pixels[ids[pixels] == 0]
        if not left.size or pixels.size - left.size > rules.overlap * pixels.size:
            continue
        kept.append(row)
        ids[left] = len(kept)
    return ids.reshape(width, height).T, np.array(kept, np.int64)


def _scores(instances: Segmentation) -> FloatArray:
    return np.ones(len(instances)) if instances.scores is None else np.asarray(instances.scores, np.float64)


def counted(firsts: IntArray, lasts: IntArray) -> IntArray:
    """List the numbers from each of ``firsts`` to below its one of ``lasts``."""
    lengths = lasts - firsts
    return np.asarray(np.arange(int(lengths.sum())) + np.repeat(firsts - np.cumsum(lengths) + lengths, lengths))
