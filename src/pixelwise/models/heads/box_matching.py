"""Which anchors and proposals are of which object, which are of none, and which few of them a step learns from."""

from typing import NamedTuple

import torch
from torch import Tensor

from pixelwise.models.heads.box_geometry import share_inside

AT_ONCE = 2**23  # pairs of a box and an object that are compared at once
CROWDED = 0.7  # of a box: with more of it in a crowd, it is no example of background


class Matched(NamedTuple):
    """What a box is an example of.

    Attributes:
        objects: (B,) the object each box overlaps most; 0 where there is none.
        states: (B,) 1 for an example of that object, 0 for one of background, -1 for neither.
    """

    objects: Tensor
    states: Tensor


def matched(boxes: Tensor, objects: Tensor, crowds: Tensor, low: float, high: float, nearest: bool) -> Matched:
    """Match boxes (B, 4) to objects (T, 4).

    A box is of an object at an IoU of ``high`` or more and background below ``low`` [1]. What would be background but has more
    than ``CROWDED`` of its area in a crowd's box is neither, as in Detectron: there may well be an object without an outline of
    its own. A box that does fit an outlined object in a crowd remains its example.

    Args:
        nearest: whether the boxes that overlap an object most are examples all the same, however little that is.

    [1] Ren et al.: Faster R-CNN, NeurIPS 2015, arXiv 1506.01497, section 3.1.2.
    """
    best, index, is_nearest = _overlaps(boxes, objects)
    states = torch.full_like(index, -1)
    states[best < low] = 0
    states[(states == 0) & (share_inside(boxes, crowds) > CROWDED)] = -1
    states[best >= high] = 1
    if nearest:
        states[is_nearest] = 1
    return Matched(index, states)


def _overlaps(boxes: Tensor, objects: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Give the highest IoU (B,) of each box, with which object, and whether no box overlaps some object more."""
    from torchvision.ops import box_iou

    best = boxes.new_zeros(len(boxes))
    index = torch.zeros(len(boxes), dtype=torch.long, device=boxes.device)
    is_nearest = torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
    some = max(1, AT_ONCE // max(1, len(boxes)))
    for first in range(0, len(objects), some):
        table = box_iou(objects[first : first + some], boxes)
        values, places = table.max(dim=0)
        index = torch.where(values > best, places + first, index)
        best = torch.maximum(best, values)
        highest = table.amax(dim=1, keepdim=True)
        is_nearest |= ((table == highest) & (highest > 0)).any(dim=0)
    return best, index, is_nearest


def sampled(states: Tensor, count: int, positive_share: float) -> tuple[Tensor, Tensor]:
    """Draw up to ``count`` boxes at random: at most so large a share of examples of objects, the rest background."""
    positive, negative = torch.where(states == 1)[0], torch.where(states == 0)[0]
    positive = _some(positive, int(count * positive_share))
    return positive, _some(negative, count - len(positive))


def _some(indices: Tensor, count: int) -> Tensor:
    return indices[torch.randperm(len(indices), device=indices.device)[:count]]
