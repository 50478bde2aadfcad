"""BlendMask's head: objects found by FCOS, and masks that each object mixes of a few maps of the whole image [1].

In training the masks of some locations of objects are learnt in the true boxes, as published; in prediction they are cut out of
the boxes found. What is reduced is what a box head gives, so decoding is the same. Shapes of the output depend on the input's
size alone. A location in a crowd is no example of background.

[1] Chen, Sun, Tian, Shen, Huang, Yan: BlendMask: Top-Down Meets Bottom-Up for Instance Segmentation, CVPR 2020, arXiv
    2001.00309.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.core.arrays import AnyArray, Size
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode.box import BoxReduced
from pixelwise.decode.decoders import Decoder
from pixelwise.models.heads.base import Head, Targets, class_weights_of
from pixelwise.models.heads.blend_bases import Bottom
from pixelwise.models.heads.blend_classes import PixelClasses, classes_seen
from pixelwise.models.heads.blend_masks import Attend, blended, cut_out
from pixelwise.models.heads.blend_raw import TERMS, BlendOptions, BlendRaw, LearntBlend, Picked
from pixelwise.models.heads.box_apart import best_of_classes, told_if_broken
from pixelwise.models.heads.box_geometry import clipped, has_sides
from pixelwise.models.heads.box_masks import RAGGED, projected, targets_of
from pixelwise.models.heads.box_proposals import highest
from pixelwise.models.heads.fcos import Seen, Towers
from pixelwise.models.heads.rows import Rows, rows_at, rows_of
from pixelwise.models.losses.whole import over_batch

LEAST_SIDE = 1e-2  # pixels: a detection with a shorter side is none


class BlendHead(Head):
    """Boxes and masks from a feature pyramid.

    Args:
        classes: of objects.
        supervised: whether the bottom module's features are taught the classes of pixels besides.
        weights: of the terms of the loss, by name; those that are left out do not count.
    """

    ragged = RAGGED
    is_dense = False
    class_rows = ("towers.classify.cls_logits.weight", "towers.classify.cls_logits.bias")

    def __init__(
        self,
        towers: Towers,
        bottom: Bottom,
        options: BlendOptions,
        classes: int,
        supervised: bool,
        weights: Mapping[str, float],
        class_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.options, self.count, self.weights = options, classes, dict(weights)
        self.towers, self.bottom = towers, bottom
        self.attend = Attend(towers.channels, bottom.bases.out_channels, options.attention)
        self.semantic = PixelClasses(bottom.width, classes, bottom.stride) if supervised else None
        if supervised:
            self.class_rows = (*self.class_rows, "semantic.classify.weight", "semantic.classify.bias")
        self.register_buffer("class_weights", None, persistent=False)  # an option of training, not part of the model
        if class_weights is not None:
            self.weigh(class_weights)

    def forward(self, features: Sequence[Tensor], size: Size, targets: Targets | None = None) -> BlendRaw | LearntBlend:
        """Give detections; with targets, what the loss is computed from instead."""
        seen = self.towers(features)
        mapped = self.bottom(features)
        if targets is None:
            return self._detect(seen, mapped.bases, size)
        objects = self.towers.assign(seen, targets["boxes"])  # type: ignore[arg-type]
        picked = self._pick(objects)
        boxes = rows_of(targets["boxes"], picked.images, picked.objects)  # type: ignore[arg-type]
        masks = self._masks(seen, mapped.bases, boxes, picked.images, picked.places)
        semantic = None if self.semantic is None else self.semantic(mapped.features)
        return LearntBlend(seen, objects, picked, masks, semantic)

    def _pick(self, objects: Tensor) -> Picked:
        """Draw locations of objects (N, A), at most so many an image."""
        found = []
        for index, own in enumerate(objects):
            places = torch.where(own >= 0)[0]
            places = places[torch.randperm(len(places), device=places.device)[: self.options.samples]]
            found.append(Picked(torch.full_like(places, index), places, own[places]))
        return Picked(*(torch.cat(part) for part in zip(*found, strict=True)))

    def _masks(self, seen: Seen, bases: Tensor, boxes: Tensor, images: Tensor, places: Tensor) -> Tensor:
        """Give the logits (R, s, s) of masks in boxes (R, 4), by the attention at ``places`` (R,) of ``images`` (R,)."""
        attentions = self.attend(seen.towers, images, places)
        return blended(cut_out(bases, boxes, images, self.options.mask_size, self.bottom.stride), attentions)

    def _detect(self, seen: Seen, bases: Tensor, size: Size) -> BlendRaw:
        scores = (seen.classes.sigmoid() * seen.centres.sigmoid()[..., None]).sqrt()
        best, index = highest(scores.flatten(1), self.options.candidates)
        places, classes = index // self.count, index % self.count
        boxes = clipped(rows_at(seen.boxes, places), size)
        values = torch.where((best > self.options.score) & has_sides(boxes, LEAST_SIDE), best, 0.0)
        left = torch.where(best_of_classes(boxes, classes, values, self.count, self.options.overlap), values, 0.0)
        top, rank = left.topk(min(self.options.detections, left.shape[1]), dim=1)
        is_one = top > 0
        boxes = torch.where(is_one[..., None], rows_at(boxes, rank), 0.0)
        rows = Rows.of(is_one)
        masks = self._masks(seen, bases, rows.taken(boxes), rows.images, rows.taken(places.gather(1, rank)))
        classes = torch.where(is_one, classes.gather(1, rank), 0)
        return BlendRaw(boxes, classes, told_if_broken(top, scores), rows.laid_out(masks), is_one.sum(dim=1))

    def targets(self, truth: Segmentation) -> dict[str, AnyArray]:
        """Give what a box head learns from, see ``box_masks.targets_of``, and ``semantic`` (H, W) if that is learnt."""
        found = targets_of(truth)
        return {**found, "semantic": classes_seen(truth)} if self.semantic is not None else found

    def loss(self, raw: LearntBlend, targets: Targets) -> dict[str, Tensor]:
        """Give the weighted terms ``TERMS``, each a mean over the examples of the whole batch."""
        given: Any = [targets[name] for name in ("boxes", "classes", "crowds")]
        terms = self.towers.losses(raw.seen, raw.objects, *given, self.class_weights)
        found = dict(zip(TERMS[:3], terms, strict=True))
        found["masks"] = self._mask_loss(raw, targets)
        if self.semantic is not None and raw.semantic is not None:
            found["semantic"] = self.semantic.loss(raw.semantic, targets["semantic"], self.class_weights)  # type: ignore[arg-type]
        return {name: weight * found[name] for name, weight in self.weights.items()}

    def _mask_loss(self, raw: LearntBlend, targets: Targets) -> Tensor:
        side, total = raw.masks.shape[-1], raw.masks.sum() * 0
        for index, (boxes, masks, places) in enumerate(
            zip(*(targets[name] for name in ("boxes", "masks", "places")), strict=True)
        ):
            own = raw.picked.images == index
            objects = raw.picked.objects[own]
            goals = projected(masks, places, boxes[objects], objects, side, True)
            total = total + F.binary_cross_entropy_with_logits(raw.masks[own], goals, reduction="sum")
        return over_batch(total) / over_batch(total.new_tensor(float(raw.masks.numel()))).clamp(min=1)

    def weigh(self, weights: Sequence[float]) -> None:
        """Set the weights of the classes in the losses of classes; background weighs 1."""
        self.class_weights = class_weights_of(weights, self.count, self.towers.scales)

    def reduce(self, raw: BlendRaw, size: Size, probabilities: bool = False) -> BoxReduced:
        """Give detections with masks in [0, 1]; there are no probabilities of pixels."""
        return BoxReduced(raw.boxes, raw.classes, raw.scores, raw.masks.sigmoid(), raw.counts)  # type: ignore[arg-type]

    @property
    def decoder(self) -> Decoder:
        """One instance segmentation an image."""
        return Decoder("box", {"aligned": True})
