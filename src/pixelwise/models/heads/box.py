"""The box head: objects found as boxes, a class for each box, and a mask inside it [1].

In training it takes a sample of each image's proposals, mostly background, and learns class, box and mask from them. In
prediction it classifies all proposals, keeps the best of those that overlap, and cuts masks for these alone. Layers and rules
are torchvision's; what differs is stated here. Shapes of the output depend on the input's size alone; in a graph for one size
and number of images, those of everything between do as well (``rows``). Crowds are no background. Masks are learnt from
crops. And the layers that have a row a class have one for each class only, background apart, so that fine-tuning keeps rows by
name.

[1] He, Gkioxari, Dollár, Girshick: Mask R-CNN, ICCV 2017, arXiv 1703.06870.
"""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.core.arrays import AnyArray, Size
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode.box import BoxReduced
from pixelwise.decode.decoders import Decoder
from pixelwise.models.heads.base import Head, Targets, class_weights_of
from pixelwise.models.heads.box_apart import best_apart, told_if_broken
from pixelwise.models.heads.box_geometry import clipped, decoded, encoded, has_sides
from pixelwise.models.heads.box_layers import BoxLayers, BoxPredictor
from pixelwise.models.heads.box_masks import RAGGED, projected, targets_of
from pixelwise.models.heads.box_matching import matched, sampled
from pixelwise.models.heads.box_pooling import PyramidPooling
from pixelwise.models.heads.box_proposals import BETA, Proposer, Slid
from pixelwise.models.heads.box_raw import BoxOptions, BoxRaw, Drawn, LearntRaw
from pixelwise.models.heads.box_terms import TERMS
from pixelwise.models.heads.rows import Rows, rows_at, rows_of
from pixelwise.models.losses.whole import over_batch

WEIGHTS = (10.0, 10.0, 5.0, 5.0)  # of the shifts, so that they are about as large as the class logits
LEAST_SIDE = 1e-2  # pixels: a detection with a shorter side is none


