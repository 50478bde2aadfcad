"""Group the colours of an image by k-means [1], seeded by k-means++ [2].

The centres are found on a sample of the pixels; then every pixel takes the nearest one. Cost: the sample's k-means, and
distinct colours (or pixels, where more than colour counts) x clusters multiply-adds, in strips, so that memory does not grow
with the number of clusters. The number of clusters, where it is not given, is the one with the best silhouette (``number``).

[1] Lloyd, Least squares quantization in PCM, IEEE Trans. Information Theory, 1982.
[2] Arthur and Vassilvitskii, k-means++: the advantages of careful seeding, SODA 2007.
"""

import numpy as np

from pixelwise.core.arrays import FloatArray
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.clusters import number
from pixelwise.methods.clusters.centres import by_centres, one_region
from pixelwise.methods.clusters.features import Features, Space, Texture
from pixelwise.methods.clusters.points import Points

KIND: Kind = "regions"
ABOUT = About(
    "clustering",
    "few colours that differ plainly, in any places: stains, land cover, flat drawings",
    "things of many colours, uneven light, clusters of unlike size",
    "linear in the pixels after the centres of a sample; stops growing with the distinct colours where only colour counts",
    "Lloyd: Least squares quantization in PCM, IEEE Trans. Information Theory 1982",
)


def segment(
    image: Image,
    *,
    clusters: int | None = None,
    most: int = 8,
    space: Space = "lab",
    place: float = 0.0,
    texture: Texture = "none",
    texture_weight: float = 1.0,
    smooth: float = 0.0,
    sample: int = 20_000,
    seed: int = 0,
) -> Segmentation:
    """Group the pixels of ``image`` into at most ``clusters`` regions of alike colour, from dark to bright.

    A region may have many parts. There are fewer regions where the image has fewer colours.

    Args:
        clusters: how many to find; None chooses from 2 to ``most``.
        most: the highest number that is tried.
        space, place, texture, texture_weight, smooth: what pixels are compared by; see ``Features``.
        sample: how many pixels the centres are found on.
        seed: of the sample and of the first centres.

    Raises:
        OptionError: an option is out of range.
    """
    number.check("kmeans", clusters, most, sample, seed)
    points = Points(image, Features(space, place, texture, texture_weight, smooth).checked("kmeans"))
    if points.is_plain or clusters == 1:
        return one_region(image.size)
    count = clusters or number.by_silhouette(points, most, seed)
    return by_centres(points, centres(*points.sample(sample, seed), count, seed))


def centres(values: FloatArray, weights: FloatArray, clusters: int, seed: int) -> FloatArray:
    """Find at most ``clusters`` centres (K, F) of distinct values (N, F) with weights (N,)."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    if len(values) <= clusters:
        return values
    search = KMeans(clusters, n_init=1, max_iter=100, random_state=seed)
    with threadpool_limits(1):  # sums in one order: the same centres on every machine with the same libraries
        return np.asarray(search.fit(values.astype(np.float64), sample_weight=weights).cluster_centers_)
