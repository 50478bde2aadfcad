"""Parsing covering: known answers by hand, equality with a slow oracle, and the rules for void, crowds and absent classes."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from noisy import noisy
from panoptic_oracle import covering, segments_of

from pixelwise.core.errors import DataError, SizeMismatch
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics import parsing_covering
from pixelwise.scenes import scenes

LABELS = LabelSet.of(["sky", "road", "car"], things=["car"])
SKY, ROAD, CAR = range(3)


def seg(ids, classes, labels=LABELS, **rows):
    return Segmentation("panoptic", DisjointMasks(np.array(ids, np.uint8), len(classes)), classes, labels, **rows)


def drawn(rng, size=(9, 11), crowds=True):
    count = int(rng.integers(0, 7))
    ids = np.zeros(size, np.uint8)
    for number in range(1, count + 1):
        (top, left), (down, across) = rng.integers(0, size), rng.integers(1, 8, 2)
        ids[top : top + down, left : left + across] = number
    crowd = rng.random(count) < 0.25 if crowds else None
    return Segmentation("panoptic", DisjointMasks(ids, count), rng.integers(0, len(LABELS), count), LABELS, crowd=crowd)


def near(truth, rng):
    worn = np.where(rng.random(truth.size) < 0.8, np.roll(truth.masks.ids, 1, 1), 0).astype(np.uint8)
    return replace(truth, masks=DisjointMasks(worn, len(truth)), crowd=None)


def scores(prediction, truth):
    return parsing_covering.score(parsing_covering.count(prediction, truth))


def require_equal_to_the_oracle(pairs):
    counts = sum(parsing_covering.count(*pair) for pair in pairs)
    found, by_class = parsing_covering.score(counts), parsing_covering.per_class(counts)
    labels = pairs[0][1].labels
    images = [(segments_of(one, labels.names), segments_of(truth), truth.size) for one, truth in pairs]
    stuff = set(range(len(labels))) - set(labels.things)
    for name, own in (("pc", range(len(labels))), ("pc_things", labels.things), ("pc_stuff", stuff)):
        mean, of_classes = covering(images, own)
        assert found[name] == pytest.approx(mean, rel=0, abs=1e-12, nan_ok=True), name
        for index in own:
            expected = of_classes.get(index, math.nan)
            assert by_class[labels.names[index]]["pc"] == pytest.approx(expected, rel=0, abs=1e-12, nan_ok=True)


def test_covering_by_hand():
    truth = seg([[1, 1, 1, 1], [2, 2, 3, 3]], [SKY, CAR, CAR])
    prediction = seg([[1, 1, 1, 0], [2, 2, 2, 0]], [SKY, CAR])
    found = scores(prediction, truth)
    assert found["pc_stuff"] == 3 / 4
    assert found["pc_things"] == pytest.approx((2 * 2 / 3 + 2 * 1 / 4) / 4)  # both cars are covered by the same segment
    assert found["pc"] == pytest.approx((found["pc_stuff"] + found["pc_things"]) / 2)


def test_void_and_crowd_pixels_do_not_count():
    truth = seg([[1, 1, 2, 2, 0]], [CAR, SKY], crowd=[False, True])
    assert scores(seg([[1, 1, 1, 1, 1]], [CAR]), truth)["pc"] == 1


def test_classes_without_a_segment_in_the_truth_are_left_out():
    truth = seg([[1, 1, 1, 1]], [SKY])
    found = scores(seg([[1, 1, 1, 2]], [SKY, CAR]), truth)
    assert found["pc"] == 3 / 4
    assert math.isnan(found["pc_things"])


def test_classes_are_joined_by_name():
    other = LabelSet.of(["boat", "SKY"])
    assert scores(seg([[1, 1, 2, 2]], [1, 0], other), seg([[1, 1, 2, 2]], [SKY, ROAD]))["pc"] == 0.5


def test_images_without_segments_or_pixels_survive():
    for one in (seg(np.zeros((0, 0)), []), seg([[0, 0]], [])):
        assert all(math.isnan(value) for value in scores(one, one).values())
    assert scores(seg([[0, 0]], []), seg([[1, 1]], [SKY]))["pc"] == 0
    assert math.isnan(scores(seg([[1, 1]], [SKY]), seg([[0, 0]], []))["pc"])


def test_other_sizes_kinds_and_scores_are_refused():
    truth = seg([[1, 1]], [CAR])
    with pytest.raises(SizeMismatch):
        scores(seg([[1]], [CAR]), truth)
    with pytest.raises(DataError, match="kind 'instance'"):
        scores(truth, replace(truth, kind="instance"))
    with pytest.raises(DataError, match="segment 0 is nan"):
        scores(seg([[1, 1]], [CAR], scores=np.array([math.nan])), truth)


def test_covering_equals_the_oracle_on_drawn_maps():
    rng = np.random.default_rng(0)
    truths = [drawn(rng) for _ in range(50)]
    require_equal_to_the_oracle([(drawn(rng, crowds=False) if rng.random() < 0.3 else near(one, rng), one) for one in truths])


def test_covering_equals_the_oracle_on_scenes():
    rng = np.random.default_rng(1)
    require_equal_to_the_oracle([(noisy(each.truth, rng), each.truth) for each in scenes(5, kind="panoptic", seed=4)])


@pytest.mark.shared_data
def test_covering_equals_the_oracle_on_coco(shared_data):
    import pixelwise as pw

    rng = np.random.default_rng(2)
    truths = [sample.truth for sample in pw.read(shared_data / "coco_panoptic" / "val20")]
    require_equal_to_the_oracle([(noisy(one, rng), one) for one in truths[:10]])


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_truth_is_perfect_and_neither_order_nor_numbering_matters(seed):
    rng = np.random.default_rng(seed)
    truths = [drawn(rng) for _ in range(4)]
    perfect = parsing_covering.score(sum(parsing_covering.count(one, one) for one in truths))
    assert all(math.isnan(value) or value == 1 for value in perfect.values())
    pairs = [(near(one, rng), one) for one in truths]
    whole = parsing_covering.score(sum(parsing_covering.count(*pair) for pair in pairs))
    mixed = [parsing_covering.count(*(one[rng.permutation(len(one))] for one in pairs[row])) for row in rng.permutation(4)]
    assert parsing_covering.score(sum(mixed[2:]) + sum(mixed[:2])) == pytest.approx(whole, rel=0, abs=0, nan_ok=True)


def test_resampling_equals_adding_images_as_often_as_they_are_drawn():
    rng = np.random.default_rng(3)
    counts = [parsing_covering.count(near(one, rng), one) for one in (drawn(rng) for _ in range(5))]
    weights = np.array([[1, 1, 1, 1, 1], [2, 0, 2, 0, 1]])
    found = parsing_covering.resampled(sum(counts), weights)
    for row, times in enumerate(weights.tolist()):
        whole = sum(one for one, often in zip(counts, times, strict=True) for _ in range(often))
        for name, value in parsing_covering.score(whole).items():
            assert found.scores[name][row] == pytest.approx(value, rel=0, abs=1e-12, nan_ok=True), name
        for name, values in parsing_covering.per_class(whole).items():
            assert found.per_class[name]["pc"][row] == pytest.approx(values["pc"], rel=0, abs=1e-12, nan_ok=True)
