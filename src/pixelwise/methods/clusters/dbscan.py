"""Group the superpixels of an image by density (DBSCAN) [1]: what has enough like it nearby, and what that leads to.

A superpixel is in a core if those within the radius hold a share of the image; cores within the radius of each other are one
cluster, and what is near no core joins the nearest. So nobody says how many clusters there are. The radius, where it is not
given, is the knee of the distances at which superpixels would be cores, in rising order [1, 2]. Cost: superpixels x those
within the radius, for at most 5,000.

[1] Ester, Kriegel, Sander, Xu: A density-based algorithm for discovering clusters in large spatial databases with noise, KDD
    1996.
[2] Satopää, Albrecht, Irwin, Raghavan: Finding a "kneedle" in a haystack, ICDCS Workshops 2011.
"""

import math

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.clusters.centres import one_region
from pixelwise.methods.clusters.features import Features, Space, Texture, check_width
from pixelwise.methods.clusters.pieces import check_count, pieces

KIND: Kind = "regions"
ABOUT = About(
    "clustering",
    "things of one colour each on a plain ground, of any shape and number; odd superpixels do not make clusters",
    "shades that run into each other: a chain of them joins what it leads to",
    "that of superpixels on at most 1 Mpixel, and the way back, which is linear",
    "Ester, Kriegel, Sander, Xu: A density-based algorithm for discovering clusters in large spatial databases, KDD 1996",
)


def segment(
    image: Image,
    *,
    radius: float | None = None,
    share: float = 0.002,
    superpixels: int = 2000,
    space: Space = "lab",
    place: float = 0.5,
    texture: Texture = "none",
    texture_weight: float = 1.0,
    smooth: float = 0.0,
) -> Segmentation:
    """Group the superpixels of ``image`` by density, from dark to bright.

    Args:
        radius: how far a superpixel sees, in colour and place; black and white are 1 apart. None finds it on the image.
        share: of the image, that those within the radius hold around a core.
        superpixels: how many there are, about; an image of fewer pixels is grouped pixel by pixel.
        space, place, texture, texture_weight, smooth: what superpixels are compared by; see ``Features``.

    Raises:
        OptionError: an option is out of range.
    """
    check_count("dbscan", superpixels, 5000)
    check_width("dbscan", "radius", radius)
    if not 0 < share <= 1:
        raise OptionError(f"dbscan: share must be above 0 and at most 1, got {share}")
    features = Features(space, place, texture, texture_weight, smooth).checked("dbscan")
    found = pieces(image, features, superpixels)
    if found is None:
        return one_region(image.size)
    least = math.ceil(share * float(found.areas.sum()))
    reach = radius or knee(core_distances(found.values, found.areas, least))
    return found.regions(grouped(found.values, found.areas, reach, least))


def grouped(values: FloatArray, weights: FloatArray, radius: float, least: int) -> IntArray:
    """Label values (N, F) by DBSCAN, cores having the weight ``least`` within ``radius``; outliers join the nearest core."""
    from scipy.spatial import KDTree
    from sklearn.cluster import DBSCAN

    search = DBSCAN(eps=radius, min_samples=least).fit(np.asarray(values, np.float64), sample_weight=weights)
    labels, cores = search.labels_, search.core_sample_indices_
    if not len(cores):
        return np.zeros(len(values), np.int64)
    outside = labels < 0
    joined = np.array(labels)
    if outside.any():
        joined[outside] = labels[cores][KDTree(values[cores]).query(values[outside])[1]]
    return joined


def core_distances(values: FloatArray, weights: FloatArray, least: int) -> FloatArray:
    """Give the radius (N,) at which each value (N, F) would be a core."""
    from scipy.spatial.distance import cdist

    apart = cdist(values, values)
    order = np.argsort(apart, axis=1, kind="stable")
    enough = np.cumsum(weights[order], axis=1) >= min(least, float(weights.sum()))
    first = np.where(enough.any(axis=1), enough.argmax(axis=1), len(values) - 1)
    return np.asarray(apart[np.arange(len(values)), order[np.arange(len(values)), first]])


def knee(distances: FloatArray) -> float:
    """Give the distance at which the rising curve of ``distances`` (N,) bends most: it lies farthest below its chord [2].

    >>> knee(np.array([1.0, 1.1, 1.2, 1.3, 4.0, 9.0]))
    1.3
    """
    rising = np.sort(distances)
    span = rising[-1] - rising[0]
    if len(rising) < 2 or span <= 0:
        return max(float(rising[0]), 1e-6)
    below = np.linspace(0, 1, len(rising)) - (rising - rising[0]) / span
    return max(float(rising[below.argmax()]), 1e-6)
