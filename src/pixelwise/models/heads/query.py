"""The query head: a class and a mask for each of Q queries, taught by assigning objects to them.

One head for semantic, instance and panoptic segmentation: what is taught differs in the targets alone, and what a prediction
means in the decoding. The network before it gives the queries' features after each layer of its decoder, and their masks.
"""

import warnings
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pixelwise.core.arrays import AnyArray, Size
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.decode.decoders import Decoder
from pixelwise.decode.query import QueryReduced, Rules
from pixelwise.models.heads.base import Head, Targets, class_weights_of
from pixelwise.models.heads.query_loss import Layer, Truth, Weights, class_sums, ignored_shares, mask_sums, ratios
from pixelwise.models.heads.query_matching import Pairs, assigned, class_costs, dice_costs, mask_costs
from pixelwise.models.heads.query_points import Points, masks_at
from pixelwise.models.heads.query_targets import counted_at, targets_of, truth_at
from pixelwise.models.recorded import padded


class QueryFeatures(NamedTuple):
    """What a network gives: features (N, Q, C) after each layer of its decoder, and the masks (N, Q, h, w) they make.

    The last layer's come last; the masks lie over the images and their padding.
    """

    queries: tuple[Tensor, ...]
    masks: tuple[Tensor, ...]


class QueryRaw(NamedTuple):
    """Logits of the classes and of no object (N, Q, L + 1), and of the masks (N, Q, h, w), padding and all."""

    classes: Tensor
    masks: Tensor


class SupervisedQueryRaw(NamedTuple):
    """What training has: the last layer's logits as in ``QueryRaw``, and those of the layers before it."""

    classes: Tensor
    masks: Tensor
    earlier: tuple[Layer, ...]


class TooFewQueries(UserWarning):
    """Say that an image has more objects than the network has queries."""


