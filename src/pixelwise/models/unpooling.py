"""Max pooling that keeps where each maximum was, and unpooling that puts values back there.

Unpooling is written as a scatter. Values laid out channels last are scattered as they lie, so that the backward pass takes a
third of the time of ``torch.nn.MaxUnpool2d`` on CPUs (2 x 64 x 176 x 240 with the pooling, one core: 10 ms for both passes, 33
ms with the operator). In graphs both are comparisons of four pixels: runtimes scatter slowly, and pooling with places is slower
still (three quarters of ENet's time in OpenVINO).
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.core.arrays import Size
from pixelwise.models.recorded import holds, is_recorded


class Pooled(NamedTuple):
    """Maxima (N, C, h, w), and where each was (N, C, h, w), as ``unpooled`` takes it.

    Places are those in the flattened plane (H * W); in a recorded graph of even sides, the pixel's number among its four.
    """

    values: Tensor
    places: Tensor


def pooled(values: Tensor) -> Pooled:
    """Take the maximum of every 2 x 2 pixels of (N, C, H, W), the first of equals; an odd last row or column is left out."""
    if _are_compared(values.shape[-2:]):
        return _pooled_by_comparison(values)
    return Pooled(*F.max_pool2d(values, 2, 2, return_indices=True))


def unpooled(values: Tensor, places: Tensor, size: Size) -> Tensor:
    """Put values (N, C, h, w) at their ``places`` in planes (H, W) of zeros.

    The channels may come from elsewhere than those that were pooled; they must be as many.
    """
    if _are_compared(size):
        four = torch.stack([values * (places == number) for number in range(4)], dim=2)
        return F.pixel_shuffle(four.flatten(1, 2), 2)
    count, channels = values.shape[:2]
    height, width = size
    if not is_recorded() and values.is_contiguous(memory_format=torch.channels_last) and not values.is_contiguous():
        rows = [each.permute(0, 2, 3, 1).flatten(1, 2) for each in (values, places)]
        plane = values.new_zeros(count, height * width, channels).scatter(1, rows[1], rows[0])
        return plane.view(count, height, width, channels).permute(0, 3, 1, 2)
    plane = values.new_zeros(count, channels, height * width).scatter(2, places.flatten(2), values.flatten(2))
    return plane.view(count, channels, height, width)


def _are_compared(size: Sequence[int]) -> bool:
    return is_recorded() and all(holds(side % 2 == 0) for side in size)


def _pooled_by_comparison(values: Tensor) -> Pooled:
    first, second, third, fourth = F.pixel_unshuffle(values, 2).unflatten(1, (-1, 4)).unbind(2)
    upper, lower = torch.maximum(first, second), torch.maximum(third, fourth)
    in_upper, in_lower = (second > first).long(), 2 + (fourth > third).long()  # Core ML knows no ``where`` of scalars
    return Pooled(torch.maximum(upper, lower), torch.where(upper >= lower, in_upper, in_lower))
