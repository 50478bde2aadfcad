"""Recall by size of the truth's segments: by hand, with segments that touch, overlap no class, or are void."""

import math

import numpy as np
import pytest

from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics import sizes

LABELS = LabelSet.of(["ground", "thing"])
VOID = 255


def seg(classes, labels=LABELS):
    return Segmentation.from_class_map(np.asarray(classes, np.uint8), labels)


def scene():
    """Ground of 128 x 128 with things of 10 x 10, 40 x 40 and a diagonal pair of pixels."""
    truth = np.zeros((128, 128), np.uint8)
    truth[10:20, 10:20] = 1
    truth[40:80, 40:80] = 1
    truth[100, 100] = truth[101, 101] = 1
    return truth


def test_recall_of_each_size_by_hand():
    prediction = scene()
    prediction[10:20, 10:13] = 0  # 30 of the 100 pixels of the small one
    prediction[40:80, 40:60] = 0  # half of the medium one
    found = sizes.score(sizes.count(seg(prediction), seg(scene())))
    assert found["recall_small"] == pytest.approx((70 + 2) / 102)
    assert found["recall_medium"] == pytest.approx(0.5)
    assert found["recall_large"] == 1


def test_bins_say_how_many_segments_there_are_and_are_found():
    prediction = scene()
    prediction[10:20, 10:16] = 0  # less than half is left
    bins = sizes.details(sizes.count(seg(prediction), seg(scene())), ["one"])["by_size"]
    shown = {one["from"]: (one["segments"], one["found"], one["recall"]) for one in bins if one["segments"]}
    assert shown == {1: (1, 1, 1), 64: (1, 0, 0.4), 1024: (1, 1, 1), 9216: (1, 1, 1)}  # the diagonal pair is one segment
    assert (bins[0]["below"], bins[-1]["below"]) == (16, None)
    assert bins[1]["recall"] is None


def test_void_is_no_segment_and_sizes_without_segments_are_undefined():
    found = sizes.score(sizes.count(seg([[0, 0, 0]]), seg([[0, VOID, 1]])))
    assert found["recall_small"] == 0.5
    assert math.isnan(found["recall_medium"])
    assert math.isnan(found["recall_large"])


def test_classes_are_joined_by_name():
    other = LabelSet.of(["thing", "ground", "strange"])
    assert sizes.score(sizes.count(seg([[1, 1, 0, 2]], other), seg([[0, 0, 1, 1]])))["recall_small"] == 0.75


def test_objects_of_a_class_that_touch_are_one_segment_and_crowds_none():
    labels = LabelSet.of(["ground", "thing"], things=["thing"])
    ids = DisjointMasks(np.array([[1, 2, 2, 3]], np.uint8), 3)
    truth = Segmentation("panoptic", ids, [1, 1, 0], labels, crowd=np.array([False, False, True]))
    bins = sizes.details(sizes.count(seg([[1, 1, 1, 0]], labels), truth), ["one"])["by_size"]
    assert (bins[0]["segments"], bins[0]["pixels"], bins[0]["recall"]) == (1, 3, 1)
