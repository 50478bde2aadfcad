"""The fused head: one head for objects and one layer for stuff, on the features of one network, merged into panoptic [1].

The interface. A network gives ``FusedFeatures``: what the head of objects takes, and features (N, C, h, w) of the pixels at a
fraction of the input's size, padding and all. ``Fused(instances, labels, channels, stride, …)`` takes any head whose decoder is
"box" (it gives ``decode.box.BoxReduced``), built for as many classes as ``labels`` has things, in their order. It adds a 1x1
convolution to S + 1 logits: the stuff classes in the order of the labels, and last one class for all things.

* ``targets``: those of the head of objects, from the things of a panoptic truth; and ``stuff`` (H, W), in which S is any thing
  or crowd of things, and ``void`` does not count.
* ``loss``: the terms of the head of objects, and ``semantic_…`` for each term of ``semantic_loss``.
* ``reduce``: ``decode.fused.FusedReduced``, decoded by "fused" with the rule of ``decode.merge``.
* fine-tuning: rows of the head of objects move by the names of things (``thing_rows``), those of the logits by stuff.

[1] Kirillov, Girshick, He, Dollár: Panoptic Feature Pyramid Networks, CVPR 2019, arXiv 1901.02446.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.core.arrays import AnyArray, IntArray, Size
from pixelwise.core.errors import OptionError
from pixelwise.core.idmaps import lookup
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode.decoders import Decoder
from pixelwise.decode.fused import FusedReduced, things_and_stuff
from pixelwise.decode.merge import Merging
from pixelwise.models.heads.base import Head, Targets, class_weights_of
from pixelwise.models.losses import weighted
from pixelwise.models.losses.pixels import Pixels
from pixelwise.models.recorded import padded


class FusedFeatures(NamedTuple):
    """What a network gives: features for the head of objects, and those of the pixels (N, C, h, w)."""

    instances: Any
    pixels: Tensor


class FusedRaw(NamedTuple):
    """What the head of objects gives, and logits (N, S + 1, h, w) of stuff and things, padding and all."""

    instances: Any
    stuff: Tensor


class Fused(Head):
    """Objects by a head of their own, stuff by a layer of logits.

    Args:
        instances: the head of objects, whose classes are the things of ``labels``.
        channels: of the features of the pixels.
        stride: images were padded to a multiple of it before the network.
        semantic_loss: a weighted sum of losses of pixels, as in ``"0.5*cross_entropy"``.
        class_weights: one a class, in the losses that know classes.

    Raises:
        OptionError: no class is a thing.
    """

    is_dense = False
    stuff_rows = ("classify.weight", "classify.bias")

    def __init__(
        self,
        instances: Head,
        labels: LabelSet,
        channels: int,
        stride: int,
        rules: Merging,
        semantic_loss: str = "0.5*cross_entropy",
        class_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        require_things(labels)
        self.instances, self.stride, self.rules = instances, stride, rules
        self.things, self.stuff = things_and_stuff(labels)
        self.ragged = instances.ragged
        self.thing_rows = tuple(f"instances.{row}" for row in instances.class_rows)
        self.void = 255 if len(self.stuff) < 255 else 65535
        self.classify = nn.Conv2d(channels, len(self.stuff) + 1, 1)
        nn.init.normal_(self.classify.weight, std=0.01)
        nn.init.zeros_(self.classify.bias)  # type: ignore[arg-type]
        self.terms = weighted.of_pixels(semantic_loss, len(self.stuff) + 1, "semantic_loss")
        self.register_buffer("class_weights", None, persistent=False)  # an option of training, not part of the model
        if class_weights is not None:
            self.weigh(class_weights)

    def forward(self, features: FusedFeatures, size: Size, targets: Targets | None = None) -> FusedRaw:
        """Give what the head of objects gives, and logits of stuff."""
        return FusedRaw(self.instances(features.instances, size, targets), self.classify(features.pixels))

    def targets(self, truth: Segmentation) -> dict[str, AnyArray]:
        """Give the targets of the head of objects, and ``stuff`` (H, W)."""
        return {**self.instances.targets(objects_of(truth, self.things)[0]), "stuff": self.map_of(truth)}

    def map_of(self, truth: Segmentation) -> AnyArray:
        """Give the class of stuff (H, W) of each pixel, S for things; crowds of things are things, of stuff void."""
        of_class = np.full(len(truth.labels), len(self.stuff))
        of_class[self.stuff] = np.arange(len(self.stuff))
        table = np.full(len(truth) + 1, self.void, np.uint8 if self.void == 255 else np.uint16)
        own = of_class[truth.class_ids]
        table[1:] = np.where(truth.is_crowd & (own < len(self.stuff)), self.void, own)
        return lookup(table, truth.panoptic_ids())

    def loss(self, raw: FusedRaw, targets: Targets) -> dict[str, Tensor]:
        """Give the terms of the head of objects, and ``semantic_…`` at the targets' resolution."""
        stuff: Any = targets["stuff"]
        logits = self.at_pixels(raw.stuff, (stuff.shape[-2], stuff.shape[-1]))
        pixels = Pixels(logits, stuff, self.void, self._stuff_weights())
        terms = self.instances.loss(raw.instances, targets)
        return {**terms, **{f"semantic_{term.name}": term(pixels) for term in self.terms}}

    def at_pixels(self, values: Tensor, size: Size) -> Tensor:
        """Enlarge values (N, C, h, w) over the padded images to the images' own pixels (N, C, H, W)."""
        whole = [padded(side, self.stride) for side in size]
        enlarged = F.interpolate(values.float(), size=whole, mode="bilinear", align_corners=False)
        return enlarged[..., : size[0], : size[1]]

    def _stuff_weights(self) -> Tensor | None:
        if self.class_weights is None:
            return None
        own = self.class_weights[self.stuff]
        return torch.cat([own, self.class_weights[self.things].mean()[None]])

    def weigh(self, weights: Sequence[float]) -> None:
        """Set the weights of the classes, one a class; things together weigh as they do in the mean."""
        count = len(self.things) + len(self.stuff)
        self.class_weights = class_weights_of(weights, count, self.classify.weight)
        self.instances.weigh([weights[row] for row in self.things])

    def reduce(self, raw: FusedRaw, size: Size, probabilities: bool = False) -> FusedReduced:
        """Give detections with masks, and the logits of stuff as they are: at full size they would be 16 times as large."""
        detections = self.instances.reduce(raw.instances, size, probabilities)
        count, device = raw.stuff.shape[0], raw.stuff.device
        sides = [torch.full((count,), padded(side, self.stride), dtype=torch.int64, device=device) for side in size]
        return FusedReduced(*detections, raw.stuff.float(), torch.stack(sides, dim=1))  # type: ignore[arg-type]

    @property
    def decoder(self) -> Decoder:
        """One panoptic segmentation an image."""
        return Decoder("fused", {**self.instances.decoder.options, **asdict(self.rules)})


def objects_of(truth: Segmentation, things: Sequence[int]) -> tuple[Segmentation, IntArray]:
    """Take the things of a panoptic truth, with classes counted among the things alone, and their rows in it."""
    rows = np.flatnonzero(np.isin(truth.class_ids, things))
    table = np.zeros(len(truth.labels), np.int64)
    table[list(things)] = np.arange(len(things))
    labels = LabelSet(tuple(truth.labels.labels[row] for row in things))
    crowd = truth.is_crowd[rows]
    return Segmentation("instance", truth.masks.select(rows), table[truth.class_ids[rows]], labels, crowd=crowd), rows


def require_things(labels: LabelSet) -> None:
    """Check that a class is a thing: boxes are found of things alone.

    Raises:
        OptionError: none is.
    """
    if not labels.things:
        raise OptionError("a panoptic network with boxes needs at least one class that is a thing, got stuff alone")
