"""Comparison: one and the same draws for both, only images both could score, and a verdict that says no more than is known."""

import json

import numpy as np
import pytest

from pixelwise.core.errors import DataError, OptionError, UnreadableFile
from pixelwise.core.image import as_image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.comparison import compare
from pixelwise.metrics.interval import Bootstrap
from pixelwise.metrics.tally import families_of, tally
from pixelwise.metrics.truths import Truths

LABELS = LabelSet.of(["sky", "road", "car"])
FEW = Bootstrap(resamples=500)


def truths(count, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 3, (12, 16)).astype(np.uint8) for _ in range(count)]


def spoiled(truth, share, seed):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(truth.shape) < share, rng.integers(0, 3, truth.shape), truth).astype(np.uint8)


def counted(predictions, given, metrics=("overlap",), labels=LABELS, order=None):
    """Tally predictions (None: it failed) of the truths given."""
    rows = list(range(len(given))) if order is None else order
    samples = [Sample.of(f"s{row}", as_image(given[row]), Segmentation.from_class_map(given[row], labels)) for row in rows]
    results = [
        UnreadableFile(f"s{row}.png: the image is truncated")
        if predictions[row] is None
        else Segmentation.from_class_map(predictions[row], labels)
        for row in rows
    ]
    families = families_of(metrics)
    return tally(enumerate(results), Truths.of(Dataset(samples, labels, "semantic"), families), families, [])


def compared(a, b, given, metrics=("overlap",), bootstrap=FEW):
    return compare(counted(a, given, metrics), counted(b, given, metrics), families_of(metrics), metrics, bootstrap)


@pytest.fixture(scope="module")
def unequal():
    """Forty images of very different difficulty; B is a little better on each."""
    given = truths(40)
    hard = np.linspace(0.05, 0.7, 40)
    a = [spoiled(truth, share + 0.03, seed) for seed, (truth, share) in enumerate(zip(given, hard, strict=True))]
    b = [
        np.where(spoiled(truth, 0.5, 100 + seed) == truth, truth, left)
        for seed, (truth, left) in enumerate(zip(given, a, strict=True))
    ]
    return given, a, [each.astype(np.uint8) for each in b]


def test_a_small_steady_gain_is_told_though_the_two_intervals_overlap(unequal):
    from pixelwise.metrics.tally import report_of

    given, a, b = unequal
    b = [
        np.where(np.random.default_rng(row).random(truth.shape) < 0.15, better, left)
        for row, (truth, better, left) in enumerate(zip(given, b, a, strict=True))
    ]
    found = compared(a, b, given).scores["miou"]
    single = [report_of(counted(each, given), families_of(["overlap"]), ["overlap"], FEW).intervals["miou"] for each in (a, b)]
    assert single[0][1] > single[1][0]  # apart they could not be told
    assert found.interval[0] > 0
    assert found.interval[1] - found.interval[0] < 0.5 * (single[0][1] - single[0][0])


def test_the_difference_is_that_of_the_scores_and_swaps_its_sign(unequal):
    given, a, b = unequal
    there, back = compared(a, b, given), compared(b, a, given)
    for name, one in there.scores.items():
        other = back.scores[name]
        assert one.value == pytest.approx(-other.value)
        assert one.interval == pytest.approx((-other.interval[1], -other.interval[0]))
        assert one.p == pytest.approx(other.p)


def test_the_verdict_says_who_by_how_much_and_how_surely(unequal):
    given, a, b = unequal
    found = compared(a, b, given)
    one = found.scores["miou"]
    low, high = one.interval
    assert found.verdict == f"B is better by {one.value:.4f} mIoU [{low:.4f}, {high:.4f}] on 40 images."
    assert (one.b_better, one.p) == (1.0, pytest.approx(2 / 501))
    back = compared(b, a, given).verdict
    assert back == f"A is better by {one.value:.4f} mIoU [{low:.4f}, {high:.4f}] on 40 images."


def test_of_a_score_whose_best_is_0_the_lower_is_better(unequal):
    given, a, b = unequal
    found = compared(a, b, given, ["ece"])
    one = found.scores["ece"]
    assert one.value < 0
    assert one.b_better == 1.0
    assert found.verdict.startswith(f"B is better by {-one.value:.4f} ECE, which is lower, [{-one.interval[1]:.4f}, ")


def test_equals_are_called_equal(unequal):
    given, a, _ = unequal
    found = compared(a, a, given)
    assert found.verdict == "A and B are equal in mIoU on 40 images."
    assert found.scores["miou"].p == 1


