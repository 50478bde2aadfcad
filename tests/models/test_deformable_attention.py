"""Deformable attention: both ways to its sums are that of a loop over points, and a fresh layer looks around its place."""

import math

import torch
from torch import Tensor

from pixelwise.core.arrays import Size
from pixelwise.models.deformable_attention import DeformableAttention, gathered, middles_of, sampled
from pixelwise.models.deformable_encoder import sine

SIZES: list[Size] = [(5, 7), (3, 4), (1, 1)]


def by_loops(values: Tensor, sizes: list[Size], at: Tensor, shares: Tensor) -> Tensor:
    """Add up one point after another, as equation 3 of Deformable DETR is written."""
    count, queries, heads, levels = at.shape[:4]
    total = torch.zeros(count, queries, heads, values.shape[3], dtype=values.dtype)
    starts = [sum(height * width for height, width in sizes[:level]) for level in range(levels)]
    for index in torch.cartesian_prod(*(torch.arange(side) for side in at.shape[:5])).tolist():
        image, query, head, level, point = index
        height, width = sizes[level]
        x, y = at[image, query, head, level, point, 0] * width - 0.5, at[image, query, head, level, point, 1] * height - 0.5
        for row in (math.floor(y), math.floor(y) + 1):
            for column in (math.floor(x), math.floor(x) + 1):
                if 0 <= row < height and 0 <= column < width:
                    near = (1 - abs(x - column)) * (1 - abs(y - row))
                    value = values[image, starts[level] + row * width + column, head]
                    total[image, query, head] += shares[tuple(index)] * near * value
    return total.flatten(2)


def drawn() -> tuple[Tensor, list[Size], Tensor, Tensor]:
    torch.manual_seed(0)
    values = torch.randn(2, sum(height * width for height, width in SIZES), 2, 3, dtype=torch.float64)
    at = torch.rand(2, 4, 2, 3, 2, 2, dtype=torch.float64) * 1.6 - 0.3  # some lie outside
    return values, SIZES, at, torch.rand(2, 4, 2, 3, 2, dtype=torch.float64)


def test_reading_a_level_at_a_time_is_a_loop_over_points() -> None:
    given = drawn()
    torch.testing.assert_close(sampled(*given), by_loops(*given))


def test_taking_rows_is_a_loop_over_points() -> None:
    given = drawn()
    torch.testing.assert_close(gathered(*given), by_loops(*given))


def test_the_heads_of_a_fresh_layer_look_one_to_so_many_cells_away_each_its_own_way() -> None:
    layer = DeformableAttention(8, heads=4, levels=2, points=2)
    shifts = layer.shifts(torch.randn(1, 1, 8)).detach().unflatten(2, (4, 2, 2, 2))[0, 0]
    torch.testing.assert_close(shifts[:, 0, 0], torch.tensor([[1.0, 0], [0, 1], [-1, 0], [0, -1]]))
    torch.testing.assert_close(shifts[:, :, 1], 2 * shifts[:, :, 0])


def test_a_place_is_written_as_waves_of_one_side_to_ten_thousand() -> None:
    found = sine(torch.tensor([[0.25, 0.0]]), 4)[0]
    torch.testing.assert_close(found, torch.tensor([1.0, 0.0, math.sin(math.pi / 200), math.cos(math.pi / 200), 0, 1, 0, 1]))


def test_the_middles_of_cells_are_shares_of_the_sides() -> None:
    assert middles_of((1, 2), torch.zeros(())).tolist() == [[0.25, 0.5], [0.75, 0.5]]
