"""Run lengths of an id map: the same bytes as each mask encoded alone; and back: masks painted over each other."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pixelwise.core.arrays import BoolArray, IntArray
from pixelwise.core.idmaps import encode_ids, lookup, paint_ids, present_in, stretches
from pixelwise.core.runs import encode

shapes = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)


def alone(ids: IntArray, count: int) -> tuple[object, ...]:
    return tuple(encode(ids == index) for index in range(1, count + 1))


@given(hnp.arrays(np.uint8, shapes, elements=st.integers(0, 4)))
def test_every_mask_has_the_bytes_it_has_alone(ids: IntArray) -> None:
    assert encode_ids(ids, 6) == alone(ids, 6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64, np.int64])
def test_long_runs_take_several_characters(dtype: type) -> None:
    ids = np.zeros((3000, 40), dtype)
    ids[100:2900, 3:20] = 1
    ids[1500:1502, 5] = 2
    ids[:, 30:] = 3
    ids[2999, 39] = 0
    assert encode_ids(ids, 4) == alone(ids, 4)


@pytest.mark.parametrize("seed", range(4))
def test_noise(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ids = np.kron(rng.integers(0, 40, (30, 20)), np.ones((1 + seed, 2 + seed))).astype(np.uint16)
    assert encode_ids(ids, 40) == alone(ids, 40)


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (3, 4)])
def test_nothing_is_encoded_as_it_is_alone(shape: tuple[int, int]) -> None:
    ids = np.zeros(shape, np.uint8)
    assert encode_ids(ids, 2) == alone(ids, 2)
    assert encode_ids(ids, 0) == ()


@given(
    hnp.arrays(bool, hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6)),
    st.randoms(use_true_random=False),
    st.sampled_from([np.uint8, np.uint16, np.uint32]),
)
def test_masks_are_painted_in_order_later_over_earlier(stack: BoolArray, random: Random, dtype: type) -> None:
    order = random.sample(range(len(stack)), random.randint(0, len(stack)))
    wanted = np.zeros(stack.shape[1:], int)
    for index in order:
        wanted[stack[index]] = index + 1
    found = paint_ids([encode(one) for one in stack], order, (stack.shape[1], stack.shape[2]), np.dtype(dtype))
    assert found.tolist() == wanted.tolist()
    assert found.dtype == dtype


@pytest.mark.parametrize("size", [(0, 3), (3, 0), (0, 0)])
def test_a_grid_without_pixels_is_painted_as_such(size: tuple[int, int]) -> None:
    assert paint_ids([encode(np.zeros(size, bool))], [0], size, np.dtype(np.uint8)).shape == size


def test_masks_without_pixels_have_no_stretches() -> None:
    full, empty = encode(np.ones((2, 2), bool)), encode(np.zeros((2, 2), bool))
    firsts, lasts, cuts = stretches([empty, full, empty])
    assert (firsts.tolist(), lasts.tolist(), cuts) == ([0], [4], [0, 0, 1, 1])


@given(hnp.arrays(st.sampled_from([np.uint8, np.uint16, np.int64]), shapes, elements=st.integers(0, 4)))
def test_a_table_is_looked_up_and_values_are_listed_as_numpy_does(ids: IntArray) -> None:
    table = np.array([9, 300, 2, 0, 65535], np.uint16)
    assert lookup(table, ids).tolist() == table[ids].tolist()
    assert lookup(table, ids).dtype == np.uint16
    assert present_in(ids).tolist() == np.unique(ids).tolist()
