"""The panoptic head of UPSNet [1]: logits of stuff, of each object and of neither, from two heads and no parameters.

A box head finds objects, a 1x1 convolution classifies pixels among all classes. In training the true boxes and classes take the
place of what would be found, so that the pixels' classification among objects teaches both heads; in prediction the same
formula is part of decoding (``decode.panoptic_logits``), as only there objects are settled.

[1] Xiong, Liao, Zhao, Hu, Bai, Yumer, Urtasun: UPSNet: A Unified Panoptic Segmentation Network, CVPR 2019, arXiv 1901.03784.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pixelwise.core.arrays import AnyArray, Size
from pixelwise.core.errors import OptionError
from pixelwise.core.idmaps import lookup
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode.decoders import Decoder
from pixelwise.decode.fused import things_and_stuff
from pixelwise.decode.panoptic_logits import PanopticReduced, Pruning
from pixelwise.models.heads.base import Head, Targets, class_weights_of
from pixelwise.models.heads.box import BoxHead
from pixelwise.models.heads.box_raw import BoxRaw, LearntRaw
from pixelwise.models.heads.fused import FusedFeatures, objects_of, require_things
from pixelwise.models.heads.panoptic_terms import VOID, Layout, panoptic_loss, roi_loss
from pixelwise.models.losses import weighted
from pixelwise.models.losses.pixels import Pixels
from pixelwise.models.recorded import padded

MOST = 100  # objects an image that the pixels are classified among in training; pixels of the others do not count there


class PanopticRaw(NamedTuple):
    """Detections, and logits (N, L, h, w) of all classes, padding and all."""

    instances: BoxRaw
    semantic: Tensor


class Shown(NamedTuple):
    """The true objects of one image that its pixels are classified among.

    Attributes:
        rows: (K,) of the image's targets; those that are known come first.
        known: how many are: the rest are hidden, so that their pixels teach what unknown is.
    """

    rows: Tensor
    known: int


class LearntPanopticRaw(NamedTuple):
    """What the loss is computed from.

    Attributes:
        instances: what the box head's loss is computed from.
        semantic: (N, L, h, w) logits.
        masks: (K, m, m) logits of the known objects' masks in their true boxes, those of one image after those of another.
        shown: an image each.
    """

    instances: LearntRaw
    semantic: Tensor
    masks: Tensor
    shown: tuple[Shown, ...]


@dataclass(frozen=True)
class PanopticWeights:
    """Weights of the two terms that the panoptic head adds, and what it hides.

    Attributes:
        roi: of the classification of the pixels inside true boxes.
        panoptic: of the classification among stuff, objects and unknown.
        unknown: the share of objects hidden; the paper has 0.3.
    """

    roi: float = 0.2
    panoptic: float = 0.5
    unknown: float = 0.3

    def __post_init__(self) -> None:
        for name in ("roi", "panoptic"):
            if not 0 <= getattr(self, name) < math.inf:
                raise OptionError(f"[model] {name}_loss: expected a weight of 0 or more, got {getattr(self, name)}")
        if not 0 <= self.unknown < 1:
            raise OptionError(f"[model] unknown: expected a share from 0 to below 1, got {self.unknown}")


class PanopticHead(Head):
    """Objects by a box head, pixels by a layer of logits, and what they mean together.

    Args:
        instances: a box head whose classes are the things of ``labels``.
        channels: of the features of the pixels.
        strides: of the network, to which images are padded, and of the features of the pixels.
        semantic_loss: a weighted sum of losses of pixels.
        class_weights: one a class, in the losses that know classes.

    Raises:
        OptionError: no class is a thing, or the loss wants what there is not.
    """

    is_dense = False
    class_rows = ("classify.weight", "classify.bias")

    def __init__(
        self,
        instances: BoxHead,
        labels: LabelSet,
        channels: int,
        strides: tuple[int, int],
        rules: Pruning,
        weights: PanopticWeights,
        semantic_loss: str,
        class_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        require_things(labels)
        self.instances, self.rules, self.weights = instances, rules, weights
        self.stride, self.void = strides[0], labels.void
        self.layout = Layout(*map(tuple, things_and_stuff(labels)), strides[1])  # type: ignore[arg-type]
        self.ragged = instances.ragged
        self.thing_rows = tuple(f"instances.{row}" for row in instances.class_rows)
        self.classify = nn.Conv2d(channels, len(labels), 1)
        nn.init.normal_(self.classify.weight, std=0.01)
        nn.init.zeros_(self.classify.bias)  # type: ignore[arg-type]
        self.terms = weighted.of_pixels(semantic_loss, len(labels), "semantic_loss")
        self.register_buffer("class_weights", None, persistent=False)  # an option of training, not part of the model
        if class_weights is not None:
            self.weigh(class_weights)

    def forward(self, features: FusedFeatures, size: Size, targets: Targets | None = None) -> PanopticRaw | LearntPanopticRaw:
        """Give detections and logits; with targets, what the loss is computed from instead."""
        semantic = self.classify(features.pixels)
        found: Any = self.instances(features.instances, size, targets)
        if targets is None:
            return PanopticRaw(found, semantic)
        shown = tuple(self._shown(len(boxes), boxes.device) for boxes in targets["boxes"])
        rows = [one.rows[: one.known] for one in shown]
        images = torch.cat([torch.full_like(row, image) for image, row in enumerate(rows)])
        boxes, classes = (
            torch.cat([part[row] for part, row in zip(targets[name], rows, strict=True)]) for name in ("boxes", "classes")
        )
        masks = self.instances.mask_logits(features.instances, boxes.float(), images, classes)
        return LearntPanopticRaw(found, semantic, masks, shown)

    def _shown(self, count: int, device: torch.device) -> Shown:
        """Draw the objects of one image that are shown, and hide some of them."""
        rows = torch.randperm(count, device=device)[:MOST]
        hidden = torch.rand(len(rows), device=device) < self.weights.unknown
        return Shown(torch.cat([rows[~hidden], rows[hidden]]), int((~hidden).sum()))

    def targets(self, truth: Segmentation) -> dict[str, AnyArray]:
        """Give the targets of the box head, ``semantic`` (H, W) classes and ``segments`` (H, W).

        A segment is the place of its class among stuff, or the row of its object behind these; ``VOID`` is neither.
        """
        objects, rows = objects_of(truth, self.layout.things)
        boxes = objects.masks.boxes()
        good = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]) & ~objects.is_crowd  # as the box head takes them
        stuff = np.full(len(truth.labels), VOID, np.int32)
        stuff[list(self.layout.stuff)] = np.arange(len(self.layout.stuff))
        table = np.full(len(truth) + 1, VOID, np.int32)
        table[1:] = np.where(truth.is_crowd, VOID, stuff[truth.class_ids])
        table[1 + rows[good]] = len(self.layout.stuff) + np.arange(int(good.sum()))
        segments = lookup(table, truth.panoptic_ids())
        return {**self.instances.targets(objects), "semantic": truth.class_map(), "segments": segments}

    def loss(self, raw: LearntPanopticRaw, targets: Targets) -> dict[str, Tensor]:
        """Give the terms of the box head, ``semantic_…`` at the targets' resolution, ``roi`` and ``panoptic``."""
        terms = self.instances.loss(raw.instances, targets)
        truth: Any = targets["semantic"]
        size = (truth.shape[-2], truth.shape[-1])
        with torch.autocast(raw.semantic.device.type, enabled=False):
            semantic = raw.semantic.float()
            whole = nn.functional.interpolate(
                semantic, size=[padded(side, self.stride) for side in size], mode="bilinear", align_corners=False
            )
            pixels = Pixels(whole[..., : size[0], : size[1]], truth, self.void, self.class_weights)
            terms |= {f"semantic_{term.name}": term(pixels) for term in self.terms}
            rows = [one.rows for one in raw.shown]
            boxes = [part[row] for part, row in zip(targets["boxes"], rows, strict=True)]
            if self.weights.roi:
                terms["roi"] = self.weights.roi * roi_loss(semantic, boxes, truth, self.void, self.layout.stride)
            if self.weights.panoptic:
                known = [one.known for one in raw.shown]
                classes = [part[row] for part, row in zip(targets["classes"], rows, strict=True)]
                masks = raw.masks.float().split(known)
                found = panoptic_loss(semantic, masks, boxes, classes, rows, targets["segments"], self.layout)
                terms["panoptic"] = self.weights.panoptic * found
        return terms

    def weigh(self, weights: Sequence[float]) -> None:
        """Set the weights of the classes, one a class."""
        count = self.classify.out_channels
        self.class_weights = class_weights_of(weights, count, self.classify.weight)
        self.instances.weigh([weights[row] for row in self.layout.things])

    def reduce(self, raw: PanopticRaw, size: Size, probabilities: bool = False) -> PanopticReduced:
        """Give detections with the logits of their masks, and the semantic logits as they are."""
        found = raw.instances
        count, device = raw.semantic.shape[0], raw.semantic.device
        sides = [torch.full((count,), padded(side, self.stride), dtype=torch.int64, device=device) for side in size]
        return PanopticReduced(  # type: ignore[arg-type]
            found.boxes, found.classes, found.scores, found.masks, found.counts, raw.semantic.float(), torch.stack(sides, dim=1)
        )

    @property
    def decoder(self) -> Decoder:
        """One panoptic segmentation an image."""
        return Decoder("panoptic_logits", asdict(self.rules))
