"""Merge what was cut too finely: neighbours that are alike, and fragments with the neighbour that is most like them.

Regions are nodes of a graph, tied where they touch. In rounds, every two regions that are each other's most similar neighbour
become one, if their mean colours differ by less than ``colour``; so the most similar are joined first wherever they are, as in
hierarchical merging, and a round costs one look at the ties. Then what is below ``area`` joins its most similar neighbour.
Maps of classes have no like neighbours, and the second step alone is for them. Cost: linear in the pixels, and about
log(regions) rounds over the ties.

[1] Trémeau and Colantoni, Regions adjacency graph applied to color image segmentation, IEEE Trans. Image Processing, 2000.
"""

import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray, IntArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.effort import advance
from pixelwise.refine.about import About
from pixelwise.refine.parts import mean_colours, pairs_in, parts_of
from pixelwise.refine.pieces import with_ids

_OBJECTS = "objects that touch are told apart on purpose; merge regions before they become objects"
ABOUT = About(
    rules={
        "regions": "neighbours of like colour become one; then those below ``area`` join the neighbour most like them",
        "semantic": "connected parts below ``area`` take the class of the neighbouring part most like them in colour",
        "panoptic": "the same, for all parts of a segment but its largest",
    },
    refused={"instance": _OBJECTS, "multilabel": _OBJECTS},
    cost="linear in the pixels; the ties between regions are looked at about log(regions) times",
    source="Trémeau and Colantoni, Regions adjacency graph applied to color image segmentation, IEEE TIP 2000",
)


def refine(image: Image, found: Segmentation, *, colour: float = 10.0, area: int = 64) -> Segmentation:
    """Merge the regions of ``found``.

    Args:
        colour: regions whose mean colours differ by less are joined: in CIE L*a*b*, where 1 is just seen and black and white
            differ by 100; 0 joins none. Images of other bands are compared on a scale of 0 to 100 a band.
        area: parts of fewer pixels join a neighbour; 1 leaves all.

    Raises:
        OptionError: an option is out of range.
    """
    if not 0 <= colour <= 1000:
        raise OptionError(f"merge: the difference of colours is from 0 to 1000, got {colour}")
    if area < 1:
        raise OptionError(f"merge: the area is in pixels, from 1 up, got {area}")
    ids = found.panoptic_ids()
    if found.kind == "regions":
        nodes = ids.astype(np.int32) - 1
        graph = _Graph(nodes, image)
        graph.join_alike(colour)
        graph.join_small(np.ones(len(found), bool), area)
        return with_ids(found, (graph.joined[nodes] + 1).astype(ids.dtype))
    parts = parts_of(ids)
    graph = _Graph(parts.map, image)
    may_go = np.ones(len(parts.ids), bool)
    if found.kind == "panoptic":
        order = np.argsort(parts.areas, kind="stable")
        largest = np.zeros(len(found) + 1, np.int64)
        largest[parts.ids[order]] = order  # the last one written is the largest
        may_go[largest] = False
    graph.join_small(may_go, area)
    return with_ids(found, parts.ids[graph.joined][parts.map].astype(ids.dtype))


class _Graph:
    """Regions, their colours, and which touch; ``joined`` (K,) tells which region each has become part of."""

    def __init__(self, nodes: IntArray, image: Image) -> None:
        self.areas = np.bincount(nodes.ravel())
        self.colours = mean_colours(image, nodes, self.areas)
        self.pairs = pairs_in(nodes)
        self.joined = np.arange(len(self.areas))

    def join_alike(self, colour: float) -> None:
        """Join every two that are each other's most similar neighbour and differ by less than ``colour``, until none do."""
        while True:
            best, distance = self._most_similar()
            own = np.flatnonzero((best >= 0) & (distance < colour))
            mutual = own[(best[best[own]] == own) & (own < best[own])]
            if not mutual.size:
                return
            target = np.arange(len(self.areas))
            target[best[mutual]] = mutual
            self._join(target)

    def join_small(self, may_go: BoolArray, area: int) -> None:
        """Join what is below ``area`` to its most similar neighbour, until nothing is."""
        from scipy import sparse

        count = len(self.areas)
        while True:
            best, _ = self._most_similar()
            small = np.flatnonzero(may_go & (self.areas > 0) & (self.areas < area) & (best >= 0))
            if not small.size:
                return
            ties = sparse.coo_array((np.ones(len(small), bool), (small, best[small])), shape=(count, count))
            _, group = sparse.csgraph.connected_components(ties, directed=False)
            order = np.lexsort((self.areas, ~may_go))
            chief = np.zeros(int(group.max()) + 1, np.int64)
            chief[group[order]] = order  # the largest of those that may not go, else the largest
            self._join(chief[group])

    def _most_similar(self) -> tuple[IntArray, FloatArray]:
        """Give the neighbour (K,) of each that is nearest in colour, -1 where there is none, and how far (K,) it is."""
        first, second = np.concatenate([self.pairs, self.pairs[:, ::-1]]).T
        distances = np.linalg.norm(self.colours[first] - self.colours[second], axis=1)
        order = np.lexsort((second, distances, first))
        starts = order[np.append(True, np.diff(first[order]) > 0)] if len(order) else order
        best, distance = np.full(len(self.areas), -1), np.full(len(self.areas), np.inf)
        best[first[starts]], distance[first[starts]] = second[starts], distances[starts]
        return best, distance

    def _join(self, target: IntArray) -> None:
        """Make each region part of another (K,): areas add up, colours are weighed by them, ties are those of all parts."""
        advance(1 - np.count_nonzero(self.areas) / len(self.areas))
        count = len(target)
        areas = np.bincount(target, self.areas, count).astype(np.int64)
        sums = [np.bincount(target, self.areas * self.colours[:, band], count) for band in range(self.colours.shape[1])]
        self.colours = np.stack(sums, axis=1) / np.maximum(areas, 1)[:, None]
        self.areas, self.joined = areas, target[self.joined]
        ends = np.sort(target[self.pairs], axis=1)
        codes = np.unique((ends[:, 0] * count + ends[:, 1])[ends[:, 0] != ends[:, 1]])
        self.pairs = np.stack(np.divmod(codes, count), axis=1)
