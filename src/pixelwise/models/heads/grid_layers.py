"""SOLOv2's layers on a feature pyramid: what each cell of the grids holds, and the features all masks are made from [1].

[1] Wang, Zhang, Kong, Li, Shen: SOLOv2: Dynamic and Fast Instance Segmentation, NeurIPS 2020, arXiv 2003.10152, section 3.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.core.arrays import Size
from pixelwise.core.errors import OptionError

PRIOR = 0.01  # of a class in a cell, before anything is learnt: most cells hold no object
MULTIPLE = 16  # of channels before a norm


@dataclass(frozen=True)
class GridWidths:
    """What the layers are made of.

    Attributes:
        pyramid: channels of the pyramid's levels.
        tower: of the convolutions before classes and kernels; the paper has 512.
        depth: of those, one after another; the paper has 4.
        mask: channels of the convolutions that bring each level to the finest one's size; the paper has 128.
        features: that masks are made from; the paper has 256.
        kernel: side of a mask's own convolution, 1 or 3.
        balanced: whether the first level is halved and the last one doubled before they are laid on their grids, as published.

    Raises:
        OptionError: a number does not fit.
    """

    pyramid: int = 64
    tower: int = 64
    depth: int = 2
    mask: int = 64
    features: int = 64
    kernel: int = 1
    balanced: bool = False

    def __post_init__(self) -> None:
        for option, value in (("width", self.tower), ("mask_width", self.mask), ("features", self.features)):
            if value < MULTIPLE or value % MULTIPLE or (value > 64 and value % 32):
                raise OptionError(f"[model] {option}: expected 16, 32, 48, 64 or a multiple of 32, got {value}")
        for option, value in (("pyramid", self.pyramid), ("depth", self.depth)):
            if value < 1:
                raise OptionError(f"[model] {option}: expected 1 or more, got {value}")
        if self.kernel not in (1, 3):
            raise OptionError(f"[model] kernel: expected 1 or 3, got {self.kernel}")


class Cells(nn.Module):
    """Classes and kernels of the cells of all grids: two towers of convolutions, the same ones for every grid.

    Args:
        counts: cells along either side of each grid.
    """

    def __init__(self, widths: GridWidths, counts: Sequence[int], classes: int) -> None:
        super().__init__()
        self.counts, self.balanced = tuple(counts), widths.balanced
        self.kernel_tower = _tower(widths.pyramid + 2, widths.tower, widths.depth)
        self.class_tower = _tower(widths.pyramid, widths.tower, widths.depth)
        self.kernels = nn.Conv2d(widths.tower, widths.features * widths.kernel**2, 3, padding=1)
        self.classify = nn.Conv2d(widths.tower, classes, 3, padding=1)
        for layer, bias in ((self.kernels, 0.0), (self.classify, math.log(PRIOR / (1 - PRIOR)))):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.constant_(layer.bias, bias)  # type: ignore[arg-type]

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Give logits of the classes (N, G, L) and kernels (N, G, K) of all cells, grid by grid, row by row."""
        classes, kernels = [], []
        for level, count in zip(self._levels(levels), self.counts, strict=True):
            given = resized(with_coordinates(level), (count, count))
            kernels.append(self.kernels(self.kernel_tower(given)).flatten(2))
            classes.append(self.classify(self.class_tower(given[:, :-2])).flatten(2))
        return torch.cat(classes, dim=2).transpose(1, 2), torch.cat(kernels, dim=2).transpose(1, 2)

    def _levels(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Give each grid's level."""
        given = list(levels[: len(self.counts)])
        if self.balanced and len(given) > 1:
            given[0] = resized(given[0], size_of(given[1]))
            given[-1] = resized(given[-1], size_of(given[-2]))
        return given


class MaskFeatures(nn.Module):
    """The features that all masks are made from, at the finest level's size ([1], section 3.2 and figure 3).

    Level by level, a convolution before each doubling; the deepest is given the places of its cells. Then all are added up.

    Args:
        levels: how many of the pyramid, finest first.
    """

    def __init__(self, widths: GridWidths, levels: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            _tower(widths.pyramid + (2 if level == levels - 1 else 0), widths.mask, max(level, 1)) for level in range(levels)
        )
        self.merge = _layer(widths.mask, widths.features, side=1)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Give features (N, E, h, w) of the levels of a pyramid, more of which are left out."""
        given = list(levels[: len(self.levels)])
        sizes = [size_of(level) for level in given]
        given[-1] = with_coordinates(given[-1])
        total = self.levels[0](given[0])
        for place, layers in enumerate(self.levels[1:], 1):
            found = given[place]
            for step, layer in enumerate(layers, 1):  # type: ignore[arg-type]
                found = resized(layer(found), sizes[place - step])
            total = total + found
        merged: Tensor = self.merge(total)
        return merged


def _tower(before: int, width: int, depth: int) -> nn.Sequential:
    return nn.Sequential(*(_layer(width if index else before, width) for index in range(depth)))


def _layer(before: int, after: int, side: int = 3) -> nn.Sequential:
    groups = min(32, after // 2)  # of two channels at least: a map of one cell has nothing else to normalise by
    convolution = nn.Conv2d(before, after, side, padding=side // 2, bias=False)
    return nn.Sequential(convolution, nn.GroupNorm(groups, after), nn.ReLU())


def resized(values: Tensor, size: Size) -> Tensor:
    """Bring values (N, C, h, w) to another size, bilinearly."""
    return F.interpolate(values, size=size, mode="bilinear", align_corners=False)


def size_of(values: Tensor) -> Size:
    """Give the (H, W) of values (N, C, H, W)."""
    return values.shape[-2], values.shape[-1]


def with_coordinates(values: Tensor) -> Tensor:
    """Add two channels to values (N, C, h, w): where a cell lies across and down, from -1 at the first to 1 at the last.

    >>> with_coordinates(torch.zeros(1, 0, 1, 3)).tolist()
    [[[[-1.0, 0.0, 1.0]], [[-1.0, -1.0, -1.0]]]]
    """
    count, _, height, width = values.shape
    down, across = (
        torch.arange(side, device=values.device, dtype=values.dtype) * (2 / torch.sym_max(side - 1, 1)) - 1
        for side in (height, width)
    )
    places = torch.stack([across.expand(height, width), down[:, None].expand(height, width)])
    return torch.cat([values, places.expand(count, 2, height, width)], dim=1)
