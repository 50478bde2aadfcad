"""Join the superpixels of an image, most alike first, by Ward's criterion [1] or another, as long as they touch.

Cost: superpixels x the logarithm of their number for the tree; one tree holds every number of regions. Where the number is not
given, joins are undone that cost more than 0.3 of the dearest one. On every tenth image of BSDS500's validation set that came
to a covering of 0.471, against 0.465 for the best number fixed for all, 0.452 for the elbow of the costs and 0.447 for their
largest fall; anything from 0.15 to 0.4 did as well.

[1] Ward: Hierarchical grouping to optimize an objective function, J. American Statistical Association 1963.
"""

from typing import Literal, TypeAlias, get_args

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.errors import OptionError, nearest
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.clusters import number
from pixelwise.methods.clusters.centres import one_region
from pixelwise.methods.clusters.features import Features, Space, Texture
from pixelwise.methods.clusters.pieces import check_count, pieces

Linkage: TypeAlias = Literal["ward", "average", "complete", "single"]
KIND: Kind = "regions"
ABOUT = About(
    "clustering",
    "connected regions at a chosen number: fields, organs, large objects on a ground",
    "thin things, and many small ones: a superpixel is the smallest that can be told apart",
    "that of superpixels on at most 1 Mpixel, and the way back, which is linear",
    "Ward: Hierarchical grouping to optimize an objective function, J. American Statistical Association 1963",
)
_DEAR = 0.3  # of the dearest join: one that costs more is undone
_FREE = 1e-9  # a join that costs no more is of pieces of one colour, and stays


def segment(
    image: Image,
    *,
    clusters: int | None = None,
    most: int = 12,
    linkage: Linkage = "ward",
    connected: bool = True,
    superpixels: int = 2000,
    space: Space = "lab",
    place: float = 0.0,
    texture: Texture = "none",
    texture_weight: float = 1.0,
    smooth: float = 0.0,
) -> Segmentation:
    """Group the superpixels of ``image`` into ``clusters`` regions, from dark to bright.

    Args:
        clusters: how many to leave, or fewer where a region of one colour would have to be cut; None chooses from 2 to ``most``
            by what the joins cost.
        most: the highest number that is tried.
        linkage: how unlike two groups are: the rise of the squares within (``ward``), or the mean, the largest or the least
            distance of their members (``average``, ``complete``, ``single``).
        connected: join only what touches, so that each region is of one part.
        superpixels: how many there are, about; an image of fewer pixels is joined pixel by pixel.
        space, place, texture, texture_weight, smooth: what superpixels are compared by; see ``Features``.

    Raises:
        OptionError: an option is out of range.
    """
    number.check("agglomerative", clusters, most)
    check_count("agglomerative", superpixels, 20_000)
    if linkage not in get_args(Linkage):
        raise OptionError(f"agglomerative: linkage: got {linkage!r}; {nearest(str(linkage), get_args(Linkage))}")
    features = Features(space, place, texture, texture_weight, smooth).checked("agglomerative")
    found = pieces(image, features, superpixels)
    if found is None or clusters == 1:
        return one_region(image.size)
    merges, costs = tree(found.values, found.neighbours() if connected else None, linkage)
    count = worthwhile(costs, most) if clusters is None else min(clusters, 1 + int((costs > _FREE).sum()))
    return found.regions(cut(merges, count))


def tree(values: FloatArray, neighbours: object, linkage: Linkage) -> tuple[IntArray, FloatArray]:
    """Join N values (N, F) two by two: the pairs (N - 1, 2) in order, and what each costs (N - 1,).

    What the i-th pair makes has the number N + i.
    """
    from sklearn.cluster import AgglomerativeClustering

    if len(values) < 2:
        return np.zeros((0, 2), np.int64), np.zeros(0)
    search = AgglomerativeClustering(
        n_clusters=None, distance_threshold=0, connectivity=neighbours, linkage=linkage, compute_full_tree=True
    )
    search.fit(np.asarray(values, np.float64))
    return np.asarray(search.children_), np.asarray(search.distances_)


def cut(merges: IntArray, clusters: int) -> IntArray:
    """Undo the last joins (M, 2) until ``clusters`` groups are left: the group (M + 1,) of each value.

    >>> cut(np.array([[0, 1], [2, 3]]), 2)
    array([1, 1, 0])
    """
    count = len(merges) + 1
    parents = np.arange(2 * count - 1)
    for index, pair in enumerate(merges[: max(0, count - clusters)]):
        parents[pair] = count + index
    for node in range(2 * count - 2, -1, -1):  # a parent has a higher number: it is settled first
        parents[node] = parents[parents[node]]
    return np.asarray(np.unique(parents[:count], return_inverse=True)[1])


def worthwhile(costs: FloatArray, most: int) -> int:
    """Give the number of groups, 2 to ``most``, that is left when the joins far dearer than others are undone.

    >>> worthwhile(np.array([0.1, 0.1, 0.2, 2.0, 3.0]), 8)
    3
    """
    last = costs[-(most - 1) :]
    return min(1 + max(1, int((last > _DEAR * costs.max(initial=0)).sum())), len(costs) + 1)
