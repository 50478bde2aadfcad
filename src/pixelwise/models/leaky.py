"""The PReLU [1], a slope a channel for values below 0, whose backward pass is fast on CPUs.

torch's own takes half of an ENet's training step on a CPU where channels are last. The same function as a sum of operations
that are fast there takes a third of the time (2 x 64 x 90 x 120, forward and backward, one core: 2.8 ms, torch's 8.8 ms);
for prediction torch's is the faster, and exporters know it.

[1] He et al., Delving Deep into Rectifiers, ICCV 2015, arXiv 1502.01852.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ChannelSlopes(nn.Module):
    """Values (N, C, H, W) as they are where above 0, else times their channel's slope; slopes begin at 0.25."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), 0.25))

    def forward(self, values: Tensor) -> Tensor:
        """Give max(v, 0) + slope min(v, 0)."""
        slopes = self.weight.to(values.dtype)  # autocast would bring the sum to the slopes' 32 bits
        if not self.training:
            return F.prelu(values, slopes)
        positive = F.relu(values)
        return torch.addcmul(positive, slopes.view(1, -1, 1, 1), values - positive)
