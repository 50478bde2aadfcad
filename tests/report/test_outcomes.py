"""What became of each object is what the scores count."""

from dataclasses import replace

import numpy as np
import pytest
from noisy import noisy

from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics import objects, panoptic_quality
from pixelwise.report.outcomes import is_found, outcome, words
from pixelwise.scenes import scenes

AB = LabelSet.of(["a", "b"], things=["a", "b"])


def row(*spans, kind="instance", classes=None, **rows):
    """Objects in one row of ten pixels, each from one place to before another."""
    masks = np.zeros((len(spans), 1, 10), bool)
    for mask, (first, last) in zip(masks, spans, strict=True):
        mask[0, first:last] = True
    return Segmentation.from_masks(kind, masks, classes or [0] * len(spans), AB, **rows)


def lists(found):
    return {name: value.tolist() for name, value in found._asdict().items() if len(value)}


@pytest.mark.parametrize("kind", ["instance", "panoptic"])
def test_a_hit_a_miss_an_invention_and_a_wrong_class(kind):
    truth = row((0, 3), (3, 6), (6, 8), kind=kind)
    told = row((0, 3), (3, 6), (8, 10), kind=kind, classes=[0, 1, 0])
    void_is_told = kind == "panoptic"  # the last two pixels have no truth there, so what is told of them does not count
    expected = {"hits": [0], "confused": [1], "mistaken": [1], "missed": [2]}
    assert lists(outcome(told, truth)) == expected | ({} if void_is_told else {"invented": [2]})


def test_an_object_found_once_more_is_an_invention():
    assert lists(outcome(row((0, 4), (0, 4)), row((0, 4)))) in ({"hits": [0], "invented": [1]}, {"hits": [1], "invented": [0]})


def test_half_an_iou_is_no_hit():
    assert lists(outcome(row((0, 4)), row((0, 2)))) == {"invented": [0], "missed": [0]}


def test_objects_of_a_low_score_and_of_unknown_classes_are_in_no_list():
    truth = row((0, 3))
    assert lists(outcome(row((0, 3), scores=np.array([0.4])), truth)) == {"missed": [0]}
    strange = replace(row((0, 3)), labels=LabelSet.of(["x", "y"]))
    assert lists(outcome(strange, truth)) == {"missed": [0]}


@pytest.mark.parametrize("kind", ["instance", "panoptic"])
def test_what_lies_in_a_crowd_is_neither_a_hit_nor_an_invention(kind):
    truth = row((0, 6), (6, 10), kind=kind, crowd=np.array([True, False]))
    assert lists(outcome(row((0, 3), (6, 10), kind=kind), truth)) == {"hits": [1], "crowds": [0]}


def test_true_objects_are_found_or_not():
    truth = row((0, 3), (3, 6), (6, 8), (8, 10), crowd=np.array([False, False, False, True]))
    told = row((0, 3), (3, 6), classes=[0, 1])
    assert is_found(outcome(told, truth), truth).tolist() == [True, False, False, False]


@pytest.mark.parametrize("seed", range(6))
def test_hits_misses_and_inventions_are_as_many_as_the_scores_count(seed):
    sample = scenes(1, (96, 128), "instance", seed=seed)[0]
    told = noisy(sample.truth, np.random.default_rng(seed))
    found, counted = outcome(told, sample.truth), objects.details(objects.count(told, sample.truth), ["x"])
    first = counted["objects_by_iou"][0]
    assert len(found.hits) == first["hits"]
    assert len(found.missed) + len(found.mistaken) == first["misses"]
    assert len(found.invented) + len(found.confused) == first["inventions"]


@pytest.mark.parametrize("seed", range(6))
def test_segments_are_as_many_as_panoptic_quality_counts(seed):
    sample = scenes(1, (96, 128), "panoptic", seed=seed)[0]
    told = noisy(sample.truth, np.random.default_rng(seed))
    found, counted = outcome(told, sample.truth), panoptic_quality.details(panoptic_quality.count(told, sample.truth), ["x"])
    whole = counted["panoptic_groups"][0]
    assert len(found.hits) == whole["tp"]
    assert len(found.missed) + len(found.mistaken) == whole["fn"]
    assert len(found.invented) + len(found.confused) == whole["fp"]


def test_truth_against_itself_is_all_hits():
    for kind in ("instance", "panoptic"):
        truth = scenes(1, (48, 64), kind)[0].truth
        assert set(lists(outcome(truth, truth))) == {"hits"}


def test_an_image_without_objects_says_so():
    nothing = row()
    assert words(outcome(nothing, nothing)) == "nothing to find, nothing told"
