"""Depthwise convolutions whose backward pass is fast on CPUs.

oneDNN's bfloat16 kernels for channels-last depthwise convolution fall back to a slow reference in two backward cases:
the gradient of the input when the stride is 2, and the gradient of a 5x5 weight. On EfficientNet-Lite0 at 352x480 they are
two thirds of a training step. Both have exact detours over cases that are fast:

* input gradient, stride 2: spread the output gradient over a grid of zeros, then a stride-1 convolution with the flipped
  weight (the textbook transposed convolution);
* weight gradient, 5x5: four 3x3 weight gradients on shifted inputs, which together cover all 25 taps.

The sums are the same, taken in another order; measured in ``benchmarks/depthwise.py``.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class _Depthwise(torch.autograd.Function):
    """A depthwise convolution (groups = channels, square 3x3 or 5x5 kernel) with the two detours in its backward pass."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(values, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(values, weight, stride=stride, padding=padding, groups=values.shape[1])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:  # type: ignore[override]
        values, weight = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        to_input = _input_gradient(gradient, values, weight, ctx.stride, ctx.padding) if ctx.needs_input_grad[0] else None
        to_weight = _weight_gradient(gradient, values, weight, ctx.stride, ctx.padding) if ctx.needs_input_grad[1] else None
        return to_input, to_weight, None, None


def _input_gradient(gradient: Tensor, values: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    count, channels, height, width = values.shape
    kernel = weight.shape[-1]
    if stride > 1:
        shape = (count, channels, height + 2 * padding - kernel + 1, width + 2 * padding - kernel + 1)
        spread = torch.zeros(shape, dtype=gradient.dtype).contiguous(memory_format=torch.channels_last)
        spread[:, :, ::stride, ::stride] = gradient
        gradient = spread
    return F.conv2d(gradient, weight.flip(2, 3), padding=kernel - 1 - padding, groups=channels)


def _weight_gradient(gradient: Tensor, values: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    if weight.shape[-1] == 3:
        return _plain_weight_gradient(gradient, values, weight, stride, padding)
    padded = F.pad(values, (padding, padding, padding, padding))
    height, width = ((side - 1) * stride + 3 for side in gradient.shape[-2:])
    small = weight[:, :, :3, :3].contiguous(memory_format=torch.channels_last)
    result = torch.empty_like(weight)
    for row in (0, 2):
        for column in (0, 2):
            window = padded[:, :, row : row + height, column : column + width].contiguous(memory_format=torch.channels_last)
            result[:, :, row : row + 3, column : column + 3] = _plain_weight_gradient(gradient, window, small, stride, 0)
    return result


def _plain_weight_gradient(gradient: Tensor, values: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    found = torch.ops.aten.convolution_backward(
        gradient,
        values,
        weight,
        None,
        [stride] * 2,
        [padding] * 2,
        [1, 1],
        False,
        [0, 0],
        values.shape[1],
        [False, True, False],
    )
    return found[1]


class DepthwiseConv2d(nn.Module):
    """A depthwise convolution with the fast backward pass; same parameters, state names and results as the one it replaces.

    Without gradients (prediction, export) and away from the CPU it is the plain convolution.
    """

    def __init__(self, replaced: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.bias = replaced.weight, replaced.bias
        self.kernel, self.stride = replaced.kernel_size[0], replaced.stride[0]
        # timm's Conv2dSame pads as TensorFlow does: by the input's size, more at the bottom and the right
        self.same = type(replaced).__name__ == "Conv2dSame"
        self.padding = 0 if self.same else int(replaced.padding[0])

    def extra_repr(self) -> str:
        """Say what it is, for printed models."""
        padding = "same" if self.same else self.padding
        return f"{self.weight.shape[0]}, kernel_size={self.kernel}, stride={self.stride}, padding={padding}, depthwise"

    def forward(self, values: Tensor) -> Tensor:
        """Convolve (N, C, H, W)."""
        padding = self.padding
        if self.same:
            rows, columns = (_same(side, self.kernel, self.stride) for side in values.shape[-2:])
            if rows == columns and rows % 2 == 0:
                padding = rows // 2
            else:
                values = F.pad(values, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
        if not (torch.is_grad_enabled() and self.weight.requires_grad and values.device.type == "cpu"):
            return F.conv2d(values, self.weight, self.bias, self.stride, padding, groups=values.shape[1])
        weight = self.weight
        if torch.is_autocast_enabled("cpu"):  # autocast does not reach inside an autograd function
            dtype = torch.get_autocast_dtype("cpu")
            values, weight = values.to(dtype), weight.to(dtype)
        weight = weight.contiguous(memory_format=torch.channels_last)
        found = _Depthwise.apply(values.contiguous(memory_format=torch.channels_last), weight, self.stride, padding)
        return found if self.bias is None else found + self.bias.view(1, -1, 1, 1).to(found.dtype)


def _same(side: int, kernel: int, stride: int) -> int:
    return max((-(-side // stride) - 1) * stride + kernel - side, 0)


def is_replaceable(module: nn.Module) -> bool:
    """Tell whether ``module`` is a depthwise convolution that ``DepthwiseConv2d`` can stand in for."""
    return (
        isinstance(module, nn.Conv2d)
        and module.groups == module.in_channels == module.out_channels > 1
        and module.kernel_size in ((3, 3), (5, 5))
        and module.stride in ((1, 1), (2, 2))
        and module.dilation == (1, 1)
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
        and len(set(module.padding)) == 1
        and module.padding[0] < module.kernel_size[0]
    )


def with_fast_depthwise(model: nn.Module) -> nn.Module:
    """Replace every depthwise convolution inside ``model`` that has a slow backward pass; parameters are shared, not copied."""
    for name, child in model.named_children():
        if is_replaceable(child):
            assert isinstance(child, nn.Conv2d)
            setattr(model, name, DepthwiseConv2d(child))
        else:
            with_fast_depthwise(child)
    return model
