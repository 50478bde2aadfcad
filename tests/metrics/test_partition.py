"""Partitions: equality with scikit-learn, scikit-image and a plain covering, levels, several truths, void."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.core.errors import DataError, SizeMismatch
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics import partition
from pixelwise.metrics.interval import Bootstrap, draws
from pixelwise.metrics.partition import tables

LABELS = LabelSet.of(["region"])


def regions(ids, crowd=None):
    ids = np.asarray(ids)
    count = int(ids.max(initial=0))
    return Segmentation("regions", DisjointMasks(ids, count), np.zeros(count, np.int64), LABELS, crowd=crowd)


def scores(prediction, truth):
    return partition.score(partition.count(prediction, truth))


def drawn(seed, size=(24, 31), most=6, lowest=1):
    """Draw an id map of blocks, some of one pixel."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(lowest, most + 1, (6, 8)).repeat(size[0] // 6 + 1, axis=0).repeat(size[1] // 8 + 1, axis=1)
    ids = ids[: size[0], : size[1]].copy()
    ids[rng.random(size) < 0.05] = most
    return ids


def covering(prediction, truths):
    """Weigh the best IoU of each region of each truth by its area: the covering of Arbelaez et al., PAMI 2011."""
    top = bottom = 0.0
    for truth in truths:
        kept = truth > 0
        for region in set(truth[kept].tolist()):
            mask = truth == region
            fits = [
                (mask & (prediction == other)).sum() / (mask | (kept & (prediction == other))).sum()
                for other in set(prediction[mask].tolist())
            ]
            top += mask.sum() * max(fits)
            bottom += mask.sum()
    return top / bottom


def reference(prediction, truths):
    """Score one level by scikit-learn, scikit-image and the plain covering."""
    from skimage.metrics import variation_of_information
    from sklearn.metrics import rand_score

    found = {"pri": [], "vi_over": [], "vi_under": []}
    for truth in truths:
        kept = truth > 0
        found["pri"].append(rand_score(truth[kept], prediction[kept]))
        over, under = variation_of_information(truth[kept], prediction[kept])
        found["vi_over"].append(over)
        found["vi_under"].append(under)
    means = {name: np.mean(values) for name, values in found.items()}
    return means | {"vi": means["vi_over"] + means["vi_under"], "covering": covering(prediction, truths)}


def test_a_worked_case_by_hand():
    # The truth halves eight pixels; the prediction moves two of the first four over.
    found = scores(regions([[1, 1, 2, 2, 2, 2, 2, 2]]), regions([[1, 1, 1, 1, 2, 2, 2, 2]]))
    assert found["pri_ods"] == pytest.approx(1 - (32 + 40 - 2 * 24) / 56)  # areas 4 4, 2 6; cells 2 2 4
    assert found["vi_over_ods"] == pytest.approx(0.5)
    assert found["vi_under_ods"] == pytest.approx(0.75 * (math.log2(6) - 2 / 6 - 4 / 6 * 2))
    assert found["covering_ods"] == pytest.approx((4 * 2 / 4 + 4 * 4 / 6) / 8)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64])
def test_scores_equal_the_references(seed, dtype):
    prediction = drawn(seed, most=9, lowest=0).astype(dtype)
    truths = [drawn(seed + 10 + index, most=4 + index, lowest=index % 2).astype(dtype) for index in range(3)]
    found = scores(regions(prediction), [regions(truth) for truth in truths])
    expected = reference(prediction, truths)
    for name, value in expected.items():
        assert found[f"{name}_ods"] == pytest.approx(value, rel=0, abs=1e-12), name
        assert found[f"{name}_ois"] == found[f"{name}_ods"]
    assert found["covering_best"] == found["covering_ods"]


def test_variation_of_information_equals_scikit_learns_entropies():
    from sklearn.metrics import mutual_info_score

    one, other = drawn(1, most=7), drawn(2, most=4)
    mutual, *own = (mutual_info_score(a.ravel(), b.ravel()) for a, b in ((one, other), (one, one), (other, other)))
    found = scores(regions(other), regions(one))
    assert found["vi_ods"] == pytest.approx((sum(own) - 2 * mutual) / math.log(2), rel=0, abs=1e-12)


def test_thousands_of_superpixels_are_counted_the_same():
    rng = np.random.default_rng(0)
    truth, prediction = rng.integers(1, 401, (120, 150)), rng.integers(1, 4001, (120, 150))
    found = tables.contingency(truth, prediction)
    expected = np.zeros((400, 4001), np.int64)
    np.add.at(expected, (truth - 1, prediction), 1)
    assert expected.size > tables._DENSE
    assert np.array_equal(np.stack([found.rows, found.columns]), np.nonzero(expected))
    assert np.array_equal(found.pixels, expected[found.rows, found.columns])
    assert np.array_equal(found.true, expected.sum(axis=1))


