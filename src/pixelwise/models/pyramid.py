"""A feature pyramid on any encoder: what detectors look for objects of every size in.

The pyramid is torchvision's. Its levels have the encoder's strides from the finest one wanted on, and all one width. One level
more, at twice the last stride, is the last one with every other row and column left out [1]; or one or more are made from the
last one by convolutions, each halving the size [2].

[1] Lin, Dollár, Girshick, He, Hariharan, Belongie: Feature Pyramid Networks for Object Detection, CVPR 2017, arXiv 1612.03144.
[2] Lin, Goyal, Girshick, He, Dollár: Focal Loss for Dense Object Detection, ICCV 2017, arXiv 1708.02002, section 4; from the
    pyramid's last level: Tian, Shen, Chen, He: FCOS, ICCV 2019, arXiv 1904.01355, section 3.2.
"""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.core.errors import OptionError
from pixelwise.models.encoders import Encoder
from pixelwise.models.network import Network

Norm = Literal["none", "batch", "group"]
GROUPS = 32  # of a group norm


class EncoderPyramid(Network):
    """An encoder and a feature pyramid on it.

    Args:
        finest: the stride of the pyramid's finest level.
        channels: of every level.
        convolved: how many levels to add by convolutions of stride 2; 0 adds one by leaving rows and columns out.

    Attributes:
        levels: the strides of the pyramid's levels, finest first; those of the added levels are the last.
        own: how many of the levels have a stride of the encoder.

    Raises:
        OptionError: the encoder's strides from ``finest`` on do not double step by step.
    """

    def __init__(self, encoder: Encoder, finest: int, channels: int, norm: Norm = "none", convolved: int = 0) -> None:
        from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork, LastLevelMaxPool

        super().__init__()
        self.places = tuple(place for place, stride in enumerate(encoder.strides) if stride >= finest)
        found = tuple(encoder.strides[place] for place in self.places)
        if len(found) < 2 or found != tuple(finest * 2**level for level in range(len(found))):
            raise OptionError(
                f"a feature pyramid from stride {finest} on needs features at {finest}, {2 * finest}, {4 * finest} …; the "
                f"encoder gives them at {', '.join(map(str, encoder.strides))}; choose another encoder"
            )
        self.encoder = encoder.module
        self.weights, self.strides = encoder.weights, encoder.strides
        self.own = len(found)
        self.levels = (*found, *(found[-1] * 2 ** (step + 1) for step in range(convolved or 1)))
        widths = [encoder.channels[place] for place in self.places]
        added = None if convolved else LastLevelMaxPool()
        self.pyramid = FeaturePyramidNetwork(widths, channels, added, norm_layer(norm))
        self.coarser = nn.ModuleList(nn.Conv2d(channels, channels, 3, 2, 1) for _ in range(convolved))
        for layer in self.coarser:
            nn.init.kaiming_uniform_(layer.weight, a=1)  # type: ignore[arg-type]  # as the pyramid's own layers are drawn
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Give the levels (N, C, H / s, W / s) of the pyramid, finest first."""
        found = self.encoder(images)
        levels = list(self.pyramid(OrderedDict((str(place), found[place]) for place in self.places)).values())
        for step, layer in enumerate(self.coarser):
            levels.append(layer(F.relu(levels[-1]) if step else levels[-1]))
        return tuple(levels)


def norm_layer(norm: Norm) -> Callable[[int], nn.Module] | None:
    """Give what makes a norm for a number of channels, as torchvision's layers want it; None for ``none``."""
    return {"none": None, "batch": nn.BatchNorm2d, "group": partial(nn.GroupNorm, GROUPS)}[norm]
