"""Cross-stage partial layers, and an encoder of them that trains from random weights: the backbone of real-time detectors.

A cross-stage partial layer sends half of its channels through its bottlenecks and lets the other half pass, so that gradients
are not computed twice and a layer costs about half [1]. The encoder has the layout that YOLOX [2] took over: a stem at stride
2, then four stages of a strided convolution and one such layer each, and before the last layer a pyramid of max-pools [3].
Sizes differ by two multipliers alone: of the bottlenecks in a layer, and of the channels.

[1] Wang et al., CSPNet: A New Backbone that can Enhance Learning Capability of CNN, CVPR Workshops 2020, arXiv 1911.11929.
[2] Ge, Liu, Wang, Li, Sun: YOLOX: Exceeding YOLO Series in 2021, arXiv 2107.08430.
[3] He et al., Spatial Pyramid Pooling in Deep Convolutional Networks, ECCV 2014, arXiv 1406.4729.
"""

from typing import Literal, NamedTuple, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.models.encoders import Encoder
from pixelwise.models.encoders.build import IMAGENET
from pixelwise.models.steady_norm import SteadyBatchNorm2d

CspSize: TypeAlias = Literal["n", "s", "m", "l"]
STRIDES = (4, 8, 16, 32)
BOTTLENECKS = (3, 9, 9, 3)  # in the layer of each stage, at full depth
_BASE = 64  # channels of the stem, at full width


class Multipliers(NamedTuple):
    """Of the bottlenecks in a layer, and of the channels."""

    depth: float
    width: float

    def deep(self, count: int) -> int:
        """Give how many bottlenecks stand for ``count``."""
        return max(1, round(count * self.depth))

    def wide(self, channels: int) -> int:
        """Give how many channels stand for ``channels``: a multiple of 8."""
        return max(8, round(channels * self.width / 8) * 8)


SIZES: dict[CspSize, Multipliers] = {
    "n": Multipliers(1 / 3, 0.25),
    "s": Multipliers(1 / 3, 0.5),
    "m": Multipliers(2 / 3, 0.75),
    "l": Multipliers(1.0, 1.0),
}


class ConvNorm(nn.Sequential):
    """A convolution that keeps the size or divides it by its stride, batch norm, and SiLU."""

    def __init__(self, given: int, made: int, side: int = 1, stride: int = 1) -> None:
        padding = (side - 1) // 2
        convolution = nn.Conv2d(given, made, side, stride, padding, bias=False)
        super().__init__(convolution, SteadyBatchNorm2d(made, eps=1e-3), nn.SiLU(inplace=True))


class Bottleneck(nn.Module):
    """A 1 x 1 and a 3 x 3 convolution, added to what they are given where ``adds``."""

    def __init__(self, channels: int, adds: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(ConvNorm(channels, channels), ConvNorm(channels, channels, 3))
        self.adds = adds

    def forward(self, features: Tensor) -> Tensor:
        """Give features of the same shape (N, C, h, w)."""
        made: Tensor = self.layers(features)
        return features + made if self.adds else made


class CspLayer(nn.Module):
    """Half of the channels through ``count`` bottlenecks, the other half past them, and both together."""

    def __init__(self, given: int, made: int, count: int, adds: bool = True) -> None:
        super().__init__()
        half = made // 2
        self.through, self.past = ConvNorm(given, half), ConvNorm(given, half)
        self.bottlenecks = nn.Sequential(*(Bottleneck(half, adds) for _ in range(count)))
        self.together = ConvNorm(2 * half, made)

    def forward(self, features: Tensor) -> Tensor:
        """Give features (N, made, h, w)."""
        found: Tensor = self.together(torch.cat([self.bottlenecks(self.through(features)), self.past(features)], dim=1))
        return found


class PoolingPyramid(nn.Module):
    """Features beside their maxima over 5 x 5, 9 x 9 and 13 x 13 cells; a window of 9 is one of 5 after one of 5."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.last = ConvNorm(channels, channels // 2), ConvNorm(channels // 2 * 4, channels)

    def forward(self, features: Tensor) -> Tensor:
        """Give features of the same shape (N, C, h, w)."""
        found = [self.first(features)]
        for _ in range(3):
            found.append(F.max_pool2d(found[-1], 5, 1, 2))
        last: Tensor = self.last(torch.cat(found, dim=1))
        return last


class CspStages(nn.Module):
    """Images (N, C, H, W) to features at ``STRIDES``."""

    def __init__(self, bands: int, size: Multipliers) -> None:
        super().__init__()
        self.channels = tuple(size.wide(_BASE * 2**stage) for stage in range(1, 1 + len(STRIDES)))
        given = size.wide(_BASE)
        # 6 x 6 at stride 2 is what a 3 x 3 convolution over blocks of 2 x 2 pixels is [2]
        stem = nn.Conv2d(bands, given, 6, 2, 2, bias=False)
        self.stem = nn.Sequential(stem, SteadyBatchNorm2d(given, eps=1e-3), nn.SiLU(inplace=True))
        stages = []
        for made, count in zip(self.channels, BOTTLENECKS, strict=True):
            is_last = made == self.channels[-1]
            pools = [PoolingPyramid(made)] if is_last else []
            layer = CspLayer(made, made, size.deep(count), adds=not is_last)
            stages.append(nn.Sequential(ConvNorm(given, made, 3, 2), *pools, layer))
            given = made
        self.stages = nn.ModuleList(stages)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Give the features, finest first."""
        features, found = self.stem(images), []
        for stage in self.stages:
            features = stage(features)
            found.append(features)
        return found


def csp_encoder(size: CspSize, bands: int) -> Encoder:
    """Build the encoder of a size, with random weights."""
    module = CspStages(bands, SIZES[size])
    mean, deviation = ((sum(one) / len(one),) * bands if bands != len(one) else one for one in IMAGENET)
    return Encoder(module, module.channels, STRIDES, mean, deviation, "random")
