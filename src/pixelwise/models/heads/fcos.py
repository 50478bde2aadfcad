"""The towers of FCOS: class, box and centre-ness of every location of a feature pyramid, without anchors [1, 2].

The layers are torchvision's, but for group norms of eight channels a group, as 32 groups are of the paper's 256. Boxes are
exp(x) strides of a level on every side, with a factor of its own for each level [1, section 3.2], less what a location may lie
outside of its object (``fcos_matching``).

[1] Tian, Shen, Chen, He: FCOS: Fully Convolutional One-Stage Object Detection, ICCV 2019, arXiv 1904.01355.
[2] The same: FCOS: A Simple and Strong Anchor-free Object Detector, TPAMI 2021, arXiv 2006.09214: centre-ness beside the boxes,
    examples near the middle, GIoU, and the score as the root of class times centre-ness.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.models.heads.box_geometry import LARGEST, share_inside
from pixelwise.models.heads.box_matching import CROWDED
from pixelwise.models.heads.fcos_matching import Rules, assigned, centreness, sides_from
from pixelwise.models.heads.locations import locations
from pixelwise.models.heads.rows import rows_of
from pixelwise.models.losses.whole import over_batch

CHANNELS = 8  # a group of a norm
LEAST_OVERLAP = 1e-3  # an IoU from which on a box is pulled towards its object in full
BoxLoss: TypeAlias = Literal["iou", "giou"]


class Seen(NamedTuple):
    """What the towers give for the A locations of all levels.

    Attributes:
        classes: (N, A, L) logits.
        boxes: (N, A, 4) left, top, right, bottom, in pixels.
        centres: (N, A) logits of the centre-ness.
        towers: of each level, the features (N, C, h, w) that boxes are read off.
        points: (A, 2) the locations.
        strides: (A,) of their levels.
    """

    classes: Tensor
    boxes: Tensor
    centres: Tensor
    towers: tuple[Tensor, ...]
    points: Tensor
    strides: Tensor


class Towers(nn.Module):
    """Convolutions over the levels of a pyramid, the same for all.

    Args:
        channels: of the levels, and of the towers.
        strides: of the levels.
        depth: convolutions of a tower.
        shared: one tower for classes and boxes, as in the authors' real-time networks, in place of two.
        box_loss: see ``misfits``.
    """

    def __init__(
        self,
        channels: int,
        strides: Sequence[int],
        classes: int,
        depth: int,
        shared: bool,
        rules: Rules,
        box_loss: BoxLoss = "iou",
    ) -> None:
        from torchvision.models.detection.fcos import FCOSClassificationHead, FCOSRegressionHead

        super().__init__()
        self.channels, self.strides, self.rules = channels, tuple(strides), rules
        self.classify = FCOSClassificationHead(channels, 1, classes, 0 if shared else depth, norm_layer=group_norm)
        self.regress = FCOSRegressionHead(channels, 1, depth, norm_layer=group_norm)
        self.shared, self.box_loss = shared, box_loss
        self.scales = nn.Parameter(torch.ones(len(self.strides)))

    def forward(self, pyramid: Sequence[Tensor]) -> Seen:
        """Give what is seen at all locations."""
        towers = tuple(self.regress.conv(level) for level in pyramid)
        given = towers if self.shared else tuple(self.classify.conv(level) for level in pyramid)
        classes = _rows([self.classify.cls_logits(one) for one in given])
        centres = _rows([self.regress.bbox_ctrness(one) for one in towers])[..., 0]
        grown = _rows([self.regress.bbox_reg(one) * scale for one, scale in zip(towers, self.scales, strict=True)])
        points, strides = locations([(one.shape[-2], one.shape[-1]) for one in towers], self.strides, towers[0])
        sides = (grown.clamp(max=LARGEST).exp() - self.rules.outside) * strides[:, None]
        first, second = points - sides[..., :2], points + sides[..., 2:]
        # where a side is less than nothing its corners have changed places; put back, the box is one that can be learnt from
        boxes = torch.cat([torch.minimum(first, second), torch.maximum(first, second)], dim=-1)
        return Seen(classes, boxes, centres, towers, points, strides)

    def assign(self, seen: Seen, boxes: Sequence[Tensor]) -> Tensor:
        """Give the object (N, A) of its image that each location is an example of, -1 for none."""
        return torch.stack([assigned(seen.points, seen.strides, self.strides, one, self.rules) for one in boxes])

    def losses(
        self,
        seen: Seen,
        objects: Tensor,
        boxes: Sequence[Tensor],
        classes: Sequence[Tensor],
        crowds: Sequence[Tensor],
        class_weights: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Give the losses of classes (focal), boxes (by centre-ness) and centre-ness (cross entropy) [1, equation 2].

        The first is divided by the number of examples in the batch, as is the last; that of boxes by their centre-ness.
        A location in a crowd (``crowds``, boxes (C, 4) of each image) is no example of background.
        """
        from torchvision.ops import sigmoid_focal_loss

        images, places = torch.where(objects >= 0)
        chosen = objects[images, places]
        goals, of_class = rows_of(boxes, images, chosen), rows_of(classes, images, chosen)
        wanted = torch.zeros_like(seen.classes)
        wanted[images, places, of_class] = 1.0
        each = sigmoid_focal_loss(seen.classes, wanted)
        if class_weights is not None:
            each = each * class_weights
        total = over_batch((each.sum(dim=2) * self._counted(seen, objects, crowds)).sum())
        count = over_batch(total.new_tensor(float(len(images)))).clamp(min=1)

        strides = seen.strides[places]
        centres = centreness(sides_from(seen.points[places], goals), self.rules.outside * strides)
        moved = misfits(seen.boxes[images, places], goals, self.box_loss)
        moved = over_batch((moved * centres).sum()) / over_batch(centres.sum()).clamp(min=1e-6)
        centred = F.binary_cross_entropy_with_logits(seen.centres[images, places], centres, reduction="sum")
        return total / count, moved, over_batch(centred) / count

    def _counted(self, seen: Seen, objects: Tensor, crowds: Sequence[Tensor]) -> Tensor:
        """Give (N, A): 0 for locations in crowds that are no example of an object, 1 for all others."""
        half = seen.strides[:, None] / 2
        cells = torch.cat([seen.points - half, seen.points + half], dim=1)
        crowded = torch.stack([share_inside(cells, one) > CROWDED for one in crowds])
        return (~crowded | (objects >= 0)).to(seen.classes.dtype)


