"""Boundary IoU and boundary F-score: by hand, and equal to plain versions of the papers' rules on noise and on CamVid."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.core.errors import DataError, SizeMismatch
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics import boundary
from pixelwise.metrics.interval import score_draws

LABELS = LabelSet.of(["sky", "road", "car"])
VOID = 255


def seg(rows, labels=LABELS):
    return Segmentation.from_class_map(np.asarray(rows, np.uint8), labels)


def scores(prediction, truth, labels=LABELS):
    return boundary.score(boundary.count(seg(prediction, labels), seg(truth, labels)))


def noisy(rng, size=(40, 56), classes=3, void=0.05):
    """Draw a truth of blocks with void in it, and a prediction beside it with pixels scattered and some left void."""
    blocks = rng.integers(0, classes, (-(-size[0] // 8), -(-size[1] // 8)))
    truth = blocks.repeat(8, axis=0).repeat(8, axis=1)[: size[0], : size[1]].astype(np.uint8)
    prediction = np.roll(truth, rng.integers(-3, 4, 2), axis=(0, 1))
    prediction = np.where(rng.random(size) < 0.03, rng.integers(0, classes, size), prediction)
    prediction[rng.random(size) < 0.01] = VOID
    truth[rng.random(size) < void] = VOID
    truth[3:9, 10:30] = VOID
    return prediction.astype(np.uint8), truth


# The rules, slowly: one class, one pixel, one pair of pixels at a time.


def inner_zone(mask, is_void, reach):
    """Take from a mask what erosions by a 3 x 3 square, one after the other, wear off; void is part of every mask."""
    left = np.pad(mask | is_void, 1)
    for _ in range(reach):
        around = [np.roll(left, (down, right), axis=(0, 1)) for down in (-1, 0, 1) for right in (-1, 0, 1)]
        left = np.logical_and.reduce(around)
        left[[0, -1]] = left[:, [0, -1]] = False
    return mask & ~is_void & ~left[1:-1, 1:-1]


def edge_points(classes, index, is_void):
    """List the pixels of a class that have another one, but for void, above, below, left or right."""
    around = np.pad(np.where(is_void, index, classes), 1, constant_values=index)  # void and what is outside differ from nothing
    beside = around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:]
    differs = np.logical_or.reduce([each != index for each in beside])
    return np.argwhere((classes == index) & ~is_void & differs)


def matched(points, others, most):
    if not len(points) or not len(others):
        return 0
    squares = ((points[:, None] - others[None]) ** 2).sum(axis=2)
    return int((squares.min(axis=1) <= most**2).sum())


def plainly(prediction, truth, classes):
    """Count (L, 7) in the order of the family's counts."""
    is_void, table = truth == VOID, np.zeros((classes, 7), np.int64)
    size = math.sqrt(truth.shape[0] ** 2 + truth.shape[1] ** 2)
    reach, most = max(1, round(0.02 * size)), math.ceil(0.008 * size)
    for index in range(classes):
        told, true = (inner_zone(each == index, is_void, reach) for each in (prediction, truth))
        ours, theirs = (edge_points(each, index, is_void) for each in (prediction, truth))
        hits = matched(ours, theirs, most), matched(theirs, ours, most)
        table[index] = (told & true).sum(), true.sum(), told.sum(), len(ours), hits[0], len(theirs), hits[1]
    return table


def plain_scores(table):
    ious, harmonics = [], []
    for both, true, told, ours, hit, theirs, met in table.tolist():
        if true + told - both:
            ious.append(both / (true + told - both))
        if ours + theirs:
            precision, recall = (hit / ours if ours else 0), (met / theirs if theirs else 0)
            harmonics.append(2 * precision * recall / (precision + recall) if precision + recall else 0)
    return tuple(sum(values) / len(values) if values else math.nan for values in (ious, harmonics))


