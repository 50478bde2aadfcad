"""What predictions of a centre head cost: classes at the hardest pixels, centres and offsets where they are labelled.

Every term is a ratio of sums over the batch. The hardest pixels are chosen image by image, so that how a batch is divided among
parts and processes changes nothing.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.core.errors import OptionError
from pixelwise.models.heads.centre_targets import VOID

Sums = tuple[Tensor, Tensor]  # of what is lost, and of what it is divided by


@dataclass(frozen=True)
class Weights:
    """Weights of the terms ([1], section 3.2).

    Attributes:
        semantic, centre, offset: of the three terms.
        hardest: share of the labelled pixels of an image that the classes are learnt from, those that cost most.
        small_area, small: pixels of objects with a smaller area weigh so much in that.

    [1] Cheng et al., Panoptic-DeepLab, CVPR 2020.
    """

    semantic: float = 1.0
    centre: float = 200.0
    offset: float = 0.01
    hardest: float = 0.15
    small_area: int = 4096
    small: float = 3.0

    def __post_init__(self) -> None:
        for name in ("semantic", "centre", "offset"):
            if not 0 <= getattr(self, name) < math.inf:
                raise OptionError(f"[model] {name}_loss: expected a weight of 0 or more, got {getattr(self, name)}")
        if not 0 < self.hardest <= 1:
            raise OptionError(f"[model] hardest: expected a share above 0 and at most 1, got {self.hardest}")
        if self.small_area < 0 or not 0 < self.small < math.inf:
            raise OptionError(
                f"[model] small_area, small_weight: expected pixels and a weight above 0, got {self.small_area}, {self.small}"
            )


@dataclass(frozen=True)
class Owned:
    """Which object each pixel of a batch belongs to.

    Attributes:
        rows: (N, H, W) rows of ``objects``; 0 for none.
        objects: (1 + T, 3) centre and area of the objects of all images; row 0 stands for none.
        counted: (N, H, W) whether a pixel is labelled.
    """

    rows: Tensor
    objects: Tensor
    counted: Tensor

    @classmethod
    def of(cls, owners: Tensor, objects: tuple[Tensor, ...]) -> "Owned":
        """Put the objects of all images into one table."""
        counts = torch.tensor([0, *map(len, objects[:-1])], device=owners.device)
        rows = torch.where(owners > 0, owners + counts.cumsum(0)[:, None, None], 0)
        return cls(rows, torch.cat([objects[0].new_zeros(1, 3), *objects]), owners != VOID)


def semantic_sums(logits: Tensor, classes: Tensor, owned: Owned, weights: Weights, of_classes: Tensor | None) -> Sums:
    """Give the sum of the cross entropies of the hardest pixels, and their number; logits are at the size of the classes."""
    surprise = F.cross_entropy(logits, classes, of_classes, ignore_index=VOID, reduction="none")
    is_small = (owned.rows > 0) & (owned.objects[:, 2][owned.rows] < weights.small_area)
    surprise = torch.where(is_small, weights.small * surprise, surprise)
    return hardest_sums(surprise.flatten(1), (classes != VOID).flatten(1), weights.hardest)


def hardest_sums(costs: Tensor, counted: Tensor, share: float) -> Sums:
    """Give the sum of the highest costs (N, P) of each image, a share of those that count and one at least, and their number.

    >>> costs, counted = torch.tensor([[1.0, 5.0, 3.0, 9.0]]), torch.tensor([[True, True, True, False]])
    >>> [float(one) for one in hardest_sums(costs, counted, 0.5)]
    [8.0, 2.0]
    """
    kept = (share * counted.sum(1)).ceil()
    highest = torch.where(counted, costs, -1).topk(math.ceil(share * costs.shape[1]), dim=1).values
    places = torch.arange(highest.shape[1], device=costs.device)
    return (highest * (places < kept[:, None])).sum(), kept.sum()


def centre_sums(heat: Tensor, wanted: Tensor, counted: Tensor) -> Sums:
    """Give the sum of the squared differences of heat maps (N, H, W) where they count, and the number of such pixels."""
    return ((heat - wanted) ** 2 * counted).sum(), counted.sum()


def offset_sums(offsets: Tensor, owned: Owned) -> Sums:
    """Give the sum of the absolute differences, down and across, of offsets (N, 2, H, W) on objects, and their pixels."""
    height, width = offsets.shape[-2:]
    down, across = (torch.arange(side, device=offsets.device, dtype=torch.float32) for side in (height, width))
    place = torch.stack(torch.meshgrid(down, across, indexing="ij"))
    wanted = owned.objects[:, :2][owned.rows].permute(0, 3, 1, 2) - place
    inside = owned.rows > 0
    return ((offsets - wanted).abs() * inside[:, None]).sum(), inside.sum()
