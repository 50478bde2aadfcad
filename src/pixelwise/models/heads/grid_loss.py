"""What SOLO's cells cost: the focal loss of their classes, and Dice of the masks of those that are taught an object [1].

Masks are compared at points, one in each cell of the features at a place that is drawn anew each time (``query_points``): cells
of four pixels would know nothing of where in them an object ends, and an object smaller than a cell would be none. Objects of a
few pixels bring points of their own besides.

Dice alone, as published, hardly has a gradient where a small object's mask is empty or covers half the image. So there is a
third term, the mean cross entropy of a mask at all points and again at its object's own; without it the loss is the paper's.

[1] Wang, Zhang, Kong, Li, Shen: SOLOv2: Dynamic and Fast Instance Segmentation, NeurIPS 2020, arXiv 2003.10152, section 3.3;
    SOLO, ECCV 2020, arXiv 1912.04488, section 3.3, has the terms.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.models.heads.query_points import Points, masks_at
from pixelwise.models.heads.query_targets import counted_at, truth_at

ALPHA, GAMMA = 0.25, 2.0  # of the focal loss, as published
POINTS = Points(everywhere=True)


class Taught(NamedTuple):
    """What one image teaches.

    Attributes:
        classes: (T,) of its objects.
        masks: (T, H, B) packed, eight pixels a byte.
        inside: (T, O, 2) points of small objects.
        places: (P, 2) cells, and the object of each.
        ignore: (H, W) pixels that do not count.
    """

    classes: Tensor
    masks: Tensor
    inside: Tensor
    places: Tensor
    ignore: Tensor


def class_sum(logits: Tensor, wanted: Tensor, counted: Tensor, weights: Tensor | None) -> Tensor:
    """Sum the focal loss over cells with logits (N, G, L).

    Args:
        wanted: (N, G) the class of each cell, -1 for none.
        counted: (N, G) 0 for cells that do not count.
        weights: (L,) of the classes.
    """
    from torchvision.ops import sigmoid_focal_loss

    goals = (wanted[..., None] == torch.arange(logits.shape[-1], device=logits.device)).to(logits.dtype)
    each = sigmoid_focal_loss(logits, goals, ALPHA, GAMMA)
    each = each if weights is None else each * weights
    return (each * counted[..., None]).sum()


def mask_sums(masks: Tensor, objects: Tensor, taught: Taught, extent: Tensor) -> tuple[Tensor, Tensor]:
    """Sum 1 - Dice, and the cross entropy, over masks (K, h, w) as logits, each of one of ``objects`` (K,) of an image.

    Args:
        extent: the image's share (x, y) of what the masks lie over.
    """
    looked_at = (POINTS.drawn(masks), taught.inside[objects])
    logits = torch.cat([masks_at(masks, at, extent) for at in looked_at], dim=1)
    with torch.no_grad():
        width, first = taught.ignore.shape[-1], torch.zeros_like(objects)
        wanted = torch.cat([truth_at(taught.masks, objects, at, width) for at in looked_at], dim=1)
        counted = torch.cat([counted_at(taught.ignore[None], first, at).expand(len(objects), -1) for at in looked_at], dim=1)
    inside = logits.sigmoid()
    both = (inside * wanted * counted).sum(1)
    whole = ((inside**2 + wanted**2) * counted).sum(1)
    surprise = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none") * counted
    own = taught.inside.shape[1]
    everywhere = surprise.sum(1) / counted.sum(1).clamp_min(1)
    at_own = surprise[:, -own:].sum(1) / counted[:, -own:].sum(1).clamp_min(1)
    return (1 - 2 * both / whole.clamp_min(1e-3)).sum(), (everywhere + at_own).sum()


def sampled(places: Tensor, most: int) -> Tensor:
    """Draw at most so many of the pairs (P, 2) of a cell and its object."""
    if len(places) <= most:
        return places
    return places[torch.randperm(len(places), device=places.device)[:most]]
