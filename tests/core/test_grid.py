"""Tiles: every pixel is covered, cores partition the image, no tile leaves it."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.core.errors import OptionError
from pixelwise.core.grid import starts, tiles


@st.composite
def layouts(draw: st.DrawFn) -> tuple[tuple[int, int], tuple[int, int], int, int]:
    tile = draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    overlap = draw(st.integers(0, min(tile) - 1))
    stride = draw(st.integers(1, min(tile) - overlap))
    return draw(st.tuples(st.integers(1, 40), st.integers(1, 40))), tile, overlap, stride


@given(layouts())
def test_tiles_cover_every_pixel_and_cores_partition_the_image(
    layout: tuple[tuple[int, int], tuple[int, int], int, int],
) -> None:
    size, shape, overlap, stride = layout
    covered, owned = np.zeros(size, int), np.zeros(size, int)
    for tile in tiles(size, shape, overlap, stride):
        rows, columns = tile.window
        assert 0 <= rows.start < rows.stop <= size[0]
        assert 0 <= columns.start < columns.stop <= size[1]
        for side, tile_side, length in zip((tile.height, tile.width), shape, size, strict=True):
            assert min(tile_side, length) - stride < side <= min(tile_side, length)
        top, left, bottom, right = tile.core
        assert rows.start <= top <= bottom <= rows.stop
        assert columns.start <= left <= right <= columns.stop
        covered[tile.window] += 1
        owned[top:bottom, left:right] += 1
    assert (covered >= 1).all()
    assert (owned == 1).all()


@given(layouts())
def test_neighbours_share_the_overlap_and_start_at_multiples_of_the_stride(
    layout: tuple[tuple[int, int], tuple[int, int], int, int],
) -> None:
    (length, _), (tile, _), overlap, stride = layout
    places = starts(length, tile, overlap, stride)
    assert all(after - before <= tile - overlap for before, after in pairwise(places))
    assert all(place % stride == 0 for place in places)
    assert places == sorted(set(places))


def test_a_worked_case() -> None:
    found = list(tiles((4, 10), (4, 6), 2))
    assert [(tile.left, tile.core) for tile in found] == [(0, (0, 0, 4, 5)), (4, (0, 5, 4, 10))]


def test_an_image_smaller_than_the_tile_is_one_tile() -> None:
    (only,) = tiles((3, 5), (8, 8), 2)
    assert only.window == (slice(0, 3), slice(0, 5))
    assert only.core == (0, 0, 3, 5)


@pytest.mark.parametrize(
    ("tile", "overlap", "stride"),
    [((8, 8), 8, 1), ((8, 4), 5, 1), ((0, 4), 0, 1), ((8, 8), -1, 1), ((8, 8), 4, 5), ((8, 8), 4, 0)],
)
def test_tiles_that_cannot_be_laid_are_refused_at_the_call(tile: tuple[int, int], overlap: int, stride: int) -> None:
    with pytest.raises(OptionError):
        tiles((20, 20), tile, overlap, stride)  # not iterated
