"""The head of Mask DINO: cells of an encoder start queries, a decoder moves their boxes; each has a class, a box and a mask.

A query's mask is its product with the features at stride 4. What the cells say themselves is taught like a layer's output; in
the authors' code so is what the decoder starts from, which is the same again, and what noisy queries say before they saw the
image: both are left out here. Classes are judged each by itself, as the authors do for objects; for semantic segmentation one
of them or none.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from pixelwise.core.arrays import AnyArray, Size
from pixelwise.core.errors import OptionError
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.decode.decoders import Decoder
from pixelwise.decode.query import QueryReduced, Rules
from pixelwise.models.deformable_encoder import Memory
from pixelwise.models.fine_masks import FineMasks
from pixelwise.models.heads.base import Head, Targets
from pixelwise.models.heads.box_refining import Refined, RefiningDecoder, logits_of, perceptron
from pixelwise.models.heads.boxed_query import BoxWeights, box_shares
from pixelwise.models.heads.denoising import Noise, Noisy, blocked, noisy_queries
from pixelwise.models.heads.query import QueryHead
from pixelwise.models.heads.query_classes import EachClass, OneClass
from pixelwise.models.heads.query_loss import Truth, Weights, ignored_shares, ratios
from pixelwise.models.heads.query_points import Points
from pixelwise.models.heads.query_selection import CellFeatures, Chosen, boxes_around, chosen, first_boxes
from pixelwise.models.heads.unified_loss import TERMS, Predicted, Unified, Wanted

Start = Literal["masks", "cells"]


class DinoFeatures(NamedTuple):
    """What a network gives: the encoder's cells, features (N, C, h, w) at stride 4, and what finer masks need beside them."""

    memory: Memory
    pixels: Tensor
    beside: tuple[Tensor, ...] = ()


class Planes(NamedTuple):
    """Features that masks are made from: (N, C, h, w) at stride 4, and finer ones where there are any."""

    pixels: Tensor
    finest: Tensor | None


class DinoRaw(NamedTuple):
    """Logits of the classes (N, Q, K) and the masks (N, Q, h, w), padding and all, and boxes (N, Q, 4) as shares."""

    classes: Tensor
    masks: Tensor
    boxes: Tensor


class SupervisedDinoRaw(NamedTuple):
    """What training has: the last layer's, as in ``DinoRaw``, what the cells and the layers before said, and the noisy part.

    Attributes:
        cleaned: what each layer says of the noisy queries.
        noisy: those.
    """

    classes: Tensor
    masks: Tensor
    boxes: Tensor
    earlier: tuple[Predicted, ...]
    cleaned: tuple[Predicted, ...]
    noisy: Noisy


@dataclass(frozen=True)
class Teaching:
    """How queries are taught.

    Attributes:
        weights, boxes: of the terms: of classes and masks, and of boxes.
        points: at which masks are compared.
        noise: of the queries to be cleaned.
        class_weights: one a class, in the classes' term; None weighs them alike.
    """

    weights: Weights
    boxes: BoxWeights
    points: Points
    noise: Noise
    class_weights: Sequence[float] | None = None


@dataclass(frozen=True)
class Selection:
    """How cells start queries.

    Attributes:
        queries: how many.
        start: ``masks``: a query's first box is that around its cell's mask; ``cells``: the cell says it.
        grows: whether a cell's own box is the larger, the coarser its level.
    """

    queries: int
    start: Start
    grows: bool

    def __post_init__(self) -> None:
        if self.queries < 1:
            raise OptionError(f"[model] queries: expected 1 or more, got {self.queries}")


