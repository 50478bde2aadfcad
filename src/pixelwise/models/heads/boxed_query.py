"""The query head of DETR: queries have a box as well, and objects are assigned by class and box [1].

All else is the query head's: what is taught of an image, the masks' terms, and the decoding.

[1] Carion et al., End-to-End Object Detection with Transformers, ECCV 2020, section 3.1 and appendix A.2.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pixelwise.core.arrays import AnyArray, FloatArray, Size
from pixelwise.core.boxes import box_of
from pixelwise.core.errors import OptionError
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.decode.decoders import Decoder
from pixelwise.decode.query import QueryReduced
from pixelwise.models.heads.base import Head, Targets
from pixelwise.models.heads.query import QueryHead
from pixelwise.models.heads.query_loss import Layer, Truth, class_sums, ignored_shares, mask_sums, ratios
from pixelwise.models.heads.query_matching import Pairs, assigned, class_costs
from pixelwise.models.heads.query_targets import kept_rows


class BoxedFeatures(NamedTuple):
    """What a network gives: features (N, Q, C) after each layer of its decoder, and the masks (N, Q, h, w) of the last."""

    queries: tuple[Tensor, ...]
    masks: Tensor


class BoxedRaw(NamedTuple):
    """Logits of the classes (N, Q, L + 1) and the masks (N, Q, h, w), and boxes (N, Q, 4): middle x and y, width, height.

    Boxes are shares of the sides of the image with its padding.
    """

    classes: Tensor
    masks: Tensor
    boxes: Tensor


class SupervisedBoxedRaw(NamedTuple):
    """What training has: the last layer's, as in ``BoxedRaw``, and classes and boxes of the layers before it."""

    classes: Tensor
    masks: Tensor
    boxes: Tensor
    earlier: tuple[tuple[Tensor, Tensor], ...]


@dataclass(frozen=True)
class BoxWeights:
    """Weights of the boxes' terms: the distance (L1) and 1 - the generalised IoU."""

    distance: float = 5.0
    giou: float = 2.0

    def __post_init__(self) -> None:
        for option, value in (("box_loss", self.distance), ("giou_loss", self.giou)):
            if not 0 <= value < math.inf:
                raise OptionError(f"[model] {option}: expected a weight of 0 or more, got {value}")


