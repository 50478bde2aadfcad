"""UPSNet [1]: Mask R-CNN and a semantic branch of deformable convolutions, and a panoptic head that has no parameters.

Its logits of stuff are the semantic ones, those of an object its class's inside its box plus its mask's, and one channel more
says "an object that was not found"; so pixels are classified once, and training teaches both branches to agree. The network of
the paper is ``encoder = "resnet50"``, ``pyramid = 256``, ``width = 1024``, ``mask_width = 256``, ``semantic_width = 128``,
``semantic_layers = 3``, ``samples = 512``, ``object_score = 0.6``, ``stuff_area = 4096``.

[1] Xiong, Liao, Zhao, Hu, Bai, Yumer, Urtasun: UPSNet: A Unified Panoptic Segmentation Network, CVPR 2019, arXiv 1901.03784.
    With a ResNet-50 42.5 PQ on COCO's val2017 and 59.3 on Cityscapes; with a deformable ResNet-101 46.6 on COCO's test-dev.
"""

from typing import Literal

from pixelwise.core.image import RGB
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind
from pixelwise.decode.panoptic_logits import Pruning
from pixelwise.models.about import About
from pixelwise.models.box_parts import Layout, box_head, stated
from pixelwise.models.build_options import checked
from pixelwise.models.deformable import DeformableBranch
from pixelwise.models.encoders import build_encoder
from pixelwise.models.heads.box_proposals import ProposalOptions
from pixelwise.models.heads.box_raw import BoxOptions
from pixelwise.models.heads.box_terms import TERMS, terms_of
from pixelwise.models.heads.panoptic_logits import PanopticHead, PanopticWeights
from pixelwise.models.panoptic_pyramid import KINDS, PanopticPyramid, pyramid_of, require, segmenter
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.semantic import Input

__all__ = ["ABOUT", "KINDS", "build"]
ABOUT = About(
    good_for="objects and stuff together; what no object explains stays open, where Panoptic FPN would call it stuff",
    code="BSD-3-Clause (torchvision's layers), Apache-2.0 (what is around them, written from the paper)",
    weights="timm's tf_efficientnet_lite2: Apache-2.0, learnt from ImageNet; installed with pixelwise",
    paper="Xiong et al., UPSNet: A Unified Panoptic Segmentation Network, CVPR 2019, arXiv 1901.03784",
    parameters=9_473_345,
    multiply_adds=24_573_672_368,
)
LOSS = " + ".join(TERMS)


@checked
def build(
    labels: LabelSet,
    kind: Kind = "panoptic",
    *,
    encoder: str = "tf_efficientnet_lite2",
    weights: str = "imagenet",
    finest: Literal[2, 4] = 4,
    pyramid: int = 128,
    width: int = 512,
    mask_width: int = 128,
    semantic_width: int = 64,
    semantic_layers: int = 2,
    anchors: Literal["paper", "small"] | tuple[tuple[float, ...], ...] = "paper",
    ratios: tuple[float, ...] = (0.5, 1.0, 2.0),
    candidates: tuple[int, int] = (2000, 1000),
    proposals: tuple[int, int] = (1000, 1000),
    proposal_overlap: float = 0.7,
    anchor_samples: int = 256,
    samples: int = 128,
    positive_share: float = 0.25,
    detections: int = 100,
    score: float = 0.05,
    overlap: float = 0.5,
    object_score: float = 0.5,
    box_overlap: float = 0.5,
    mask_overlap: float = 0.3,
    stuff_area: int = 64,
    bands: tuple[str, ...] = RGB,
    mean: tuple[float, ...] = (),
    deviation: tuple[float, ...] = (),
    loss: str = LOSS,
    semantic_loss: str = "0.5*cross_entropy",
    roi_loss: float = 0.2,
    panoptic_loss: float = 0.5,
    unknown: float = 0.3,
    class_weights: tuple[float, ...] | None = None,
) -> Segmenter:
    """Build a UPSNet.

    Args:
        labels: the classes, of which at least one is a thing.
        encoder: the name of a timm or smp encoder.
        weights: of the encoder, as for ``unet``.
        finest: stride of the finest level; 2 for objects below some 8 pixels, at three to four times the cost.
        pyramid: channels of its levels.
        width: of the linear layers for class and box.
        mask_width: channels of the four convolutions of the mask.
        semantic_width: channels of the deformable convolutions, a multiple of 64; the paper has 128.
        semantic_layers: of them, the same for every level; the paper has 3.
        anchors: ``paper``: 32 pixels at stride 4, 64 at 8 … 512 at 64; ``small``: 8 … 128; or the sizes of each level, finest
            first, one more level than the encoder's.
        ratios: of their height to their width.
        candidates, proposals: kept of a level before, and of an image after overlapping ones are dropped: in training, in
            prediction.
        proposal_overlap: IoU above which proposals overlap.
        anchor_samples: anchors an image that proposals learn from, half of them on objects.
        samples, positive_share: proposals an image that classes, boxes and masks learn from; the paper has 512 and a quarter.
        detections, score, overlap: the most an image may have; their least score; IoU above which two of a class overlap.
        object_score, box_overlap, mask_overlap: a detection is no object below this score (the paper has 0.6), if its box
            overlaps a surer one's by more than this IoU, or if more than this share of its mask belongs to surer ones of its
            class.
        stuff_area: pixels of the image below which a class of stuff is left out; the paper has 4096 for COCO, at 800 x 1333. 64
            is the same share of 128 x 128.
        bands, mean, deviation: of the input, as for ``unet``.
        loss: the terms of boxes and masks, and their weights, as in ``"rpn_objectness + rpn_box + classes + boxes + 2*masks"``.
        semantic_loss: that of all classes pixel by pixel, with its weight.
        roi_loss: weight of the same classification inside true boxes.
        panoptic_loss: weight of the classification among stuff, objects and unknown.
        unknown: share of the objects that is hidden in training, so that their pixels teach what unknown is.
        class_weights: one a class, in the losses of classes.

    Raises:
        OptionError: the kind or an option does not fit, no class is a thing, or the encoder lacks a stride.
    """
    require("upsnet", labels, kind)
    layout = Layout(encoder, "v1", finest, pyramid, width, mask_width, 28, "none", True, anchors, ratios)
    proposing = ProposalOptions(candidates, proposals, proposal_overlap, anchor_samples)
    detecting = BoxOptions(samples, positive_share, detections, score, overlap)
    rules = Pruning(object_score, box_overlap, mask_overlap, stuff_area)
    learning = PanopticWeights(roi_loss, panoptic_loss, unknown)
    path = build_encoder(encoder, weights, len(bands))
    levels = pyramid_of(path, layout)
    network = PanopticPyramid(levels, DeformableBranch(levels.own, pyramid, semantic_width, semantic_layers))
    boxes = box_head(layout, levels.levels, proposing, detecting, len(labels.things), terms_of(loss, network="upsnet"), None)
    channels, strides = levels.own * semantic_width, (max(path.strides), finest)
    head = PanopticHead(boxes, labels, channels, strides, rules, learning, semantic_loss, class_weights)
    options = {
        "weights": weights,
        **stated(layout, proposing, detecting),
        "semantic_width": semantic_width,
        "semantic_layers": semantic_layers,
        "object_score": object_score,
        "box_overlap": box_overlap,
        "mask_overlap": mask_overlap,
        "stuff_area": stuff_area,
    }
    return segmenter("upsnet", labels, network, head, path, Input(bands, mean, deviation), options)
