"""The decoders of Panoptic-DeepLab [1]: dilated convolutions beside one another (ASPP), and steps up to finer features.

One decoder is for classes and one for objects; both stand on the same encoder. A step enlarges what there is to the size of an
encoder's stage, puts a narrow projection of that stage beside it, and joins the two by a depthwise separable 5x5 convolution.

[1] Cheng, Collins, Zhu, Liu, Huang, Adam, Chen: Panoptic-DeepLab, CVPR 2020, arXiv 1911.10194, section 3.1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.core.errors import OptionError

LEAST = 8  # channels of a projection


@dataclass(frozen=True)
class Widths:
    """Channels of one decoder.

    Attributes:
        aspp: of each parallel branch, and of what they make together.
        steps: of what each step gives, from stride 8 on.
        skips: of the projections of the encoder's stages, from stride 8 on.
    """

    aspp: int
    steps: tuple[int, ...]
    skips: tuple[int, ...]

    @classmethod
    def of(cls, aspp: int, channels: int, skips: tuple[int, ...], finest: int) -> "Widths":
        """Give the widths down to stride ``finest``; beyond 4, where the paper ends, each step has half of those before.

        >>> Widths.of(256, 256, (64, 32), 2)
        Widths(aspp=256, steps=(256, 256, 128), skips=(64, 32, 16))

        Raises:
            OptionError: a width is below 1, or there are not two skips.
        """
        if len(skips) != 2 or min(*skips, aspp, channels) < 1:
            raise OptionError(
                "[model] aspp, channels, skips and their like: expected widths above 0, and of skips two (for the strides 8 "
                f"and 4), got {aspp}, {channels} and {list(skips)}"
            )
        finer = [step for step in (1, 2) if 4 >> step >= finest]
        steps = (channels, channels, *(max(LEAST, channels >> step) for step in finer))
        return cls(aspp, steps, (*skips, *(max(LEAST, skips[1] >> step) for step in finer)))


class Separable(nn.Sequential):
    """A depthwise convolution and a pointwise one, each with batch norm and ReLU."""

    def __init__(self, before: int, after: int, kernel: int, dilation: int = 1) -> None:
        padding = dilation * (kernel // 2)
        depthwise = nn.Conv2d(before, before, kernel, padding=padding, dilation=dilation, groups=before, bias=False)
        super().__init__(depthwise, nn.BatchNorm2d(before), nn.ReLU(), *plain(before, after, 1))


def plain(before: int, after: int, kernel: int) -> nn.Sequential:
    """Build a convolution with batch norm and ReLU."""
    convolution = nn.Conv2d(before, after, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU())


class Aspp(nn.Module):
    """A 1x1 convolution, three dilated ones and the mean over the image, side by side (DeepLabv3, section 3.3).

    The mean's convolution has no batch norm, so that one image can be learnt from.
    """

    def __init__(self, before: int, after: int, rates: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.branches = nn.ModuleList([plain(before, after, 1), *(Separable(before, after, 3, rate) for rate in rates)])
        self.whole = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(before, after, 1), nn.ReLU())
        self.join = plain((2 + len(rates)) * after, after, 1)
        self.drop = nn.Dropout(dropout)

    def forward(self, features: Tensor) -> Tensor:
        """Give (N, after, h, w) of features (N, before, h, w)."""
        found = [branch(features) for branch in self.branches]
        found.append(self.whole(features).expand(-1, -1, *features.shape[-2:]))
        joined: Tensor = self.drop(self.join(torch.cat(found, dim=1)))
        return joined


class Decoder(nn.Module):
    """From an encoder's last features to finer ones.

    Args:
        before: channels of the last features.
        beside: of the stages that the steps look at, from stride 8 on.
        rates: the dilations of the ASPP.
        dropout: of single values, after it.
    """

    def __init__(self, before: int, beside: Sequence[int], widths: Widths, rates: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.aspp = Aspp(before, widths.aspp, rates, dropout)
        self.projections = nn.ModuleList(plain(stage, skip, 1) for stage, skip in zip(beside, widths.skips, strict=True))
        entering = (widths.aspp, *widths.steps)
        self.fusions = nn.ModuleList(
            Separable(skip + given, step, 5) for skip, given, step in zip(widths.skips, entering, widths.steps, strict=False)
        )

    def forward(self, last: Tensor, beside: Sequence[Tensor]) -> Tensor:
        """Give features (N, C, h, w) of the size of the last of ``beside``."""
        found: Tensor = self.aspp(last)
        for projection, fusion, stage in zip(self.projections, self.fusions, beside, strict=True):
            found = F.interpolate(found, size=stage.shape[-2:], mode="bilinear", align_corners=False)
            found = fusion(torch.cat([projection(stage), found], dim=1))
        return found
