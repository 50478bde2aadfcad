"""Run lengths: lossless, canonical, and equal to pycocotools."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco

from pixelwise.core import runs
from pixelwise.core.arrays import BoolArray
from pixelwise.core.errors import DataError
from pixelwise.core.runs import Runs

masks = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=12))
filled = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))

HOLE = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool)
PARTS = np.array([[1, 0, 1], [0, 0, 0], [1, 0, 1]], bool)
DOT = np.array([[0, 0, 0], [0, 0, 1], [0, 0, 0]], bool)


@pytest.mark.parametrize("mask", [HOLE, PARTS, DOT, ~DOT, np.zeros((3, 3), bool), np.ones((1, 1), bool)])
def test_holes_parts_and_single_pixels_survive(mask: BoolArray) -> None:
    assert (runs.decode(runs.encode(mask)) == mask).all()


@given(masks)
def test_any_mask_survives_bit_for_bit(mask: BoolArray) -> None:
    back = runs.decode(runs.encode(mask))
    assert back.dtype == bool
    assert back.flags.c_contiguous
    assert back.shape == mask.shape
    assert (back == mask).all()


@given(filled)
def test_uncompressed_counts_equal_pycocotools_both_ways(mask: BoolArray) -> None:
    counts = runs.encode_counts(mask)
    theirs = coco.frPyObjects({"size": list(mask.shape), "counts": counts}, *mask.shape)
    assert (coco.decode(theirs).astype(bool) == mask).all()
    assert runs.from_counts(counts, mask.shape) == runs.encode(mask)
    assert runs.encode(mask).counts == coco.encode(np.asfortranarray(mask, np.uint8))["counts"]


def test_counts_go_down_columns_and_start_with_zeros() -> None:
    assert runs.encode_counts(np.array([[0, 1], [1, 1]], bool)) == [1, 3]
    assert runs.encode_counts(np.array([[1, 0], [1, 0]], bool)) == [0, 2, 2]
    assert runs.encode_counts(np.zeros((2, 2), bool)) == [4]


@pytest.mark.parametrize("counts", [[2, 0, 4], [0, 0, 6], [6, 0], [1, 0, 2, 0, 3], [0, 0, 0, 0, 6]])
def test_counts_with_empty_runs_are_the_same_mask_as_those_without(counts: list[int]) -> None:
    assert runs.from_counts(counts, (2, 3)) == runs.encode(np.zeros((2, 3), bool))


@given(st.lists(st.integers(0, 4), min_size=1, max_size=12))
def test_any_counts_become_the_run_lengths_of_the_mask_they_spell(counts: list[int]) -> None:
    total = sum(counts)
    spelt = np.repeat(np.arange(len(counts)) % 2 == 1, counts)[:, None]
    assert runs.from_counts(counts, (total, 1)) == runs.encode(spelt)


@pytest.mark.parametrize(
    ("counts", "size"), [([1, 2], (2, 2)), ([5], (2, 2)), ([-1, 5], (2, 2)), ([], (1, 1)), ([6], (-2, -3))]
)
def test_counts_that_do_not_fit_are_refused(counts: list[int], size: tuple[int, int]) -> None:
    with pytest.raises(DataError, match="add up to"):
        runs.from_counts(counts, size)


def test_counts_beyond_32_bits_are_refused() -> None:
    with pytest.raises(DataError, match="at most 4,294,967,295 pixels"):
        runs.from_counts([10**18], (10**9, 10**9))


def test_counts_of_nothing_fit_a_grid_of_nothing() -> None:
    assert runs.from_counts([], (0, 3)) == Runs((0, 3), b"")
    assert runs.decode(Runs((0, 3), b"")).shape == (0, 3)


@given(filled)
def test_area_and_box_are_those_of_the_mask(mask: BoolArray) -> None:
    coded = runs.encode(mask)
    assert coded.area == mask.sum()
    rows, columns = np.nonzero(mask)
    box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) if len(rows) else (0, 0, 0, 0)
    assert coded.box == box


def test_run_lengths_that_lie_about_their_size_are_refused() -> None:
    with pytest.raises(ValueError, match="Invalid RLE"):
        runs.decode(Runs((3, 3), runs.encode(np.ones((5, 5), bool)).counts))


def test_iou_of_a_worked_case() -> None:
    left, both = np.array([[1, 0]], bool), np.array([[1, 1]], bool)
    coded = [runs.encode(mask) for mask in (left, both, np.zeros((1, 2), bool))]
    table = runs.intersection_over_union(coded, coded)
    assert table.tolist() == [[1.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 0.0]]
    assert runs.intersection_over_union(coded, []).shape == (3, 0)


def test_more_masks_than_a_byte_can_count_are_measured() -> None:
    one, whole = runs.encode(np.eye(3, dtype=bool)), runs.encode(np.ones((3, 3), bool))
    assert runs.areas([one] * 299 + [whole]).tolist() == [3] * 299 + [9]


def test_areas_of_none_are_an_empty_array() -> None:
    assert runs.areas([]).tolist() == []
    assert runs.areas([runs.encode(HOLE), runs.encode(DOT)]).tolist() == [8, 1]


def test_a_text_with_needless_characters_is_encoded_anew():
    mask = np.zeros((40, 40), bool)
    mask[3:9, 4:30] = True
    coded = runs.encode(mask)
    ends = np.flatnonzero(np.frombuffer(coded.counts, np.uint8) - 48 < 32)
    last = bytearray(coded.counts)
    last[ends[-1]] += 32  # the number goes on, with a character that adds nothing
    again = runs.from_text(bytes(last) + b"0", (40, 40))
    assert again == coded
    assert again.counts == coded.counts
