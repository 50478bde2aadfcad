"""Overlap scores: known answers by hand, equality with scikit-learn, and the rules for void and absent classes."""

import math

import numpy as np
import pytest

from pixelwise.core.errors import DataError, SizeMismatch
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics import overlap

LABELS = LabelSet.of(["sky", "road", "car"])
VOID = 255


def seg(rows, labels=LABELS):
    return Segmentation.from_class_map(np.array(rows, np.uint8), labels)


TRUTH = seg([[0, 0, 0, 1], [1, 1, 2, VOID]])
PREDICTION = seg([[0, 0, 1, 1], [1, 2, 2, 0]])
# confusion: sky 2 right, 1 as road; road 2 right, 1 as car; car 1 right


def scores(prediction=PREDICTION, truth=TRUTH):
    return overlap.score(overlap.count(prediction, truth))


def test_confusion_by_hand():
    assert overlap.count(PREDICTION, TRUTH).confusion.tolist() == [[2, 1, 0, 0], [0, 2, 1, 0], [0, 0, 1, 0]]


def test_scores_by_hand():
    found = scores()
    assert found["miou"] == pytest.approx((2 / 3 + 2 / 4 + 1 / 2) / 3)
    assert found["pixel_accuracy"] == pytest.approx(5 / 7)
    assert found["mean_accuracy"] == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert found["fw_iou"] == pytest.approx(3 / 7 * 2 / 3 + 3 / 7 * 2 / 4 + 1 / 7 * 1 / 2)
    assert found["dice"] == pytest.approx((4 / 5 + 4 / 6 + 2 / 3) / 3)
    assert found["precision"] == pytest.approx((1 + 2 / 3 + 1 / 2) / 3)
    assert found["recall"] == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert found["f1"] == found["dice"]


def test_every_score_has_a_rule_and_every_rule_a_score():
    assert set(scores()) == set(overlap.RULES)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64])
@pytest.mark.parametrize("shape", [(700, 90), (2, 40, 50), (60,)])
def test_confusion_equals_sklearn(dtype, shape):
    from sklearn.metrics import confusion_matrix

    rng = np.random.default_rng(3)
    truth, prediction = rng.integers(0, 6, shape).astype(dtype), rng.integers(0, 5, shape).astype(dtype)
    truth[truth == 5] = VOID
    kept = truth != VOID
    expected = confusion_matrix(truth[kept], prediction[kept], labels=range(5))
    found = overlap.confusion(truth, prediction, 5, VOID)
    assert (found[:, :5] == expected).all()
    assert not found[:, 5].any()


def test_precision_recall_and_f1_equal_sklearn_where_classes_are_missing():
    from sklearn.metrics import f1_score, precision_score, recall_score

    truth, prediction = np.array([[0, 0, 0, 3, 3, 3]]), np.array([[0, 0, 1, 3, 1, 0]])
    labels = LabelSet.of(["a", "b", "c", "d"])
    found = scores(seg(prediction, labels), seg(truth, labels))
    for name, peer in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
        assert found[name] == pytest.approx(peer(truth[0], prediction[0], average="macro", zero_division=0)), name


def test_counts_beyond_the_exact_range_of_float32_are_exact():
    truth = np.zeros((4097, 4097), np.uint8)  # 2^24 + 8193 pixels in one cell
    assert overlap.confusion(truth, truth, 2, VOID)[0, 0] == 4097 * 4097


def test_void_pixels_of_the_truth_do_not_count():
    truth = seg([[0, VOID, VOID]])
    for guess in (0, 1, VOID):
        assert scores(seg([[0, guess, guess]]), truth)["pixel_accuracy"] == 1
        assert scores(seg([[0, guess, guess]]), truth)["miou"] == 1


def test_pixels_left_void_by_the_prediction_are_wrong():
    found = overlap.count(seg([[0, VOID]]), seg([[0, 0]]))
    assert found.confusion[0].tolist() == [1, 0, 0, 1]
    assert overlap.score(found)["miou"] == 0.5


