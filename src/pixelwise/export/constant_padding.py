"""TensorFlow's "same" padding as a constant, which it is wherever sides are multiples of the network's stride.

The layers compute it from the input's size. In a graph of any size that becomes an expression at every layer, nested in those
before it, and torch's exporter takes minutes to bound them.
"""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.models.depthwise import DepthwiseConv2d


class ConstantSame(nn.Module):
    """A convolution of sides that its stride divides, padded to give ``side / stride``; the odd one goes behind."""

    def __init__(self, replaced: Any) -> None:
        super().__init__()
        self.weight, self.bias = replaced.weight, replaced.bias
        self.stride = _pair(replaced.stride)
        self.dilation = _pair(getattr(replaced, "dilation", 1))
        self.groups = getattr(replaced, "groups", self.weight.shape[0])
        sides = zip(self.weight.shape[-2:], self.stride, self.dilation, strict=True)
        rows, columns = (max((kernel - 1) * dilation + 1 - stride, 0) for kernel, stride, dilation in sides)
        self.before = (rows // 2, columns // 2)
        self.after = (rows % 2, columns % 2)

    def forward(self, values: Tensor) -> Tensor:
        """Convolve (N, C, H, W)."""
        if any(self.after):
            (top, left), (bottom, right) = self.before, self.after
            values = F.pad(values, (left, left + right, top, top + bottom))
            return F.conv2d(values, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)
        return F.conv2d(values, self.weight, self.bias, self.stride, self.before, self.dilation, self.groups)


def with_constant_padding(model: nn.Module) -> nn.Module:
    """Replace, in place, the layers that pad by their input's size; give the model."""
    for name, child in model.named_children():
        is_same = child.same if isinstance(child, DepthwiseConv2d) else type(child).__name__ == "Conv2dSame"
        if is_same:
            setattr(model, name, ConstantSame(child))
        else:
            with_constant_padding(child)
    return model


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)
