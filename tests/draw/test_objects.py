"""Pictures of objects: what became of each is seen, by more than its hue."""

import numpy as np
import pytest

from pixelwise.core.errors import SizeMismatch
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import as_overlapping
from pixelwise.core.segmentation import Segmentation
from pixelwise.draw.compare import EXTRA, RIGHT, WRONG
from pixelwise.draw.labels import Plate, lettered
from pixelwise.draw.objects import CONFUSED, SHARED, Outcome, object_differences, object_errors, objects
from pixelwise.draw.scaled import ids_at, masks_at, shown_size
from pixelwise.scenes import scenes

AB = LabelSet.of(["a", "b"])
NONE = np.zeros(0, np.int64)
PAPER = np.full((40, 160, 3), 200, np.uint8)


def boxes(lefts, classes=None, **rows):
    """Objects of 30 x 30 pixels side by side."""
    masks = np.zeros((len(lefts), 40, 160), bool)
    for mask, left in zip(masks, lefts, strict=True):
        mask[5:35, left : left + 30] = True
    return Segmentation.from_masks("instance", masks, classes or [0] * len(lefts), AB, **rows)


def outcome(**rows):
    return Outcome(**{name: np.array(rows.get(name, NONE), np.int64) for name in Outcome._fields})


def has(picture, colour):
    return bool((picture == colour).all(axis=2).any())


def test_each_outcome_has_its_outline_and_nothing_else_has_one():
    truth, told = boxes([0, 40, 80]), boxes([0, 80, 120], [0, 1, 0])
    drawn = object_errors(PAPER, told, truth, outcome(hits=[0], missed=[1], confused=[1], mistaken=[2], invented=[2]), 160)
    for left, colour in ((0, RIGHT), (40, WRONG), (80, CONFUSED), (120, EXTRA)):
        assert tuple(drawn[34, left + 15]) == colour
        assert tuple(drawn[33, left + 15]) == colour
        assert tuple(drawn[30, left + 15]) != colour
    assert not has(object_errors(PAPER, told, truth, outcome(hits=[0]), 160), WRONG)


def test_a_wrong_class_is_striped_and_a_crowd_is_hatched_without_an_outline():
    truth = boxes([0, 80], crowd=np.array([True, False]))
    drawn = object_errors(PAPER, boxes([80], [1]), truth, outcome(confused=[0], mistaken=[1], crowds=[0]), 160)
    striped, crowd = drawn[22:32, 85:105].reshape(-1, 3), drawn[22:32, 5:25].reshape(-1, 3)
    assert np.ptp(striped[:, 0].astype(int)) > 100
    assert np.ptp(crowd[:, 0].astype(int)) > 40
    assert len(np.unique(drawn[34, :30], axis=0)) > 1


def test_an_object_found_once_more_does_not_hide_the_hit_under_it():
    once = object_errors(PAPER, boxes([0, 0]), boxes([0]), outcome(hits=[0]), 160)
    twice = object_errors(PAPER, boxes([0, 0]), boxes([0]), outcome(hits=[0], invented=[1]), 160)
    assert (once[25, 10] == twice[25, 10]).all()


def test_few_objects_have_their_scores_written_and_many_do_not():
    few = object_errors(PAPER, boxes([0], scores=np.array([0.8])), boxes([0]), outcome(hits=[0]), 160)
    plain = object_errors(PAPER, boxes([0]), boxes([0]), outcome(), 160)
    assert (few[5:20, :30] != plain[5:20, :30]).any()
    many = boxes([0] * 30, scores=np.full(30, 0.8))
    crowded = object_errors(PAPER, many, boxes([0]), outcome(hits=np.arange(30)), 160)
    assert not (crowded == (255, 255, 255)).all(axis=2).any()  # white letters


def test_what_one_prediction_alone_finds_stands_out():
    found = np.array([True, True, False, False]), np.array([True, False, True, False])
    drawn = object_differences(PAPER, boxes([0, 40, 80, 120]), found, NONE, 160)
    assert [tuple(drawn[34, left + 15]) for left in (0, 40, 80, 120)] == [SHARED, WRONG, RIGHT, CONFUSED]


@pytest.mark.parametrize("kind", ["instance", "panoptic"])
def test_objects_are_drawn_at_the_size_they_are_shown_at(kind):
    sample = scenes(1, (48, 64), kind)[0]
    drawn = objects(sample.image, sample.truth, 480)
    assert drawn.shape == (360, 480, 3)
    assert drawn.dtype == np.uint8


def test_an_object_of_one_pixel_is_seen_however_small_the_picture():
    mask = np.zeros((1, 1000, 1000), bool)
    mask[0, 500, 500] = True
    for kind in ("instance", "panoptic"):
        one = Segmentation.from_masks(kind, mask, [0], AB)
        assert masks_at(one.masks, np.array([0]), (100, 100))[0].sum() == 1
        assert masks_at(one.masks, np.array([0]), (100, 100))[0][50, 50]


@pytest.mark.parametrize("size", [(48, 64), (36, 48), (96, 128), (480, 640), (7, 9)])
def test_run_lengths_and_id_maps_give_the_same_masks_at_every_size(size):
    truth = scenes(1, (48, 64), "panoptic", seed=5)[0].truth
    rows = np.arange(len(truth))
    dense, sparse = (masks_at(masks, rows, size) for masks in (truth.masks, as_overlapping(truth.masks)))
    assert all((one == other).all() for one, other in zip(dense, sparse, strict=True))
    if size == (48, 64):
        assert all((one == truth.masks.mask(row)).all() for row, one in enumerate(sparse))


def test_an_empty_image_of_objects_is_drawn():
    nothing = Segmentation.from_masks("instance", np.zeros((0, 40, 160), bool), [], AB)
    assert (objects(PAPER, nothing, 160) == 200).all()
    assert object_errors(PAPER, nothing, nothing, outcome(), 160).shape == (40, 160, 3)


def test_sizes_that_differ_are_refused():
    with pytest.raises(SizeMismatch):
        object_errors(PAPER[:, :80], boxes([0]), boxes([0]), outcome())
    with pytest.raises(SizeMismatch):
        objects(PAPER[:, :80], boxes([0]))


def test_a_plate_that_would_hide_another_is_left_out_and_none_leaves_the_picture():
    one = lettered(PAPER, [Plate("first", 10, 10, RIGHT)])
    both = lettered(PAPER, [Plate("first", 10, 10, RIGHT), Plate("second", 14, 12, WRONG)])
    assert (one == both).all()
    cornered = lettered(PAPER, [Plate("in the corner", 158, 39, RIGHT)])
    assert has(cornered, RIGHT)
    assert lettered(np.zeros((3, 3, 3), np.uint8), [Plate("too large", 0, 0, RIGHT)]).shape == (3, 3, 3)


def test_ids_are_taken_from_the_middle_of_each_place():
    assert ids_at(np.array([[1, 2, 3, 4, 5, 6]]), (1, 2)).tolist() == [[2, 5]]
    assert ids_at(np.array([[1, 2]]), (2, 4)).tolist() == [[1, 1, 2, 2], [1, 1, 2, 2]]


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (0, 0)])
def test_a_size_of_any_shape_has_a_size_to_be_shown_at(size):
    height, width = shown_size(size, 480)
    assert 1 <= height <= 480
    assert 1 <= width <= 480
