"""A path aggregation pyramid on any encoder: features go down from the deepest level and up again.

A feature pyramid brings what deep levels know to the fine ones; the way back up brings the fine ones' exact places to the deep
levels [1]. Layers are those of ``pixelwise.models.csp``, in the arrangement that YOLOX [2] took over.

[1] Liu, Qi, Qin, Shi, Jia: Path Aggregation Network for Instance Segmentation, CVPR 2018, arXiv 1803.01534, section 3.1.
[2] Ge et al., YOLOX: Exceeding YOLO Series in 2021, arXiv 2107.08430.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.core.errors import OptionError
from pixelwise.models.csp import ConvNorm, CspLayer, Multipliers
from pixelwise.models.encoders import Encoder
from pixelwise.models.network import Network

COARSEST = 32
_BOTTLENECKS = 3  # of every layer, at full depth
_CHANNELS = 32  # at stride 1 and full width: 256 at stride 8, 1024 at stride 32


class PathPyramid(Network):
    """An encoder and a path aggregation pyramid on it.

    Args:
        finest: the stride of the finest level.
        size: of the layers.

    Attributes:
        levels: the strides of the levels, finest first: from ``finest`` to 32.
        channels: of each level.

    Raises:
        OptionError: the encoder lacks one of these strides.
    """

    def __init__(self, encoder: Encoder, finest: int, size: Multipliers) -> None:
        super().__init__()
        self.levels = tuple(stride for stride in (4, 8, 16, 32) if stride >= finest)
        if not set(self.levels) <= set(encoder.strides):
            raise OptionError(
                f"yolo needs features at the strides {', '.join(map(str, self.levels))}, and the encoder gives them at "
                f"{', '.join(map(str, encoder.strides))}; choose another encoder"
            )
        self.encoder = encoder.module
        self.weights, self.strides = encoder.weights, encoder.strides
        self._places = tuple(encoder.strides.index(stride) for stride in self.levels)
        self.channels = tuple(size.wide(_CHANNELS * stride) for stride in self.levels)
        given, count = [encoder.channels[place] for place in self._places], size.deep(_BOTTLENECKS)
        self.reduced = nn.ModuleList(  # what a level hands down is as wide as the level below
            ConvNorm(of, to) for of, to in zip([*self.channels[1:-1], given[-1]], self.channels[:-1], strict=True)
        )
        self.down = nn.ModuleList(
            CspLayer(of + wide, wide, count, adds=False) for of, wide in zip(given[:-1], self.channels[:-1], strict=True)
        )
        self.halved = nn.ModuleList(ConvNorm(wide, wide, 3, 2) for wide in self.channels[:-1])
        self.up = nn.ModuleList(
            CspLayer(2 * of, to, count, adds=False) for of, to in zip(self.channels[:-1], self.channels[1:], strict=True)
        )

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Give the levels (N, C, H / s, W / s), finest first."""
        found = self.encoder(images)
        features = [found[place] for place in self._places]
        carried, passed = features[-1], []
        for level in reversed(range(len(self.down))):
            carried = self.reduced[level](carried)
            passed.append(carried)
            wider = F.interpolate(carried, size=features[level].shape[-2:], mode="nearest")
            carried = self.down[level](torch.cat([wider, features[level]], dim=1))
        levels = [carried]
        for halved, up, beside in zip(self.halved, self.up, reversed(passed), strict=True):
            levels.append(up(torch.cat([halved(levels[-1]), beside], dim=1)))
        return tuple(levels)
