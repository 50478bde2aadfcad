"""Part the superpixels of an image by the eigenvectors of how alike they are [1].

Superpixels no more than three steps from neighbour to neighbour apart are alike by a Gaussian of their distance in colour and
place, each with a scale of its own, the distance to the 7th most alike [2]. The first eigenvectors of the normalised matrix,
each row brought to length 1, are grouped by k-means. Cost: superpixels squared, for at most 3,000. The number of regions, where
it is not given, is that before the largest gap between eigenvalues [3], relative to 1.

The steps and the scale were chosen on every tenth image of BSDS500's validation set: the covering was 0.48 to 0.49 for two to
four steps and scales of their own, 0.44 with scales of their own but all compared with all, and 0.45 with the best scale alike
for all. On every fifth image the largest gap came to 0.440, the largest relative gap to 0.438 with fewer regions; the relative
one also finds heaps that are plainly apart.

[1] Ng, Jordan, Weiss: On spectral clustering, analysis and an algorithm, NIPS 2001.
[2] Zelnik-Manor and Perona: Self-tuning spectral clustering, NIPS 2004.
[3] von Luxburg: A tutorial on spectral clustering, Statistics and Computing 2007.
"""

import numpy as np

from pixelwise.core.arrays import AnyArray, FloatArray, IntArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.clusters import number
from pixelwise.methods.clusters.centres import one_region
from pixelwise.methods.clusters.features import Features, Space, Texture, check_width
from pixelwise.methods.clusters.pieces import check_count, pieces
from pixelwise.methods.effort import advance

KIND: Kind = "regions"
ABOUT = About(
    "clustering",
    "clusters in chains and bows that no centre stands for, as shading and textures give",
    "many small regions; large images lose what is thinner than a superpixel",
    "superpixels squared, for at most 3,000 on at most 1 Mpixel, and the way back, which is linear",
    "Ng, Jordan, Weiss: On spectral clustering, analysis and an algorithm, NIPS 2001",
)
_NEIGHBOUR = 7  # whose distance is a superpixel's own scale [2]
_SLACK = 0.02  # falls below it are of no account
_LINK = 1e-6  # how alike neighbours are at least


def segment(
    image: Image,
    *,
    clusters: int | None = None,
    most: int = 8,
    reach: int = 3,
    scale: float | None = None,
    superpixels: int = 800,
    space: Space = "lab",
    place: float = 0.2,
    texture: Texture = "none",
    texture_weight: float = 1.0,
    smooth: float = 0.0,
    seed: int = 0,
) -> Segmentation:
    """Group the superpixels of ``image`` into ``clusters`` regions, from dark to bright.

    Args:
        clusters: how many to find; None chooses from 2 to ``most``. An image of no more colours has a cluster a colour.
        most: the highest number that is tried.
        reach: how many steps from neighbour to neighbour superpixels may be apart to be compared; 0 compares all with all.
        scale: the deviation of the Gaussian, alike for all; None gives each superpixel its own.
        superpixels: how many there are, about; an image of fewer pixels is parted pixel by pixel.
        space, place, texture, texture_weight, smooth: what superpixels are compared by; see ``Features``.
        seed: of k-means on the eigenvectors.

    Raises:
        OptionError: an option is out of range.
    """
    number.check("spectral", clusters, most, seed=seed)
    check_count("spectral", superpixels, 3000)
    if not 0 <= reach <= 100:
        raise OptionError(f"spectral: reach must be from 0 to 100, got {reach}")
    check_width("spectral", "scale", scale)
    features = Features(space, place, texture, texture_weight, smooth).checked("spectral")
    found = pieces(image, features, superpixels)
    if found is None or clusters == 1:
        return one_region(image.size)
    distinct, places = np.unique(found.colours(), axis=0, return_inverse=True)
    if len(distinct) <= (clusters or most):
        return found.regions(places.ravel())
    alike = affinity(found.values, scale)
    if reach:
        alike = near_alone(alike, found.neighbours(), reach)
    values, vectors = eigenvectors(alike, max(clusters or 0, most) + 1)
    advance(0.5)
    count = clusters or gap(values, most)
    return found.regions(_grouped(vectors[:, :count], seed))


def affinity(values: FloatArray, scale: float | None) -> FloatArray:
    """Give how alike values (N, F) are: (N, N), 1 on the diagonal."""
    from scipy.spatial.distance import cdist

    apart = cdist(values, values)
    if scale is None:
        own = np.partition(apart, min(_NEIGHBOUR, len(apart) - 1), axis=1)[:, min(_NEIGHBOUR, len(apart) - 1)]
        own = np.maximum(own, 1e-3)  # several of one colour have no distance
        return np.asarray(np.exp(-(apart**2) / (own[:, None] * own)))
    return np.asarray(np.exp(-(apart**2) / (2 * scale * scale)))


def near_alone(alike: FloatArray, neighbours: AnyArray, reach: int) -> FloatArray:
    """Keep of a matrix (N, N) what is at most ``reach`` steps apart.

    Neighbours stay a little alike, so that all hang together.
    """
    from scipy.sparse import eye_array

    step = neighbours + eye_array(len(alike), format="csr")
    near = step
    for _ in range(reach - 1):
        near = (near @ step).sign()
    return np.maximum(np.where(near.toarray() > 0, alike, 0), _LINK * neighbours.toarray())


def eigenvectors(alike: FloatArray, count: int) -> tuple[FloatArray, FloatArray]:
    """Give the ``count`` largest eigenvalues, falling, and the vectors (N, count), of D^-1/2 W D^-1/2 of a matrix W (N, N).

    Signs are such that the entry of a vector that is largest in size is positive.
    """
    from scipy.linalg import eigh
    from threadpoolctl import threadpool_limits

    roots = 1 / np.sqrt(alike.sum(axis=1))
    last = len(alike) - 1
    with threadpool_limits(1):
        values, vectors = eigh(alike * roots[:, None] * roots, subset_by_index=[max(0, last - count + 1), last])
    vectors = vectors[:, ::-1]
    largest = np.abs(vectors).argmax(axis=0)
    return values[::-1], vectors * np.where(vectors[largest, np.arange(vectors.shape[1])] < 0, -1.0, 1.0)


def gap(values: FloatArray, most: int) -> int:
    """Give the number, 2 to ``most``, of falling eigenvalues (M,) before the largest fall.

    A fall counts by its share of what the next value is below 1: from 1.00 to 0.95 more is lost than from 0.90 to 0.80.

    >>> gap(np.array([1.0, 0.99, 0.97, 0.5, 0.4]), 4)
    3
    """
    before, after = values[1:most], values[2 : most + 1]
    before = before[: len(after)]
    return 2 + int(((before - after) / (1 - after + _SLACK)).argmax()) if len(after) else len(values)


def _grouped(vectors: FloatArray, seed: int) -> IntArray:
    """Group the rows of vectors (N, K), brought to length 1, into K clusters."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    rows = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    with threadpool_limits(1):
        return np.asarray(KMeans(vectors.shape[1], n_init=5, random_state=seed).fit(rows).labels_)