class QueryHead(Head):
    """Classify queries, and teach classes and masks by the assignment of the least cost.

    Args:
        classify: a linear layer to L + 1 logits, the last for no object.
        stride: images were padded to a multiple of it before the network.
        weights: of the loss's terms; the assignment's cost is their sum, with minus the probability for the classes' term.
        points: at which the masks are compared.
        rules: of decoding.
        class_weights: one a class, in the classes' term.
    """

    ragged = frozenset({"classes", "masks", "inside"})
    class_rows = ("classify.weight", "classify.bias")
    is_dense = False

    def __init__(
        self,
        labels: LabelSet,
        kind: Kind,
        classify: nn.Module,
        stride: int,
        weights: Weights,
        points: Points,
        rules: Rules,
        class_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.kind, self.count, self.stride = kind, len(labels), stride
        self.classify, self.weights, self.points, self.rules = classify, weights, points, rules
        self._told = 0  # the most objects that a warning has been given of
        self.register_buffer("class_weights", None, persistent=False)  # an option of training, not part of the model
        if class_weights is not None:
            self.weigh(class_weights)

    def forward(self, features: QueryFeatures, size: Size, targets: Any = None) -> QueryRaw | SupervisedQueryRaw:
        """Classify the last layer's queries; with targets those of the layers before as well."""
        last = QueryRaw(self.classify(features.queries[-1]), features.masks[-1])
        if targets is None:
            return last
        before = zip(features.queries[:-1], features.masks[:-1], strict=True)
        return SupervisedQueryRaw(*last, tuple(Layer(self.classify(queries), masks) for queries, masks in before))

    def targets(self, truth: Segmentation) -> dict[str, AnyArray]:
        """Give classes, packed masks and ignored pixels: see ``heads.query_targets``."""
        return targets_of(truth, self.kind)

    def loss(self, raw: SupervisedQueryRaw, targets: Targets) -> dict[str, Tensor]:
        """Give ``class``, ``mask`` and ``dice`` of the last layer, and their sums over the others as ``auxiliary_…``."""
        truth = self.truth(targets)
        with torch.autocast(raw.classes.device.type, enabled=False):
            layers = [Layer(each.classes.float(), each.masks.float()) for each in (*raw.earlier, Layer(*raw[:2]))]
            extent = self.extent(raw.masks, truth)
            return self._terms(layers, self.matched(layers, truth, extent), truth, extent)

    def truth(self, targets: Any) -> Truth:
        """Take a batch's targets."""
        return Truth(targets["classes"], targets["masks"], targets["inside"], targets["ignore"], targets["ignore"].shape[-1])

    def extent(self, masks: Tensor, truth: Truth) -> Tensor:
        """Give the image's share (x, y) of what the masks lie over."""
        height, width = truth.ignore.shape[-2:]
        return torch.tensor([width / padded(width, self.stride), height / padded(height, self.stride)], device=masks.device)

    @torch.no_grad()
    def matched(self, layers: Sequence[Layer], truth: Truth, extent: Tensor) -> list[Pairs]:
        """Assign objects to queries, for each layer; all layers are judged at the same points."""
        costs, weights = [], self.weights
        for image, (classes, masks, inside) in enumerate(zip(truth.classes, truth.masks, truth.inside, strict=True)):
            self.warn_of(len(classes), layers[0].masks.shape[1])
            at = torch.cat([self.points.drawn(layers[0].masks), inside.reshape(1, -1, 2)], dim=1)
            wanted = truth_at(masks, torch.arange(len(classes), device=masks.device), at, truth.width)
            counted = counted_at(truth.ignore, torch.tensor([image], device=masks.device), at)[0]
            found = []
            for layer in layers:
                logits = masks_at(layer.masks[image], at, extent)
                cost = weights.classes * class_costs(layer.classes[image], classes)
                cost = cost + weights.mask * mask_costs(logits, wanted, counted, weights.focal)
                found.append(cost + weights.dice * dice_costs(logits, wanted, counted))
            costs.append(torch.stack(found))
        return assigned(costs)

    def warn_of(self, objects: int, queries: int) -> None:
        """Warn, once for each new most, of an image with more objects than queries."""
        if objects > max(queries, self._told):
            self._told = objects
            text = f"an image has {objects} objects and the network {queries} queries: some are taught to no query"
            warnings.warn(f"{text}; raise it with --set model.queries={objects}", TooFewQueries, stacklevel=3)

    def _terms(self, layers: Sequence[Layer], pairs: list[Pairs], truth: Truth, extent: Tensor) -> dict[str, Tensor]:
        objects = torch.tensor(float(truth.count), device=extent.device)
        sums: list[tuple[Tensor, Tensor]] = []
        for layer, own in zip(layers, pairs, strict=True):
            ignored = ignored_shares(layer.masks, truth.ignore, extent)
            sums.append(class_sums(layer, own, truth, self.weights_of_classes(layer.classes), ignored))
            mask, dice = mask_sums(layer, own, truth, extent, self.points, self.weights.focal)
            sums += [(mask, objects), (dice, objects)]
        return self.named([("class", self.weights.classes), ("mask", self.weights.mask), ("dice", self.weights.dice)], sums)

    @staticmethod
    def named(weighted: Sequence[tuple[str, float]], sums: Sequence[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
        """Give weighted terms by name; ``sums`` has them layer by layer, and those before the last are added up."""
        values = ratios(sums)
        width = len(weighted)
        terms = {name: weight * values[place - width] for place, (name, weight) in enumerate(weighted)}
        if len(values) > width:
            for place, (name, weight) in enumerate(weighted):
                terms[f"auxiliary_{name}"] = weight * torch.stack(values[place:-width:width]).sum()
        return terms

    def weights_of_classes(self, like: Tensor) -> Tensor:
        """Give the weights (L + 1,) of the classes and of no object."""
        own = like.new_ones(self.count) if self.class_weights is None else self.class_weights.to(like)
        return torch.cat([own, own.new_tensor([self.weights.no_object])])

    def weigh(self, weights: Sequence[float]) -> None:
        """Set the weights of the classes in the classes' term."""
        self.class_weights = class_weights_of(weights, self.count, next(self.classify.parameters()))

    def reduce(self, raw: Any, size: Size, probabilities: bool = False) -> QueryReduced:
        """Give the classes' probabilities, and the masks as they are: at full size they would be a hundred times as large."""
        count, device = raw.masks.shape[0], raw.masks.device
        sides = [torch.full((count,), padded(side, self.stride), dtype=torch.int64, device=device) for side in size]
        return QueryReduced(  # type: ignore[arg-type]
            raw.classes.float().softmax(-1), raw.masks.float(), torch.stack(sides, dim=1)
        )

    @property
    def decoder(self) -> Decoder:
        """One segmentation an image, of the head's kind."""
        return Decoder("query", {"kind": self.kind, **asdict(self.rules)})
