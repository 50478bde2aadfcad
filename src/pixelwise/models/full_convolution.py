"""The full convolution that ends a network: a transposed 3x3 one to twice the size, a row of weights a class."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FullConvolution(nn.Module):
    """Features (N, C, h, w) to logits (N, L, 2 h, 2 w).

    It is ``nn.ConvTranspose2d(C, L, 3, stride=2, padding=1, output_padding=1)`` with its weights the other way round, (L, C, 3,
    3): with a row a class, as fine-tuning for other labels keeps them.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(classes, channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(classes))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))  # as torch begins its convolutions

    def forward(self, features: Tensor) -> Tensor:
        """Give logits."""
        weight = self.weight.transpose(0, 1)
        return F.conv_transpose2d(features, weight, self.bias, stride=2, padding=1, output_padding=1)
