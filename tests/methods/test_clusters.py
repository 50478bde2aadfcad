"""Clustering: the libraries' answers, plain published updates, options, and the number of clusters."""

import numpy as np
import pytest
from sklearn.cluster import DBSCAN, AgglomerativeClustering, KMeans, MeanShift, spectral_clustering
from sklearn.metrics import adjusted_rand_score, silhouette_score

from pixelwise.core.errors import OptionError, OutOfTime
from pixelwise.core.image import as_image
from pixelwise.methods.clusters import (
    agglomerative,
    dbscan,
    fuzzycmeans,
    gaussianmixture,
    kmeans,
    meanshift,
    number,
    points,
    spectral,
)
from pixelwise.methods.clusters.centres import nearest
from pixelwise.methods.clusters.features import Features, colours
from pixelwise.methods.clusters.pieces import pieces
from pixelwise.methods.clusters.points import Points
from pixelwise.methods.effort import effort
from pixelwise.methods.predictor import Method

NAMES = ("kmeans", "minibatchkmeans", "gaussianmixture", "meanshift", "dbscan", "agglomerative", "fuzzycmeans", "spectral")
COUNTED = ("kmeans", "minibatchkmeans", "gaussianmixture", "agglomerative", "fuzzycmeans", "spectral")


def heaps(size=(12, 15), noise=6, seed=0):
    """Three colours in stripes with noise, uint8 (H, W, 3), and the stripe (H, W) of each pixel."""
    rng = np.random.default_rng(seed)
    stripes = np.repeat([np.arange(size[1]) * 3 // size[1]], size[0], axis=0)
    colour = np.array([[40, 40, 60], [180, 60, 50], [220, 220, 210]])[stripes]
    return np.clip(colour + rng.normal(0, noise, colour.shape), 0, 255).astype(np.uint8), stripes


PIXELS, STRIPES = heaps()
IMAGE = as_image(PIXELS)
VALUES = colours(IMAGE, "lab").reshape(-1, 3).astype(np.float64)


def found(name, image=IMAGE, **options):
    return Method(name, **options)([as_image(image)])[0].panoptic_ids()


@pytest.mark.parametrize("name", NAMES)
def test_every_method_finds_three_heaps_of_colour_by_itself_from_dark_to_bright(name):
    options = {"radius": 0.15} if name == "dbscan" else {}
    assert (found(name, **options) == STRIPES + 1).mean() > 0.99


@pytest.mark.parametrize("name", COUNTED)
def test_more_clusters_than_colours_are_the_colours(name):
    pixels = np.zeros((6, 9, 3), np.uint8)
    pixels[:, 3:6], pixels[:, 6:] = (200, 30, 30), (240, 240, 240)
    assert (found(name, pixels, clusters=7) == np.repeat([1, 2, 3], 3)).all()


@pytest.mark.parametrize("name", COUNTED)
def test_one_cluster_is_one_region(name):
    assert (found(name, clusters=1) == 1).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("pixels", [np.array([[0, 255]], np.uint8), np.array([[[1, 2, 3]], [[200, 2, 3]]], np.uint8)])
def test_two_pixels_are_parted_or_one(name, pixels):
    assert len(np.unique(found(name, pixels))) in (1, 2)


@pytest.mark.parametrize("name", NAMES)
def test_a_channel_of_no_numbers_is_as_a_channel_of_zeros(name):
    broken = (PIXELS / 255).astype(np.float32)
    broken[:, :, 1] = 0
    plain = found(name, broken)
    broken[:, :, 1] = np.nan
    assert (found(name, broken) == plain).all()


@pytest.mark.parametrize("name", NAMES)
def test_one_colour_is_one_region_wherever_its_pixels_are(name):
    assert (found(name, np.full((9, 7, 3), 90, np.uint8), place=5.0, texture="gabor", smooth=2.0) == 1).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "options", [{"space": "labb"}, {"place": -1}, {"texture": "gabour"}, {"smooth": 101}, {"texture_weight": -0.1}]
)
def test_features_out_of_range_are_refused_by_the_methods_name(name, options):
    with pytest.raises(OptionError, match=f"^{name}: {next(iter(options))}"):
        found(name, **options)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *((name, {"clusters": 0}) for name in COUNTED),
        *((name, {"most": 1}) for name in COUNTED),
        *((name, {"seed": -1}) for name in NAMES if name not in ("dbscan", "agglomerative")),
        *((name, {"sample": 0}) for name in ("kmeans", "minibatchkmeans", "gaussianmixture", "fuzzycmeans")),
        ("minibatchkmeans", {"batch": 0}),
        ("gaussianmixture", {"covariance": "round"}),
        ("fuzzycmeans", {"fuzziness": 1.0}),
        ("fuzzycmeans", {"tolerance": 0}),
        ("fuzzycmeans", {"rounds": 0}),
        ("meanshift", {"bandwidth": 0}),
        ("meanshift", {"quantile": 0}),
        ("meanshift", {"share": 1}),
        ("meanshift", {"bandwidth": 1e-300}),
        ("dbscan", {"radius": 0}),
        ("dbscan", {"radius": float("inf")}),
        ("dbscan", {"share": 0}),
        ("dbscan", {"superpixels": 9000}),
        ("agglomerative", {"linkage": "wards"}),
        ("agglomerative", {"superpixels": 1}),
        ("spectral", {"scale": 0}),
        ("spectral", {"scale": 1e-300}),
        ("spectral", {"reach": -1}),
        ("spectral", {"superpixels": 5000}),
    ],
)
def test_options_out_of_range_are_refused(name, options):
    with pytest.raises(OptionError, match=f"^{name}: .*{next(iter(options))}"):
        found(name, **options)


