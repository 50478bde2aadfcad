"""The prototype head: at every place of a pyramid a class, a box and a few numbers, which make a mask of the image's maps.

The masks are YOLACT's [1] or those of RTMDet-Ins [2]; the boxes those of Generalized Focal Loss [3]; and which places learn
which objects is told by how well they would report them, as in TOOD [4]. In prediction the best scored pairs of a place and a
class are taken, and of those of a class that overlap, the best. Shapes of the output depend on the input's size alone.

[1] Bolya, Zhou, Xiao, Lee: YOLACT: Real-time Instance Segmentation, ICCV 2019, arXiv 1904.02689.
[2] Lyu et al., RTMDet: An Empirical Study of Designing Real-Time Object Detectors, arXiv 2212.07784.
[3] Li et al., Generalized Focal Loss, NeurIPS 2020, arXiv 2006.04388.
[4] Feng et al., TOOD: Task-aligned One-stage Object Detection, ICCV 2021, arXiv 2108.07755.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from pixelwise.core.arrays import AnyArray, Size
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode.decoders import Decoder
from pixelwise.decode.prototype import PrototypeReduced
from pixelwise.models.heads.base import Head, Targets, class_weights_of
from pixelwise.models.heads.box_apart import best_of_classes, told_if_broken
from pixelwise.models.heads.box_geometry import clipped, has_sides
from pixelwise.models.heads.box_masks import RAGGED, targets_of
from pixelwise.models.heads.box_proposals import highest
from pixelwise.models.heads.locations import locations
from pixelwise.models.heads.prototype_assignment import AlignmentRule, Places, aligned
from pixelwise.models.heads.prototype_boxes import boxes_at, distances
from pixelwise.models.heads.prototype_layers import PrototypeBranch, Towers
from pixelwise.models.heads.prototype_loss import Sums, Truth, sums_of
from pixelwise.models.heads.prototype_raw import TERMS, Detecting, Forms, LearntRaw, PrototypeRaw
from pixelwise.models.heads.rows import rows_at
from pixelwise.models.losses.whole import over_batch

LEAST_SIDE = 1e-2  # pixels: a detection with a shorter side is none


class PrototypeHead(Head):
    """Boxes with masks from a pyramid.

    Args:
        strides: of the pyramid's levels, finest first.
        weights: of the terms of the loss, by name; those that are left out do not count.
        class_weights: one a class, in the term of classes.
    """

    ragged = RAGGED
    is_dense = False

    def __init__(
        self,
        towers: Towers,
        branch: PrototypeBranch,
        strides: Sequence[int],
        forms: Forms,
        rule: AlignmentRule,
        detecting: Detecting,
        weights: Mapping[str, float],
        class_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.towers, self.branch = towers, branch
        self.strides = tuple(strides)
        self.forms, self.rule, self.detecting, self.weights = forms, rule, detecting, dict(weights)
        self.count: int = towers.classify[0].out_channels  # type: ignore[assignment]
        copies = range(len(towers.classify))
        self.class_rows = tuple(f"towers.classify.{copy}.{part}" for copy in copies for part in ("weight", "bias"))
        self.register_buffer("class_weights", None, persistent=False)  # an option of training, not part of the model
        if class_weights is not None:
            self.weigh(class_weights)

    def forward(  # type: ignore[override]
        self, features: Sequence[Tensor], size: Size, targets: Any = None
    ) -> PrototypeRaw | LearntRaw:
        """Give what is predicted at every place; with targets, the numbers that boxes were made of as well."""
        logits, box_numbers, numbers = self.towers(features)
        sizes = [(level.shape[-2], level.shape[-1]) for level in features]
        middles, strides = locations(sizes, self.strides, logits)
        boxes = boxes_at(middles, strides, distances(box_numbers, self.forms.boxes))
        if self.forms.masks == "prototype":
            numbers = numbers.tanh()  # so that maps can be taken away from others ([1], section 3.1)
        raw = PrototypeRaw(logits, boxes, numbers, middles, strides, self.branch(features[0]).float())
        return raw if targets is None else LearntRaw(*raw, box_numbers, boxes.new_tensor([size[1], size[0]]))

    def targets(self, truth: Segmentation) -> dict[str, AnyArray]:
        """Give boxes, classes, crops of masks and boxes of crowds, see ``box_masks.targets_of``."""
        return targets_of(truth)

    def loss(self, raw: LearntRaw, targets: Targets) -> dict[str, Tensor]:
        """Give the weighted terms ``TERMS``: see ``prototype_loss``."""
        with torch.autocast(raw.logits.device.type, enabled=False):
            sums = [self._sums(raw, image, targets) for image in range(len(raw.logits))]
            totals = Sums(*over_batch(torch.stack([torch.stack(part).sum() for part in zip(*sums, strict=True)])).unbind())
        wanted, objects = totals.wanted.clamp_min(1), totals.objects.clamp_min(1)
        divided = {name: wanted if name == "classes" else objects for name in TERMS}
        return {name: weight * getattr(totals, name) / divided[name] for name, weight in self.weights.items()}

    def _sums(self, raw: LearntRaw, image: int, targets: Targets) -> Sums:
        truth = Truth(*(targets[name][image] for name in Truth._fields))
        found = Places(raw.logits[image].detach().sigmoid(), raw.boxes[image].detach(), raw.middles, raw.strides)
        examples = aligned(found, truth.boxes, truth.classes, self.rule)
        return sums_of(raw, image, truth, examples, self.forms, self.class_weights, self._extent(raw.prototypes))

    def _extent(self, prototypes: Tensor) -> Size:
        """Give the height and the width in pixels that maps lie over."""
        stride = self.forms.prototype_stride
        return prototypes.shape[-2] * stride, prototypes.shape[-1] * stride

    def weigh(self, weights: Sequence[float]) -> None:
        """Set the weights of the classes in the classes' term."""
        self.class_weights = class_weights_of(weights, self.count, next(self.parameters()))

    def reduce(self, raw: Any, size: Size, probabilities: bool = False) -> PrototypeReduced:
        """Give the best detections that do not overlap another of their class; there are no probabilities of pixels."""
        options = self.detecting
        scores, pairs = highest(raw.logits.sigmoid().flatten(1), options.candidates)
        places, classes = pairs // self.count, pairs % self.count
        boxes = clipped(rows_at(raw.boxes, places), size)
        is_one = (scores > options.score) & has_sides(boxes, LEAST_SIDE)
        values = torch.where(is_one, scores, 0.0)
        kept = best_of_classes(boxes, classes, values, self.count, options.overlap)
        best, rows = torch.where(kept, values, 0.0).topk(min(options.detections, values.shape[1]), dim=1)
        is_one, chosen = best > 0, places.gather(1, rows)
        count = raw.logits.shape[0]
        seen = torch.cat([raw.middles, raw.strides[:, None]], dim=1)[chosen]
        padded = [torch.full((count,), side, dtype=torch.int64, device=best.device) for side in self._extent(raw.prototypes)]
        found: Any = (
            torch.where(is_one[..., None], rows_at(boxes, rows), 0.0),
            torch.where(is_one, classes.gather(1, rows), 0),
            told_if_broken(best, raw.logits),
            torch.where(is_one[..., None], rows_at(raw.numbers, chosen), 0.0),
            torch.where(is_one[..., None], seen, 1.0),
            raw.prototypes,
            is_one.sum(dim=1),
            torch.stack(padded, dim=1),
        )
        return PrototypeReduced(*found)

    @property
    def decoder(self) -> Decoder:
        """One instance segmentation an image."""
        return Decoder("prototype", {"form": self.forms.masks})