class BoxHead(Head):
    """Boxes and masks from a feature pyramid.

    Args:
        strides: of the levels that boxes are cut from.
        weights: of the terms of the loss, by name; those that are left out do not count.
    """

    ragged = RAGGED
    is_dense = False
    class_rows = (
        "predictor.classify.weight",
        "predictor.classify.bias",
        "predictor.shifts",
        "predictor.shift_bias",
        "mask_predictor.mask_fcn_logits.weight",
        "mask_predictor.mask_fcn_logits.bias",
    )

    def __init__(
        self,
        proposer: Proposer,
        layers: BoxLayers,
        strides: Sequence[int],
        classes: int,
        options: BoxOptions,
        weights: Mapping[str, float],
        class_weights: Sequence[float] | None = None,
    ) -> None:
        from torchvision.models.detection.mask_rcnn import MaskRCNNPredictor

        super().__init__()
        self.options, self.count, self.weights = options, classes, dict(weights)
        self.proposer = proposer
        self.box_pooling = PyramidPooling(strides, layers.box_side, options.aligned)
        self.box_layers = layers.boxes
        self.predictor = BoxPredictor(layers.width, classes)
        self.mask_pooling = PyramidPooling(strides, layers.mask_side, options.aligned)
        self.mask_layers = layers.masks
        self.mask_predictor = MaskRCNNPredictor(layers.mask_width, layers.mask_width, classes)
        last = self.mask_predictor.mask_fcn_logits  # torchvision draws it by the number of classes: for one, logits of +-10
        nn.init.normal_(last.weight, std=0.001)
        nn.init.zeros_(last.bias)
        self.register_buffer("class_weights", None, persistent=False)  # an option of training, not part of the model
        if class_weights is not None:
            self.weigh(class_weights)

    def forward(self, features: Sequence[Tensor], size: Size, targets: Targets | None = None) -> BoxRaw | LearntRaw:
        """Give detections; with targets, what the loss is computed from instead."""
        slid = self.proposer(features)
        proposals, scores = self.proposer.propose(slid, size, targets is not None)
        if targets is None:
            found = self._detect(features, proposals, scores, size)
            return found._replace(scores=told_if_broken(found.scores, torch.cat(slid.objectness, dim=1)))
        return self._learn(features, slid, self._draw(proposals, scores, targets))

    def _draw(self, proposals: Tensor, scores: Tensor, targets: Targets) -> Drawn:
        """Draw proposals, among them the true boxes, from each image."""
        rows = []
        for index, (boxes, classes, crowds) in enumerate(zip(*map(targets.get, ("boxes", "classes", "crowds")), strict=True)):
            given = torch.cat([proposals[index][scores[index] >= 0], boxes.to(proposals.dtype)])
            if self.at_full_load and len(boxes):
                given = torch.cat([given, boxes.to(proposals.dtype).repeat(self.options.samples // len(boxes) + 1, 1)])
            found = matched(given, boxes, crowds, 0.5, 0.5, nearest=False)
            positive, negative = sampled(found.states, self.options.samples, self.options.positive_share)
            chosen = torch.cat([positive, negative])
            objects = found.objects[chosen]
            of_class = torch.full_like(chosen, self.count)
            of_class[: len(positive)] = classes[objects[: len(positive)]]
            rows.append(Drawn(given[chosen], torch.full_like(chosen, index), objects, of_class))
        return Drawn(*(torch.cat(part) for part in zip(*rows, strict=True)))

    def _learn(self, features: Sequence[Tensor], slid: Slid, drawn: Drawn) -> LearntRaw:
        logits, shifts = self.predictor(self.box_layers(self.box_pooling(features, drawn.boxes, drawn.images)))
        masked = torch.where(drawn.classes < self.count)[0]
        if not len(masked) and len(drawn.classes):
            masked = torch.zeros_like(drawn.classes[:1])  # norms cannot take none; the loss leaves it out
        masks = self.mask_logits(features, drawn.boxes[masked], drawn.images[masked], drawn.classes[masked] % self.count)
        return LearntRaw(slid, drawn, logits, shifts, masked, masks)

    def mask_logits(self, features: Sequence[Tensor], boxes: Tensor, images: Tensor, classes: Tensor) -> Tensor:
        """Give each box's mask (R, m, m) of its class."""
        logits = self.mask_predictor(self.mask_layers(self.mask_pooling(features, boxes, images)))
        every = torch.arange(boxes.shape[0], device=boxes.device)  # len() would want a number in an exported graph
        return logits[every, classes].float()

    def _detect(self, features: Sequence[Tensor], proposals: Tensor, proposal_scores: Tensor, size: Size) -> BoxRaw:
        rows = Rows.of(proposal_scores >= 0)
        given = rows.taken(proposals)
        logits, shifts = self.predictor(self.box_layers(self.box_pooling(features, given, rows.images)))
        boxes = rows.laid_out(clipped(decoded(shifts, given[:, None], WEIGHTS), size))
        scores = rows.laid_out(logits.softmax(dim=1)[:, : self.count])
        best_boxes, best_classes, best_scores = self._best(boxes, scores)
        rows = Rows.of(best_scores > 0)
        masks = self.mask_logits(features, rows.taken(best_boxes), rows.images, rows.taken(best_classes))
        counts = (best_scores > 0).sum(dim=1)
        told = told_if_broken(best_scores, scores)
        return BoxRaw(proposals, proposal_scores, best_boxes, best_classes, told, rows.laid_out(masks), counts)

    def _best(self, boxes: Tensor, scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Keep the best of each image's boxes (N, P, L, 4) with scores (N, P, L), of which those of a class do not overlap."""
        is_one = (scores > self.options.score) & has_sides(boxes, LEAST_SIDE)
        values = torch.where(is_one, scores, 0.0)
        kept = best_apart(boxes.transpose(1, 2), values.transpose(1, 2), self.options.overlap).transpose(1, 2)
        left = torch.where(kept, values, 0.0).flatten(1)
        top, index = left.topk(min(self.options.detections, left.shape[1]), dim=1)
        is_one = top > 0
        found = rows_at(boxes.flatten(1, 2), index)
        return torch.where(is_one[..., None], found, 0.0), torch.where(is_one, index % self.count, 0), top

    def targets(self, truth: Segmentation) -> dict[str, AnyArray]:
        """Give boxes, classes, crops of masks and boxes of crowds, see ``box_masks.targets_of``."""
        return targets_of(truth)

    def loss(self, raw: LearntRaw, targets: Targets) -> dict[str, Tensor]:
        """Give the weighted terms ``TERMS``: each a mean over what was drawn in the whole batch."""
        found = dict(zip(TERMS[:2], self.proposer.losses(raw.slid, targets["boxes"], targets["crowds"]), strict=True))
        found["classes"], found["boxes"] = self._class_and_box_losses(raw, targets)
        found["masks"] = self._mask_loss(raw, targets)
        return {name: weight * found[name] for name, weight in self.weights.items()}

    def _class_and_box_losses(self, raw: LearntRaw, targets: Targets) -> tuple[Tensor, Tensor]:
        drawn = raw.drawn
        weights = None if self.class_weights is None else F.pad(self.class_weights, (0, 1), value=1.0)
        each = torch.ones_like(raw.class_logits[:, 0]) if weights is None else weights[drawn.classes]
        classes = over_batch(F.cross_entropy(raw.class_logits, drawn.classes, weights, reduction="sum"))
        positive = torch.where(drawn.classes < self.count)[0]
        goals = rows_of(targets["boxes"], drawn.images[positive], drawn.objects[positive])
        shifts = raw.shifts[positive, drawn.classes[positive]]
        moved = F.smooth_l1_loss(shifts, encoded(goals, drawn.boxes[positive], WEIGHTS), beta=BETA, reduction="sum")
        boxes = over_batch(each.new_tensor(float(len(each)))).clamp(min=1)
        return classes / over_batch(each.sum()).clamp(min=1e-6), over_batch(moved) / boxes

    def _mask_loss(self, raw: LearntRaw, targets: Targets) -> Tensor:
        side = raw.masks.shape[-1]
        drawn = Drawn(*(part[raw.masked] for part in raw.drawn))
        is_object = drawn.classes < self.count
        total, logits = raw.masks.sum() * 0, raw.masks[is_object]
        drawn = Drawn(*(part[is_object] for part in drawn))
        for index, (masks, places) in enumerate(zip(targets["masks"], targets["places"], strict=True)):
            own = drawn.images == index
            goals = projected(masks, places, drawn.boxes[own], drawn.objects[own], side, self.options.aligned)
            total = total + F.binary_cross_entropy_with_logits(logits[own], goals, reduction="sum")
        return over_batch(total) / over_batch(total.new_tensor(float(logits.numel()))).clamp(min=1)

    def weigh(self, weights: Sequence[float]) -> None:
        """Set the weights of the classes in the loss of classes; background weighs 1."""
        self.class_weights = class_weights_of(weights, self.count, self.predictor.shifts)

    def reduce(self, raw: BoxRaw, size: Size, probabilities: bool = False) -> BoxReduced:
        """Give detections with masks in [0, 1]; there are no probabilities of pixels."""
        return BoxReduced(raw.boxes, raw.classes, raw.scores, raw.masks.sigmoid(), raw.counts)  # type: ignore[arg-type]

    @property
    def decoder(self) -> Decoder:
        """One instance segmentation an image."""
        return Decoder("box", {"aligned": self.options.aligned})
