"""Label maps become regions without gaps in their numbers."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pixelwise.core.arrays import IntArray
from pixelwise.methods.partition import as_regions, connected, numbered_from_1, without_specks

MAPS = arrays(np.int64, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=st.integers(-3, 5))


@given(MAPS, st.sampled_from([1, 10**12]))
def test_the_same_number_is_the_same_region_and_no_other(ids: IntArray, spread: int) -> None:
    numbered, count = numbered_from_1(ids * spread)
    assert sorted(np.unique(numbered).tolist()) == list(range(1, count + 1))
    pairs = set(zip(ids.ravel().tolist(), numbered.ravel().tolist(), strict=True))
    assert len(pairs) == count == len(np.unique(ids))
    assert sorted(pairs) == sorted(pairs, key=lambda pair: pair[1])


def test_an_image_without_pixels_has_no_region() -> None:
    assert len(as_regions(np.zeros((0, 5), np.int64))) == 0


def test_connected_parts_touch_by_sides_or_by_corners_too() -> None:
    checks = np.array([[0, 1], [1, 0]])
    assert connected(checks).tolist() == [[1, 2], [3, 4]]
    assert connected(checks, diagonal=True).tolist() == [[1, 2], [2, 1]]


@given(MAPS, st.integers(0, 6))
def test_specks_join_a_neighbour_and_large_regions_keep_their_pixels(ids: IntArray, smallest: int) -> None:
    numbered, count = numbered_from_1(ids)
    areas = np.bincount(numbered.ravel(), minlength=count + 1)
    found = without_specks(ids, smallest)
    large = areas[numbered] >= smallest
    assert (found[large] == numbered[large]).all()
    if large.any():
        assert np.isin(found, numbered[large]).all()


def test_no_number_is_left_out_of_connected_parts() -> None:
    assert connected(np.array([[-1, 0, 0], [0, -1, 2]])).tolist() == [[1, 2, 2], [3, 4, 5]]
    assert connected(np.zeros((0, 3), int)).shape == (0, 3)
