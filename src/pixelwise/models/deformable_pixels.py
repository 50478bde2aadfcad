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
from pixelwise.models.deformable_attention import middles_of, rows_of_cells, sampled, sides_of


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
    values = torch.cat([rows_of_cells(one) for one in coarse], dim=1)
    places = torch.cat(
        [
            rows_of_cells(decoder.position_embedding((1, *one.shape[1:]), one.device, one.dtype)) + own
            for one, own in zip(coarse, decoder.level_embed, strict=True)
        ],
        dim=1,
    )
    points = torch.cat([middles_of(size, values) for size in sizes])
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
    heads, levels, each = layer.n_heads, layer.n_levels, layer.n_points
    asked = values + places
    shifts = layer.sampling_offsets(asked).unflatten(2, (heads, levels, each, 2))
    shares = layer.attention_weights(asked).unflatten(2, (heads, levels * each)).softmax(-1).unflatten(3, (levels, each))
    sides = torch.stack([sides_of(size, values) for size in sizes])[:, None]
    at = points[:, None, None, None] + shifts / sides  # (N, S, heads, levels, points, 2): x and y from 0 to 1
    result: Tensor = layer.output_proj(sampled(layer.value_proj(values).unflatten(2, (heads, -1)), sizes, at, shares))
    return result