def test_two_of_one_kind_cannot_be_told_apart():
    given = truths(15, seed=4)
    a, b = ([spoiled(truth, 0.3, seed + start) for seed, truth in enumerate(given)] for start in (0, 1000))
    found = compared(a, b, given)
    assert found.verdict.startswith("No difference can be told with 15 images: B less A is ")
    assert found.scores["miou"].p > 0.05


def test_only_images_both_could_score_count(unequal):
    given, a, b = unequal
    a, b = [None, *a[1:]], [*b[:-1], None]
    found = compared(a, b, given)
    assert found.count == 38
    assert found.scores["miou"].value == pytest.approx(compared(a[1:-1], b[1:-1], given[1:-1]).scores["miou"].value)
    assert found.failures == (
        ("s0", "A: s0.png: the image is truncated"),
        ("s39", "B: s39.png: the image is truncated"),
    )


def test_images_are_paired_by_name_whatever_their_order(unequal):
    given, a, b = unequal
    families, turned = families_of(["overlap"]), list(range(40))[::-1]
    straight = compare(counted(a, given), counted(b, given), families, ["overlap"], FEW)
    crossed = compare(counted(a, given), counted(b, given, order=turned), families, ["overlap"], FEW)
    for name, one in straight.scores.items():
        assert crossed.scores[name].value == pytest.approx(one.value)
        assert crossed.scores[name].interval == pytest.approx(one.interval)
    assert compare(counted(a, given), counted(a, given, order=turned), families, ["overlap"], FEW).verdict.startswith(
        "A and B are equal"
    )
    assert crossed.images == straight.images


def test_images_that_differ_most_come_first(unequal):
    given, a, b = unequal
    images = compared(a, b, given).images
    sizes = [abs(image["difference"]) for image in images]
    assert sizes == sorted(sizes, reverse=True)
    assert images[0]["difference"] == pytest.approx(images[0]["b"] - images[0]["a"])


def test_no_image_in_common_is_refused_with_a_reason(unequal):
    given, a, _ = unequal
    with pytest.raises(DataError, match=r"no image both A and B could score \(s0: s0.png: the image is truncated\)"):
        compared([None] * 40, a, given)


def test_truths_read_in_two_ways_are_refused(unequal):
    given, a, b = unequal
    other = LABELS.with_values({0: 0, 1: 1, 2: -1})
    with pytest.raises(OptionError, match="--void or --classes"):
        compare(counted(a, given), counted(b, given, labels=other), families_of(["overlap"]), ["overlap"], FEW)


def test_one_image_gives_a_difference_without_an_interval():
    given = truths(1)
    found = compared([spoiled(given[0], 0.5, 0)], given, given)
    assert found.scores["miou"].interval is None
    assert found.verdict.startswith("No difference can be told with 1 image: B less A is +0.")
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["difference"]["miou_interval"] is None


def test_json_has_both_scores_the_difference_and_classes(unequal):
    given, a, b = unequal
    found = compared(a, b, given).to_json()
    json.dumps(found, allow_nan=False)
    assert found["difference"]["miou"] == pytest.approx(found["b"]["miou"] - found["a"]["miou"])
    low, high = found["difference"]["miou_interval"]
    assert low < found["difference"]["miou"] < high
    car = found["per_class"]["car"]
    assert car["difference"]["iou"] == pytest.approx(car["b"]["iou"] - car["a"]["iou"])
    assert found["rules"]["<name>_p"]


def test_five_images_tell_nothing_however_alike_they_are_and_few_are_warned_of(unequal):
    given, a, b = unequal
    five, six, all_ = (compared(a[:count], b[:count], given[:count]) for count in (5, 6, 40))
    assert five.scores["miou"].interval[0] > 0
    assert five.verdict.startswith("No difference can be told with 5 images")
    assert six.verdict.startswith("B is better by ")
    assert six.notes == ("only 6 images: intervals of so few are as a rule too narrow",)
    assert all_.notes == ()


def test_images_won_are_counted_and_told():
    given = truths(4)
    spoilt = [truth if row == 3 else spoiled(truth, 0.5, row) for row, truth in enumerate(given)]
    found = compared(spoilt, given, given)
    assert found.won == {"a": 0, "b": 3, "equal": 1}
    assert "By mIoU of each image, B is better in 3 of 4 (75%), A in 0 (0%); they are equal in 1." in str(found)
    assert found.to_json()["images_won"] == found.won