def test_strips_are_counted_as_the_whole(monkeypatch):
    truth, prediction = drawn(3, lowest=0), drawn(4, lowest=0)
    whole = tables.contingency(truth, prediction)
    monkeypatch.setattr(tables, "_STRIP", 50)
    for one, other in zip(tables.contingency(truth, prediction), whole, strict=True):
        assert np.array_equal(one, other)


def test_more_pieces_are_over_segmentation_and_fewer_under():
    truth = regions(np.array([[1, 1, 2, 2]]))
    split, merged = scores(regions(np.array([[1, 2, 3, 4]])), truth), scores(regions(np.array([[1, 1, 1, 1]])), truth)
    assert (split["vi_over_ods"], split["vi_under_ods"]) == (1.0, 0.0)
    assert (merged["vi_over_ods"], merged["vi_under_ods"]) == (0.0, 1.0)


class TestSeveralTruths:
    def test_the_rand_index_is_a_mean_over_truths(self):
        truths, prediction = [regions(drawn(seed)) for seed in (1, 2, 3)], regions(drawn(9))
        single = [scores(prediction, truth) for truth in truths]
        assert scores(prediction, truths)["pri_ods"] == pytest.approx(np.mean([one["pri_ods"] for one in single]))

    def test_their_order_does_not_matter(self):
        truths, prediction = [regions(drawn(seed)) for seed in (1, 2, 3)], regions(drawn(9))
        assert scores(prediction, truths[::-1]) == scores(prediction, truths)

    def test_one_without_a_label_is_left_out(self):
        truth, none = regions(drawn(1)), regions(np.zeros((24, 31), int))
        assert scores(regions(drawn(9)), [truth, none]) == scores(regions(drawn(9)), [truth])

    def test_none_is_an_error(self):
        with pytest.raises(DataError, match="truth"):
            partition.count(regions(drawn(1)), [])


class TestLevels:
    truths = (np.array([[1, 1, 2, 2, 3, 3]]), np.array([[1, 1, 1, 2, 2, 2]]))
    levels = (np.array([[1, 1, 1, 1, 1, 1]]), np.array([[1, 1, 1, 2, 2, 2]]), np.array([[1, 1, 2, 2, 3, 3]]))

    def counts(self):
        return [partition.count([regions(level) for level in self.levels], regions(truth)) for truth in self.truths]

    def test_ois_takes_the_best_level_of_each_image(self):
        found = partition.score(sum(self.counts()))
        assert (found["pri_ois"], found["covering_ois"], found["vi_ois"]) == (1, 1, 0)

    def test_ods_takes_one_level_for_all(self):
        found = partition.score(sum(self.counts()))
        by_level = [
            partition.score(sum(partition.count(regions(level), regions(truth)) for truth in self.truths))
            for level in self.levels
        ]
        for name in ("pri", "covering"):
            assert found[f"{name}_ods"] == max(one[f"{name}_ods"] for one in by_level)
        best = min(by_level, key=lambda one: one["vi_ods"])
        assert [found[f"vi{half}_ods"] for half in ("", "_over", "_under")] == [
            best[f"vi{half}_ods"] for half in ("", "_over", "_under")
        ]

    def test_the_best_covering_takes_each_region_from_any_level(self):
        truth = np.array([[1, 1, 2, 2, 3, 3, 3, 3]])
        coarse, fine = np.array([[1, 1, 1, 1, 2, 2, 2, 2]]), np.array([[1, 1, 2, 2, 3, 3, 4, 4]])
        found = scores([regions(coarse), regions(fine)], regions(truth))
        assert found["covering_best"] == 1
        assert found["covering_ods"] == pytest.approx((4 * 0.5 + 4) / 8)

    def test_their_number_must_be_the_same_for_all_images(self):
        with pytest.raises(DataError, match="as many levels"):
            self.counts()[0] + partition.count(regions(self.levels[0]), regions(self.truths[0]))

    def test_the_table_by_level_is_what_is_scored(self):
        counts = sum(self.counts())
        table = partition.details(counts, ["a", "b"])["by_level"]
        found = partition.score(counts)
        assert [row["level"] for row in table] == [1, 2, 3]
        assert max(row["pri"] for row in table) == found["pri_ods"]
        assert found["vi_ods"] == next(row["vi"] for row in table if "vi" in row["best_for"])

    def test_resampled_equals_adding_counts(self):
        parts = [
            partition.count([regions(drawn(9 * seed + level)) for level in range(3)], regions(drawn(50 + seed)))
            for seed in range(5)
        ]
        parts.append(partition.count([regions(np.zeros((3, 3), int))] * 3, regions(np.zeros((3, 3), int))))
        weights = next(draws(range(6), Bootstrap(resamples=100)))
        found = partition.resampled(sum(parts), weights).scores
        for row, times in enumerate(weights[:20]):
            expected = partition.score(sum(part for part, often in zip(parts, times, strict=True) for _ in range(often)))
            assert {name: values[row] for name, values in found.items()} == pytest.approx(expected, rel=0, abs=1e-12)