class BoxedQueryHead(Head):
    """A query head, and boxes beside it.

    Args:
        queries: has the classes, the masks' terms and the decoding.
        boxes: features of a query to four logits.
        weights: of the boxes' terms, in the loss and in the assignment.
    """

    ragged = frozenset({"classes", "masks", "inside", "boxes"})
    class_rows = ("queries.classify.weight", "queries.classify.bias")
    is_dense = False

    def __init__(self, queries: QueryHead, boxes: nn.Module, weights: BoxWeights) -> None:
        super().__init__()
        self.queries, self.boxes, self.weights = queries, boxes, weights

    @property
    def class_weights(self) -> Tensor | None:  # type: ignore[override]
        """The weights (L,) of the classes; None weighs them alike."""
        return self.queries.class_weights

    def forward(self, features: BoxedFeatures, size: Size, targets: Any = None) -> BoxedRaw | SupervisedBoxedRaw:
        """Classify the last layer's queries and give their boxes; with targets those of the layers before as well."""
        *before, last = features.queries
        raw = BoxedRaw(self.queries.classify(last), features.masks, self.boxes(last).sigmoid())
        if targets is None:
            return raw
        return SupervisedBoxedRaw(*raw, tuple((self.queries.classify(one), self.boxes(one).sigmoid()) for one in before))

    def targets(self, truth: Segmentation) -> dict[str, AnyArray]:
        """Give the query head's targets, and ``boxes`` (T, 4): middle x and y, width, height, as shares of the sides."""
        return {**self.queries.targets(truth), "boxes": box_shares(truth, self.queries.kind)}

    def loss(self, raw: SupervisedBoxedRaw, targets: Targets) -> dict[str, Tensor]:
        """Give ``class``, ``box``, ``giou``, ``mask`` and ``dice`` of the last layer, and the first three of the rest, added.

        The masks of the layers before the last are not computed, as in the paper's code.
        """
        truth = self.queries.truth(targets)
        with torch.autocast(raw.classes.device.type, enabled=False):
            layers = [(classes.float(), boxes.float()) for classes, boxes in (*raw.earlier, (raw.classes, raw.boxes))]
            masks = raw.masks.float()
            extent = self.queries.extent(masks, truth)
            boxes = [one * extent.repeat(2) for one in targets["boxes"]]
            return self._terms(layers, masks, self._matched(layers, truth, boxes), truth, torch.cat(boxes), extent)

    @torch.no_grad()
    def _matched(self, layers: Sequence[tuple[Tensor, Tensor]], truth: Truth, boxes: Sequence[Tensor]) -> list[Pairs]:
        from torchvision.ops import generalized_box_iou

        costs = []
        for image, (of_class, wanted) in enumerate(zip(truth.classes, boxes, strict=True)):
            found = []
            for classes, predicted in layers:
                cost = self.queries.weights.classes * class_costs(classes[image], of_class)
                cost = cost + self.weights.distance * torch.cdist(predicted[image], wanted, p=1)
                overlap = generalized_box_iou(corners(predicted[image]), corners(wanted))
                found.append(cost - self.weights.giou * overlap)
            costs.append(torch.stack(found))
        return assigned(costs)

    def _terms(
        self,
        layers: Sequence[tuple[Tensor, Tensor]],
        masks: Tensor,
        pairs: list[Pairs],
        truth: Truth,
        boxes: Tensor,
        extent: Tensor,
    ) -> dict[str, Tensor]:
        from torchvision.ops import generalized_box_iou_loss

        own, objects = self.queries, torch.tensor(float(truth.count), device=masks.device)
        ignored = ignored_shares(masks, truth.ignore, extent)
        sums: list[tuple[Tensor, Tensor]] = []
        for (classes, predicted), each in zip(layers, pairs, strict=True):
            layer = Layer(classes, masks)
            found, wanted = predicted[each.images, each.queries], boxes[each.objects]
            giou = generalized_box_iou_loss(corners(found), corners(wanted), reduction="sum")
            sums.append(class_sums(layer, each, truth, own.weights_of_classes(classes), ignored))
            sums += [((found - wanted).abs().sum(), objects), (giou, objects)]
        for one in mask_sums(Layer(layers[-1][0], masks), pairs[-1], truth, extent, own.points, own.weights.focal):
            sums.append((one, objects))
        *values, mask, dice = ratios(sums)
        named = [("class", own.weights.classes), ("box", self.weights.distance), ("giou", self.weights.giou)]
        terms = {name: weight * value for (name, weight), value in zip(named, values[-3:], strict=True)}
        terms |= {"mask": own.weights.mask * mask, "dice": own.weights.dice * dice}
        for place, (name, weight) in enumerate(named if len(layers) > 1 else ()):
            terms[f"auxiliary_{name}"] = weight * torch.stack(values[place:-3:3]).sum()
        return terms

    def weigh(self, weights: Sequence[float]) -> None:
        """Set the weights of the classes in the classes' term."""
        self.queries.weigh(weights)

    def reduce(self, raw: Any, size: Size, probabilities: bool = False) -> QueryReduced:
        """Give the classes' probabilities and the masks; boxes follow from masks."""
        return self.queries.reduce(raw, size, probabilities)

    @property
    def decoder(self) -> Decoder:
        """That of the queries."""
        return self.queries.decoder


def box_shares(truth: Segmentation, kind: Kind) -> FloatArray:
    """Give the box (T, 4) of each segment that is taught: middle x and y, width, height, as shares of the sides."""
    height, width = truth.size
    if kind == "semantic":
        classes = truth.class_map()
        present = np.unique(classes)
        found = [box_of(classes == index) for index in present[present != truth.labels.void]]
    else:
        found = list(truth.masks.boxes()[kept_rows(truth)])
    left, top, right, bottom = np.array(found, np.float64).reshape(-1, 4).T
    middle = (left + right) / 2 / width, (top + bottom) / 2 / height
    return np.stack([*middle, (right - left) / width, (bottom - top) / height], axis=1).astype(np.float32)


def corners(boxes: Tensor) -> Tensor:
    """Give left, top, right and bottom of boxes (…, 4) of middle x and y, width and height."""
    middle, size = boxes[..., :2], boxes[..., 2:]
    return torch.cat([middle - size / 2, middle + size / 2], dim=-1)
