"""The terms of the prototype head's loss, as sums over one image and what they are divided by.

Classes: the quality focal loss [1] with the wanted scores of the assignment, divided by their sum [2]. Boxes: 1 - the
generalised IoU, and the distribution focal loss [1]: a mean over an object's examples by their alignment, then over the
objects. [2] weighs by the wanted score, which has the IoU as a factor: an object of few pixels, whose first box overlaps it by
a hundredth, then never learns a better one. Masks: binary cross entropy, as a mean over the box [3], and 1 - Dice; a mean over
an object's examples, then over the objects.

[1] Li et al., Generalized Focal Loss, NeurIPS 2020, arXiv 2006.04388, equations 2 and 6.
[2] Feng et al., TOOD, ICCV 2021, arXiv 2108.07755, equations 6 and 7.
[3] Bolya et al., YOLACT, ICCV 2019, arXiv 1904.02689, section 3.1.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.core.arrays import Size
from pixelwise.models.heads.box_geometry import share_inside
from pixelwise.models.heads.box_matching import CROWDED
from pixelwise.models.heads.prototype_assignment import Assigned
from pixelwise.models.heads.prototype_boxes import distances_to, distribution_losses
from pixelwise.models.heads.prototype_masks import drawn_points, logits_at, maps_at, seen_from, truth_at
from pixelwise.models.heads.prototype_raw import Forms, LearntRaw

GAMMA = 2.0  # of the focal loss


class Truth(NamedTuple):
    """What is taught of one image: see ``box_masks.targets_of``."""

    boxes: Tensor
    classes: Tensor
    crowds: Tensor
    masks: Tensor
    places: Tensor


class Sums(NamedTuple):
    """Of one image: the terms, and what they are divided by: wanted scores, and objects with an example."""

    classes: Tensor
    boxes: Tensor
    distributions: Tensor
    masks: Tensor
    dice: Tensor
    wanted: Tensor
    objects: Tensor


def sums_of(
    raw: LearntRaw, image: int, truth: Truth, found: Assigned, forms: Forms, class_weights: Tensor | None, extent: Size
) -> Sums:
    """Give the sums of one image of the batch, whose prototypes lie over ``extent`` (H, W) pixels."""
    classes = _class_sum(raw.logits[image], raw.boxes[image].detach(), truth, found, class_weights)
    boxes, distributions = _box_sums(raw, image, truth, found, forms)
    masks, dice = _mask_sums(raw, image, truth, found, forms, extent)
    objects = found.counts.any(1).sum().to(masks.dtype)
    return Sums(classes, boxes, distributions, masks, dice, found.wanted.sum(), objects)


def _class_sum(logits: Tensor, boxes: Tensor, truth: Truth, found: Assigned, weights: Tensor | None) -> Tensor:
    """Give the quality focal loss of all places; one whose box lies in a crowd is no example of there being nothing."""
    wanted = torch.zeros_like(logits)
    objects, column = torch.where(found.counts)
    places = found.places[objects, column]
    wanted[places, truth.classes[objects]] = found.wanted[objects, column]
    counts = share_inside(boxes, truth.crowds) <= CROWDED
    counts[places] = True
    each = quality_focal(logits, wanted) * counts[:, None]
    return (each if weights is None else each * weights.to(each)).sum()


def quality_focal(logits: Tensor, wanted: Tensor) -> Tensor:
    """Give the quality focal loss ([1], equation 2) of each logit, whose score should be ``wanted``, anything from 0 to 1."""
    surprise = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    return (wanted - logits.sigmoid()).abs() ** GAMMA * surprise


def _box_sums(raw: LearntRaw, image: int, truth: Truth, found: Assigned, forms: Forms) -> tuple[Tensor, Tensor]:
    from torchvision.ops import generalized_box_iou_loss

    objects, column = torch.where(found.counts)
    places, weights = found.places[objects, column], found.shares[objects, column]
    goals = truth.boxes[objects]
    boxes = (generalized_box_iou_loss(raw.boxes[image, places], goals) * weights).sum()
    if forms.boxes == "plain":
        return boxes, boxes * 0
    wanted = distances_to(goals, raw.middles[places], raw.strides[places])
    return boxes, (distribution_losses(raw.box_numbers[image, places], wanted) * weights).sum()


def _mask_sums(raw: LearntRaw, image: int, truth: Truth, found: Assigned, forms: Forms, extent: Size) -> tuple[Tensor, Tensor]:
    rows = torch.where(found.counts.any(1))[0]
    if not len(rows):
        nothing = raw.prototypes[image].sum() * 0 + raw.numbers[image].sum() * 0  # processes wait for each other's gradients
        return nothing, nothing
    places, counts = found.places[rows], found.counts[rows].to(raw.numbers.dtype)
    points = drawn_points(truth.boxes[rows], raw.sides)
    wanted = truth_at(truth.masks[rows], truth.places[rows], points)[:, None]
    seen = seen_from(raw.middles[places], raw.strides[places], points)
    logits = logits_at(forms.masks, raw.numbers[image, places], maps_at(raw.prototypes[image], points, extent), seen)
    surprise = F.binary_cross_entropy_with_logits(logits, wanted.expand_as(logits), reduction="none").mean(-1)
    inside = logits.sigmoid()
    dice = 1 - (2 * (inside * wanted).sum(-1) + 1) / (inside.sum(-1) + wanted.sum(-1) + 1)
    shares = counts / counts.sum(1, keepdim=True)
    return (surprise * shares).sum(), (dice * shares).sum()
