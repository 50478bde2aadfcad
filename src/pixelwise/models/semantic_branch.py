"""The semantic branch of Panoptic FPN [1]: a feature pyramid brought to one size and summed, level by level.

A level of n times the finest one's stride passes log2(n) times through a 3x3 convolution, group norm, ReLU and doubling of its
size; the finest passes through one convolution and is not enlarged.

[1] Kirillov, Girshick, He, Dollár: Panoptic Feature Pyramid Networks, CVPR 2019, arXiv 1901.02446, section 3.1 and figure 3.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.core.errors import OptionError
from pixelwise.models.pyramid import GROUPS


class SemanticBranch(nn.Module):
    """From the levels of a pyramid to features (N, ``width``, h, w) at the finest level's size.

    Args:
        levels: how many are used, each half the size of the one before.
        channels: of each.

    Raises:
        OptionError: the width is no multiple of 64: a group of a norm shall have two values even in a level of one pixel.
    """

    def __init__(self, levels: int, channels: int, width: int) -> None:
        super().__init__()
        if width < 1 or width % (2 * GROUPS):
            raise OptionError(f"[model] semantic_width: expected a multiple of {2 * GROUPS}, got {width}")
        self.levels = nn.ModuleList(
            nn.ModuleList(_step(channels if step == 0 else width, width) for step in range(max(1, level)))
            for level in range(levels)
        )

    def forward(self, pyramid: Sequence[Tensor]) -> Tensor:
        """Sum the levels, finest first; those beyond the last that is used are left out."""
        found = []
        for level, steps in enumerate(self.levels):
            values = pyramid[level]
            for step, layer in enumerate(steps, 1):  # type: ignore[arg-type]
                values = layer(values)
                if level:
                    size = pyramid[level - step].shape[-2:]  # twice its own
                    values = F.interpolate(values, size=size, mode="bilinear", align_corners=False)
            found.append(values)
        return sum(found[1:], start=found[0])


def _step(channels: int, width: int) -> nn.Sequential:
    convolution = nn.Conv2d(channels, width, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(convolution, nn.GroupNorm(GROUPS, width), nn.ReLU())
