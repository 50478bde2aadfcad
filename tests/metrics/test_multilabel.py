"""Scores of classes that may share pixels, worked out by hand."""

import math

import numpy as np
import pytest

from pixelwise.core.errors import DataError
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.multilabel import count, per_class, score

LABELS = LabelSet.of(["water", "boat", "fog"])


def multilabel(masks, class_ids, labels=LABELS, **rows):
    return Segmentation.from_masks("multilabel", np.array(masks, bool), class_ids, labels, **rows)


TRUTH = multilabel([[[1, 1, 1, 0]], [[0, 1, 1, 0]]], [0, 1])


def test_each_class_is_scored_by_itself():
    prediction = multilabel([[[1, 1, 0, 1]], [[0, 1, 1, 0]]], [0, 1])
    counts = count(prediction, TRUTH)
    rows = per_class(counts)
    assert rows["water"] == pytest.approx({"iou": 2 / 4, "dice": 4 / 6, "precision": 2 / 3, "recall": 2 / 3, "pixels": 3})
    assert rows["boat"]["iou"] == 1
    assert math.isnan(rows["fog"]["iou"])
    found = score(counts)
    assert found["multilabel_miou"] == pytest.approx((0.5 + 1) / 2)
    assert found["exact_match"] == 2 / 4


def test_a_class_in_one_of_the_two_alone_has_nothing():
    prediction = multilabel([[[1, 1, 1, 0]], [[1, 0, 0, 0]]], [0, 2])
    found = per_class(count(prediction, TRUTH))
    assert (found["boat"]["iou"], found["fog"]["iou"], found["water"]["iou"]) == (0, 0, 1)


def test_a_crowd_does_not_count_for_its_class_alone():
    truth = multilabel([[[1, 1, 1, 0]], [[0, 1, 1, 0]]], [0, 1], crowd=np.array([False, True]))
    prediction = multilabel([[[1, 1, 1, 0]], [[0, 0, 1, 1]]], [0, 1])
    counts = count(prediction, truth)
    assert counts.sums[:, 1].tolist() == [0, 0, 1]
    assert per_class(counts)["water"]["iou"] == 1


def test_classes_are_joined_by_name():
    turned = LabelSet.of(["boat", "water", "sky"])
    prediction = multilabel([[[1, 1, 1, 0]], [[0, 1, 1, 0]], [[1, 1, 1, 1]]], [1, 0, 2], turned)
    assert score(count(prediction, TRUTH))["multilabel_miou"] == 1


def test_other_kinds_are_refused():
    semantic = Segmentation.from_class_map(np.zeros((1, 4), np.uint8), LABELS)
    with pytest.raises(DataError, match="this prediction is of kind 'semantic'"):
        count(semantic, TRUTH)
