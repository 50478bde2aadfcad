"""The encoder of Mask DINO: features of four or five scales that look at each other, and those that masks are made from.

The levels are the encoder's from stride 8 (or 4) on and one more at twice the last stride. Each of their cells looks at a few
points of all levels around it (``deformable_attention``), layer after layer. Features at stride 4 are those of the backbone,
narrowed, plus the finest level of the encoder enlarged: M(T(C_b) + F(C_e)) of the paper's equation 1.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.core.arrays import Size
from pixelwise.models.deformable_attention import DeformableAttention, middles_of, rows_of_cells, sides_of

_GROUPS = 32  # of the norms


class Memory(NamedTuple):
    """The cells (N, S, C) of all levels, finest level first, row by row; and the levels' sizes."""

    cells: Tensor
    sizes: tuple[Size, ...]


class Pyramid(NamedTuple):
    """What the encoder gives: its levels, and the features (N, C, h, w) at stride 4 that masks are made from."""

    memory: Memory
    pixels: Tensor


class DeformableEncoder(nn.Module):
    """Features of a backbone to a ``Pyramid``.

    Args:
        finest: channels of the backbone's features at stride 4.
        channels: of those that become levels, finest first; one more level is made from the last.
        width: of everything after them.
        layers: of attention.
        feedforward: width between two layers of attention.
    """

    def __init__(
        self, finest: int, channels: Sequence[int], width: int, heads: int, layers: int, feedforward: int, points: int = 4
    ) -> None:
        super().__init__()
        kernels = [*((one, 1, 1) for one in channels), (channels[-1], 3, 2)]
        self.inputs = nn.ModuleList(
            nn.Sequential(nn.Conv2d(one, width, side, stride, side // 2), nn.GroupNorm(_GROUPS, width))
            for one, side, stride in kernels
        )
        levels = len(kernels)
        self.level = nn.Parameter(torch.empty(levels, width))
        self.layers = nn.ModuleList(EncoderLayer(width, heads, levels, feedforward, points) for _ in range(layers))
        self.narrow = nn.Sequential(nn.Conv2d(finest, width, 1, bias=False), nn.GroupNorm(_GROUPS, width))
        self.smooth = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.GroupNorm(_GROUPS, width), nn.ReLU(inplace=True)
        )
        self.masks = nn.Conv2d(width, width, 1)
        self._draw()

    def _draw(self) -> None:
        nn.init.normal_(self.level)
        for one in self.inputs:
            nn.init.xavier_uniform_(one[0].weight)
            nn.init.zeros_(one[0].bias)
        for convolution in (self.narrow[0], self.smooth[0], self.masks):
            nn.init.kaiming_uniform_(convolution.weight, a=1)
        nn.init.zeros_(self.masks.bias)

    def forward(self, features: Sequence[Tensor]) -> Pyramid:
        """Take the backbone's features, of which the first is at stride 4 and the last ones become levels."""
        own = features[len(features) - len(self.inputs) + 1 :]
        maps = [project(one) for project, one in zip(self.inputs, (*own, own[-1]), strict=True)]
        sizes = tuple((one.shape[-2], one.shape[-1]) for one in maps)
        cells = torch.cat([rows_of_cells(one) for one in maps], dim=1)
        width = cells.shape[2]
        full = cells.new_zeros((), dtype=torch.float32)  # places in half precision would be off by whole cells
        where = torch.cat([sine(_ends(size, full), width // 2) + level for size, level in zip(sizes, self.level, strict=True)])
        middles = torch.cat([middles_of(size, full) for size in sizes])[None]
        reach = torch.stack([1 / sides_of(size, full) for size in sizes])[:, None]  # a cell of its level
        for layer in self.layers:
            cells = layer(cells, where, middles, reach, sizes)
        height, length = sizes[0]
        finest = cells[:, : height * length].transpose(1, 2).unflatten(2, sizes[0])
        beside = self.narrow(features[0])
        enlarged = F.interpolate(finest, size=beside.shape[-2:], mode="bilinear", align_corners=False)
        return Pyramid(Memory(cells, sizes), self.masks(self.smooth(beside + enlarged)))


class EncoderLayer(nn.Module):
    """Every cell looks around, and is worked over on its own."""

    def __init__(self, width: int, heads: int, levels: int, feedforward: int, points: int) -> None:
        super().__init__()
        self.attention = DeformableAttention(width, heads, levels, points)
        self.attended = nn.LayerNorm(width)
        self.widen, self.narrow = nn.Linear(width, feedforward), nn.Linear(feedforward, width)
        self.worked = nn.LayerNorm(width)
        for linear in (self.widen, self.narrow):
            nn.init.xavier_uniform_(linear.weight)

    def forward(self, cells: Tensor, where: Tensor, places: Tensor, reach: Tensor, sizes: Sequence[Size]) -> Tensor:
        """Give the cells (N, S, C) after it; ``where`` (S, C) is added to what asks."""
        cells = self.attended(cells + self.attention(cells + where, places, reach, cells, sizes))
        result: Tensor = self.worked(cells + self.narrow(F.relu(self.widen(cells))))
        return result


def sine(places: Tensor, channels: int) -> Tensor:
    """Write shares (…, K) as sines and cosines of growing wavelengths: (…, K * channels), one number after another [1].

    [1] Vaswani et al., Attention Is All You Need, NeurIPS 2017, section 3.5; with wavelengths from 1 to 10,000 sides.
    """
    steps = torch.arange(channels, device=places.device, dtype=places.dtype)
    waves = 10_000 ** (2 * (steps // 2) / channels)
    angles = places[..., None] * (2 * math.pi) / waves
    return torch.stack([angles[..., 0::2].sin(), angles[..., 1::2].cos()], dim=-1).flatten(-3)


def _ends(size: Size, like: Tensor) -> Tensor:
    """Give the end (y, x) of each cell (h * w, 2): where the published sines are taken."""
    return (middles_of(size, like) + 0.5 / sides_of(size, like)).flip(-1)