@pytest.mark.parametrize("seed", range(4))
def test_counts_and_scores_equal_the_plain_rules_on_noise(seed):
    rng = np.random.default_rng(seed)
    pairs = [noisy(rng, size) for size in ((40, 56), (33, 90), (70, 20))]
    counts = [boundary.count(seg(prediction), seg(truth)) for prediction, truth in pairs]
    tables = [plainly(prediction, truth, 3) for prediction, truth in pairs]
    assert sum(counts).totals().tolist() == sum(tables).tolist()
    found, own = boundary.score(sum(counts)), [plain_scores(table) for table in tables]
    assert (found["boundary_iou"], found["boundary_f1"]) == pytest.approx(plain_scores(sum(tables)), abs=1e-12)
    assert found["boundary_iou_per_image"] == pytest.approx(np.mean([one[0] for one in own]), abs=1e-12)
    assert found["boundary_f1_per_image"] == pytest.approx(np.mean([one[1] for one in own]), abs=1e-12)


@pytest.mark.shared_data
def test_counts_equal_the_plain_rules_on_camvid(shared_data):
    import cv2

    for path in sorted((shared_data / "camvid" / "valannot").glob("*.png"))[::40]:
        truth = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        truth[truth == 11] = VOID
        rng = np.random.default_rng(7)
        prediction = np.roll(np.where(truth == VOID, 0, truth), (2, -4), axis=(0, 1))
        prediction[rng.random(truth.shape) < 0.002] = 5
        labels = LabelSet.of([f"c{index}" for index in range(11)])
        found = boundary.count(seg(prediction, labels), seg(truth, labels))
        assert found.totals().tolist() == plainly(prediction, truth, 11).tolist()


def test_boundary_iou_by_hand():
    truth = np.zeros((60, 80), np.uint8)  # diagonal 100: the zone is 2 wide
    truth[20:40, 20:60] = 1
    prediction = np.zeros_like(truth)
    prediction[20:40, 20:59] = 1
    found = boundary.count(seg(prediction), seg(truth)).totals()
    assert found[1, 1] == 20 * 40 - 16 * 36
    assert found[1, 2] == 20 * 39 - 16 * 35
    assert found[1, 0] == found[1, 2] - 16  # the two columns at the right side share one, but for its ends
    assert found[0, 1] == (60 * 80 - 56 * 76) + (24 * 44 - 20 * 40)  # the image's own border counts for the sky


def test_boundary_f1_by_hand():
    truth = np.repeat([[0] * 4 + [1] * 8], 10, axis=0)  # diagonal 15.6: matched within one pixel
    prediction = np.repeat([[0] * 6 + [1] * 6], 10, axis=0)
    found = boundary.per_class(boundary.count(seg(prediction), seg(truth)))
    assert found["sky"]["boundary_f1"] == 0  # edges in columns 3 and 5
    prediction[:5, 5] = 1  # now half of the rows are one pixel off, and the step adds an edge pixel of each class
    found = boundary.per_class(boundary.count(seg(prediction), seg(truth)))
    assert found["sky"]["boundary_precision"] == pytest.approx(5 / 10)
    assert found["sky"]["boundary_recall"] == pytest.approx(5 / 10)


def test_a_perfect_prediction_is_perfect_whatever_it_says_in_void():
    rng = np.random.default_rng(0)
    _, truth = noisy(rng)
    prediction = np.where(truth == VOID, rng.integers(0, 3, truth.shape), truth)
    assert set(scores(prediction, truth).values()) == {1.0}


def test_what_is_predicted_in_void_changes_nothing():
    rng = np.random.default_rng(1)
    prediction, truth = noisy(rng)
    other = np.where(truth == VOID, rng.integers(0, 3, truth.shape), prediction)
    assert scores(prediction, truth) == scores(other, truth)


def test_a_border_against_void_is_no_boundary():
    truth = np.array([[0, 0, VOID, 1, 1]])
    assert math.isnan(scores(truth, truth)["boundary_f1"])


def test_a_class_that_is_not_predicted_or_not_there_is_0():
    truth = np.repeat([[0] * 6 + [1] * 6], 6, axis=0)
    found = boundary.per_class(boundary.count(seg(np.where(truth, 2, 0)), seg(truth)))
    assert [found[name]["boundary_f1"] for name in LABELS.names] == [1, 0, 0]
    assert [found[name]["boundary_iou"] for name in LABELS.names] == [1, 0, 0]


