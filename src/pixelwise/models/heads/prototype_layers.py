"""The layers of the prototype head: towers over each level of a pyramid, and the maps that all masks are made of."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.models.csp import ConvNorm
from pixelwise.models.steady_norm import SteadyBatchNorm2d

PRIOR = 0.01  # the chance of a class at each place before anything is learnt, as in RetinaNet (arXiv 1708.02002)


@dataclass(frozen=True)
class Layout:
    """Sizes of the layers.

    Attributes:
        channels: of the pyramid's levels.
        width: channels of towers and of the branch of prototypes.
        classes: as many.
        distances: numbers that a box is predicted by.
        coefficients: numbers that a mask is predicted by.
        prototypes: maps that all masks are made of.
        doublings: of the finest level's size, to that of the prototypes.
        shared: whether the levels' towers share their convolutions, each level with norms of its own, as in RTMDet
            (arXiv 2212.07784, section 3.2); else each level has towers of its own, as in YOLOX (arXiv 2107.08430).
    """

    channels: tuple[int, ...]
    width: int
    classes: int
    distances: int
    coefficients: int
    prototypes: int
    doublings: int
    shared: bool


class Tower(nn.Module):
    """Convolutions of 3 x 3, batch norms and SiLU, over every level."""

    def __init__(self, width: int, depth: int, levels: int, shared: bool) -> None:
        super().__init__()
        copies = 1 if shared else levels
        self.convolutions = nn.ModuleList(
            nn.ModuleList(nn.Conv2d(width, width, 3, 1, 1, bias=False) for _ in range(depth)) for _ in range(copies)
        )
        self.norms = nn.ModuleList(
            nn.ModuleList(SteadyBatchNorm2d(width, eps=1e-3) for _ in range(depth)) for _ in range(levels)
        )

    def forward(self, features: Tensor, level: int) -> Tensor:
        """Give features of the same shape (N, C, h, w)."""
        for convolution, norm in zip(self.convolutions[level % len(self.convolutions)], self.norms[level], strict=True):  # type: ignore[arg-type]
            features = F.silu(norm(convolution(features)))
        return features


class Towers(nn.Module):
    """Give class logits, numbers of boxes and numbers of masks for every cell of every level: decoupled, as in YOLOX.

    Args:
        first: what the numbers of a box are at every place before anything is learnt.
    """

    def __init__(self, layout: Layout, first: Sequence[float]) -> None:
        super().__init__()
        levels, width, shared = len(layout.channels), layout.width, layout.shared
        self.stems = nn.ModuleList(ConvNorm(channels, width) for channels in layout.channels)
        self.class_tower, self.box_tower = (Tower(width, 2, levels, shared) for _ in range(2))
        self.mask_tower = Tower(width, 1, levels, shared)
        self.classify, self.distances, self.coefficients = (
            nn.ModuleList(nn.Conv2d(width, made, 1) for _ in range(1 if shared else levels))
            for made in (layout.classes, layout.distances, layout.coefficients)
        )
        for classify, distances in zip(self.classify, self.distances, strict=True):
            nn.init.constant_(classify.bias, -math.log((1 - PRIOR) / PRIOR))  # type: ignore[arg-type]
            nn.init.normal_(distances.weight, std=0.01)  # type: ignore[arg-type]
            distances.bias.data.copy_(torch.tensor(first))  # type: ignore[union-attr, operator]

    def forward(self, pyramid: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Give logits (N, A, L), numbers of boxes (N, A, B) and of masks (N, A, K), level by level and row by row."""
        found: list[tuple[Tensor, Tensor, Tensor]] = []
        for level, features in enumerate(pyramid):
            stem, own = self.stems[level](features), level % len(self.classify)
            classes = self.classify[own](self.class_tower(stem, level))
            distances = self.distances[own](self.box_tower(stem, level))
            coefficients = self.coefficients[own](self.mask_tower(stem, level))
            found.append((_by_place(classes), _by_place(distances), _by_place(coefficients)))
        classes, distances, coefficients = (torch.cat(part, dim=1) for part in zip(*found, strict=True))
        return classes, distances, coefficients


class PrototypeBranch(nn.Module):
    """Give the maps (N, K, h, w) that all masks of an image are made of, from the finest level of a pyramid.

    YOLACT [1], figure 3: 3 x 3 convolutions, between them the size is doubled, and a 1 x 1 convolution.

    [1] Bolya, Zhou, Xiao, Lee: YOLACT, ICCV 2019, arXiv 1904.02689, section 3.1.
    """

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.first = ConvNorm(layout.channels[0], layout.width, 3)
        self.doubled = nn.ModuleList(ConvNorm(layout.width, layout.width, 3) for _ in range(layout.doublings))
        self.second = ConvNorm(layout.width, layout.width, 3)
        self.last = nn.Conv2d(layout.width, layout.prototypes, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Give prototypes, twice as large for every doubling."""
        made: Tensor = self.first(features)
        for layer in self.doubled:
            made = layer(F.interpolate(made, scale_factor=2.0, mode="bilinear", align_corners=False))
        found: Tensor = self.last(self.second(made))
        return found


def _by_place(maps: Tensor) -> Tensor:
    """Lay (N, C, h, w) out as (N, h * w, C), in 32 bits."""
    return maps.flatten(2).transpose(1, 2).float()
