"""Group the colours of an image by mean shift [1]: each climbs to the place where colours are densest.

A point moves to the mean of all points within the bandwidth, again and again, until it stands; points that arrive at one place
are a cluster (the flat kernel, which climbs the density under Epanechnikov's [2]). So nobody says how many clusters there are,
only how wide they are; where the bandwidth is not given, it is the mean distance to the farthest of the tenth of the points
that are nearest, or 0.4 of the colours' standard deviation if that is more. Cost: points squared x rounds, for at most 3,000
points: the distinct colours, joined in bins where there are more. Where more than colour counts, or there are more than 8 bits,
large images are worked on reduced.

[1] Fukunaga and Hostetler: The estimation of the gradient of a density function, with applications in pattern recognition,
    IEEE Trans. Information Theory 1975; Comaniciu and Meer: Mean shift, a robust approach toward feature space analysis, IEEE
    TPAMI 2002.
[2] Cheng: Mean shift, mode seeking, and clustering, IEEE TPAMI 1995.
"""

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.clusters.centres import one_region
from pixelwise.methods.clusters.features import Features, Space, Texture, check_width
from pixelwise.methods.clusters.number import check_seed
from pixelwise.methods.clusters.points import Points
from pixelwise.methods.effort import advance
from pixelwise.methods.partition import as_regions
from pixelwise.methods.reduced import enlarged, reduced

KIND: Kind = "regions"
ABOUT = About(
    "clustering",
    "colours in heaps of any shape, when it is known how far apart they are but not how many",
    "shades that run into each other without a gap: they become one cluster",
    "colours squared x rounds for at most 3,000 bins of colours, then linear in the pixels",
    "Comaniciu and Meer: Mean shift, a robust approach toward feature space analysis, IEEE TPAMI 2002",
)
_POINTS = 3000
_SAMPLE = 200_000  # pixels that bins are filled from where colours cannot be counted
_STRIP = 256  # points that climb at once
_NARROWEST = 0.4  # of the spread of the image's colours: a narrower bandwidth cuts a plain dark ground into slices
_STANDS = 1e-3  # of the bandwidth: a point that moves less has arrived


def segment(
    image: Image,
    *,
    bandwidth: float | None = None,
    quantile: float = 0.1,
    share: float = 0.002,
    space: Space = "lab",
    place: float = 0.0,
    texture: Texture = "none",
    texture_weight: float = 1.0,
    smooth: float = 0.0,
    rounds: int = 300,
    seed: int = 0,
) -> Segmentation:
    """Group the pixels of ``image`` by the density peak their colour climbs to, from dark to bright.

    Args:
        bandwidth: how far a point sees; black and white are 1 apart. None finds it on the image.
        quantile: the share of nearest points that the bandwidth then reaches, on average.
        share: of the image, that a cluster must hold; what is left of smaller ones joins the nearest.
        space, place, texture, texture_weight, smooth: what pixels are compared by; see ``Features``.
        rounds: how often a point moves at most.
        seed: of the sample.

    Raises:
        OptionError: an option is out of range.
    """
    from scipy.spatial import KDTree

    check_width("meanshift", "bandwidth", bandwidth)
    check_seed("meanshift", seed)
    if not 0 < quantile <= 1 or rounds < 1:
        raise OptionError(f"meanshift: quantile must be above 0 and at most 1, rounds at least 1; got {quantile} and {rounds}")
    if not 0 <= share < 1:
        raise OptionError(f"meanshift: share must be from 0 to below 1, got {share}")
    features = Features(space, place, texture, texture_weight, smooth).checked("meanshift")
    points, small, notes = Points(image, features), image, ()
    if points.is_plain:
        return one_region(image.size)
    if (found := points.all()) is None:
        small, notes = reduced(image)
        points = points if small is image else Points(small, features)
        found = points.sample(_SAMPLE, seed)
    reach = bandwidth or estimated_bandwidth(*found, quantile, seed)
    values, weights = binned(*found, reach / 4)
    peaks, places = peaks_of(values, weights, reach, rounds, share)
    labels = np.argsort(np.argsort(points.brightness(peaks), kind="stable"))[places]
    tree = KDTree(values)
    ids = points.labelled(lambda part: labels[tree.query(part)[1]], len(peaks))
    return as_regions(enlarged(ids, small, image), (*points.notes, *notes))


def peaks_of(
    values: FloatArray, weights: FloatArray, bandwidth: float, rounds: int, share: float
) -> tuple[FloatArray, IntArray]:
    """Give the peaks (K, F) that values (N, F) with weights (N,) climb to, and the peak (N,) of each."""
    ends = climbed(values, weights, bandwidth, rounds)
    peaks, places = joined(ends, crowds(ends, values, weights, bandwidth), bandwidth)
    return without_small(peaks, places, values, weights, share)


