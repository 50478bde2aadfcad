"""Group the colours of an image by k-means [1], seeded by k-means++ [2].

The centres are found on a sample of the pixels; then every pixel takes the nearest one. Cost: the sample's k-means, and
pixels x clusters multiply-adds, in strips, so that memory does not grow with the number of clusters.

[1] Lloyd, Least squares quantization in PCM, IEEE Trans. Information Theory, 1982.
[2] Arthur and Vassilvitskii, k-means++: the advantages of careful seeding, SODA 2007.
"""

from typing import Literal, get_args

import cv2
import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.errors import OptionError, nearest
from pixelwise.core.image import RGB, Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks, smallest_dtype
from pixelwise.core.segmentation import Kind, Segmentation

KIND: Kind = "regions"
_STRIP = 2**18  # pixels whose distances are held at once


def segment(
    image: Image,
    *,
    clusters: int = 4,
    space: Literal["lab", "bands"] = "lab",
    sample: int = 20_000,
    seed: int = 0,
) -> Segmentation:
    """Group the pixels of ``image`` into at most ``clusters`` regions of alike colour, from dark to bright.

    A region may have many parts. There are fewer regions where the image has fewer colours.

    Args:
        clusters: how many colours to find.
        space: ``lab`` measures distances as the eye does (images of three colours; others fall back), ``bands`` as stored.
        sample: how many pixels the centres are found on.
        seed: of the sample and of the first centres.

    Raises:
        OptionError: clusters or sample are not positive, or the space is unknown.
    """
    if not 1 <= clusters <= 65535:
        raise OptionError(f"kmeans: clusters must be from 1 to 65535, got {clusters}")
    if sample < 1:
        raise OptionError(f"kmeans: the sample must hold at least 1 pixel, got {sample}")
    if space not in get_args(Literal["lab", "bands"]):
        raise OptionError(f"kmeans: space: got {space!r}; {nearest(str(space), ['lab', 'bands'])}")
    height, width = image.size
    if not height * width:
        return _regions(np.zeros((height, width), np.uint8), 0)
    colours = _colours(image, space)
    centres = _centres(colours, clusters, sample, seed)
    places = np.concatenate([_nearest(colours[top : top + _STRIP], centres) for top in range(0, len(colours), _STRIP)])
    used = np.flatnonzero(np.bincount(places, minlength=len(centres)))
    table = np.zeros(len(centres), smallest_dtype(len(used)))
    table[used] = np.arange(1, len(used) + 1)
    return _regions(table[places].reshape(height, width), len(used))


def _regions(ids: IntArray, count: int) -> Segmentation:
    return Segmentation(KIND, DisjointMasks(ids, count), np.zeros(count, np.int64), LabelSet.of(["region"]))


def _colours(image: Image, space: str) -> FloatArray:
    """Give colours (P, C) on scales near 0 to 1, the first or the mean telling dark from bright."""
    values = np.nan_to_num(image.unit(), posinf=1.0, neginf=0.0)
    if space == "lab" and image.bands == RGB:
        values = cv2.cvtColor(np.ascontiguousarray(values), cv2.COLOR_RGB2LAB) / np.float32(100)
    return np.asarray(values.reshape(-1, values.shape[2]), np.float32)


def _centres(colours: FloatArray, clusters: int, sample: int, seed: int) -> FloatArray:
    """Find the centres (K, C) on a sample, K at most ``clusters``, from dark to bright."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    rng = np.random.default_rng(seed)
    chosen = colours if len(colours) <= sample else colours[np.sort(rng.choice(len(colours), sample, replace=False))]
    distinct, shares = np.unique(chosen, axis=0, return_counts=True)
    if len(distinct) > clusters:
        search = KMeans(clusters, n_init=1, max_iter=100, random_state=seed)
        with threadpool_limits(1):  # sums in one order: the same centres on every machine with the same libraries
            distinct = search.fit(distinct.astype(np.float64), sample_weight=shares.astype(np.float64)).cluster_centers_
    brightness = distinct[:, 0] if distinct.shape[1] in (1, 3) else distinct.mean(axis=1)
    return distinct[np.argsort(brightness, kind="stable")].astype(np.float32)


def _nearest(colours: FloatArray, centres: FloatArray) -> IntArray:
    """Give the index (P,) of the nearest centre; |x|^2 is the same for every centre and left out."""
    best = np.full(len(colours), np.inf, np.float32)
    places = np.zeros(len(colours), smallest_dtype(len(centres)))
    for index, centre in enumerate(centres):  # a pass a centre: argmin along a short axis is several times slower
        distances = colours @ (-2 * centre) + centre @ centre
        closer = distances < best
        places[closer] = index
        np.minimum(best, distances, out=best)
    return places
