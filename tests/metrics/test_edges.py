"""Edges of class maps: neighbours of another class, void as a continuation, and distances between two maps' edges."""

import math

import numpy as np

from pixelwise.metrics.edges import CROSS, framed, gaps, square, unlike

NO_VOID = np.zeros((3, 5), bool)


def test_neighbours_in_a_square_are_told_from_those_in_a_cross():
    classes = np.zeros((3, 5), np.uint8)
    classes[0, 0] = 1
    assert unlike(classes, NO_VOID, CROSS).astype(int).tolist() == [[1, 1, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0]]
    assert unlike(classes, NO_VOID, square(1)).astype(int).tolist() == [[1, 1, 0, 0, 0], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]]
    assert unlike(classes, NO_VOID, square(2))[:, :3].all()


def test_void_is_unlike_nothing_and_hides_nothing():
    classes = np.array([[0, 255, 1, 1]], np.uint8)
    is_void = classes == 255
    assert not unlike(classes, is_void, CROSS).any()
    assert unlike(classes, is_void, square(2)).astype(int).tolist() == [[1, 0, 1, 0]]


def test_the_highest_value_is_a_class_of_its_own_where_it_is_not_void():
    classes = np.array([[0, 255, 255]], np.uint8)
    assert unlike(classes, np.zeros((1, 3), bool), CROSS).astype(int).tolist() == [[1, 1, 0]]


def test_a_frame_marks_the_border_of_the_image_but_for_void():
    is_void = NO_VOID.copy()
    is_void[0, 0] = True
    assert framed(NO_VOID, is_void).astype(int).tolist() == [[0, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]]
    assert framed(NO_VOID, NO_VOID, reach=9).all()
    assert not NO_VOID.any()  # nothing is changed in place


def test_gaps_are_euclidean_in_units_and_infinite_without_a_partner():
    told, true = np.array([[0, 1, 0, 0], [0, 0, 0, 0]], np.uint8), np.array([[0, 0, 0, 0], [0, 0, 0, 1]], np.uint8)
    everywhere = np.ones((2, 4), bool)
    found = {one.class_id: one for one in gaps(told, true, (told > 0, true > 0), 2, spacing=(3, 2))}
    assert set(found) == {1}
    assert (found[1].told.tolist(), found[1].true.tolist()) == ([5], [5])
    near = next(gaps(told, true, (told > 0, true > 0), 2, spacing=(3, 2), below=5))
    assert near.told.tolist() == [math.inf]
    alone = next(gaps(told, true, (told > 0, ~everywhere), 2))
    assert (alone.told.tolist(), alone.true.tolist()) == ([math.inf], [])


def test_an_image_without_pixels_has_no_edges():
    empty = np.zeros((0, 4), np.uint8)
    assert unlike(empty, empty > 0, CROSS).shape == (0, 4)
    assert list(gaps(empty, empty, (empty > 0, empty > 0), 3)) == []