class TestVoid:
    def test_pixels_of_the_truth_under_no_region_do_not_count(self):
        truth, one, other = drawn(1, lowest=0), drawn(2), drawn(2)
        other[truth == 0] = 3
        assert scores(regions(one), regions(truth)) == scores(regions(other), regions(truth))

    def test_a_crowd_is_no_region(self):
        truth = np.array([[1, 1, 2, 2, 3, 3]])
        prediction = regions([[1, 1, 1, 1, 2, 3]])
        marked = regions(truth, crowd=np.array([False, False, True]))
        assert scores(prediction, marked) == scores(prediction, regions(np.array([[1, 1, 2, 2, 0, 0]])))

    def test_predicted_pixels_under_no_region_are_one_more(self):
        truth = regions([[1, 1, 2, 2]])
        assert scores(regions([[0, 0, 1, 1]]), truth)["vi_ods"] == 0
        assert scores(regions([[0, 0, 0, 0]]), truth) == scores(regions([[1, 1, 1, 1]]), truth)

    @pytest.mark.parametrize("size", [(0, 0), (0, 5), (3, 4)])
    def test_an_image_without_a_label_scores_nothing_and_counts_for_nothing(self, size):
        none = regions(np.zeros(size, int))
        assert all(math.isnan(value) for value in scores(none, none).values())
        one = partition.count(regions(drawn(1)), regions(drawn(2)))
        assert partition.score(one + partition.count(none, none)) == partition.score(one)
        assert all(not row["best_for"] for row in partition.details(partition.count(none, none), ["a"])["by_level"])

    def test_one_pixel_has_a_rand_index_of_one(self):
        assert scores(regions([[1]]), regions([[1]]))["pri_ods"] == 1


def test_other_sizes_are_refused():
    with pytest.raises(SizeMismatch, match="predict at full size"):
        partition.count(regions(np.ones((2, 3), int)), regions(np.ones((3, 2), int)))


maps = st.integers(0, 10**6).map(lambda seed: drawn(seed, size=(12, 16), most=1 + seed % 5, lowest=seed % 2))


@settings(max_examples=25)
@given(maps)
def test_truth_is_perfect_against_itself(ids):
    found = scores(regions(ids), regions(ids))
    assert {name: value for name, value in found.items() if math.isnan(value)} == {}
    assert all(value == (0 if name in partition.LOWER_IS_BETTER else 1) for name, value in found.items())


@settings(max_examples=25)
@given(maps, maps, st.randoms(use_true_random=False))
def test_names_of_regions_do_not_matter(ids, truth, random):
    renamed = np.array([0, *random.sample(range(1, 20), 19)])
    found = scores(regions(renamed[ids]), regions(renamed[truth]))
    assert found == pytest.approx(scores(regions(ids), regions(truth)), rel=0, abs=1e-12)


@settings(max_examples=10)
@given(st.lists(st.tuples(maps, maps), min_size=2, max_size=5), st.randoms(use_true_random=False))
def test_parts_add_in_any_order(pairs, random):
    parts = [partition.count(regions(ids), regions(truth)) for ids, truth in pairs]
    whole = partition.score(sum(parts))
    random.shuffle(parts)
    assert partition.score(sum(parts[:1]) + sum(parts[1:])) == whole


@pytest.mark.shared_data
def test_scores_equal_the_references_on_photographs(shared_data):
    from skimage.segmentation import felzenszwalb

    from pixelwise.formats import bsds

    parts, expected, pixels = [], [], []
    for sample in list(bsds.read(shared_data / "bsds500_val"))[:5]:
        levels = [felzenszwalb(sample.image.pixels, scale=scale, min_size=50) + 1 for scale in (200, 1000)]
        truths = [truth.panoptic_ids().astype(np.int64) for truth in sample.truths]
        parts.append(partition.count([regions(level) for level in levels], sample.truths))
        expected.append([reference(level, truths) for level in levels])
        pixels.append(sum((truth > 0).sum() for truth in truths))
    table = {name: np.array([[level[name] for level in image] for image in expected]) for name in expected[0][0]}
    found = partition.score(sum(parts))
    for name in ("pri", "vi"):
        best = np.min if name == "vi" else np.max
        assert found[f"{name}_ods"] == pytest.approx(best(table[name].mean(axis=0)), rel=0, abs=1e-12)
        assert found[f"{name}_ois"] == pytest.approx(best(table[name], axis=1).mean(), rel=0, abs=1e-12)
    shares = np.array(pixels) / sum(pixels)
    assert found["covering_ods"] == pytest.approx((shares @ table["covering"]).max(), rel=0, abs=1e-12)
    assert found["covering_ois"] == pytest.approx(shares @ table["covering"].max(axis=1), rel=0, abs=1e-12)