def test_a_class_in_neither_is_left_out_and_a_class_only_predicted_has_iou_0():
    assert scores(seg([[0, 0, 1, 1]]), seg([[0, 0, 1, 1]]))["miou"] == 1
    assert scores(seg([[0, 0, 1, 2]]), seg([[0, 0, 1, 1]]))["miou"] == pytest.approx((1 + 1 / 2 + 0) / 3)
    by_class = overlap.per_class(overlap.count(seg([[0, 0, 0, 2]]), seg([[0, 0, 0, 0]])))
    assert by_class["car"]["iou"] == 0
    assert math.isnan(by_class["road"]["iou"])
    assert math.isnan(by_class["car"]["accuracy"])  # of no pixels


def test_dataset_mean_and_image_mean_are_two_things():
    parts = [overlap.count(seg([[0, 0, 0, 1]]), seg([[0, 0, 0, 0]])), overlap.count(seg([[1]]), seg([[1]]))]
    found = overlap.score(sum(parts))
    assert found["miou"] == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert found["miou_per_image"] == pytest.approx(((3 / 4 + 0) / 2 + 1) / 2)


def test_images_without_a_labelled_pixel_do_not_move_the_image_mean():
    empty = overlap.count(seg([[0, 1]]), seg([[VOID, VOID]]))
    full = overlap.count(PREDICTION, TRUTH)
    assert overlap.score(full + empty) == overlap.score(full)
    assert all(math.isnan(value) for value in overlap.score(empty).values())


def test_two_parts_added_equal_the_whole_in_any_order():
    rng = np.random.default_rng(0)
    maps = [(seg(rng.integers(0, 3, (5, 7))), seg(rng.integers(0, 3, (5, 7)))) for _ in range(7)]
    counts = [overlap.count(*pair) for pair in maps]
    whole = overlap.score(sum(counts))
    assert overlap.score(sum(counts[3:]) + sum(counts[:3])) == whole
    assert overlap.score(sum(reversed(counts))) == whole


def test_counts_of_other_classes_do_not_add():
    with pytest.raises(DataError, match="do not add"):
        overlap.count(TRUTH, TRUTH) + overlap.count(seg([[0]], LabelSet.of(["a"])), seg([[0]], LabelSet.of(["a"])))


def test_classes_are_joined_by_name_not_by_number():
    other = LabelSet.of(["Car", "Sky", "Road", "boat"])
    same = seg([[1, 1, 1, 2], [2, 2, 0, 3]], other)
    assert scores(same)["miou"] == 1
    boat = overlap.count(seg([[3]], other), seg([[0]]))
    assert boat.confusion[0].tolist() == [0, 0, 0, 1]


def test_more_than_255_classes_are_counted():
    labels = LabelSet.of([f"c{index}" for index in range(300)])
    classes = np.arange(300, dtype=np.uint16).reshape(3, 100)
    one = Segmentation.from_class_map(classes, labels)
    assert scores(one, one)["miou"] == 1


def test_two_sizes_are_refused():
    with pytest.raises(SizeMismatch, match="full size"):
        overlap.count(seg([[0]]), TRUTH)


def test_segments_without_classes_are_refused():
    regions = Segmentation("regions", DisjointMasks(np.ones((2, 4), np.uint8), 1), [0], LabelSet.of(["region"]))
    with pytest.raises(DataError, match="match its segments"):
        overlap.count(regions, TRUTH)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32])
def test_a_truth_outside_the_classes_is_refused(dtype):
    with pytest.raises(DataError, match=r"\[7\].*0\.\.2 and 255"):
        overlap.confusion(np.array([[7, 0]], dtype), np.array([[0, 0]], dtype), 3, VOID)


def test_crowds_do_not_count():
    ids = DisjointMasks(np.array([[1, 1, 2]], np.uint8), 2)
    crowd = Segmentation("panoptic", ids, [0, 2], LABELS, crowd=np.array([False, True]))
    assert overlap.count(seg([[0, 0, 1]]), crowd).confusion.sum() == 2
