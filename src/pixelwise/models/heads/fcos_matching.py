"""Which location is an example of which object, in a detector without anchors [1, 2].

A location is one of an object if it lies in the object's box, not far from its middle, and on the level of the pyramid that
suits the box. Of several objects it takes the smallest.

A box of a few pixels may hold no location at all, and its object would never be learnt. So boxes may be taken as larger by a
share of a stride on every side (``Rules.outside``): by half a stride, every object has a location. The authors do without.

[1] Tian, Shen, Chen, He: FCOS: Fully Convolutional One-Stage Object Detection, ICCV 2019, arXiv 1904.01355.
[2] The same: FCOS: A Simple and Strong Anchor-free Object Detector, TPAMI 2021, arXiv 2006.09214.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pixelwise.core.errors import OptionError

AT_ONCE = 2**21  # pairs of a location and an object that are compared at once


@dataclass(frozen=True)
class Rules:
    """What makes a location an example.

    Attributes:
        reach: a level is for boxes whose furthest side is up to so many of its strides away, and further than those of the
            level before; the last level is for all that are larger.
        radius: a location lies at most so many strides from the box's middle, along x and y.
        outside: and at most so many strides outside of the box.
    """

    reach: float = 8.0
    radius: float = 1.5
    outside: float = 0.5

    def __post_init__(self) -> None:
        for name in ("reach", "radius"):
            if not 0 < getattr(self, name) < float("inf"):
                raise OptionError(f"[model] {name}: expected strides above 0, got {getattr(self, name)}")
        if not 0 <= self.outside <= 1:
            raise OptionError(f"[model] outside: expected 0 to 1 stride, got {self.outside}")

    def limits(self, strides: Sequence[int], each: Tensor) -> tuple[Tensor, Tensor]:
        """Give how far the furthest side may be away from each location (A,), whose level has the stride ``each`` (A,).

        Returns:
            Above which it must lie, and up to which it may.
        """
        low = torch.where(each > strides[0], each * (self.reach / 2), 0.0)
        return low, torch.where(each < strides[-1], each * self.reach, torch.inf)


def sides_from(points: Tensor, boxes: Tensor) -> Tensor:
    """Give how far left, top, right and bottom (…, 4) of boxes (…, 4) are from points (…, 2), outwards.

    >>> sides_from(torch.tensor([3.0, 1.0]), torch.tensor([1.0, 0.0, 4.0, 8.0])).tolist()
    [2.0, 1.0, 1.0, 7.0]
    """
    return torch.cat([points - boxes[..., :2], boxes[..., 2:] - points], dim=-1)


@torch.no_grad()
def assigned(points: Tensor, each: Tensor, strides: Sequence[int], boxes: Tensor, rules: Rules) -> Tensor:
    """Give the object (A,) that each location is an example of; -1 for none.

    Args:
        points: (A, 2) the locations, x and y.
        each: (A,) the stride of each one's level.
        strides: of all levels, each twice the one before.
        boxes: (T, 4) of the objects.
    """
    low, high = rules.limits(strides, each)
    found = torch.full_like(each, -1, dtype=torch.long)
    smallest = torch.full_like(each, torch.inf)
    some = max(1, AT_ONCE // max(1, len(points)))
    for first in range(0, len(boxes), some):
        part = boxes[first : first + some]
        sides = sides_from(points[:, None], part[None])  # (A, T, 4)
        furthest = sides.amax(dim=2)
        middles = (part[:, :2] + part[:, 2:]) / 2
        fits = (points[:, None] - middles).abs().amax(dim=2) < rules.radius * each[:, None]
        fits &= sides.amin(dim=2) > -rules.outside * each[:, None]
        fits &= (furthest > low[:, None]) & (furthest <= high[:, None])
        areas = (part[:, 2:] - part[:, :2]).prod(dim=1)
        area, index = torch.where(fits, areas, torch.inf).min(dim=1)
        is_smaller = area < smallest
        found = torch.where(is_smaller, index + first, found)
        smallest = torch.where(is_smaller, area, smallest)
    return found


def centreness(sides: Tensor, margin: Tensor) -> Tensor:
    """Give (K,): 1 for a location in the middle of its object's box, and 0 at the border [1, equation 3].

    Args:
        sides: (K, 4) as ``sides_from`` gives them.
        margin: (K,) by which the box is taken as larger on every side.
    """
    across, down = (sides + margin[:, None]).clamp(min=0).unflatten(1, (2, 2)).unbind(dim=2)
    pairs = torch.stack([across, down], dim=1)  # (K, 2, 2): left and right, top and bottom
    return (pairs.amin(dim=2) / pairs.amax(dim=2).clamp(min=1e-6)).prod(dim=1).sqrt()
