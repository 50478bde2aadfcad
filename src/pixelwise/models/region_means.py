"""Means over regions that divide an image evenly, as products with two small matrices.

torch's adaptive pooling is an operator that most exporters know only where it leaves one pixel, or where the size is fixed. In
a graph it becomes two products: with a matrix that has, for each region, the share of every row of pixels, and likewise for the
columns.
"""

import torch
from torch import Tensor, nn

from pixelwise.models.recorded import is_recorded


class RegionMeans(nn.AdaptiveAvgPool2d):
    """An adaptive average pooling that any exporter takes."""

    def forward(self, values: Tensor) -> Tensor:
        """Give the means (N, C, h, w) of (N, C, H, W); regions of uneven division share pixels, as torch has it."""
        if not is_recorded():
            return super().forward(values)
        height, width = self.output_size if isinstance(self.output_size, tuple) else (self.output_size,) * 2
        down = _shares(values, values.shape[-2], height)
        across = _shares(values, values.shape[-1], width)
        return down @ values @ across.transpose(0, 1)


def with_region_means(model: nn.Module) -> nn.Module:
    """Replace every adaptive average pooling inside ``model`` that leaves more than one pixel."""
    for name, child in model.named_children():
        if type(child) is nn.AdaptiveAvgPool2d and child.output_size not in (1, (1, 1)):
            setattr(model, name, RegionMeans(child.output_size))
        else:
            with_region_means(child)
    return model


def _shares(like: Tensor, side: int, count: int) -> Tensor:
    """Give (count, side): the share of each pixel in each region's mean."""
    regions = torch.arange(count, device=like.device)[:, None]
    pixels = torch.arange(side, device=like.device)
    first, end = regions * side // count, ((regions + 1) * side + count - 1) // count
    return ((pixels >= first) & (pixels < end)).to(like.dtype) / (end - first)
