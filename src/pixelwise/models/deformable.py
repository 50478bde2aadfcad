"""Deformable convolutions [1]: each tap of a 3x3 kernel looks beside its place, by as much as the features there say.

On a GPU they are torchvision's ``deform_conv2d``, which keeps no copy of the features for each tap. Elsewhere the same comes
by way of ``grid_sample`` and a 1x1 convolution: exporters have that, and on a CPU it takes a third of the operator's time, and
of a training step a ninth (128 to 64 channels, 4 maps of 32 x 40, one thread).

[1] Dai, Qi, Xiong, Li, Zhang, Hu, Wei: Deformable Convolutional Networks, ICCV 2017, arXiv 1703.06211, section 2.1.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.core.errors import OptionError
from pixelwise.models.pyramid import GROUPS
from pixelwise.models.recorded import is_recorded

_TAPS = 9  # of a 3x3 kernel


class DeformableConvolution(nn.Module):
    """A 3x3 convolution whose taps are moved by a convolution of the same features; at first by nothing."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, channels, 3, 3))
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")
        self.moves = nn.Conv2d(channels, 2 * _TAPS, 3, padding=1)
        nn.init.zeros_(self.moves.weight)
        nn.init.zeros_(self.moves.bias)  # type: ignore[arg-type]

    def forward(self, values: Tensor) -> Tensor:
        """Give (N, ``width``, h, w) for values (N, C, h, w)."""
        moves = self.moves(values)
        if values.is_cuda and not is_recorded():
            from torchvision.ops import deform_conv2d

            return deform_conv2d(values.float(), moves.float(), self.weight.float(), padding=1)
        return convolved(values, moves, self.weight)


def convolved(values: Tensor, moves: Tensor, weight: Tensor) -> Tensor:
    """Convolve values (N, C, h, w) as ``torchvision.ops.deform_conv2d`` does with a padding of 1.

    Args:
        moves: (N, 18, h, w) down and across for each tap, row by row.
        weight: (O, C, 3, 3).
    """
    height, width = values.shape[-2:]
    device, moves = values.device, moves.float()  # places in 16 bits would be pixels off
    sides = torch.cat([moves.new_full((1,), side) for side in (height, width)])
    rows, columns = (torch.arange(side, device=device, dtype=torch.float32) for side in (height, width))
    places = torch.stack(torch.meshgrid(rows, columns, indexing="ij"))  # (2, h, w)
    steps = torch.arange(-1, 2, device=device, dtype=torch.float32)
    taps = torch.stack(torch.meshgrid(steps, steps, indexing="ij")).flatten(1)  # (2, 9)
    at = moves.unflatten(1, (_TAPS, 2)) + taps.T[None, :, :, None, None] + places  # (N, 9, 2, h, w)
    grid = ((2 * at + 1) / sides[:, None, None] - 1).flip(2).permute(0, 1, 3, 4, 2)  # x before y, from -1 to 1
    found = F.grid_sample(values.float(), grid.flatten(1, 2), "bilinear", "zeros", align_corners=False)  # (N, C, 9 h, w)
    taken = found.unflatten(2, (_TAPS, height)).flatten(1, 2)
    return F.conv2d(taken, weight.flatten(1)[:, :, None, None])


class DeformableBranch(nn.Module):
    """The semantic branch of UPSNet [1]: the same few deformable convolutions for every level, brought to one size and joined.

    Args:
        levels: how many levels of a pyramid are used, finest first.
        channels: of each.
        width: of the convolutions; the result has ``levels`` times as many channels.
        layers: convolutions after one another, each with a group norm and a ReLU.

    Raises:
        OptionError: the width is no multiple of 64, or there is no layer.

    [1] Xiong et al., UPSNet, CVPR 2019, arXiv 1901.03784, section 3.1 and figure 3.
    """

    def __init__(self, levels: int, channels: int, width: int, layers: int) -> None:
        super().__init__()
        if width < 1 or width % (2 * GROUPS):
            raise OptionError(f"[model] semantic_width: expected a multiple of {2 * GROUPS}, got {width}")
        if layers < 1:
            raise OptionError(f"[model] semantic_layers: expected 1 or more, got {layers}")
        self.count = levels
        self.layers = nn.Sequential()
        for layer in range(layers):
            self.layers.append(DeformableConvolution(channels if layer == 0 else width, width))
            self.layers.append(nn.GroupNorm(GROUPS, width))
            self.layers.append(nn.ReLU())

    def forward(self, pyramid: Sequence[Tensor]) -> Tensor:
        """Give features (N, levels x width, h, w) at the finest level's size."""
        size = pyramid[0].shape[-2:]
        found = [self.layers(level) for level in pyramid[: self.count]]
        enlarged = [F.interpolate(one, size=size, mode="bilinear", align_corners=False) for one in found[1:]]
        return torch.cat([found[0], *enlarged], dim=1)
