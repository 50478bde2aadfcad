"""Where pixels go: cases written out by hand."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pixelwise.augment import geometry
from pixelwise.core.arrays import AnyArray, IntArray
from pixelwise.core.masks import DisjointMasks, OverlappingMasks, as_overlapping

IDS = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
images = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9))


def warp(matrix: AnyArray, size: tuple[int, int], ids: IntArray = IDS) -> Any:
    return geometry.warp_ids(ids, matrix, size).tolist()


def test_a_flip_mirrors() -> None:
    assert warp(geometry.flip(3), (2, 3)) == [[3, 2, 1], [6, 5, 4]]
    assert warp(geometry.flip_vertically(2), (2, 3)) == [[4, 5, 6], [1, 2, 3]]


@given(images)
def test_a_flip_twice_changes_nothing(ids: IntArray) -> None:
    height, width = ids.shape
    for once in (geometry.flip(width), geometry.flip_vertically(height)):
        assert warp(once @ once, (height, width), ids) == ids.tolist()
        assert warp(once, (height, width), np.array(warp(once, (height, width), ids), np.uint8)) == ids.tolist()


def test_doubling_makes_each_pixel_two_by_two() -> None:
    assert warp(geometry.scale(2, 2), (4, 6)) == np.kron(IDS, np.ones((2, 2), int)).tolist()
    assert warp(geometry.scale(1, 3), (2, 9)) == np.kron(IDS, np.ones((1, 3), int)).tolist()


def test_a_third_keeps_the_middle_of_each_block() -> None:
    assert warp(geometry.scale(1 / 3, 1 / 3), (2, 3), np.kron(IDS, np.ones((3, 3), np.uint8))) == IDS.tolist()


def test_a_crop_and_a_pad_are_a_shift_and_outside_is_no_id() -> None:
    assert warp(geometry.shift(-1, 0), (2, 2)) == [[2, 3], [5, 6]]
    assert warp(geometry.shift(1, 1), (4, 5)) == [[0, 0, 0, 0, 0], [0, 1, 2, 3, 0], [0, 4, 5, 6, 0], [0, 0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [
        (90, [[3, 6, 9], [2, 5, 8], [1, 4, 7]]),  # counter-clockwise
        (180, [[9, 8, 7], [6, 5, 4], [3, 2, 1]]),
        (-90, [[7, 4, 1], [8, 5, 2], [9, 6, 3]]),
    ],
)
def test_a_turn_is_counter_clockwise_about_the_centre(degrees: float, expected: list[list[int]]) -> None:
    square = np.arange(1, 10, dtype=np.uint8).reshape(3, 3)
    assert warp(geometry.affine((3, 3), degrees, 0), (3, 3), square) == expected


def test_a_shear_moves_rows_sideways_and_keeps_the_middle_one() -> None:
    column = np.zeros((3, 5), np.uint8)
    column[:, 2] = 1
    assert warp(geometry.affine((3, 5), 0, 45), (3, 5), column) == [[0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0]]


@given(
    ids=hnp.arrays(
        st.sampled_from([np.uint8, np.uint16, np.int32, np.uint32, np.int64]),
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9),
        elements=st.integers(0, 120),
    ),
    degrees=st.floats(-180, 180),
    factor=st.floats(0.3, 3),
)
def test_ids_are_never_invented(ids: IntArray, degrees: float, factor: float) -> None:
    matrix = geometry.scale(factor, factor) @ geometry.affine(ids.shape, degrees, 20)  # type: ignore[arg-type]
    warped = geometry.warp_ids(ids, matrix, (8, 8))
    assert warped.dtype == ids.dtype
    assert set(np.unique(warped)) <= set(np.unique(ids)) | {0}


def test_large_ids_survive_exactly() -> None:
    ids = np.array([[2**31 - 1, 2**24 + 1]], np.int32)
    assert warp(geometry.flip(2), (1, 2), ids) == [[2**24 + 1, 2**31 - 1]]


@given(hnp.arrays(bool, (3, 6, 7)), st.floats(-40, 40), st.floats(0.5, 2))
def test_overlapping_masks_move_like_disjoint_ones(stack: AnyArray, degrees: float, factor: float) -> None:
    ids = np.where(stack.any(axis=0), stack.argmax(axis=0) + 1, 0).astype(np.uint8)
    disjoint = DisjointMasks(ids, 3)
    matrix = geometry.scale(factor, factor) @ geometry.affine((6, 7), degrees, 5)
    moved = geometry.warp_masks(as_overlapping(disjoint), matrix, (9, 8))
    assert isinstance(moved, OverlappingMasks)
    assert moved == geometry.warp_masks(disjoint, matrix, (9, 8))


def test_no_masks_move_to_no_masks_of_the_new_size() -> None:
    moved = geometry.warp_masks(OverlappingMasks((), (3, 3)), geometry.IDENTITY, (5, 7))
    assert (len(moved), moved.size) == (0, (5, 7))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("bands", [1, 2, 3, 4, 5, 9])
def test_an_image_of_any_depth_and_bands_moves_with_its_fill(dtype: type[np.generic], bands: int) -> None:
    pixels = (np.arange(2 * 3 * bands).reshape(2, 3, bands) + 10).astype(dtype)
    fill = np.arange(bands, dtype=np.float64)
    moved = geometry.warp_image(pixels, geometry.shift(1, 0) @ geometry.flip(3), (2, 5), fill)
    assert (moved.dtype, moved.shape) == (dtype, (2, 5, bands))
    assert moved[:, 1:4].tolist() == pixels[:, ::-1].tolist()
    assert moved[0, 0].tolist() == moved[1, 4].tolist() == fill.tolist()


def test_doubling_an_image_blends_neighbours_at_pixel_centres() -> None:
    row = np.array([[[0], [80]]], np.uint8)
    assert geometry.warp_image(row, geometry.scale(1, 2), (1, 4), np.zeros(1))[0, 1:3, 0].tolist() == [20, 60]


def test_an_image_much_reduced_is_averaged_so_that_thin_lines_do_not_flicker() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::4] = 200
    for move in range(4):
        matrix = geometry.scale(0.25, 0.25) @ geometry.shift(move, 0)
        small = geometry.warp_image(stripes, matrix, (16, 16), np.full(3, 50.0))
        assert np.abs(small[2:14, 2:14].astype(int) - 50).max() <= 1


def test_what_is_reduced_stays_where_it_was() -> None:
    pixels = np.zeros((64, 64, 1), np.uint8)
    pixels[16:24, 40:48] = 255
    small = geometry.warp_image(pixels, geometry.scale(0.25, 0.25), (16, 16), np.zeros(1))[:, :, 0]
    expected = np.zeros((16, 16), int)
    expected[4:6, 10:12] = 255
    assert small.tolist() == expected.tolist()


def test_quarter_turns_are_exact_and_change_height_and_width() -> None:
    for count in range(4):
        matrix, size = geometry.quarter_turns((2, 3), count)
        assert warp(matrix, size) == np.rot90(IDS, count).tolist()


def test_a_perspective_moves_the_corners_where_it_was_told() -> None:
    moves = np.array([[0.1, 0.05], [-0.1, 0.0], [0.0, -0.2], [0.05, 0.1]])
    matrix = geometry.perspective((10, 20), moves)
    for corner, move in zip([(-0.5, -0.5), (19.5, -0.5), (19.5, 9.5), (-0.5, 9.5)], moves, strict=True):
        assert geometry.moved(matrix, *corner) == pytest.approx((corner[0] + 20 * move[0], corner[1] + 10 * move[1]), abs=1e-4)
    assert not geometry.is_affine(matrix)
    assert geometry.is_affine(geometry.affine((10, 20), 30, 10))


def test_growth_is_that_of_a_small_square_in_the_middle() -> None:
    for matrix in (geometry.scale(0.5, 2), geometry.perspective((40, 60), np.array([[0.2, 0.1], [0, 0], [0, 0], [-0.1, 0.1]]))):
        x, y = geometry.moved(np.linalg.inv(matrix), 29.5, 19.5)
        steps = [np.subtract(geometry.moved(matrix, x + dx, y + dy), (29.5, 19.5)) * 1e4 for dx, dy in ((1e-4, 0), (0, 1e-4))]
        area = abs(steps[0][0] * steps[1][1] - steps[0][1] * steps[1][0])
        assert geometry.shrink_of(matrix, (40, 60)) == pytest.approx(np.sqrt(area), rel=1e-3)


@pytest.mark.parametrize("smooth", [False, True])
def test_a_field_without_moves_changes_nothing_and_an_even_one_shifts(smooth: bool) -> None:
    still = geometry.Field(np.zeros((3, 4, 2)), smooth)
    assert geometry.warp_ids(IDS, geometry.IDENTITY, (2, 3), field=still).tolist() == IDS.tolist()
    even = geometry.Field(np.full((3, 4, 2), 1.0) * [1, 0], smooth)  # looks one cell, here one pixel, to the right
    assert geometry.warp_ids(IDS, geometry.IDENTITY, (2, 3), field=even).tolist() == [[2, 3, 0], [5, 6, 0]]


def test_a_linear_field_goes_through_its_knots() -> None:
    knots = np.random.default_rng(0).uniform(-0.2, 0.2, (4, 5, 2))
    moves = geometry.Field(knots, smooth=False).moves((301, 401))  # a knot lies half a pixel from a pixel's centre
    assert moves[0][100, 200] == pytest.approx(knots[1, 2, 0] * 401 / 4, abs=0.3)
    assert moves[1][200, 300] == pytest.approx(knots[2, 3, 1] * 301 / 3, abs=0.3)


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_the_strongest_field_does_not_fold(smooth: bool, seed: int) -> None:
    knots = np.random.default_rng(seed).choice([-geometry.FOLD, geometry.FOLD], (5, 6, 2))
    x, y = geometry.lookup(geometry.IDENTITY, geometry.Field(knots, smooth), (160, 200))
    area = np.gradient(x, axis=1) * np.gradient(y, axis=0) - np.gradient(x, axis=0) * np.gradient(y, axis=1)
    assert area.min() > -1e-3


@pytest.mark.parametrize(
    "matrix", [geometry.affine((30, 40), 20, 5), geometry.perspective((30, 40), np.full((4, 2), 0.1) * [[1], [0], [-1], [0]])]
)
def test_the_map_of_a_still_field_is_the_matrix(matrix: AnyArray) -> None:
    x, y = geometry.lookup(matrix, geometry.Field(np.zeros((2, 2, 2)), True), (30, 40))
    for row, column in ((0, 0), (13, 27), (29, 39)):
        assert geometry.moved(matrix, float(x[row, column]), float(y[row, column])) == pytest.approx((column, row), abs=1e-3)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.int64])
def test_ids_survive_fields_and_perspectives(dtype: type[np.generic]) -> None:
    ids = np.kron(np.array([[1, 0], [120, 7]]), np.ones((9, 9))).astype(dtype)
    field = geometry.Field(np.random.default_rng(0).uniform(-0.25, 0.25, (4, 4, 2)), True)
    perspective = geometry.perspective((18, 18), np.array([[0.1, 0.1], [0, 0.1], [-0.1, 0], [0, 0]]))
    for warped in (
        geometry.warp_ids(ids, geometry.IDENTITY, (18, 18), field=field),
        geometry.warp_ids(ids, perspective, (18, 18)),
    ):
        assert warped.dtype == dtype
        assert set(np.unique(warped)) == {0, 1, 7, 120}


@pytest.mark.parametrize("bands", [1, 2, 3, 4, 7])
def test_three_channels_are_resampled_like_any_other_number(bands: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, bands), np.uint8)
    matrix, fill = geometry.affine((20, 30), 12, 4), np.arange(bands) * 20.0
    whole = geometry.warp_image(pixels, matrix, (20, 30), fill)
    each = [geometry.warp_image(pixels[:, :, k : k + 1].copy(), matrix, (20, 30), fill[k : k + 1]) for k in range(bands)]
    assert np.abs(whole.astype(int) - np.concatenate(each, axis=2)).max() <= 1


def test_a_panorama_wider_than_opencv_looks_up_in_is_distorted_all_the_same() -> None:
    ids = np.zeros((12, 40_000), np.uint8)
    ids[4, 39_995] = 9
    still = geometry.Field(np.zeros((3, 3, 2)), True)
    matrix = geometry.shift(-39_990, 0)
    assert np.argwhere(geometry.warp_ids(ids, matrix, (12, 12), field=still) == 9).tolist() == [[4, 5]]
    pixels = np.repeat(ids[:, :, None], 3, axis=2)
    assert np.argwhere(geometry.warp_image(pixels, matrix, (12, 12), np.zeros(3), still)[:, :, 0]).tolist() == [[4, 5]]
    assert not geometry.warp_ids(ids, geometry.shift(0, 50), (12, 12), field=still).any()  # all from outside
