"""Shapes of labelling tools as run lengths, on grids small enough to draw by hand."""

import math

import numpy as np
import pytest

from pixelwise.core.errors import DataError
from pixelwise.core.runs import decode, encode
from pixelwise.formats.shapes import (
    Bitmap,
    Box,
    Coded,
    Ellipse,
    Polygons,
    Shape,
    Union,
    is_number,
    odd_parity,
    points_of,
    turned,
    union,
)


def drawn(shape: Shape, height: int = 5, width: int = 5) -> list[str]:
    """Draw a shape, a word a row."""
    return ["".join(".#"[pixel] for pixel in row) for row in decode(shape.runs((height, width))).astype(int)]


def square(low: float, high: float) -> np.ndarray:
    return np.array([[low, low], [high, low], [high, high], [low, high]])


def test_a_hole_is_cut_out() -> None:
    assert drawn(Polygons((square(0, 5),), (square(1, 4),))) == ["#####", "#...#", "#...#", "#...#", "#####"]


def test_parts_are_joined() -> None:
    assert drawn(Polygons((square(0, 2), square(3, 5)))) == ["##...", "##...", ".....", "...##", "...##"]


def test_a_part_inside_a_hole_of_another_is_cut_too() -> None:
    assert drawn(Polygons((square(0, 5), square(2, 3)), (square(1, 4),)))[2] == "#...#"


def test_a_box_may_be_drawn_from_any_corner() -> None:
    assert drawn(Box(4, 3, 1, 1)) == drawn(Box(1, 1, 4, 3)) == [".....", ".###.", ".###.", ".....", "....."]


def test_a_quarter_turn_swaps_the_sides_of_a_box() -> None:
    assert drawn(Box(1, 2, 4, 3, angle=90)) == drawn(Box(2, 1, 3, 4))


def test_a_box_turns_clockwise_about_its_pivot() -> None:
    assert drawn(Box(0, 0, 3, 1, angle=90, pivot=(3.0, 1.0))) == drawn(Box(3, -2, 4, 1))


def test_what_lies_outside_is_cut_off() -> None:
    assert drawn(Box(-3, 3, 2, 9)) == [".....", ".....", ".....", "##...", "##..."]


def test_an_ellipse_has_its_area() -> None:
    assert Ellipse(50, 40, 30, 20).runs((80, 100)).area == pytest.approx(math.pi * 30 * 20, rel=0.01)


def test_an_ellipse_turns_with_its_angle() -> None:
    assert Ellipse(50, 50, 30, 20, angle=90).runs((100, 100)).box == (30, 20, 70, 80)


def test_a_bitmap_is_put_in_its_place_and_cut_off_at_the_border() -> None:
    assert drawn(Bitmap(np.ones((2, 3), bool), left=3, top=-1)) == ["...##", ".....", ".....", ".....", "....."]


def test_a_bitmap_far_outside_is_empty() -> None:
    assert Bitmap(np.ones((2, 2), bool), 10**30, -(10**30)).runs((5, 5)).area == 0


def test_the_parts_of_a_group_are_one_mask() -> None:
    assert drawn(Union((Box(0, 0, 1, 1), Box(4, 4, 5, 5)))) == ["#....", ".....", ".....", ".....", "....#"]


def test_masks_are_placed_and_joined_as_on_a_grid() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        size = (int(rng.integers(1, 8)), int(rng.integers(1, 8)))
        left, top = int(rng.integers(-5, 8)), int(rng.integers(-5, 8))
        small = rng.random((4, 5)) > rng.random()
        whole = np.zeros((24, 24), bool)
        whole[8 + top : 12 + top, 8 + left : 13 + left] = small
        assert Bitmap(small, left, top).runs(size) == encode(whole[8 : 8 + size[0], 8 : 8 + size[1]])
        masks = [rng.random(size) > rng.random() for _ in range(3)]
        assert union([encode(one) for one in masks], size) == encode(np.logical_or.reduce(masks))
        assert odd_parity([encode(one) for one in masks], size) == encode(np.logical_xor.reduce(masks))


def test_no_masks_are_an_empty_one() -> None:
    assert union([], (2, 3)) == odd_parity([], (2, 3)) == encode(np.zeros((2, 3), bool))


def test_run_lengths_of_another_size_are_refused() -> None:
    with pytest.raises(DataError, match=r"size \[2, 3\], but the image is \[5, 5\]"):
        Coded(encode(np.ones((2, 3), bool))).runs((5, 5))


@pytest.mark.parametrize(
    "shape",
    [
        Polygons(()),
        Polygons((square(0, 2)[:2],)),
        Polygons((square(0, 5),), (square(1, 2)[:2],)),
        Polygons((square(0, math.nan),)),
        Polygons((square(0, 1e12),)),
        Box(0, 0, math.inf, 1),
        Box(10**400, 0, 1, 1),
        Box(0, 0, 1, 1, angle=math.nan),
        Box(0, 0, 1, 1, angle=10**400),
        Box(0, 0, 1, 1, angle=30, pivot=(math.nan, 0)),
        Ellipse(1, 1, -1, 1),
        Ellipse(1, 1, 1e300, 1e300),
        Ellipse(1, 1, 1e15, 1),
        Ellipse(10**400, 1, 1, 1),
        Ellipse(math.nan, 1, 1, 1),
    ],
)
def test_shapes_that_make_no_sense_are_an_error_of_ours(shape: Shape) -> None:
    with pytest.raises(DataError):
        shape.runs((5, 5))


@pytest.mark.parametrize(
    "pairs", [None, "ab", {"x": 1}, 3, [1, 2], [[1]], [["1", 2]], [[1, math.nan]], [[True, 1]], [[10**400, 1]], [{}]]
)
def test_what_are_no_points_is_refused(pairs: object) -> None:
    with pytest.raises(DataError):
        points_of(pairs)


def test_points_keep_x_and_y_alone() -> None:
    assert points_of([[1, 2.5], (3, 4, 9)]).tolist() == [[1, 2.5], [3, 4]]
    assert points_of([]).shape == (0, 2)


def test_a_claim_is_no_number() -> None:
    assert [is_number(one) for one in (1, 1.5, True, None, "1", [1])] == [True, True, False, False, False, False]


def test_turning_is_clockwise_as_one_sees_it() -> None:
    assert turned(np.array([[2.0, 1.0]]), 90, (1, 1)).round(9).tolist() == [[1.0, 2.0]]  # y goes down