class MaskDinoHead(Head):
    """Select queries, decode them, and teach classes, boxes and masks together.

    Args:
        labels, kind: what is segmented, and how.
        decoder: of the queries and their boxes.
        selection: of the cells that start them.
        teaching: of all of them.
        stride: images were padded to a multiple of it before the network.
        rules: of decoding.
        claim: panoptic: temperature at which it is told who gets a pixel: see ``decode.query``.
        fine: makes masks finer than stride 4; None for none.
    """

    ragged = frozenset({"classes", "masks", "inside", "boxes"})
    class_rows = ("queries.classify.weight", "queries.classify.bias", "named.weight")
    is_dense = False

    def __init__(
        self,
        labels: LabelSet,
        kind: Kind,
        decoder: RefiningDecoder,
        selection: Selection,
        teaching: Teaching,
        stride: int,
        rules: Rules,
        claim: float = 0.0,
        fine: FineMasks | None = None,
    ) -> None:
        super().__init__()
        width = decoder.norm.normalized_shape[0]
        rule = OneClass() if kind == "semantic" else EachClass()
        classify = rule.layer(width, len(labels))
        weights, points = teaching.weights, teaching.points
        self.queries = QueryHead(labels, kind, classify, stride, weights, points, rules, teaching.class_weights)
        self.unified = Unified(rule, weights, teaching.boxes, points)
        self.refining, self.selection, self.noise, self.claim = decoder, selection, teaching.noise, claim
        self.cells = CellFeatures(width)
        self.embed = perceptron(width, width, width, 3)
        self.named = nn.Embedding(len(labels), width)
        self.fine = fine
        boxed = [kind != "panoptic" or label.is_thing for label in labels.labels]  # stuff beside things has none, as published
        self.register_buffer("boxed", torch.tensor(boxed), persistent=False)

    @property
    def class_weights(self) -> Tensor | None:  # type: ignore[override]
        """The weights (L,) of the classes; None weighs them alike."""
        return self.queries.class_weights

    def forward(self, features: DinoFeatures, size: Size, targets: Any = None) -> DinoRaw | SupervisedDinoRaw:
        """Say what the last layer's queries are; with targets also what all others are, and the noisy ones."""
        planes = Planes(features.pixels, self.fine(features.pixels, *features.beside) if self.fine is not None else None)
        found = self._chosen(features.memory)
        started = Refined(self.refining.norm(found.queries), found.boxes.sigmoid())
        boxes = started.boxes.detach()
        if self.selection.start == "masks":
            boxes = boxes_around(self._masks(started.queries, planes).detach(), boxes)
        if targets is None:
            *_, last = self.refining(found.queries, boxes, features.memory)
            return DinoRaw(*self._said(last, planes, found.lacking))
        noisy = self._noisy(planes, targets)
        queries = torch.cat([self.named(noisy.classes).to(found.queries), found.queries.detach()], dim=1)
        boxes = torch.cat([noisy.boxes.to(boxes), boxes], dim=1)
        lacking = torch.cat([torch.zeros_like(noisy.known), found.lacking], dim=1)
        apart = blocked(noisy.group, self.selection.queries)
        layers = [self._said(one, planes, lacking) for one in self.refining(queries, boxes, features.memory, apart)]
        count = noisy.classes.shape[1]
        cleaned = tuple(Predicted(*(part[:, :count] for part in one)) for one in layers if self.noise.queries)
        own = [Predicted(*(part[:, count:] for part in one)) for one in layers]
        return SupervisedDinoRaw(*own[-1], (self._said(started, planes, found.lacking), *own[:-1]), cleaned, noisy)

    def _chosen(self, memory: Memory) -> Chosen:
        """Choose the cells that start queries."""
        cells = self.cells(memory.cells)
        boxes = self.refining.boxes(cells) + logits_of(first_boxes(memory, self.selection.grows))
        return chosen(cells, boxes, self.unified.rule.rank(self.queries.classify(cells).float()), self.selection.queries)

    def _noisy(self, planes: Planes, targets: Any) -> Noisy:
        truth = self.queries.truth(targets)
        extent = self.queries.extent(planes.pixels, truth).repeat(2)
        return noisy_queries(truth.classes, [one * extent for one in targets["boxes"]], self.queries.count, self.noise)

    def _masks(self, queries: Tensor, planes: Planes) -> Tensor:
        embedded = self.embed(queries)
        masks = torch.einsum("nqc,nchw->nqhw", embedded, planes.pixels)
        if self.fine is None or planes.finest is None:
            return masks
        return self.fine.masks(embedded, masks, planes.finest)

    def _said(self, layer: Refined, planes: Planes, lacking: Tensor) -> Predicted:
        """Tell classes, masks and boxes of a layer's queries; those ``lacking`` (N, Q) are nothing."""
        classes = self.queries.classify(layer.queries)
        classes = torch.where(lacking[..., None], self.unified.rule.nothing(classes), classes)
        return Predicted(classes, self._masks(layer.queries, planes), layer.boxes)

    def targets(self, truth: Segmentation) -> dict[str, AnyArray]:
        """Give the query head's targets, and ``boxes`` (T, 4): middle x and y, width, height, as shares of the sides."""
        own = self.queries.targets(truth)
        return {**own, "boxes": box_shares(truth, self.queries.kind)}

    def loss(self, raw: SupervisedDinoRaw, targets: Targets) -> dict[str, Tensor]:
        """Give the terms of ``unified_loss`` of the last layer, those of all before it and of the noisy queries added up.

        They are named ``class``, ``box`` …, ``auxiliary_…`` and ``noisy_…``.
        """
        truth = self.queries.truth(targets)
        with torch.autocast(raw.classes.device.type, enabled=False):
            layers = [one.floats() for one in (*raw.earlier, Predicted(*raw[:3]))]
            wanted = self._wanted(layers[-1], truth, targets["boxes"])  # type: ignore[arg-type]
            sums = []
            for layer, pairs in zip(layers, self.unified.matched(layers, wanted), strict=True):
                ignored = ignored_shares(layer.masks, truth.ignore, wanted.extent)
                sums += self.unified.sums(layer, pairs, wanted, ignored)
            unknown = (~raw.noisy.known).float()
            for layer in (one.floats() for one in raw.cleaned):
                ignored = torch.maximum(unknown, ignored_shares(layer.masks, truth.ignore, wanted.extent))
                sums += self.unified.sums(layer, raw.noisy.pairs, wanted, ignored)
            values = ratios(sums, least=1.0)
        terms = self._named("", [values[len(TERMS) * (len(layers) - 1) :][: len(TERMS)]])
        terms |= self._named("auxiliary_", _by_layer(values[: len(TERMS) * (len(layers) - 1)]))
        if raw.cleaned:
            terms |= self._named("noisy_", _by_layer(values[len(TERMS) * len(layers) :]))
        terms["class"] = terms["class"] + 0 * self.named.weight.sum()  # processes wait for each other's gradients
        return terms

    def _wanted(self, layer: Predicted, truth: Truth, boxes: Sequence[Tensor]) -> Wanted:
        for classes in truth.classes:
            self.queries.warn_of(len(classes), layer.classes.shape[1])
        extent = self.queries.extent(layer.masks, truth)
        shares = tuple(one * extent.repeat(2) for one in boxes)
        weights = self.queries.weights_of_classes(layer.classes)
        return Wanted(truth, shares, extent, self.boxed, weights)  # type: ignore[arg-type]

    def _named(self, prefix: str, layers: Iterable[Sequence[Tensor]]) -> dict[str, Tensor]:
        each = zip(*layers, strict=True)
        pairs = zip(TERMS, self.unified.term_weights, each, strict=True)
        return {prefix + name: weight * torch.stack(values).sum() for name, weight, values in pairs}

    def weigh(self, weights: Sequence[float]) -> None:
        """Set the weights of the classes in the classes' term."""
        self.queries.weigh(weights)

    def reduce(self, raw: Any, size: Size, probabilities: bool = False) -> QueryReduced:
        """Give the classes' probabilities and the masks; boxes follow from masks."""
        own = self.queries.reduce(raw, size, probabilities)
        return own._replace(classes=self.unified.rule.probabilities(raw.classes.float()))

    @property
    def decoder(self) -> Decoder:
        """That of the queries."""
        own = self.queries.decoder
        return Decoder(own.name, {**own.options, "temperature": self.claim}) if self.queries.kind == "panoptic" else own


def _by_layer(values: Sequence[Tensor]) -> list[Sequence[Tensor]]:
    return [values[start : start + len(TERMS)] for start in range(0, len(values), len(TERMS))]
