"""Overlapping masks as id maps: each mask whole, in one map, and changed as it would be alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.augment import geometry
from pixelwise.augment.layers import by_layers, layers
from pixelwise.core.arrays import BoolArray
from pixelwise.core.masks import OverlappingMasks
from pixelwise.core.runs import encode


def held(stack: BoolArray) -> OverlappingMasks:
    return OverlappingMasks(tuple(encode(mask) for mask in stack), (stack.shape[1], stack.shape[2]))


@given(st.integers(0, 40), st.integers(0, 2**32 - 1), st.sampled_from([0.01, 0.1, 0.5]))
@settings(max_examples=25)
def test_every_mask_is_whole_in_one_layer(count: int, seed: int, share: float) -> None:
    stack = np.random.default_rng(seed).random((count, 6, 7)) < share
    found = {}
    for rows, layer in layers(held(stack)):
        found.update({int(row): layer.mask(place) for place, row in enumerate(rows)})
    assert sorted(found) == list(range(count))
    assert all((found[row] == stack[row]).all() for row in range(count))


def test_objects_that_hardly_overlap_make_few_layers_and_nested_ones_go_one_by_one() -> None:
    y, x = np.mgrid[:40, :40]
    apart = np.stack([(y // 4 == row) & (x // 4 == column) for row in range(10) for column in range(10)])
    assert len(list(layers(held(apart)))) == 1
    nested = np.stack([np.hypot(y - 20, x - 20) < radius for radius in range(1, 13)])
    assert len(list(layers(held(nested)))) == 12


@pytest.mark.parametrize("count", [0, 1, 3, 60, 300])
def test_masks_move_together_as_each_would_alone(count: int) -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:50, :60]
    stack = np.array([np.hypot(y - row, x - column) < 4 for row, column in rng.uniform(0, 60, (count, 2))]).reshape(-1, 50, 60)
    matrix = geometry.affine((50, 60), 20, 5)
    moved = by_layers(held(stack), (40, 44), lambda ids: geometry.warp_ids(ids, matrix, (40, 44)))
    alone = [geometry.warp_ids(mask.view(np.uint8), matrix, (40, 44)).view(bool) for mask in stack]
    assert moved == held(np.array(alone).reshape(-1, 40, 44))
