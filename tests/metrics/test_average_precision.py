"""Average precision by hand: each rule in a case of its own, and what is refused."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from average_precision_data import LABELS, SIZE, counted, drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.core.errors import DataError, SizeMismatch
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics import average_precision
from pixelwise.metrics.average_precision import boundary, box
from pixelwise.metrics.average_precision.tables import THRESHOLDS
from pixelwise.metrics.context import Context

FAMILIES = [average_precision, box, boundary]
CAT = LabelSet.of(["cat", "dog"], things=["cat", "dog"])
WIDTH = 40


def bars(*spans, classes=None, **rows):
    """Make objects of the pixels ``spans`` (first, last + 1) of one long line; cats unless ``classes`` says otherwise."""
    masks = np.zeros((len(spans), 1, WIDTH), bool)
    for mask, (first, last) in zip(masks, spans, strict=True):
        mask[0, first:last] = True
    return Segmentation.from_masks("instance", masks, classes or [0] * len(spans), CAT, **rows)


def scores(prediction, truth):
    return average_precision.score(average_precision.count(prediction, truth))


def bits(prediction, truth):
    """Give, at IoU 0.5 and for all areas, which predicted objects (best first) have matched and which are ignored."""
    (found,) = average_precision.count(prediction, truth).images
    return (found.matched[0] & 1).tolist(), (found.ignored[0] & 1).tolist()


def test_precision_is_averaged_over_101_recalls():
    truth = bars((0, 10), (20, 30))
    found = scores(bars((0, 10), (32, 38), (20, 30), scores=np.array([0.9, 0.8, 0.7])), truth)
    assert found["ap50"] == pytest.approx((51 * 1 + 50 * 2 / 3) / 101)  # half of the objects at no error, all at one in three
    assert found["ap"] == pytest.approx(found["ap50"])
    assert found["ar1"] == 0.5
    assert found["ar10"] == found["ar100"] == 1


def test_the_mean_is_over_ten_thresholds():
    found = scores(bars((0, 7)), bars((0, 10)))  # IoU 0.7: found at 0.50, 0.55, 0.60, 0.65, and 0.7 as doubles go
    assert found["ap50"] == pytest.approx(1)
    assert found["ap75"] == 0
    assert found["ar100"] == pytest.approx((THRESHOLDS <= 0.7).mean())


def test_an_object_is_found_once():
    truth, twice = bars((0, 10)), bars((0, 9), (0, 10), scores=np.array([0.9, 0.8]))
    assert bits(twice, truth) == ([1, 0], [0, 0])
    assert scores(twice, truth)["ar1"] == pytest.approx(0.9)  # the first is taken below IoU 0.95, though it fits less well


def test_the_best_free_object_is_chosen():
    truth = bars((0, 10), (2, 12))
    (found,) = average_precision.count(bars((2, 12), (0, 10), scores=np.array([0.9, 0.8])), truth).images
    assert (found.matched[0] == 1023).all()  # both at every threshold


def test_objects_of_other_classes_do_not_match():
    truth = bars((0, 10), classes=[0])
    assert scores(bars((0, 10), classes=[1]), truth)["ap"] == 0
    found = average_precision.per_class(average_precision.count(bars((0, 10), classes=[1]), truth))
    assert math.isnan(found["dog"]["ap"])
    assert found["cat"]["objects"] == 1


def test_what_lies_in_a_crowd_is_ignored_however_many_they_are():
    truth = bars((0, 20), (30, 34), crowd=np.array([True, False]))
    found = bars((0, 4), (6, 12), (30, 34), (22, 26), scores=np.array([0.9, 0.8, 0.7, 0.6]))
    assert bits(found, truth) == ([1, 1, 1, 0], [1, 1, 0, 0])
    assert scores(found, truth)["ap"] == pytest.approx(1)


def test_an_object_that_counts_is_chosen_before_a_crowd_that_fits_better():
    truth = bars((0, 20), (0, 10), crowd=np.array([True, False]))
    assert bits(bars((0, 8)), truth) == ([1], [0])


def test_objects_count_in_the_range_of_the_area_their_file_states():
    truth = bars((0, 10), areas=np.array([5000.0]))
    found = scores(bars((0, 10)), truth)
    assert found["ap_medium"] == pytest.approx(1)
    assert math.isnan(found["ap_small"])
    assert math.isnan(found["ap_large"])


def test_an_area_on_a_bound_is_of_both_ranges():
    found = scores(bars((0, 10)), bars((0, 10), areas=np.array([1024.0])))
    assert found["ap_small"] == found["ap_medium"] == pytest.approx(1)


def test_wrong_objects_of_another_size_do_not_count_against_a_range():
    truth = bars((0, 10), areas=np.array([5000.0]))
    found = scores(bars((20, 30), (0, 10), scores=np.array([0.9, 0.8])), truth)  # the first is wrong, and small
    assert found["ap"] == pytest.approx(0.5)
    assert found["ap_medium"] == pytest.approx(1)


def test_boxes_compare_boxes_and_boundaries_the_rims():
    masks = np.zeros((3, 30, 30), bool)
    masks[0, 5:25, 5:25] = masks[1, 5:25, 5:25] = masks[2, 5:25, 7:27] = True
    masks[1, 10:20, 8:22] = False
    full, hollow, moved = (Segmentation.from_masks("instance", mask[None], [0], CAT) for mask in masks)
    assert box.score(box.count(hollow, full))["box_ap"] == pytest.approx(1)
    assert scores(hollow, full)["ap50"] == pytest.approx(1)  # 260 / 400
    assert scores(hollow, full)["ap75"] == 0
    assert scores(moved, full)["ap75"] == pytest.approx(1)  # 360 / 440
    assert boundary.score(boundary.count(moved, full))["boundary_ap50"] == 0  # rims of 76 pixels share 36: 36 / 116


@pytest.mark.parametrize("family", FAMILIES)
class TestEveryFamily:
    def test_every_score_has_a_rule_and_every_rule_a_score(self, family):
        truths, predictions = drawn(0, images=3)
        assert list(family.score(counted(family, predictions, truths))) == list(family.RULES)
        assert len(family.RULES) == 12
        assert set(family.RULES) > family.LIMITED

    def test_truth_is_perfect_against_itself(self, family):
        truths, _ = drawn(1)
        truths = {key: truth[~truth.is_crowd] for key, truth in truths.items()}
        found = family.score(counted(family, truths, truths))
        assert [value for key, value in found.items() if key not in family.LIMITED] == pytest.approx([1] * 10)

    def test_nothing_predicted_is_nothing_found(self, family):
        truths, _ = drawn(2)
        found = family.score(counted(family, {key: truth[:0] for key, truth in truths.items()}, truths))
        assert set(found.values()) == {0}

    def test_without_truth_there_is_no_score(self, family):
        truths, predictions = drawn(2)
        counts = counted(family, predictions, {key: truth[:0] for key, truth in truths.items()})
        assert all(math.isnan(value) for value in family.score(counts).values())
        assert all(math.isnan(value[next(iter(value))]) for value in family.per_class(counts).values())
        assert not next(iter(family.details(counts, ()).values()))["classes"]

    def test_empty_images_survive(self, family):
        nothing = Segmentation("instance", DisjointMasks(np.zeros((0, 0), np.uint8), 0), np.zeros(0, np.int64), CAT)
        flat = Segmentation.from_masks("instance", np.zeros((2, 0, 5), bool), [0, 1], CAT)
        for one in (nothing, flat):
            family.score(family.count(one, one))

    def test_parts_added_equal_the_whole_in_any_order(self, family):
        truths, predictions = drawn(3)
        counts = [family.count(predictions[key], truth, Context((0, key, ""))) for key, truth in truths.items()]
        whole = family.score(sum(counts))
        assert family.score(sum(counts[5:]) + sum(counts[:5])) == pytest.approx(whole, rel=0, abs=0, nan_ok=True)
        assert family.score(sum(reversed(counts))) == pytest.approx(whole, rel=0, abs=0, nan_ok=True)

    def test_details_are_plain_values(self, family):
        truths, predictions = drawn(3)
        ((name, found),) = family.details(counted(family, predictions, truths), ()).items()
        assert name.endswith("precision_recall")
        assert json.loads(json.dumps(found)) == found
        assert len(found["recall"]) == len(found["mean"]["precision"]) == len(found["classes"]["bee"]["score50"]) == 101
        assert set(found["classes"]) == {"ant", "bee", "cat"}


@settings(max_examples=15)
@given(st.integers(0, 10**6))
def test_order_and_ids_of_instances_do_not_matter(seed):
    truths, predictions = drawn(seed, images=4, digits=12)  # without ties
    rng = np.random.default_rng(seed)

    def mixed(segments):
        moved = {key: one[rng.permutation(len(one))] for key, one in segments.items()}
        return {key: replace(one, source_ids=rng.integers(1, 99, len(one))) for key, one in moved.items()}

    whole = average_precision.score(counted(average_precision, predictions, truths))
    moved = average_precision.score(counted(average_precision, mixed(predictions), mixed(truths)))
    assert moved == pytest.approx(whole, rel=0, abs=0, nan_ok=True)


def test_images_without_keys_count_in_one_order_however_they_are_added():
    truths, predictions = drawn(4)
    counts = [average_precision.count(predictions[key], truth) for key, truth in truths.items()]
    whole = average_precision.score(sum(counts))
    assert average_precision.score(sum(reversed(counts))) == whole


def test_classes_are_joined_by_name_and_unknown_ones_are_left_out():
    other = LabelSet.of(["boat", "Dog", "cat"])
    truth = bars((0, 10), (20, 30), classes=[0, 1])
    renamed = replace(bars((0, 10), (20, 30), (5, 15)), class_ids=np.array([2, 1, 0]), labels=other)
    found = average_precision.count(renamed, truth)
    assert average_precision.score(found)["ap"] == pytest.approx(1)
    assert len(found.images[0].scores) == 2


def test_what_is_kept_of_an_image_is_small():
    truths, predictions = drawn(0)
    for image in counted(average_precision, predictions, truths).images:
        assert sum(part.nbytes for part in image[1:]) == 26 * len(image.scores) + 18 * len(image.true_classes)


def test_more_objects_than_eight_bits_number_are_matched():
    masks = np.zeros((300, 20, 60), bool)
    for index, mask in enumerate(masks):
        mask[index // 30 * 2, index % 30 * 2] = True
    many = Segmentation.from_masks("instance", masks, [0] * 300, CAT)
    for family in FAMILIES:
        found = family.score(family.count(many, many))
        assert next(iter(found.values())) == pytest.approx(34 / 101)  # 100 of 300 are looked at: recalls up to 0.33


def test_two_sizes_are_refused():
    with pytest.raises(SizeMismatch, match="full size"):
        average_precision.count(bars((0, 1)), Segmentation.from_masks("instance", np.ones((1, *SIZE), bool), [0], LABELS))


@pytest.mark.parametrize(("value", "said"), [(math.nan, "nan"), (1.5, "1.5"), (-0.1, "-0.1")])
def test_scores_that_are_no_share_are_refused_by_name(value, said):
    with pytest.raises(DataError, match=rf"segment 1 \(dog\).* {said}"):
        scores(bars((0, 1), (1, 2), classes=[0, 1], scores=np.array([1.0, value])), bars((0, 1)))


def test_classes_alone_are_refused():
    sky = Segmentation.from_class_map(np.zeros((1, WIDTH), np.uint8), CAT)
    with pytest.raises(DataError, match="do not tell objects apart"):
        average_precision.count(sky, bars((0, 1)))


def test_counts_of_other_classes_do_not_add():
    with pytest.raises(DataError, match="do not add"):
        average_precision.count(bars((0, 1)), bars((0, 1))) + average_precision.Counts(LABELS)
