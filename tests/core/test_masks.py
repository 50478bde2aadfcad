"""Two holdings of the same masks, and the way from each to the other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pixelwise.core import runs
from pixelwise.core.arrays import BoolArray, IntArray
from pixelwise.core.errors import DataError
from pixelwise.core.masks import (
    DisjointMasks,
    Masks,
    OverlappingMasks,
    as_disjoint,
    as_overlapping,
    from_dense,
    paint,
    smallest_dtype,
)

id_maps = hnp.arrays(
    st.sampled_from([np.uint8, np.uint16, np.int32, np.int64, np.uint64]),
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=10),
    elements=st.integers(0, 6),
)
stacks = hnp.arrays(bool, hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6))

# a ring with a dot in its hole, an object of two parts, an object of one pixel; mask 4 is empty
IDS = np.array(
    [
        [1, 1, 1, 2],
        [1, 3, 1, 0],
        [1, 1, 1, 2],
    ],
    np.uint8,
)


@given(id_maps)
def test_an_id_map_survives_run_lengths_bit_for_bit(ids: IntArray) -> None:
    before = DisjointMasks(ids, 6)
    after = as_disjoint(as_overlapping(before))
    assert (after.ids == ids).all()
    assert len(after) == 6
    assert after == before


@given(stacks)
def test_dense_masks_survive_either_holding_bit_for_bit(stack: BoolArray) -> None:
    held = from_dense(stack)
    assert isinstance(held, OverlappingMasks) == bool((stack.sum(axis=0) > 1).any())
    assert (held.dense() == stack).all()
    assert (as_overlapping(held).dense() == stack).all()
    assert held == as_overlapping(held)


@given(stacks)
def test_areas_and_boxes_do_not_depend_on_the_holding(stack: BoolArray) -> None:
    alone = np.where(np.arange(len(stack))[:, None, None] == stack.argmax(axis=0), stack, False)
    disjoint = from_dense(alone)
    assert isinstance(disjoint, DisjointMasks)
    overlapping = as_overlapping(disjoint)
    assert disjoint.areas().tolist() == overlapping.areas().tolist() == alone.sum(axis=(1, 2)).tolist()
    assert disjoint.boxes().tolist() == overlapping.boxes().tolist()


def test_a_ring_parts_and_a_dot_written_out() -> None:
    masks = DisjointMasks(IDS, 4)
    assert masks.size == (3, 4)
    assert masks.areas().tolist() == [8, 2, 1, 0]
    assert masks.boxes().tolist() == [[0, 0, 3, 3], [3, 0, 4, 3], [1, 1, 2, 2], [0, 0, 0, 0]]
    assert masks.mask(2).nonzero() == (np.array([1]), np.array([1]))
    assert (masks.mask(-3) == masks.mask(1)).all()
    assert as_disjoint(as_overlapping(masks)).ids.tolist() == IDS.tolist()


@pytest.mark.parametrize("hold", [lambda masks: masks, as_overlapping])
def test_selection_keeps_the_order_asked_for(hold: object) -> None:
    masks: Masks = hold(DisjointMasks(IDS, 4))  # type: ignore[operator]
    chosen = masks.select(np.array([2, 0]))
    assert chosen.areas().tolist() == [1, 8]
    assert masks.select(np.array([-1, -2])).areas().tolist() == [0, 1]
    assert masks.select(np.array([1, 1])).areas().tolist() == [2, 2]
    assert len(masks.select(np.array([], int))) == 0
    with pytest.raises(IndexError):
        masks.select(np.array([4]))


def test_masks_that_share_a_pixel_are_no_id_map() -> None:
    both = from_dense(np.array([[[1, 1]], [[0, 1]]], bool))
    with pytest.raises(DataError, match="share a pixel"):
        as_disjoint(both)
    assert paint(both, [0, 1]).ids.tolist() == [[1, 2]]
    assert paint(both, [1, 0]).ids.tolist() == [[1, 1]]
    assert paint(both, [1]).ids.tolist() == [[0, 2]]


def test_equal_masks_of_either_holding_are_equal_and_others_are_not() -> None:
    masks = DisjointMasks(IDS, 4)
    assert masks == DisjointMasks(IDS.astype(np.int64), 4)
    assert masks != DisjointMasks(IDS, 5)
    assert masks != DisjointMasks(IDS[:2], 4)
    assert masks != DisjointMasks(np.where(IDS == 3, 4, IDS), 4)
    assert masks != "masks"
    with pytest.raises(TypeError, match="unhashable"):
        hash(masks)


@pytest.mark.parametrize(
    ("ids", "count", "said"),
    [
        (np.zeros((2, 2, 1), np.uint8), 1, "integer id map"),
        (np.zeros((2, 2), np.float32), 1, "float32"),
        (np.zeros((2, 2), bool), 1, "bool"),
        (np.full((2, 2), 3), 2, r"0\.\.2, found 3\.\.3"),
        (np.full((2, 2), -1), 2, r"0\.\.2, found -1"),
    ],
)
def test_a_wrong_id_map_is_refused(ids: IntArray, count: int, said: str) -> None:
    with pytest.raises(DataError, match=said):
        DisjointMasks(ids, count)


def test_run_lengths_of_another_size_are_refused() -> None:
    with pytest.raises(DataError, match=r"mask 1 is \(1, 2\), expected \(2, 2\)"):
        OverlappingMasks((runs.encode(np.ones((2, 2), bool)), runs.encode(np.ones((1, 2), bool))), (2, 2))


def test_a_single_mask_without_its_axis_is_refused() -> None:
    with pytest.raises(DataError, match=r"expected masks \(S, H, W\), got \(2, 2\)"):
        from_dense(np.ones((2, 2), bool))


@pytest.mark.parametrize("empty", [DisjointMasks(np.zeros((2, 3), np.uint8), 0), OverlappingMasks((), (2, 3))])
def test_no_masks_are_masks_too(empty: Masks) -> None:
    assert empty.dense().shape == (0, 2, 3)
    assert empty.areas().tolist() == []
    assert empty.boxes().shape == (0, 4)
    assert as_disjoint(empty).ids.tolist() == [[0, 0, 0], [0, 0, 0]]


def test_more_than_255_masks_get_ids_of_16_bits() -> None:
    stack = np.eye(300, dtype=bool)[:, None]
    held = from_dense(stack)
    assert isinstance(held, DisjointMasks)
    assert held.ids.dtype == np.uint16
    assert held.ids.tolist() == [list(range(1, 301))]
    assert smallest_dtype(2**16) == np.uint32