def test_pixels_left_void_or_unknown_are_outside_every_class():
    truth = np.zeros((6, 12), np.uint8)
    prediction = np.repeat([[0] * 6 + [VOID] * 6], 6, axis=0)
    strange = seg(np.repeat([[0] * 6 + [1] * 6], 6, axis=0), LabelSet.of(["sky", "boat"]))
    found = scores(prediction, truth)
    assert found["boundary_f1"] == 0  # an edge in the prediction, none in the truth
    assert found == boundary.score(boundary.count(strange, seg(truth)))


def test_classes_are_joined_by_name():
    rng = np.random.default_rng(2)
    prediction, truth = noisy(rng)
    places = np.array([2, 0, 1], np.uint8)
    renamed = np.where(prediction == VOID, VOID, places[np.minimum(prediction, 2)])
    other = LabelSet.of(["Road", "Car", "Sky"])
    assert boundary.score(boundary.count(seg(renamed, other), seg(truth))) == scores(prediction, truth)


def test_more_than_255_classes_are_counted():
    labels = LabelSet.of([f"c{index}" for index in range(300)])
    one = Segmentation.from_class_map(np.arange(300, dtype=np.uint16).reshape(15, 20), labels)
    assert set(boundary.score(boundary.count(one, one)).values()) == {1.0}


def test_images_of_one_class_have_no_f1_and_do_not_move_its_mean():
    plain = np.zeros((6, 8), np.uint8)
    full = boundary.count(*(seg(each) for each in noisy(np.random.default_rng(3))))
    found = boundary.score(full + boundary.count(seg(plain), seg(plain)))
    assert found["boundary_f1_per_image"] == boundary.score(full)["boundary_f1_per_image"]
    assert found["boundary_iou_per_image"] > boundary.score(full)["boundary_iou_per_image"]


def test_resampling_equals_adding():
    rng = np.random.default_rng(4)
    counts = [boundary.count(*(seg(each) for each in noisy(rng, (20, 24)))) for _ in range(5)]
    counts.append(boundary.count(seg([[VOID]]), seg([[VOID]])))
    weights = rng.integers(0, 3, (4, 6))
    weights[:, 0] += 1  # no draw is empty
    found = score_draws(boundary, sum(counts), (), weights)
    for row, times in enumerate(weights):
        added = sum(counts[place] for place in np.repeat(np.arange(6), times))
        assert {name: values[row] for name, values in found.scores.items()} == pytest.approx(boundary.score(added), nan_ok=True)
        for name, expected in boundary.per_class(added).items():
            got = {key: values[row] for key, values in found.per_class[name].items()}
            assert got == pytest.approx(expected, nan_ok=True)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 12))
def test_truth_is_perfect_and_neither_order_nor_numbering_matters(seed, height, width):
    rng = np.random.default_rng(seed)
    maps = [rng.choice([0, 1, 2, VOID], (2, height, width)).astype(np.uint8) for _ in range(3)]
    for _, truth in maps:
        assert {value for value in scores(truth, truth).values() if not math.isnan(value)} <= {1.0}
    counts = [boundary.count(seg(prediction), seg(truth)) for prediction, truth in maps]
    whole = boundary.score(sum(counts))
    assert boundary.score(sum(counts[1:]) + counts[0]) == pytest.approx(whole, rel=0, abs=0, nan_ok=True)
    places = np.append(rng.permutation(3), np.full(253, VOID)).astype(np.uint8)
    labels = LabelSet.of([LABELS.names[index] for index in np.argsort(places[:3])])
    renumbered = [boundary.count(seg(places[prediction], labels), seg(places[truth], labels)) for prediction, truth in maps]
    assert boundary.score(sum(renumbered)) == pytest.approx(whole, abs=1e-12, nan_ok=True)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(SizeMismatch, match="full size"):
        boundary.count(seg([[0]]), seg([[0, 1]]))
    regions = Segmentation(
        "regions", DisjointMasks(np.ones((1, 1), np.uint8), 1), np.zeros(1, np.int64), LabelSet.of(["region"])
    )
    with pytest.raises(DataError, match="no classes"):
        boundary.count(regions, seg([[0]]))
    with pytest.raises(DataError, match="do not add"):
        boundary.count(seg([[0]]), seg([[0]])) + boundary.count(*[seg([[0]], LabelSet.of(["a"]))] * 2)
