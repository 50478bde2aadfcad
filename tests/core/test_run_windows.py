"""Strokes: masks moved, cut, compared and joined without being decoded are what they would be if they were."""

import numpy as np
import pytest

from pixelwise.core.run_windows import Strokes, gathered, shared
from pixelwise.core.runs import decode, encode

SIZES = [(1, 1), (1, 9), (9, 1), (7, 5), (12, 17)]


def some_masks(size, count=6, seed=0):
    """Noise of several densities, an empty mask, a full one, and one whose stretches run on into the next column."""
    rng = np.random.default_rng(seed)
    noise = rng.random((count, *size)) < np.linspace(0.1, 0.9, count)[:, None, None]
    return np.concatenate([noise, np.zeros((1, *size), bool), np.ones((1, *size), bool)])


def strokes_of(masks):
    return Strokes.of([encode(mask) for mask in masks])


def on_grid(strokes, size):
    return np.stack([decode(one) for one in strokes.union(np.arange(len(strokes)), len(strokes), size)])


@pytest.mark.parametrize("size", SIZES)
def test_masks_come_back_bit_for_bit(size):
    masks = some_masks(size)
    assert strokes_of(masks).union(np.arange(8), 8, size) == tuple(encode(mask) for mask in masks)


@pytest.mark.parametrize("size", SIZES)
def test_masks_are_moved_into_a_larger_grid(size):
    masks = some_masks(size)
    large = np.zeros((8, size[0] + 5, size[1] + 9), bool)
    large[:, 3 : 3 + size[0], 4 : 4 + size[1]] = masks
    assert (on_grid(strokes_of(masks).moved(3, 4), large.shape[1:]) == large).all()


@pytest.mark.parametrize("window", [(0, 0, 17, 12), (3, 2, 9, 10), (16, 11, 17, 12), (5, 0, 5, 12), (-4, -4, 40, 3)])
def test_masks_are_cut_by_a_window(window):
    left, top, right, bottom = window
    masks = some_masks((12, 17))
    wanted = np.zeros_like(masks)
    part = (slice(None), slice(max(top, 0), bottom), slice(max(left, 0), right))
    wanted[part] = masks[part]
    cut = strokes_of(masks).cut(window)
    assert (on_grid(cut, (12, 17)) == wanted).all()
    assert cut.areas().tolist() == wanted.sum(axis=(1, 2)).tolist()


def test_each_mask_can_have_a_window_of_its_own():
    masks = some_masks((12, 17))
    windows = np.array([[index, 2, index + 5, 9] for index in range(8)])
    found = on_grid(strokes_of(masks).cut(windows), (12, 17))
    for index, (left, top, right, bottom) in enumerate(windows):
        wanted = np.zeros((12, 17), bool)
        wanted[top:bottom, left:right] = masks[index, top:bottom, left:right]
        assert (found[index] == wanted).all()


@pytest.mark.parametrize("size", SIZES)
def test_areas_and_boxes_are_those_of_the_masks(size):
    coded = [encode(mask) for mask in some_masks(size)]
    strokes = Strokes.of(coded)
    assert strokes.areas().tolist() == [one.area for one in coded]
    assert strokes.boxes().tolist() == [list(one.box) for one in coded]


def test_masks_of_a_group_are_joined_and_a_group_without_masks_is_empty():
    masks = some_masks((12, 17))
    found = strokes_of(masks).union(np.array([0, 1, 0, 3, 3, 0, 1, 4]), 5, (12, 17))
    wanted = [masks[[0, 2, 5]], masks[[1, 6]], masks[:0], masks[[3, 4]], masks[[7]]]
    assert found == tuple(encode(some.any(axis=0)) for some in wanted)


def test_groups_that_end_and_begin_at_the_grids_corners_stay_apart():
    full = strokes_of(np.ones((2, 3, 4), bool))
    assert [one.area for one in full.union(np.array([0, 1]), 2, (3, 4))] == [12, 12]


@pytest.mark.parametrize("size", SIZES)
def test_shared_pixels_of_all_pairs_are_counted(size):
    first, second = some_masks(size, seed=1), some_masks(size, count=3, seed=2)
    wanted = (first[:, None] & second[None]).sum(axis=(2, 3))
    rows, others, areas = shared(strokes_of(first), strokes_of(second))
    found = np.zeros_like(wanted)
    found[rows, others] = areas
    assert (found == wanted).all()
    assert len(rows) == np.count_nonzero(wanted)


def test_no_masks_share_nothing():
    none = Strokes.of([])
    assert [len(part) for part in shared(none, strokes_of(some_masks((3, 3))))] == [0, 0, 0]
    assert [len(part) for part in shared(none, none)] == [0, 0, 0]
    assert none.boxes().shape == (0, 4)
    assert none.union(np.zeros(0, np.int64), 0, (3, 3)) == ()


def test_lists_of_masks_are_put_together_and_taken_apart():
    masks = some_masks((12, 17))
    strokes = gathered([strokes_of(masks[:3]), Strokes.of([]), strokes_of(masks[3:])])
    assert (on_grid(strokes, (12, 17)) == masks).all()
    rows = np.array([6, 0, 0, 7])
    assert (on_grid(strokes.take(rows), (12, 17)) == masks[rows]).all()
