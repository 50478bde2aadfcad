"""A hierarchy of regions: merge the most alike neighbours, describe the union anew, and go on until one region is left.

In each round all pairs of neighbours are weighed. Pairs of which each is the other's most alike neighbour may merge; the half
of them that is most alike does. So a thousand superpixels take some forty rounds, each a few array operations, where merging
one pair at a time takes a thousand. The height of a merge is its weight, or that of an earlier merge within it where that is
more: the tree is an ultrametric [1], and cutting it at a height gives a partition; of two cuts the lower is the finer.

[1] Arbelaez, Maire, Fowlkes and Malik, Contour Detection and Hierarchical Image Segmentation, PAMI 2011.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.methods.effort import advance
from pixelwise.methods.graphs.region_graph import RegionGraph, contracted

_SHARE = 0.5  # of the pairs that may merge in a round
_ONE_BY_ONE = 20  # regions from which on a round has one merge


@dataclass(frozen=True, eq=False)
class RegionTree:
    """R superpixels and the merges that make one region of them.

    Attributes:
        ids: (H, W) superpixels, from 0.
        merges: (R - 1, 2) superpixels whose regions are merged, in the order of heights.
        heights: (R - 1,) rising.
    """

    ids: IntArray
    merges: IntArray
    heights: FloatArray

    def cut(self, merged: int) -> IntArray:
        """Give the region (R,) of each superpixel after the first ``merged`` merges, from 0."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        count = len(self.merges) + 1
        ends = self.merges[:merged].T
        graph = coo_array((np.ones(ends.shape[1], bool), tuple(ends)), shape=(count, count))
        found: IntArray = connected_components(graph, directed=False)[1]
        return found

    def at_level(self, level: float) -> IntArray:
        """Give the partition (H, W) of all merges up to the height ``level``."""
        return self.cut(int(np.searchsorted(self.heights, level, side="right")))[self.ids]

    def of_regions(self, number: int) -> IntArray:
        """Give the partition (H, W) of so many regions, or of as many as there are superpixels."""
        return self.cut(max(0, len(self.merges) + 1 - number))[self.ids]


class Round(NamedTuple):
    """What a round of merging starts from, and the M merges it does.

    Attributes:
        graph: of R regions.
        regions: (N,) the region of each superpixel.
        merges: (M, 2) superpixels of the regions that are merged.
        heights: (M,) of the merges.
    """

    graph: RegionGraph
    regions: IntArray
    merges: IntArray
    heights: FloatArray


def merged(ids: IntArray, graph: RegionGraph, weigh: Callable[[RegionGraph], FloatArray]) -> RegionTree:
    """Merge the superpixels ``ids`` (H, W) of a connected graph; ``weigh`` gives the weights (E,) of pairs, 0 for equals."""
    made = list(rounds(graph, weigh))
    merges = np.concatenate([np.zeros((0, 2), np.int64), *(one.merges for one in made)])
    heights = np.concatenate([np.zeros(0), *(one.heights for one in made)])
    order = np.argsort(heights, kind="stable")
    return RegionTree(ids, merges[order], heights[order])


def rounds(graph: RegionGraph, weigh: Callable[[RegionGraph], FloatArray]) -> Iterator[Round]:
    """Merge until one region is left, a round at a time."""
    count = len(graph)
    regions = name = np.arange(count)  # a region is named by one of its superpixels
    height = np.zeros(count)
    while len(graph.pairs):
        advance(1 - len(graph) / count)
        weights = weigh(graph)
        chosen = _chosen(graph, weights)
        kept, lost = graph.pairs[chosen].T
        height[kept] = np.maximum(weights[chosen], np.maximum(height[kept], height[lost]))
        yield Round(graph, regions, np.stack([name[kept], name[lost]], axis=1), height[kept])
        into = np.arange(len(graph))
        into[lost] = kept
        stays = into == np.arange(len(graph))
        into = (np.cumsum(stays) - 1)[into]
        graph, regions = contracted(graph, into), into[regions]
        name, height = name[stays], height[stays]


def _chosen(graph: RegionGraph, weights: FloatArray) -> IntArray:
    """Choose the pairs that merge in a round, the most alike first; no region is in two of them."""
    order = np.argsort(weights, kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))  # ranks differ where weights are equal: nobody has two most alike neighbours
    best = np.full(len(graph), len(order))
    first, second = graph.pairs.T
    np.minimum.at(best, first, rank)
    np.minimum.at(best, second, rank)
    mutual = order[(rank == best[first])[order] & (rank == best[second])[order]]
    found: IntArray = mutual[: 1 if len(graph) <= _ONE_BY_ONE else max(1, int(len(mutual) * _SHARE))]
    return found
