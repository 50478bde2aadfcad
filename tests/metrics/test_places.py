"""Overlap by place: the cells of a grid counted by hand, uneven sizes, void, and images smaller than the grid."""

import math

import numpy as np
import pytest

from pixelwise.core.errors import DataError
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics import overlap, places

LABELS = LabelSet.of(["sky", "road"])


def seg(classes):
    return Segmentation.from_class_map(np.array(classes, np.uint8), LABELS)


def test_each_cell_is_scored_by_itself():
    truth, prediction = np.zeros((6, 6), np.uint8), np.zeros((6, 6), np.uint8)
    prediction[2:4, 2:4] = 1  # the whole of the middle cell
    prediction[0, 2] = 1  # one of the four pixels of the upper side
    counts = places.count(seg(prediction), seg(truth))
    found = places.score(counts)
    assert found == {"miou_centre": 0, "miou_sides": pytest.approx(15 / 16 / 2), "miou_corners": 1}
    shown = places.details(counts, ["a"])["by_place"]
    assert shown["pixel_accuracy"] == [[1, 0.75, 1], [1, 0, 1], [1, 1, 1]]
    assert shown["miou"] == [[1, 0.375, 1], [1, 0, 1], [1, 1, 1]]
    assert shown["pixels"] == [[4] * 3] * 3


def test_cells_hold_every_pixel_once_whatever_the_size():
    for size in ((7, 11), (2, 5), (1, 1)):
        shown = places.details(places.count(seg(np.ones(size)), seg(np.zeros(size))), ["a"])["by_place"]
        assert np.sum(shown["pixels"]) == size[0] * size[1]


def test_cells_without_a_labelled_pixel_have_no_score():
    truth = np.full((6, 6), 255)
    truth[2:4, 2:4] = 1
    counts = places.count(seg(np.ones((6, 6))), seg(truth))
    found = places.score(counts)
    assert found["miou_centre"] == 1
    assert math.isnan(found["miou_sides"])
    assert places.details(counts, ["a"])["by_place"]["miou"] == [[None] * 3, [None, 1, None], [None] * 3]


def test_all_cells_together_are_the_overlap_of_the_whole():
    rng = np.random.default_rng(0)
    truth, prediction = (seg(rng.integers(0, 2, (31, 17))) for _ in range(2))
    right, true, predicted = places.count(prediction, truth).rows.totals().reshape(2, 9, 3).sum(axis=1).T
    whole = overlap.score(overlap.count(prediction, truth))
    assert np.mean(right / (true + predicted - right)) == pytest.approx(whole["miou"])


def test_classes_that_may_overlap_are_refused():
    several = Segmentation.from_masks("multilabel", np.ones((1, 3, 3), bool), [0], LABELS)
    with pytest.raises(DataError, match="one class a pixel"):
        places.count(several, several)