def test_a_limit_of_time_stops_a_method():
    with pytest.raises(OutOfTime), effort(seconds=0):
        found("fuzzycmeans")


# k-means


def test_kmeans_equals_scikit_learns():
    weights = np.ones(len(VALUES))
    mine = kmeans.centres(VALUES, weights, 3, 0)
    theirs = KMeans(3, n_init=1, max_iter=100, random_state=0).fit(VALUES, sample_weight=weights).cluster_centers_
    assert np.sort(mine, axis=0) == pytest.approx(np.sort(theirs, axis=0))


def test_many_centres_are_searched_by_a_tree_with_the_same_result():
    rng = np.random.default_rng(0)
    values, centres = rng.random((500, 3)).astype(np.float32), rng.random((40, 3)).astype(np.float32)
    plain = ((values[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest(values, centres) == plain).all()
    assert (nearest(values, centres[:20]) == ((values[:, None] - centres[:20]) ** 2).sum(axis=2).argmin(axis=1)).all()


def test_counted_colours_give_what_every_pixel_would(monkeypatch):
    counted = [found(name, clusters=3) for name in ("kmeans", "fuzzycmeans", "gaussianmixture")]
    monkeypatch.setattr(points, "_codes", lambda pixels: None)
    plain = [found(name, clusters=3) for name in ("kmeans", "fuzzycmeans", "gaussianmixture")]
    assert all(adjusted_rand_score(a.ravel(), b.ravel()) > 0.97 for a, b in zip(counted, plain, strict=True))


def test_strips_give_what_the_whole_does(monkeypatch):
    options = {"clusters": 3, "place": 0.3, "texture": "structure", "smooth": 1.0}
    whole = found("kmeans", **options)
    monkeypatch.setattr(points, "_STRIP", 17)
    assert (found("kmeans", **options) == whole).all()


# Gaussian mixture


def test_a_mixture_parts_a_narrow_cluster_from_a_wide_one():
    rng = np.random.default_rng(3)
    grey = np.concatenate([rng.normal(60, 25, 1000), rng.normal(170, 2, 400)])
    image = np.clip(grey, 0, 255).astype(np.uint8).reshape(35, 40)
    assert (found("gaussianmixture", image, clusters=2).ravel()[1000:] == 2).mean() > 0.97
    assert (found("gaussianmixture", image, clusters=2).ravel()[:1000] == 1).mean() > 0.97


def test_a_mixture_equals_scikit_learns():
    from sklearn.mixture import GaussianMixture

    theirs = GaussianMixture(3, reg_covar=1e-5, random_state=0).fit(VALUES).predict(VALUES)
    assert adjusted_rand_score(theirs, found("gaussianmixture", clusters=3).ravel()) == 1
    assert gaussianmixture._number(VALUES, 6, "full", 0) == 3


# fuzzy c-means


@pytest.mark.parametrize("fuzziness", [1.5, 2.0, 3.0])
def test_fuzzy_c_means_equals_the_published_update_on_every_pixel(fuzziness):
    """Bezdek's update, written out for each pixel of a small image."""
    centres = VALUES[[3, 77, 140]].copy()
    start = centres.copy()
    for _ in range(500):
        distances = np.maximum(((VALUES[None] - centres[:, None]) ** 2).sum(axis=2), 1e-12)
        shares = 1 / ((distances[:, None] / distances[None]) ** (1 / (fuzziness - 1))).sum(axis=1)
        weights = shares**fuzziness
        centres = weights @ VALUES / weights.sum(axis=1, keepdims=True)
    distinct, weights = Points(IMAGE, Features()).all()
    mine, _ = fuzzycmeans.updated(distinct, weights, start, fuzziness, 1e-7, 500)
    assert mine == pytest.approx(centres, abs=1e-4)
    middle = distinct.mean(axis=0)
    degrees = fuzzycmeans.memberships(np.ascontiguousarray((VALUES - middle).T, np.float32), mine - middle, fuzziness)
    assert degrees == pytest.approx(shares, abs=2e-3)


def test_memberships_add_up_to_one_and_a_value_on_a_centre_is_its_own():
    degrees = fuzzycmeans.memberships(np.array([[0.0, 0.5, 1.0]], np.float32), np.array([[0.0], [1.0]]), 2.0)
    assert degrees == pytest.approx(np.array([[1, 0.5, 0], [0, 0.5, 1]]), abs=1e-6)


def test_a_coarse_palette_keeps_the_weight_and_the_mean():
    distinct, weights = Points(IMAGE, Features()).all()
    coarse, total = fuzzycmeans.coarser(distinct, weights)
    assert len(coarse) < len(distinct)
    assert total @ coarse == pytest.approx(weights @ distinct, rel=1e-5)


# mean shift


def plain_mean_shift(values, bandwidth):
    """Move every pixel to the mean of the pixels around it until it stands, one by one."""
    ends = []
    for place in values:
        for _ in range(300):
            moved = values[((values - place) ** 2).sum(axis=1) <= bandwidth**2].mean(axis=0)
            far = np.linalg.norm(moved - place) > 1e-3 * bandwidth
            place = moved
            if not far:
                break
        ends.append(place)
    return np.array(ends)


def test_mean_shift_equals_the_published_update_on_every_pixel():
    distinct, weights = Points(IMAGE, Features()).all()
    mine = meanshift.climbed(distinct, weights, 0.2, 300)
    plain = plain_mean_shift(VALUES, 0.2)
    place = {tuple(value): end for value, end in zip(distinct.astype(np.float64), mine, strict=True)}
    assert np.array([place[tuple(value)] for value in VALUES]) == pytest.approx(plain, abs=1e-9)


def test_mean_shift_finds_scikit_learns_peaks():
    distinct, weights = Points(IMAGE, Features()).all()
    ends = meanshift.climbed(distinct, weights, 0.2, 300)
    peaks, _ = meanshift.joined(ends, meanshift.crowds(ends, distinct, weights, 0.2), 0.2)
    theirs = MeanShift(bandwidth=0.2).fit(VALUES)
    assert np.sort(peaks, axis=0) == pytest.approx(np.sort(theirs.cluster_centers_, axis=0), abs=1e-6)
    assert adjusted_rand_score(theirs.labels_, found("meanshift", bandwidth=0.2).ravel()) == 1


def test_bins_are_widened_until_few_are_left_and_keep_weight_and_mean(monkeypatch):
    monkeypatch.setattr(meanshift, "_POINTS", 50)
    values, weights = np.random.default_rng(0).random((900, 3)), np.arange(1.0, 901)
    means, total = meanshift.binned(values, weights, 0.01)
    assert 10 < len(means) <= 50
    assert total @ means == pytest.approx(weights @ values)


def test_a_peak_of_little_gives_its_values_to_the_nearest_that_is_left():
    peaks, values = np.array([[0.0], [1.0], [0.9]]), np.array([[0.0], [0.1], [1.0], [0.9]])
    places = np.array([0, 0, 1, 2])
    left, now = meanshift.without_small(peaks, places, values, np.array([50.0, 20, 29, 1]), 0.05)
    assert (left.ravel().tolist(), now.tolist()) == ([0, 1], [0, 0, 1, 1])


# DBSCAN


def test_dbscan_equals_scikit_learns_with_outliers_given_to_the_nearest_core():
    theirs = DBSCAN(eps=0.03, min_samples=12).fit(VALUES)
    mine = dbscan.grouped(VALUES, np.ones(len(VALUES), np.int64), 0.03, 12)
    inside = theirs.labels_ >= 0
    assert 0 < inside.sum() < len(VALUES)
    assert (mine[inside] == theirs.labels_[inside]).all()
    cores = theirs.core_sample_indices_
    apart = ((VALUES[~inside][:, None] - VALUES[cores]) ** 2).sum(axis=2)
    assert (mine[~inside] == theirs.labels_[cores][apart.argmin(axis=1)]).all()


def test_the_radius_of_a_core_is_where_enough_lies_within():
    values = np.array([[0.0], [1.0], [3.0], [10.0]])
    assert dbscan.core_distances(values, np.ones(4), 2).tolist() == [1, 1, 2, 7]
    assert dbscan.core_distances(values, np.array([5.0, 1, 1, 1]), 5).tolist() == [0, 1, 3, 10]


# Ward's tree


@pytest.mark.parametrize("linkage", ["ward", "average", "complete", "single"])
@pytest.mark.parametrize("connected", [True, False])
def test_agglomerative_equals_scikit_learns_at_every_number(linkage, connected):
    made = pieces(IMAGE, Features(), 500)
    neighbours = made.neighbours() if connected else None
    merges, costs = agglomerative.tree(made.values, neighbours, linkage)
    for clusters in (2, 3, 7):
        theirs = AgglomerativeClustering(clusters, connectivity=neighbours, linkage=linkage).fit(made.values)
        assert adjusted_rand_score(theirs.labels_, agglomerative.cut(merges, clusters)) == 1
    assert len(costs) == IMAGE.size[0] * IMAGE.size[1] - 1


def test_connected_regions_have_one_part_each():
    from skimage.measure import label

    ids = found("agglomerative", heaps((40, 60), noise=30)[0], clusters=6, superpixels=200)
    assert label(ids, background=0, connectivity=1).max() == 6


# spectral clustering


def test_eigenvectors_solve_the_normalised_problem():
    alike = spectral.affinity(VALUES, 0.2)
    values, vectors = spectral.eigenvectors(alike, 5)
    degrees = alike.sum(axis=1)
    normalised = alike / np.sqrt(np.outer(degrees, degrees))
    assert values[0] == pytest.approx(1)
    assert (np.diff(values) <= 0).all()
    assert normalised @ vectors == pytest.approx(vectors * values, abs=1e-9)


def test_spectral_parts_as_scikit_learns_does():
    alike = spectral.affinity(VALUES, 0.2)
    theirs = spectral_clustering(alike, n_clusters=3, random_state=0)
    assert adjusted_rand_score(theirs, found("spectral", clusters=3, scale=0.2, reach=0, place=0).ravel()) == 1


def test_only_what_is_within_reach_is_compared():
    from scipy.sparse import csr_array

    chain = csr_array(np.eye(5, k=1) + np.eye(5, k=-1))
    kept = spectral.near_alone(np.full((5, 5), 0.5), chain, 2)
    rows, columns = np.indices((5, 5))
    assert (kept == np.where(abs(rows - columns) <= 2, 0.5, 0)).all()


# the number of clusters


def test_the_number_has_the_best_silhouette():
    def parted(count):
        return KMeans(count, n_init=3, random_state=0).fit(VALUES).labels_

    scores = {count: silhouette_score(VALUES, parted(count)) for count in range(2, 7)}
    assert number.best_silhouette(VALUES, parted, 6) == max(scores, key=scores.get) == 3


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_an_image_of_few_colours_has_a_cluster_a_colour(count):
    image = (np.arange(60).reshape(6, 10) % count * 20).astype(np.uint8)
    assert len(np.unique(found("kmeans", image))) == count


@pytest.mark.parametrize("name", ["dbscan", "agglomerative", "spectral"])
def test_superpixels_are_noted(name):
    notes = Method(name, superpixels=60)([as_image(heaps((30, 40))[0])])[0].notes
    assert notes
    assert notes[0].startswith("clusters ")
    assert Method(name)([as_image(heaps((10, 10))[0])])[0].notes == ()
