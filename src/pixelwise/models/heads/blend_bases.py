"""The bottom module of BlendMask: a few maps over the whole image, its bases, of which every object's mask is mixed [1].

``proto`` is that of the authors' real-time networks, after YOLACT's prototypes [2]: every level of the pyramid passes through a
convolution, is brought to the finest one's size and added; three convolutions follow. ``deeplab`` is the decoder of DeepLabv3+
[3] on the pyramid's finest level and on the coarsest of the encoder's own. Where bases are wanted finer than the finest level,
what was found is doubled in size and convolved.

[1] Chen, Sun, Tian, Shen, Huang, Yan: BlendMask: Top-Down Meets Bottom-Up for Instance Segmentation, CVPR 2020, arXiv
    2001.00309, section 3.2.
[2] Bolya, Zhou, Xiao, Lee: YOLACT: Real-time Instance Segmentation, ICCV 2019, arXiv 1904.02689, section 3.1.
[3] Chen, Zhu, Papandreou, Schroff, Adam: Encoder-Decoder with Atrous Separable Convolution, ECCV 2018, arXiv 1802.02611,
    section 3.1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.core.errors import OptionError
from pixelwise.models.heads.fcos import CHANNELS, group_norm

Kind: TypeAlias = Literal["proto", "deeplab"]
DEPTH = 3  # convolutions after the levels are added


@dataclass(frozen=True)
class BottomOptions:
    """What the bottom module is made of.

    Attributes:
        kind: how the levels of the pyramid are mixed.
        width: channels of its features.
        bases: how many maps it gives.
        stride: of the maps.
    """

    kind: Kind = "proto"
    width: int = 64
    bases: int = 4
    stride: int = 4

    def __post_init__(self) -> None:
        if self.width < 2 * CHANNELS or self.width % CHANNELS:
            wanted = f"a multiple of {CHANNELS}, the channels of a group of the norm, of at least {2 * CHANNELS}"
            raise OptionError(f"[model] bottom_width: expected {wanted}, got {self.width}")
        if self.bases < 1:
            raise OptionError(f"[model] bases: expected 1 or more, got {self.bases}")


class Mapped(NamedTuple):
    """Bases (N, K, h, w), and the features (N, C, h, w) that they were read off."""

    bases: Tensor
    features: Tensor


class Bottom(nn.Module):
    """From the levels of a pyramid to bases.

    Args:
        channels: of the levels.
        strides: of the levels that it may take: those of the encoder.

    Raises:
        OptionError: bases are to be coarser than every level.
    """

    def __init__(self, channels: int, strides: Sequence[int], options: BottomOptions) -> None:
        super().__init__()
        self.places = tuple(place for place, stride in enumerate(strides) if stride >= options.stride)
        if len(self.places) < 2:
            raise OptionError(
                f"[model] base_stride: expected at most {strides[-2]}, of which level and the next bases can be made, got "
                f"{options.stride}"
            )
        first = strides[self.places[0]]
        make = _Added if options.kind == "proto" else _Decoded
        self.mix: nn.Module = make(channels, len(self.places), options.width)
        doublings = (first // options.stride).bit_length() - 1
        self.finer = nn.ModuleList(_layer(options.width, options.width) for _ in range(doublings))
        self.bases = nn.Conv2d(options.width, options.bases, 1)
        self.stride, self.width = options.stride, options.width

    def forward(self, pyramid: Sequence[Tensor]) -> Mapped:
        """Give the bases."""
        found = self.mix([pyramid[place] for place in self.places])
        for layer in self.finer:
            size = (2 * found.shape[-2], 2 * found.shape[-1])
            found = layer(F.interpolate(found, size=size, mode="bilinear", align_corners=False))
        return Mapped(self.bases(found), found)


class _Added(nn.Module):
    """All levels added at the finest one's size, and convolved."""

    def __init__(self, channels: int, levels: int, width: int) -> None:
        super().__init__()
        self.refine = nn.ModuleList(_layer(channels, width) for _ in range(levels))
        self.tower = nn.Sequential(*(_layer(width, width) for _ in range(DEPTH)))

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        size = levels[0].shape[-2:]
        found = self.refine[0](levels[0])
        for layer, level in zip(self.refine[1:], levels[1:], strict=True):  # type: ignore[arg-type]
            found = found + F.interpolate(layer(level), size=size, mode="bilinear", align_corners=False)
        tower: Tensor = self.tower(found)
        return tower


class _Decoded(nn.Module):
    """The coarsest level at the finest one's size, beside the finest in few channels: 48 beside 256 in the paper."""

    def __init__(self, channels: int, levels: int, width: int) -> None:
        super().__init__()
        few = max(1, 3 * width // 16 // CHANNELS) * CHANNELS
        self.coarse = _layer(channels, width)
        self.narrow = _layer(channels, few, 1)
        self.fuse = nn.Sequential(_layer(width + few, width), _layer(width, width))

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        size = levels[0].shape[-2:]
        coarse = F.interpolate(self.coarse(levels[-1]), size=size, mode="bilinear", align_corners=False)
        fused: Tensor = self.fuse(torch.cat([coarse, self.narrow(levels[0])], dim=1))
        return fused


def _layer(before: int, after: int, side: int = 3) -> nn.Sequential:
    convolution = nn.Conv2d(before, after, side, padding=side // 2, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(convolution, group_norm(after), nn.ReLU())
