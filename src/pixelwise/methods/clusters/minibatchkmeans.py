"""Group the colours of an image by k-means on small batches of pixels [1].

Each round moves the centres by a batch drawn from a large sample, so many clusters are found in the time that k-means takes
for few. Then every pixel takes the nearest centre. Cost: rounds x batch x clusters, and distinct colours (or pixels, where
more than colour counts) x the logarithm of many clusters. The number of clusters, where it is not given, is the one with the
best silhouette (``number``).

[1] Sculley, Web-scale k-means clustering, WWW 2010.
"""

import numpy as np

from pixelwise.core.arrays import FloatArray
from pixelwise.core.errors import OptionError
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
    "many clusters (palettes of dozens or hundreds of colours), and clusters of texture, on large images",
    "few clusters, where k-means is as fast and a little more exact; otherwise as k-means",
    "linear in the pixels after centres from batches; stops growing with the distinct colours where only colour counts",
    "Sculley: Web-scale k-means clustering, WWW 2010",
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
    batch: int = 4096,
    sample: int = 200_000,
    seed: int = 0,
) -> Segmentation:
    """Group the pixels of ``image`` into at most ``clusters`` regions of alike colour, from dark to bright.

    Args:
        clusters: how many to find; None chooses from 2 to ``most``.
        most: the highest number that is tried.
        space, place, texture, texture_weight, smooth: what pixels are compared by; see ``Features``.
        batch: how many pixels a round looks at.
        sample: how many pixels the batches are drawn from.
        seed: of the sample, the batches and the first centres.

    Raises:
        OptionError: an option is out of range.
    """
    number.check("minibatchkmeans", clusters, most, sample, seed)
    if batch < 1:
        raise OptionError(f"minibatchkmeans: a batch must hold at least 1 pixel, got {batch}")
    points = Points(image, Features(space, place, texture, texture_weight, smooth).checked("minibatchkmeans"))
    if points.is_plain or clusters == 1:
        return one_region(image.size)
    count = clusters or number.by_silhouette(points, most, seed)
    return by_centres(points, _centres(*points.sample(sample, seed), count, batch, seed))


def _centres(values: FloatArray, weights: FloatArray, clusters: int, batch: int, seed: int) -> FloatArray:
    from sklearn.cluster import MiniBatchKMeans
    from threadpoolctl import threadpool_limits

    if len(values) <= clusters:
        return values
    search = MiniBatchKMeans(clusters, batch_size=max(batch, clusters), n_init=1, max_iter=100, random_state=seed)
    with threadpool_limits(1):
        return np.asarray(search.fit(values.astype(np.float64), sample_weight=weights).cluster_centers_)
