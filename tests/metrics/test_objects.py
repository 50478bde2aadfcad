"""Object scores: known answers by hand, and each rule for scores, crowds, overlap, classes and what is empty."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.core.errors import DataError, SizeMismatch
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks, OverlappingMasks, as_overlapping
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics import objects

LABELS = LabelSet.of(["cell", "dust"], things=["cell", "dust"])
CELL, DUST = range(2)


def seg(ids, classes=None, labels=LABELS, **rows):
    ids = np.atleast_2d(np.array(ids, np.uint8))
    classes = [CELL] * int(ids.max(initial=0)) if classes is None else classes
    return Segmentation("instance", DisjointMasks(ids, len(classes)), classes, labels, **rows)


def stacked(masks, classes=None, **rows):
    """Take masks (S, W) of one row of pixels, which may overlap."""
    masks = np.array(masks, bool)[:, None]
    return Segmentation.from_masks("instance", masks, [CELL] * len(masks) if classes is None else classes, LABELS, **rows)


def drawn(rng, size=(8, 9)):
    count = int(rng.integers(0, 6))
    masks = np.zeros((count, *size), bool)
    for mask in masks:
        (top, left), (down, across) = rng.integers(0, size), rng.integers(1, 6, 2)
        mask[top : top + down, left : left + across] = True
    return Segmentation.from_masks("instance", masks, rng.integers(0, 2, count), LABELS)


def near(truth, rng):
    rows = rng.permutation(len(truth))[: max(0, len(truth) - int(rng.integers(0, 2)))]
    masks = np.array([np.roll(truth.masks.mask(row), rng.integers(-1, 2, 2), (0, 1)) for row in rows])
    stack = masks.reshape(len(rows), *truth.size)
    return Segmentation.from_masks("instance", stack, truth.class_ids[rows], LABELS, scores=rng.random(len(rows)))


def scores(prediction, truth):
    return objects.score(objects.count(prediction, truth))


def counted(prediction, truth, name="cell"):
    found = objects.per_class(objects.count(prediction, truth))[name]
    return tuple(found[key] for key in ("hits", "misses", "inventions", "splits", "merges"))


def test_scores_by_hand():
    truth = seg([1, 1, 1, 1, 2, 2, 2, 2, 0, 0])
    prediction = seg([1, 1, 1, 0, 0, 0, 0, 2, 2, 2])  # IoU 3/4 and 1/6
    found = scores(prediction, truth)
    assert found["object_f1"] == found["object_precision"] == found["object_recall"] == 1 / 2
    assert found["object_f1_75"] == 0  # an IoU of 0.75 does not exceed 0.75
    assert found["dsb_ap"] == pytest.approx(5 * (1 / 3) / 10)
    assert found["matched_iou"] == 3 / 4
    assert found["aji"] == pytest.approx((3 + 1) / (4 + 6))
    assert found["split_rate"] == found["merge_rate"] == 0


def test_an_iou_of_exactly_one_half_is_no_hit():
    assert counted(seg([1, 1, 0, 0]), seg([1, 1, 1, 1])) == (0, 1, 1, 0, 0)


def test_a_split_object_is_linked_with_two_predicted_ones():
    truth = seg([1, 1, 1, 1, 1, 1])
    assert counted(seg([1, 1, 1, 2, 2, 2]), truth) == (0, 1, 2, 1, 0)
    assert counted(seg([1, 1, 1, 1, 2, 2]), truth) == (1, 0, 1, 1, 0)  # found all the same
    found = scores(seg([1, 1, 1, 2, 2, 2]), truth)
    assert found["split_rate"] == 1
    assert found["merge_rate"] == 0


def test_a_merge_is_a_predicted_object_linked_with_two_true_ones():
    assert counted(seg([1, 1, 1, 1, 1, 1]), seg([1, 1, 1, 2, 2, 2])) == (0, 2, 1, 0, 1)


def test_a_link_needs_an_iou_above_a_tenth():
    truth = seg([1] * 10)
    assert counted(seg([1] * 9 + [2]), truth)[3] == 0
    assert counted(seg([1] * 8 + [2, 2]), truth)[3] == 1


def test_overlapping_objects_are_neither_split_nor_merged_when_found():
    truth = stacked([[1, 1, 1, 1, 0, 0], [0, 0, 1, 1, 1, 1], [0, 0, 1, 1, 0, 0]])
    assert counted(truth, truth) == (3, 0, 0, 0, 0)


def test_objects_are_matched_within_their_class_alone():
    truth = seg([1, 1, 2, 2], [CELL, DUST])
    found = objects.count(seg([1, 1, 2, 2], [CELL, CELL]), truth)
    assert objects.score(found)["object_f1"] == pytest.approx((2 / 3 + 0) / 2)
    assert objects.per_class(found)["dust"]["misses"] == 1


def test_each_object_is_hit_once_and_as_many_as_possible_are():
    truth = stacked([[1, 1, 1, 1, 0], [0, 1, 1, 1, 1]])
    prediction = stacked([[1, 1, 1, 1, 1], [0, 1, 1, 1, 1]])  # both would hit the second
    assert counted(prediction, truth)[:3] == (2, 0, 0)
    assert counted(stacked([[1, 1, 1, 0, 0]] * 3), truth)[:3] == (1, 1, 2)


def test_objects_below_a_score_of_one_half_do_not_count():
    truth = seg([1, 1, 2, 2])
    assert counted(seg([1, 1, 2, 2], scores=np.array([0.5, 0.49])), truth) == (1, 1, 0, 0, 0)


def test_crowds_are_not_missed_and_swallow_what_lies_in_them():
    truth = seg([1, 1, 1, 1, 2, 2], [CELL, CELL], crowd=[True, False])
    assert counted(seg([1, 1, 0, 0, 2, 2]), truth) == (1, 0, 0, 0, 0)
    assert counted(seg([0, 0, 0, 1, 1, 2]), truth)[2] == 2  # half of one, nothing of the other lies in the crowd
    assert counted(seg([1, 1, 2, 2, 3, 3], [CELL, DUST, CELL]), truth, "dust") == (0, 0, 1, 0, 0)
    assert scores(seg([1, 1, 2, 2, 3, 3]), truth)["aji"] == 1


def test_a_hit_in_a_crowd_is_a_hit():
    truth = stacked([[1, 1, 1, 1, 1, 1], [1, 1, 0, 0, 0, 0]], crowd=[True, False])
    assert counted(stacked([[1, 1, 0, 0, 0, 0]]), truth) == (1, 0, 0, 0, 0)


def test_a_predicted_object_may_be_the_counterpart_of_several_for_aji():
    assert scores(seg([1, 1, 1, 1]), seg([1, 1, 2, 2]))["aji"] == pytest.approx((2 + 2) / (4 + 4))
    assert scores(seg([1, 0, 0, 2]), seg([1, 0, 0, 0]))["aji"] == 1 / 2


def test_images_without_objects_on_either_side_are_left_out_of_image_means():
    nothing, one = seg(np.zeros((1, 4)), []), seg([1, 1, 0, 0])
    counts = objects.count(one, one) + objects.count(nothing, nothing)
    assert objects.score(counts)["dsb_ap_per_image"] == objects.score(counts)["aji_per_image"] == 1
    both = objects.score(counts + objects.count(one, nothing))
    assert both["dsb_ap_per_image"] == both["aji_per_image"] == 1 / 2
    assert both["dsb_ap"] == 1 / 2
    assert all(math.isnan(value) for value in scores(nothing, nothing).values())
    assert all(math.isnan(value) for value in scores(*[seg(np.zeros((0, 0)), [])] * 2).values())
    assert scores(nothing, one)["object_recall"] == 0
    assert math.isnan(scores(nothing, one)["merge_rate"])


def test_objects_without_pixels_do_not_count():
    assert counted(seg([1, 1], [CELL, CELL]), seg([1, 1], [CELL, CELL, CELL])) == (1, 0, 0, 0, 0)


def test_classes_are_joined_by_name_and_unknown_ones_do_not_count():
    other = LabelSet.of(["fibre", "Cell"])
    counts = objects.count(seg([1, 1, 2, 2], [1, 0], other), seg([1, 1, 2, 2], [CELL, DUST]))
    assert objects.per_class(counts)["cell"]["hits"] == 1
    assert objects.per_class(counts)["dust"]["misses"] == 1
    assert sum(one["inventions"] for one in objects.per_class(counts).values()) == 0


def test_other_sizes_kinds_and_scores_are_refused():
    truth = seg([1, 1])
    with pytest.raises(SizeMismatch):
        scores(seg([1]), truth)
    with pytest.raises(DataError, match="this truth is of kind 'panoptic'"):
        scores(truth, replace(truth, kind="panoptic"))
    with pytest.raises(DataError, match=r"segment 1 is 2\.0"):
        scores(seg([1, 2], scores=np.array([1.0, 2.0])), truth)


def test_how_masks_are_held_makes_no_difference():
    rng = np.random.default_rng(0)
    ids = np.kron(rng.integers(0, 7, (5, 6)), np.ones((3, 3), int)).astype(np.uint8)
    truth, prediction = (seg(each, rng.integers(0, 2, 6)) for each in (ids, np.roll(ids, 1, 1)))
    held = [replace(one, masks=as_overlapping(one.masks)) for one in (prediction, truth)]
    assert isinstance(held[0].masks, OverlappingMasks)
    expected = scores(prediction, truth)
    for pair in ((prediction, held[1]), (held[0], truth), held):
        assert scores(*pair) == expected


def test_many_objects_are_compared():
    ids = np.arange(1, 401).reshape(20, 20).repeat(3, 0).repeat(3, 1).astype(np.uint16)
    truth = Segmentation("instance", DisjointMasks(ids, 400), [CELL] * 400, LABELS)
    held = replace(truth, masks=as_overlapping(truth.masks))
    assert counted(held, truth) == counted(held, held) == (400, 0, 0, 0, 0)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_truth_is_perfect_and_neither_order_nor_numbering_matters(seed):
    rng = np.random.default_rng(seed)
    truths = [drawn(rng) for _ in range(4)]
    for name, value in objects.score(sum(objects.count(one, one) for one in truths)).items():
        assert math.isnan(value) or value == (0 if name in objects.LOWER_IS_BETTER else 1), name
    pairs = [(near(one, rng), one) for one in truths]
    counts = [objects.count(*pair) for pair in pairs]
    mixed = [objects.count(*(one[rng.permutation(len(one))] for one in pairs[row])) for row in rng.permutation(4)]
    parts = sum(mixed[2:]) + sum(mixed[:2])
    assert objects.score(parts) == pytest.approx(objects.score(sum(counts)), rel=0, abs=0, nan_ok=True)
    assert objects.details(parts, []) == objects.details(sum(counts), [])


def test_resampling_equals_adding_images_as_often_as_they_are_drawn():
    rng = np.random.default_rng(1)
    counts = [objects.count(near(one, rng), one) for one in (drawn(rng) for _ in range(6))]
    weights = np.array([[1, 1, 1, 1, 1, 1], [2, 0, 3, 0, 1, 0], [0, 6, 0, 0, 0, 0]])
    found = objects.resampled(sum(counts), weights)
    for row, times in enumerate(weights.tolist()):
        whole = sum(one for one, often in zip(counts, times, strict=True) for _ in range(often))
        for name, value in objects.score(whole).items():
            assert found.scores[name][row] == pytest.approx(value, rel=0, abs=1e-12, nan_ok=True), name
        for name, values in objects.per_class(whole).items():
            for key, own in found.per_class[name].items():
                assert own[row] == pytest.approx(values[key], rel=0, abs=1e-12, nan_ok=True), key


def test_details_add_up_to_the_counts_of_the_classes():
    rng = np.random.default_rng(2)
    counts = sum(objects.count(near(one, rng), one) for one in (drawn(rng) for _ in range(8)))
    by_class, found = objects.per_class(counts).values(), objects.details(counts, [])
    for key in ("objects", "hits", "misses", "inventions", "splits", "merges"):
        total = sum(one[key] for one in by_class)
        assert sum(row[key] for row in found["objects_by_size"]) == total
        assert found["objects_by_iou"][0].get(key, total) == total
    assert found["objects_by_iou"][0]["f1"] == objects.score(counts)["object_f1"]
    assert found["objects_by_iou"][5]["f1"] == objects.score(counts)["object_f1_75"]


def test_every_score_has_a_rule():
    assert set(scores(seg([1]), seg([1]))) == set(objects.RULES)
