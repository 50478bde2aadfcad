"""What a query head's predictions cost: classes of all queries, masks of those that are assigned an object.

Every layer of a decoder is judged in the same way, each with an assignment of its own. Terms are ratios of sums over the batch:
classes by the weights of the queries, masks by the number of objects.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.core.errors import OptionError
from pixelwise.models.heads.query_matching import ALPHA, GAMMA, Pairs
from pixelwise.models.heads.query_points import Points, masks_at
from pixelwise.models.heads.query_targets import counted_at, truth_at
from pixelwise.models.losses.whole import over_batch


class Layer(NamedTuple):
    """What one layer of a decoder says: logits of the classes (N, Q, L + 1) and of the masks (N, Q, h, w)."""

    classes: Tensor
    masks: Tensor


class Truth(NamedTuple):
    """A batch's objects: classes, packed masks and own points of each image, ignored pixels (N, H, W), the width in pixels."""

    classes: tuple[Tensor, ...]
    masks: tuple[Tensor, ...]
    inside: tuple[Tensor, ...]
    ignore: Tensor
    width: int

    @property
    def count(self) -> int:
        """How many objects there are."""
        return sum(map(len, self.classes))


@dataclass(frozen=True)
class Weights:
    """Weights of the terms.

    Attributes:
        classes, mask, dice: 2, 5 and 5 in Mask2Former; 1, 20 and 1 in MaskFormer.
        no_object: in the classes' term, of a query without an object beside one with.
        focal: whether the mask's term is the focal binary cross entropy (MaskFormer, DETR) or the plain one.
    """

    classes: float = 2.0
    mask: float = 5.0
    dice: float = 5.0
    no_object: float = 0.1
    focal: bool = False

    def __post_init__(self) -> None:
        for name in ("classes", "mask", "dice", "no_object"):
            if not getattr(self, name) >= 0:
                raise OptionError(f"[model] weight of the loss, {name}: expected 0 or more, got {getattr(self, name)}")


def class_sums(layer: Layer, pairs: Pairs, truth: Truth, weights: Tensor, ignored: Tensor) -> tuple[Tensor, Tensor]:
    """Give the sum of the weighted cross entropies of a layer's queries, and that of their weights.

    Args:
        weights: (L + 1,) of the classes and of no object.
        ignored: (N, Q) the share of each query's mask that lies on ignored pixels. A query without an object and more than half
            of which lies there does not count: nobody knows what is there.
    """
    count, queries, length = layer.classes.shape
    wanted = torch.full((count, queries), length - 1, device=layer.classes.device)
    wanted[pairs.images, pairs.queries] = torch.cat(truth.classes)[pairs.objects]
    counts = weights[wanted] * ((ignored <= 0.5) | (wanted < length - 1))
    surprise = F.cross_entropy(layer.classes.flatten(0, 1), wanted.flatten(), reduction="none")
    return (surprise * counts.flatten()).sum(), counts.sum()


@torch.no_grad()
def ignored_shares(masks: Tensor, ignore: Tensor, extent: Tensor) -> Tensor:
    """Give (N, Q): the share of each mask (N, Q, h, w), as probabilities, that lies on ignored pixels (N, H, W)."""
    height, width = masks.shape[-2:]
    down = (torch.arange(height, device=masks.device) + 0.5) / height / extent[1]  # as shares of the image, not of its padding
    across = (torch.arange(width, device=masks.device) + 0.5) / width / extent[0]
    y = (down * ignore.shape[1]).long().clamp(max=ignore.shape[1] - 1)
    x = (across * ignore.shape[2]).long().clamp(max=ignore.shape[2] - 1)
    known = ((down < 1)[:, None] & (across < 1)).flatten().float()
    unknown = ignore[:, y[:, None], x].flatten(1).float() * known
    inside = masks.sigmoid().flatten(2)
    return (inside @ unknown[..., None])[..., 0] / (inside @ known).clamp_min(1e-6)


def mask_sums(layer: Layer, pairs: Pairs, truth: Truth, extent: Tensor, points: Points, focal: bool) -> tuple[Tensor, Tensor]:
    """Give the sums, over the pairs, of the binary cross entropy at points of the masks, and of 1 - Dice there."""
    if not len(pairs.images):
        none = layer.masks.sum() * 0  # a gradient all the same: processes wait for each other's
        return none, none
    chosen = layer.masks[pairs.images, pairs.queries]
    drawn = points.uncertain(chosen.detach(), extent, truth.ignore, pairs.images)
    looked_at = (drawn, torch.cat(truth.inside)[pairs.objects])
    logits = torch.cat([masks_at(chosen, at, extent) for at in looked_at], dim=1)
    with torch.no_grad():
        masks = torch.cat(truth.masks)
        wanted = torch.cat([truth_at(masks, pairs.objects, at, truth.width) for at in looked_at], dim=1)
        counted = torch.cat([counted_at(truth.ignore, pairs.images, at) for at in looked_at], dim=1)
    return pair_sums(logits, wanted, counted, focal)


def pair_sums(logits: Tensor, wanted: Tensor, counted: Tensor, focal: bool) -> tuple[Tensor, Tensor]:
    """Give the sums, over M pairs, of the mean (focal) binary cross entropy and of 1 - Dice at P points: all (M, P)."""
    surprise = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    inside = logits.sigmoid()
    if focal:
        right = inside * wanted + (1 - inside) * (1 - wanted)
        surprise = surprise * (1 - right) ** GAMMA * (ALPHA * wanted + (1 - ALPHA) * (1 - wanted))
    mask = (surprise * counted).sum(1) / counted.sum(1).clamp_min(1)
    shared = (inside * wanted * counted).sum(1)
    dice = 1 - (2 * shared + 1) / ((inside * counted).sum(1) + (wanted * counted).sum(1) + 1)
    return mask.sum(), dice.sum()


def ratios(sums: Sequence[tuple[Tensor, Tensor]], least: float = 1e-6) -> tuple[Tensor, ...]:
    """Divide sums over the batch, of each (of losses, of what they are divided by) this part's; at least ``least`` divides."""
    flat = over_batch(torch.stack([one.float() for pair in sums for one in pair]))
    return (flat[0::2] / flat[1::2].clamp_min(least)).unbind()
