"""Superpixels: known answers by hand, equality with plain loops over pixels, several truths, void."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.core.errors import SizeMismatch
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics import superpixels
from pixelwise.metrics.interval import Bootstrap, draws

LABELS = LabelSet.of(["region"])


def regions(ids):
    ids = np.asarray(ids)
    count = int(ids.max(initial=0))
    return Segmentation("regions", DisjointMasks(ids, count), np.zeros(count, np.int64), LABELS)


def scores(prediction, truth):
    return superpixels.score(superpixels.count(prediction, truth))


def drawn(seed, size=(14, 17), most=6, lowest=1):
    rng = np.random.default_rng(seed)
    ids = rng.integers(lowest, most + 1, (4, 5)).repeat(4, axis=0).repeat(4, axis=1)[: size[0], : size[1]].copy()
    ids[rng.random(size) < 0.05] = most
    return ids


def edges(ids, void):
    """Find the boundary pixels, one by one; ``void`` is no region."""
    height, width = ids.shape
    found = set()
    for y, x in np.ndindex(ids.shape):
        for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if 0 <= v < height and 0 <= u < width and ids[v, u] != ids[y, x] and void not in (ids[v, u], ids[y, x]):
                found.add((y, x))
    return found


def reference(prediction, truth):
    """Score by loops: Neubert and Protzel 2012 (boundary recall, equation of the error), Liu et al. 2011 (accuracy)."""
    true, predicted = edges(truth, 0), edges(prediction, None)
    near = [any(abs(y - v) <= 2 and abs(x - u) <= 2 for v, u in predicted) for y, x in true]
    kept = truth > 0
    error, right = 0, 0
    for part in set(prediction[kept].tolist()):
        inside = [((truth == region) & (prediction == part)).sum() for region in set(truth[kept].tolist())]
        error += sum(min(pixels, sum(inside) - pixels) for pixels in inside)
        right += max(inside)
    return {
        "boundary_recall": sum(near) / len(near) if near else math.nan,
        "undersegmentation_error": error / kept.sum(),
        "asa": right / kept.sum(),
    }


def test_scores_by_hand():
    found = scores(regions([[1, 1, 1, 1, 1, 2, 2, 2]]), regions([[1, 2, 2, 2, 2, 2, 2, 2]]))
    assert found["boundary_recall"] == 0  # at columns 0 and 1; the prediction's are at 4 and 5
    assert found["undersegmentation_error"] == pytest.approx((1 + 1) / 8)
    assert found["asa"] == pytest.approx((4 + 3) / 8)


@pytest.mark.parametrize("offset", [0, 1, 2, 3])
def test_boundaries_within_two_pixels_are_found(offset):
    truth, prediction = (np.where(np.arange(20) < cut, 1, 2)[None].repeat(3, axis=0) for cut in (8, 8 + offset))
    expected = 1.0 if offset <= 2 else 0.5  # of three columns apart, the second of the truth's two is within two
    assert scores(regions(prediction), regions(truth))["boundary_recall"] == expected


@pytest.mark.parametrize("seed", range(8))
def test_scores_equal_plain_loops(seed):
    prediction, truth = drawn(seed, most=12, lowest=seed % 2), drawn(seed + 20, most=4, lowest=seed % 3 // 2)
    assert scores(regions(prediction), regions(truth)) == pytest.approx(reference(prediction, truth), rel=0, abs=1e-12)


def test_several_truths_are_averaged():
    prediction, truths = drawn(1, most=12), [drawn(seed) for seed in (2, 3, 4)]
    single = [scores(regions(prediction), regions(truth)) for truth in truths]
    found = scores(regions(prediction), [regions(truth) for truth in truths])
    assert found == pytest.approx({name: np.mean([one[name] for one in single]) for name in found}, rel=0, abs=1e-12)


def test_a_truth_without_boundary_is_left_out_of_recall_alone():
    prediction, whole, parted = regions(drawn(1, most=12)), regions(np.ones((14, 17), int)), regions(drawn(2))
    assert math.isnan(scores(prediction, whole)["boundary_recall"])
    assert scores(prediction, whole)["asa"] == 1
    both = superpixels.score(superpixels.count(prediction, whole) + superpixels.count(prediction, parted))
    assert both["boundary_recall"] == scores(prediction, parted)["boundary_recall"]
    assert both["asa"] == pytest.approx((1 + scores(prediction, parted)["asa"]) / 2)


def test_squares_have_a_compactness_of_a_quarter_of_pi():
    ids = (np.arange(6)[:, None] // 3 * 2 + np.arange(6) // 3 + 1).astype(np.uint8)
    found = superpixels.details(superpixels.count(regions(ids), regions(ids)), ["a"])["superpixels"]
    assert found["per_image"] == 4
    assert found["compactness"] == pytest.approx(math.pi / 4)


@pytest.mark.parametrize("size", [(0, 0), (0, 4), (3, 4)])
def test_an_image_without_a_label_counts_for_nothing(size):
    none = superpixels.count(regions(np.zeros(size, int)), regions(np.zeros(size, int)))
    assert all(math.isnan(value) for value in superpixels.score(none).values())
    assert superpixels.details(none, ["a"])["superpixels"]["per_image"] is None
    one = superpixels.count(regions(drawn(1)), regions(drawn(2)))
    assert superpixels.score(one + none) == superpixels.score(one)


def test_other_sizes_are_refused():
    with pytest.raises(SizeMismatch):
        superpixels.count(regions(np.ones((2, 3), int)), regions(np.ones((3, 2), int)))


def test_resampled_equals_adding_counts():
    parts = [superpixels.count(regions(drawn(seed, most=12)), regions(drawn(seed + 9))) for seed in range(4)]
    parts.append(superpixels.count(regions(drawn(5)), regions(np.ones((14, 17), int))))
    weights = next(draws(range(5), Bootstrap(resamples=100)))
    found = superpixels.resampled(sum(parts), weights).scores
    for row, times in enumerate(weights[:20]):
        expected = superpixels.score(sum(part for part, often in zip(parts, times, strict=True) for _ in range(often)))
        assert {name: values[row] for name, values in found.items()} == pytest.approx(expected, rel=0, abs=1e-12, nan_ok=True)


maps = st.integers(0, 10**6).map(lambda seed: drawn(seed, most=2 + seed % 5, lowest=seed % 2))


@settings(max_examples=20)
@given(maps)
def test_truth_is_perfect_against_itself(ids):
    assert scores(regions(ids), regions(ids)) == {"boundary_recall": 1, "undersegmentation_error": 0, "asa": 1}


@settings(max_examples=20)
@given(maps, maps, st.randoms(use_true_random=False))
def test_neither_names_of_regions_nor_the_order_of_images_matter(ids, truth, random):
    renamed = np.array([0, *random.sample(range(1, 20), 19)])
    one, other = superpixels.count(regions(ids), regions(truth)), superpixels.count(regions(truth), regions(ids))
    assert scores(regions(renamed[ids]), regions(renamed[truth])) == pytest.approx(superpixels.score(one), abs=1e-12)
    assert superpixels.score(one + other) == superpixels.score(other + one)


@pytest.mark.shared_data
def test_more_superpixels_fit_photographs_better(shared_data):
    from skimage.segmentation import slic

    from pixelwise.formats import bsds

    found = []
    for number in (50, 400):
        parts = []
        for sample in list(bsds.read(shared_data / "bsds500_val"))[:3]:
            ids = slic(sample.image.pixels, number, start_label=1)
            parts.append(superpixels.count(regions(ids), sample.truths))
            truth = sample.truths[0].panoptic_ids()
            plain = sum(np.bincount(truth[ids == part]).max() for part in np.unique(ids)) / ids.size
            assert scores(regions(ids), sample.truths[0])["asa"] == pytest.approx(plain, rel=0, abs=1e-12)
        found.append(superpixels.score(sum(parts)))
    coarse, fine = found
    assert fine["boundary_recall"] > coarse["boundary_recall"]
    assert fine["undersegmentation_error"] < coarse["undersegmentation_error"]
    assert 0.9 < fine["asa"] < 1