def estimated_bandwidth(values: FloatArray, weights: FloatArray, quantile: float, seed: int) -> float:
    """Give the mean distance from a value to the farthest of the share ``quantile`` of values nearest to it; above 0.

    It is at least 0.4 of the standard deviation over all channels. Worked out on 500 values, drawn by their weights (N,).
    """
    from scipy.spatial.distance import cdist

    rng = np.random.default_rng(seed)
    drawn = values[rng.choice(len(values), 500, p=weights / weights.sum())].astype(np.float64)
    apart = np.sort(cdist(drawn, drawn), axis=1)
    near = float(apart[:, max(0, int(quantile * len(drawn)) - 1)].mean())
    return max(near, _NARROWEST * float(np.sqrt(drawn.var(axis=0).sum())), 1e-3)


def binned(values: FloatArray, weights: FloatArray, width: float) -> tuple[FloatArray, FloatArray]:
    """Join values (N, F) in bins so wide that at most 3,000 are left: weighted means (M, F), and their weights (M,).

    Fewer values stay as they are.
    """
    values = np.asarray(values, np.float64)
    while len(values) > _POINTS:
        advance(0)
        _, places = np.unique(np.floor(values / width).astype(np.int64), axis=0, return_inverse=True)
        total = np.bincount(places.ravel(), weights)
        means = np.stack([np.bincount(places.ravel(), weights * column) / total for column in values.T], axis=1)
        if len(total) <= _POINTS:
            return means, total
        width *= 1.25
    return values, weights


def climbed(values: FloatArray, weights: FloatArray, bandwidth: float, rounds: int) -> FloatArray:
    """Move each value (N, F) to the weighted mean of those within ``bandwidth``, until it stands: (N, F)."""
    ends, active = np.array(values, np.float64), np.arange(len(values))
    weighted = np.concatenate([values * weights[:, None], weights[:, None]], axis=1)
    for _ in range(rounds):
        moved = np.empty((len(active), values.shape[1]))
        for start in range(0, len(active), _STRIP):
            near = _within(ends[active[start : start + _STRIP]], values, bandwidth)
            sums = near @ weighted
            moved[start : start + _STRIP] = sums[:, :-1] / sums[:, -1:]
        far = np.linalg.norm(moved - ends[active], axis=1) > _STANDS * bandwidth
        ends[active] = moved
        active = active[far]
        advance(0.5 * (1 - len(active) / len(values)))
        if not len(active):
            break
    return ends


def crowds(ends: FloatArray, values: FloatArray, weights: FloatArray, bandwidth: float) -> FloatArray:
    """Give the weight (N,) within ``bandwidth`` of each end."""
    strips = range(0, len(ends), _STRIP)
    return np.concatenate([_within(ends[start : start + _STRIP], values, bandwidth) @ weights for start in strips])


def joined(ends: FloatArray, crowd: FloatArray, bandwidth: float) -> tuple[FloatArray, IntArray]:
    """Join ends (N, F) that lie within ``bandwidth`` of one with a larger crowd: peaks (K, F), and the peak (N,) of each.

    Each end goes to the nearest peak.
    """
    from scipy.spatial import KDTree

    distinct, first = np.unique(np.round(ends, 9), axis=0, return_index=True)
    order = np.lexsort((*distinct.T[::-1], crowd[first]))[::-1]
    places, kept, is_open = distinct[order], [], np.ones(len(order), bool)
    for index in range(len(places)):
        if is_open[index]:
            kept.append(index)
            is_open[index:] &= ~_within(places[index : index + 1], places[index:], bandwidth)[0].astype(bool)
    return places[kept], np.asarray(KDTree(places[kept]).query(ends)[1])


def without_small(
    peaks: FloatArray, places: IntArray, values: FloatArray, weights: FloatArray, share: float
) -> tuple[FloatArray, IntArray]:
    """Drop peaks (K, F) of less than a ``share`` of the weight (N,); their values (N, F) go to the nearest left."""
    from scipy.spatial import KDTree

    held = np.bincount(places, weights, minlength=len(peaks))
    kept = held >= min(share * weights.sum(), held.max())
    numbers = np.cumsum(kept) - 1
    nearest = KDTree(peaks[kept]).query(values)[1]
    return peaks[kept], np.where(kept[places], numbers[places], nearest)


def _within(centres: FloatArray, values: FloatArray, bandwidth: float) -> FloatArray:
    """Mark with 1 which values (N, F) lie within ``bandwidth`` of each centre (B, F): (B, N)."""
    from scipy.spatial.distance import cdist

    return (cdist(centres, values, "sqeuclidean") <= bandwidth * bandwidth).astype(np.float64)
