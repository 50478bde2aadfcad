"""Teach queries classes, boxes and masks together: one assignment by all three, and one set of terms, for every layer [1].

What is no thing has no box worth learning: its box neither costs anything in the assignment nor is taught (section 3.5 of [1]).

[1] Li et al., Mask DINO, CVPR 2023, arXiv 2206.02777, sections 3.3 to 3.5.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from pixelwise.models.heads.boxed_query import BoxWeights, corners
from pixelwise.models.heads.query_classes import ClassRule
from pixelwise.models.heads.query_loss import Layer, Truth, Weights, mask_sums
from pixelwise.models.heads.query_matching import Pairs, assigned, dice_costs, mask_costs
from pixelwise.models.heads.query_points import Points, masks_at
from pixelwise.models.heads.query_targets import counted_at, truth_at

TERMS = ("class", "box", "giou", "mask", "dice")


class Predicted(NamedTuple):
    """What a layer says of Q queries: logits of classes (N, Q, K) and masks (N, Q, h, w), boxes (N, Q, 4) as shares."""

    classes: Tensor
    masks: Tensor
    boxes: Tensor

    def floats(self) -> "Predicted":
        """Give the same in full precision."""
        return Predicted(*(one.float() for one in self))


class Wanted(NamedTuple):
    """What a batch is to be taught.

    Attributes:
        truth: classes, masks and ignored pixels.
        boxes: of each image (T, 4), as shares of the sides with the padding.
        extent: the image's share (x, y) of what masks lie over.
        boxed: (L,) classes whose boxes are taught.
        weights: (L + 1,) of the classes and of no object.
    """

    truth: Truth
    boxes: tuple[Tensor, ...]
    extent: Tensor
    boxed: Tensor
    weights: Tensor


@dataclass(frozen=True)
class Unified:
    """How it is judged what queries say: the rule of their classes, the weights of the terms, the points of the masks."""

    rule: ClassRule
    weights: Weights
    boxes: BoxWeights
    points: Points

    @torch.no_grad()
    def matched(self, layers: Sequence[Predicted], wanted: Wanted) -> list[Pairs]:
        """Assign objects to queries, for each layer; all layers are judged at the same points."""
        costs, truth = [], wanted.truth
        for image, masks in enumerate(truth.masks):
            at = torch.cat([self.points.drawn(layers[0].masks), truth.inside[image].reshape(1, -1, 2)], dim=1)
            there = truth_at(masks, torch.arange(len(masks), device=masks.device), at, truth.width)
            counted = counted_at(truth.ignore, torch.tensor([image], device=masks.device), at)[0]
            found = []
            for layer in layers:
                logits = masks_at(layer.masks[image], at, wanted.extent)
                cost = self.weights.classes * self.rule.costs(layer.classes[image], truth.classes[image])
                cost = cost + self.weights.mask * mask_costs(logits, there, counted)
                cost = cost + self.weights.dice * dice_costs(logits, there, counted)
                boxed = wanted.boxed[truth.classes[image]]
                found.append(cost + boxed * self._box_costs(layer.boxes[image], wanted.boxes[image]))
            costs.append(torch.stack(found))
        return assigned(costs)

    def _box_costs(self, boxes: Tensor, wanted: Tensor) -> Tensor:
        from torchvision.ops import generalized_box_iou

        distance = (boxes[:, None] - wanted).abs().sum(-1)
        return self.boxes.distance * distance - self.boxes.giou * generalized_box_iou(corners(boxes), corners(wanted))

    def sums(self, layer: Predicted, pairs: Pairs, wanted: Wanted, ignored: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Give the sum over the batch of each of ``TERMS``, and what divides it.

        Args:
            layer: what it says.
            pairs: who is taught what.
            wanted: all there is to be taught.
            ignored: (N, Q) above 0.5 for queries without an object that do not count.
        """
        from torchvision.ops import generalized_box_iou_loss

        truth, judged = wanted.truth, Layer(layer.classes, layer.masks)
        taught = layer.boxes.new_tensor(float(len(pairs.images)))
        found, boxes = layer.boxes[pairs.images, pairs.queries], torch.cat(wanted.boxes)[pairs.objects]
        boxed = wanted.boxed[torch.cat(truth.classes)[pairs.objects]]
        distance = ((found - boxes).abs().sum(-1) * boxed).sum()
        giou = (generalized_box_iou_loss(corners(found), corners(boxes), reduction="none") * boxed).sum()
        mask, dice = mask_sums(judged, pairs, truth, wanted.extent, self.points, focal=False)
        classes = self.rule.sums(judged, pairs, truth, wanted.weights, ignored)
        return [classes, (distance, taught), (giou, taught), (mask, taught), (dice, taught)]

    @property
    def term_weights(self) -> tuple[float, ...]:
        """The weight of each of ``TERMS``."""
        own = self.weights
        return own.classes, self.boxes.distance, self.boxes.giou, own.mask, own.dice
