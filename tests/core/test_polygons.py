"""Polygons in: pycocotools' rule, bit for bit. Polygons out: parts and holes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from pixelwise.core.arrays import AnyArray
from pixelwise.core.errors import DataError
from pixelwise.core.polygons import fill, keyholes, outlines

corner = st.tuples(st.floats(-5, 25, width=32), st.floats(-5, 25, width=32))
polygon = st.lists(corner, min_size=3, max_size=8).map(np.array)


@given(st.lists(polygon, min_size=1, max_size=3))
def test_filling_equals_pycocotools(parts: list[AnyArray]) -> None:
    coded = coco.merge(coco.frPyObjects([part.ravel().tolist() for part in parts], 20, 15))
    assert (fill(parts, (20, 15)) == coco.decode(coded).astype(bool)).all()


def test_no_polygons_and_no_grid_are_an_empty_mask() -> None:
    assert not fill([], (2, 3)).any()
    assert fill([np.array([[0, 0], [2, 0], [2, 2]])], (0, 3)).shape == (0, 3)


@pytest.mark.parametrize(
    "part",
    [
        np.array([[0, 0], [1, 1]]),
        np.array([[0, 0], [1, np.nan], [2, 2]]),
        np.array([[0, 0], [1, np.inf], [2, 2]]),
        np.array([[0, 0, 1], [1, 1, 1], [2, 0, 1]]),
        np.array([0, 0, 1, 1, 2, 0]),
        np.array([[0, 0], [1e9, 0], [0, 1e9]]),
    ],
)
def test_what_is_no_polygon_of_this_grid_is_refused(part: AnyArray) -> None:
    with pytest.raises(DataError, match="polygon"):
        fill([part], (10, 10))


def test_outlines_have_parts_and_their_holes() -> None:
    mask = np.zeros((7, 12), bool)
    mask[0:5, 0:5] = True
    mask[2, 2] = False
    mask[1:6, 7:11] = True
    found = sorted(outlines(mask), key=lambda part: part[0][:, 0].min())
    assert len(found) == 2
    (left, left_holes), (right, right_holes) = found
    assert {tuple(point) for point in left} == {(0, 0), (0, 4), (4, 4), (4, 0)}
    assert {tuple(point) for point in right} == {(7, 1), (7, 5), (10, 5), (10, 1)}
    assert len(left_holes) == 1
    assert {tuple(point) for point in left_holes[0]} == {(1, 2), (2, 1), (3, 2), (2, 3)}
    assert right_holes == []


def test_an_empty_mask_has_no_outlines() -> None:
    assert outlines(np.zeros((3, 3), bool)) == []


@given(st.integers(0, 2**32), st.integers(1, 12), st.integers(1, 12), st.sampled_from([0.2, 0.5, 0.8]))
def test_paths_with_bridges_to_holes_give_any_mask_back(seed: int, height: int, width: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < share
    assert (fill(keyholes(mask), (height, width)) == mask).all()


def test_each_part_is_one_path_whatever_its_holes() -> None:
    mask = np.ones((5, 11), bool)
    mask[1:4:2, 1:4:2] = mask[2, 7:9] = mask[:, 5] = False  # two parts, with four holes and with one
    assert [path.min(axis=0).tolist() for path in keyholes(mask)] == [[0, 0], [6, 0]]