def misfits(boxes: Tensor, goals: Tensor, loss: BoxLoss) -> Tensor:
    """Give the loss (K,) of each of ``boxes`` (K, 4): 0 where it is the very one of ``goals`` (K, 4).

    ``giou`` is 1 - GIoU [2]. Of a box that holds a much smaller object it is nearly 1 whatever the box's size, so that nothing
    is learnt. ``iou`` is minus the logarithm of the IoU [1], by which a box of any size shrinks at one pace, and the part of
    GIoU that pulls a box towards an object it does not touch.
    """
    from torchvision.ops import generalized_box_iou_loss

    found = generalized_box_iou_loss(boxes, goals)
    if loss == "giou":
        return found
    low, high = torch.maximum(boxes[:, :2], goals[:, :2]), torch.minimum(boxes[:, 2:], goals[:, 2:])
    shared = (high - low).clamp(min=0).prod(dim=1)
    areas = [(one[:, 2:] - one[:, :2]).prod(dim=1) for one in (boxes, goals)]
    overlap = shared / (areas[0] + areas[1] - shared).clamp(min=1e-6)
    apart = found - (1 - overlap)
    return apart - torch.log((overlap + LEAST_OVERLAP) / (1 + LEAST_OVERLAP))


def group_norm(channels: int) -> nn.Module:
    """Norm eight channels at a time, as 32 groups of 256 do: so there is something to norm where a map has one cell."""
    return nn.GroupNorm(channels // CHANNELS, channels)


def _rows(levels: Sequence[Tensor]) -> Tensor:
    """Lay levels (N, C, h, w) out as one (N, A, C), in 32 bits."""
    return torch.cat([level.flatten(2).transpose(1, 2) for level in levels], dim=1).float()
