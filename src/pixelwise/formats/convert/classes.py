"""Give the segments of a truth other classes, by a table from old classes to new ones; several may become one."""

from dataclasses import dataclass, replace

import numpy as np

from pixelwise.core.arrays import IntArray, Size
from pixelwise.core.labels import VOID, LabelSet
from pixelwise.core.masks import DisjointMasks, OverlappingMasks, smallest_dtype
from pixelwise.core.runs import decode, encode
from pixelwise.core.sample import Salvaged, TruthSource
from pixelwise.core.segmentation import Segmentation


@dataclass(frozen=True, eq=False)
class ClassTruth:
    """A truth under other classes.

    Attributes:
        source: the truth as it is.
        own: the label set it is read under.
        table: (L,) the class of each of its classes in ``labels``; ``VOID`` leaves its segments out.
        labels: the label set that ``table`` leads to.
    """

    source: TruthSource
    own: LabelSet
    table: IntArray
    labels: LabelSet

    def read(self, labels: LabelSet, size: Size) -> tuple[Segmentation, ...]:
        """Read the truths under ``labels``, joined by name with those that the table leads to."""
        return self._under(self.source.read(self.own, size), labels)

    def salvage(self, labels: LabelSet, size: Size) -> Salvaged:
        """Read what is good of the truths, likewise."""
        truths, problems = self.source.salvage(self.own, size)
        return self._under(truths, labels), problems

    def _under(self, truths: tuple[Segmentation, ...], labels: LabelSet) -> tuple[Segmentation, ...]:
        table = self.table
        if labels != self.labels:  # VOID, -1, reads the last entry of the longer table
            table = np.append(self.labels.map_to(labels), VOID)[table]
        return tuple(relabelled(one, table, labels) for one in truths)

    def raw(self) -> list[IntArray]:
        """Read the stored values."""
        return self.source.raw()


def relabelled(one: Segmentation, table: IntArray, labels: LabelSet) -> Segmentation:
    """Give segments the class that ``table`` (L,) says; those of ``VOID`` are left out.

    Where a kind has one segment a class (semantic, multilabel, the stuff of panoptic), segments that get the same class
    become one; a crowd stays a segment of its own. Regions have no classes and stay as they are.

    >>> before, after = LabelSet.of(["car", "bus", "sky"]), LabelSet.of(["sky", "vehicle"])
    >>> one = Segmentation.from_class_map(np.array([[0, 1, 2]]), before)
    >>> relabelled(one, np.array([1, 1, 0]), after).class_map().tolist()
    [[1, 1, 0]]
    """
    if one.kind == "regions":
        return replace(one, labels=labels)
    classes = table[one.class_ids]
    kept = one[classes >= 0] if (classes < 0).any() else one
    kept = replace(kept, class_ids=np.zeros(len(kept), np.int64), kind="instance")  # any class, until they are joined
    classes = classes[classes >= 0]
    if one.kind == "instance":
        return replace(kept, class_ids=classes, labels=labels)
    alone = np.isin(classes, labels.things) | kept.is_crowd if one.kind == "panoptic" else np.zeros(len(classes), bool)
    groups = np.where(alone, len(labels) + np.arange(len(classes)), classes)
    rows, masks = _joined(kept, groups, in_class_order=one.kind != "panoptic")
    first = kept[rows]
    if len(rows) < len(classes):  # what was stated is of the parts
        first = replace(first, boxes=None, areas=None)
    return replace(first, kind=one.kind, masks=masks, class_ids=classes[rows], labels=labels)


def _joined(one: Segmentation, groups: IntArray, in_class_order: bool) -> tuple[IntArray, DisjointMasks | OverlappingMasks]:
    """Join the masks of each group; give the first segment of each, in order, and the masks."""
    _, firsts, places = np.unique(groups, return_index=True, return_inverse=True)
    order = np.arange(len(firsts)) if in_class_order else np.argsort(firsts)
    rank = np.argsort(order)[places]  # of each segment, the place of its group
    if isinstance(one.masks, DisjointMasks):
        ids = np.zeros(len(one) + 1, smallest_dtype(len(firsts)))
        ids[1:] = rank + 1
        return firsts[order], DisjointMasks(ids[one.masks.ids], len(firsts))
    runs = one.masks.run_lengths()
    union = []
    for place in range(len(firsts)):
        members = [runs[row] for row in np.flatnonzero(rank == place)]
        whole = members[0] if len(members) == 1 else encode(np.any([decode(each) for each in members], axis=0))
        union.append(whole)
    return firsts[order], OverlappingMasks(tuple(union), one.size)
