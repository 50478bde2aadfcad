"""Group the colours of an image by fuzzy c-means [1], in which every pixel belongs to every cluster by degrees.

Pixels of one colour have the same memberships, so the updates run on the distinct colours with their counts and give exactly
what they would give on the pixels; where more than colour counts, or there are more than 8 bits, on a sample. A coarse palette
brings the centres near before the distinct colours are looked at, and strips that fit into the processor's cache do the rest.
Each pixel then goes to the cluster that it belongs to most, which is the nearest. Cost: rounds x distinct colours x clusters.
The number of clusters, where it is not given, is the one with the best silhouette (``number``).

[1] Bezdek: Pattern recognition with fuzzy objective function algorithms, Plenum 1981.
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
from pixelwise.methods.effort import advance

KIND: Kind = "regions"
ABOUT = About(
    "clustering",
    "colours that blend into each other, and steady centres in noise: slices of tissue, soft shadows",
    "clusters of unlike size, as the large ones draw the centres of the small ones; many clusters",
    "rounds x distinct colours x clusters, or x a sample; then linear in the pixels",
    "Bezdek: Pattern recognition with fuzzy objective function algorithms, Plenum 1981",
)
_STRIP = 2**14  # points whose memberships are worked out at once: they stay in the cache
_LEAST = 1e-12  # of a squared distance: a point on a centre belongs to it
_COARSE = 0.04  # the width of the coarse palette's bins, of the scale of colours


def segment(
    image: Image,
    *,
    clusters: int | None = None,
    most: int = 8,
    fuzziness: float = 2.0,
    space: Space = "lab",
    place: float = 0.0,
    texture: Texture = "none",
    texture_weight: float = 1.0,
    smooth: float = 0.0,
    tolerance: float = 1e-4,
    rounds: int = 300,
    sample: int = 100_000,
    seed: int = 0,
) -> Segmentation:
    """Group the pixels of ``image`` into at most ``clusters`` regions of alike colour, from dark to bright.

    Args:
        clusters: how many to find; None chooses from 2 to ``most``.
        most: the highest number that is tried.
        fuzziness: above 1, which would be k-means; the larger, the more clusters share pixels.
        space, place, texture, texture_weight, smooth: what pixels are compared by; see ``Features``.
        tolerance: the updates end when no centre moves farther; black and white are 1 apart.
        rounds: how many updates there are at most.
        sample: how many pixels the centres are found on where colours cannot be counted.
        seed: of the sample and of the first centres.

    Raises:
        OptionError: an option is out of range.
    """
    number.check("fuzzycmeans", clusters, most, sample, seed)
    if not 1.05 <= fuzziness <= 20:
        raise OptionError(f"fuzzycmeans: fuzziness must be from 1.05 to 20, got {fuzziness}")
    if not tolerance > 0 or rounds < 1:
        raise OptionError(f"fuzzycmeans: tolerance and rounds must be positive, got {tolerance} and {rounds}")
    points = Points(image, Features(space, place, texture, texture_weight, smooth).checked("fuzzycmeans"))
    if points.is_plain or clusters == 1:
        return one_region(image.size)
    count = clusters or number.by_silhouette(points, most, seed)
    values, weights = points.all() or points.sample(sample, seed)
    if len(values) <= count:
        return by_centres(points, values)
    return by_centres(points, fitted(values, weights, count, fuzziness, tolerance, rounds, seed)[0])


def fitted(
    values: FloatArray, weights: FloatArray, clusters: int, fuzziness: float, tolerance: float, rounds: int, seed: int
) -> tuple[FloatArray, int]:
    """Find centres (K, F) of values (N, F) with weights (N,), on a coarse palette first; and in how many rounds after that."""
    start = first_centres(values, weights, clusters, seed)
    coarse = coarser(values, weights)
    if clusters < len(coarse[0]) < len(values):
        start, _ = updated(*coarse, start, fuzziness, tolerance, rounds)
    return updated(values, weights, start, fuzziness, tolerance, rounds)


def first_centres(values: FloatArray, weights: FloatArray, clusters: int, seed: int) -> FloatArray:
    """Draw centres (K, F) from weighted values, far from each other (k-means++)."""
    from sklearn.cluster import kmeans_plusplus

    if len(values) > 20_000:
        rng = np.random.default_rng(seed)
        chosen = np.sort(rng.choice(len(values), 20_000, replace=False))
        values, weights = values[chosen], weights[chosen]
    return np.asarray(kmeans_plusplus(values.astype(np.float64), clusters, sample_weight=weights, random_state=seed)[0])


def coarser(values: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Join values (N, F) of one bin: their weighted means (M, F), and their weights (M,)."""
    bins = np.floor(values / np.float32(_COARSE)).astype(np.int64)
    bins -= bins.min(axis=0)
    keys = np.zeros(len(values), np.int64)
    for column in bins.T:  # wraps around where there are very many channels: bins apart are then joined, of this start alone
        keys = keys * (int(column.max()) + 1) + column
    _, places = np.unique(keys, return_inverse=True)
    total = np.bincount(places, weights)
    means = [np.bincount(places, weights * column) / total for column in values.T]
    return np.stack(means, axis=1), total


def updated(
    values: FloatArray, weights: FloatArray, centres: FloatArray, fuzziness: float, tolerance: float, rounds: int
) -> tuple[FloatArray, int]:
    """Update centres (K, F) until none moves farther than ``tolerance``; give them, and in how many rounds.

    With squared distances d to the centres, memberships are d^(-1 / (m - 1)) over their sum, and a centre is the mean of
    the values (N, F) weighted by their weights (N,) times membership^m [1].
    """
    middle = values.mean(axis=0, dtype=np.float64)
    channels = np.ascontiguousarray((values - middle).T, np.float32)
    portions, moved = weights.astype(np.float32), np.asarray(centres - middle, np.float64)
    for done in range(1, rounds + 1):
        sums, totals = np.zeros_like(moved), np.zeros(len(moved))
        for start in range(0, len(values), _STRIP):
            part = channels[:, start : start + _STRIP]
            shares = memberships(part, moved, fuzziness)
            shares = (shares * shares if fuzziness == 2 else shares**fuzziness) * portions[start : start + _STRIP]
            sums += shares @ part.T
            totals += shares.sum(axis=1)
        before, moved = moved, np.where(totals[:, None] > 0, sums / np.maximum(totals, 1e-30)[:, None], moved)
        advance(0.4 + 0.2 * done / rounds)
        if np.abs(moved - before).max() <= tolerance:
            break
    return moved + middle, done


def memberships(channels: FloatArray, centres: FloatArray, fuzziness: float) -> FloatArray:
    """Give how far values, as channels (F, N), belong to each centre (K, F): (K, N), adding up to 1."""
    apart = np.zeros((len(centres), channels.shape[1]), np.float32)
    for row, centre in zip(apart, centres.astype(np.float32), strict=True):
        for channel, level in zip(channels, centre, strict=True):
            difference = channel - level
            difference *= difference
            row += difference
    np.maximum(apart, np.float32(_LEAST), out=apart)
    shares = apart.min(axis=0) / apart  # the nearest is 1: powers of it cannot overflow
    if fuzziness != 2:
        shares **= np.float32(1 / (fuzziness - 1))
    shares /= shares.sum(axis=0)
    return shares
