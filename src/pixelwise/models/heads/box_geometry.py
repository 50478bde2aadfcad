"""Boxes as tensors (…, 4): left, top, right, bottom, and the numbers by which a network moves one to another."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from pixelwise.core.arrays import Size

LARGEST = math.log(1000 / 16)  # of the logarithm by which a side grows, so that early in training exp() does not overflow


def encoded(boxes: Tensor, anchors: Tensor, weights: Sequence[float]) -> Tensor:
    """Give the shifts (K, 4) that move ``anchors`` to ``boxes`` [1].

    They are the centre's shift in sides of the anchor and the logarithm of the ratio of the sides, times ``weights``.

    [1] Girshick, Donahue, Darrell, Malik: Rich feature hierarchies for accurate object detection, CVPR 2014, appendix C.
    """
    sides, goal_sides = anchors[:, 2:] - anchors[:, :2], boxes[:, 2:] - boxes[:, :2]
    centres, goals = anchors[:, :2] + 0.5 * sides, boxes[:, :2] + 0.5 * goal_sides
    shifts = torch.cat([(goals - centres) / sides, torch.log(goal_sides / sides)], dim=1)
    return shifts * torch.as_tensor(weights, dtype=shifts.dtype, device=shifts.device)


def decoded(shifts: Tensor, anchors: Tensor, weights: Sequence[float]) -> Tensor:
    """Move ``anchors`` (…, 4) by ``shifts`` (…, 4): the inverse of ``encoded``."""
    shifts = shifts / torch.as_tensor(weights, dtype=shifts.dtype, device=shifts.device)
    sides = anchors[..., 2:] - anchors[..., :2]
    centres = anchors[..., :2] + 0.5 * sides
    centres = shifts[..., :2] * sides + centres
    half = 0.5 * (torch.exp(shifts[..., 2:].clamp(max=LARGEST)) * sides)
    return torch.cat([centres - half, centres + half], dim=-1)


def clipped(boxes: Tensor, size: Size) -> Tensor:
    """Cut boxes (…, 4) off at the border of an image (H, W)."""
    height, width = size
    across, down = boxes[..., 0::2].clamp(0, width), boxes[..., 1::2].clamp(0, height)
    return torch.stack([across[..., 0], down[..., 0], across[..., 1], down[..., 1]], dim=-1)


def has_sides(boxes: Tensor, least: float) -> Tensor:
    """Tell which boxes (…, 4) have sides of at least ``least`` pixels."""
    return ((boxes[..., 2:] - boxes[..., :2]) >= least).all(dim=-1)


def share_inside(boxes: Tensor, regions: Tensor) -> Tensor:
    """Give the largest share (B,) of each box's area that lies in one of the regions (R, 4); 0 without a region."""
    if not len(regions):
        return boxes.new_zeros(len(boxes))
    low = torch.maximum(boxes[:, None, :2], regions[None, :, :2])
    high = torch.minimum(boxes[:, None, 2:], regions[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(dim=2).amax(dim=1)
    return shared / (boxes[:, 2:] - boxes[:, :2]).prod(dim=1).clamp(min=1e-6)
