"""The pixel decoder of Mask2Former and OneFormer as a graph: deformable attention [1] over three levels, then one level finer.

The layers and their weights are those of transformers' decoders, and eagerly those run as they are. Where a graph is recorded,
their numbers of pixels would be written into it; here they stay symbols, so that it takes images of any size.

[1] Zhu, Su, Lu, Li, Wang, Dai: Deformable DETR, ICLR 2021, arXiv 2010.04159, equation 3.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.core.arrays import Size


class Pixels(NamedTuple):
    """Features (N, C, h, w) of three levels, the coarsest first, and those of stride 4 that masks are made from."""

    levels: tuple[Tensor, ...]
    finest: Tensor


def pixels_of(decoder: Any, lateral: Sequence[nn.Module], output: Sequence[nn.Module], features: Sequence[Tensor]) -> Pixels:
    """Run a pixel decoder of transformers in evaluation, for a graph.

    Args:
        decoder: of transformers.
        lateral, output: its layers for the finer levels, the coarsest first.
        features: of the encoder, the finest first.
    """
    coarse = [project(one) for project, one in zip(decoder.input_projections, reversed(features), strict=False)]
    sizes = [(one.shape[-2], one.shape[-1]) for one in coarse]
    values = torch.cat([_rows(one) for one in coarse], dim=1)
    places = torch.cat(
        [
            _rows(decoder.position_embedding((1, *one.shape[1:]), one.device, one.dtype)) + own
            for one, own in zip(coarse, decoder.level_embed, strict=True)
        ],
        dim=1,
    )
    points = torch.cat([_middles(size, values) for size in sizes])
    for layer in decoder.encoder.layers:
        values = layer.self_attn_layer_norm(values + _attended(layer.self_attn, values, places, points, sizes))
        values = layer.final_layer_norm(values + layer.fc2(F.relu(layer.fc1(values))))
    parts = values.split([height * width for height, width in sizes], dim=1)
    levels = [part.transpose(1, 2).unflatten(2, size) for part, size in zip(parts, sizes, strict=True)]
    finest = levels[-1]
    for one, narrow, smooth in zip(reversed(features[: len(lateral)]), lateral, output, strict=True):
        own = narrow(one)
        finest = smooth(own + F.interpolate(finest, size=own.shape[-2:], mode="bilinear", align_corners=False))
    return Pixels(tuple(levels), decoder.mask_projection(finest))


def _attended(layer: Any, values: Tensor, places: Tensor, points: Tensor, sizes: Sequence[Size]) -> Tensor:
    """Let every row of values (N, S, C) look at a few points around its own, on each level."""
    count, heads, levels, each = values.shape[0], layer.n_heads, layer.n_levels, layer.n_points
    asked = values + places
    given = layer.value_proj(values).unflatten(2, (heads, -1)).permute(0, 2, 3, 1)  # (N, heads, c, S)
    shifts = layer.sampling_offsets(asked).unflatten(2, (heads, levels, each, 2))
    shares = layer.attention_weights(asked).unflatten(2, (heads, levels * each)).softmax(-1)
    found = []
    for level, (part, size) in enumerate(zip(given.split([h * w for h, w in sizes], dim=3), sizes, strict=True)):
        sides = torch.cat([values.new_full((1,), side) for side in reversed(size)])
        at = points[:, None, None] + shifts[:, :, :, level] / sides  # (N, S, heads, points, 2): x and y from 0 to 1
        grid = (2 * at - 1).transpose(1, 2).flatten(0, 1)
        plane = part.flatten(0, 1).unflatten(2, size)
        found.append(F.grid_sample(plane, grid, "bilinear", "zeros", align_corners=False))  # (N heads, c, S, points)
    weights = shares.transpose(1, 2).flatten(0, 1)[:, None]
    mixed = (torch.cat(found, dim=-1) * weights).sum(-1).unflatten(0, (count, heads)).flatten(1, 2)
    result: Tensor = layer.output_proj(mixed.transpose(1, 2))
    return result


def _rows(values: Tensor) -> Tensor:
    """Lay (N, C, h, w) out as (N, h w, C)."""
    return values.flatten(2).transpose(1, 2)


def _middles(size: Size, like: Tensor) -> Tensor:
    """Give the middle (x, y) of each cell of a level (h w, 2), as shares of its sides."""
    down, across = ((torch.arange(side, device=like.device, dtype=like.dtype) + 0.5) / side for side in size)
    rows, columns = torch.meshgrid(down, across, indexing="ij")
    return torch.stack([columns.flatten(), rows.flatten()], dim=1)
