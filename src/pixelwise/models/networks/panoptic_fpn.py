"""Panoptic FPN [1]: Mask R-CNN for things, and a light branch on the same feature pyramid for stuff.

Each level of the pyramid is brought to the finest one's size by convolutions and doublings, the sum is classified pixel by
pixel, and objects are laid over stuff, the surest first. The network of the paper is ``encoder = "resnet50"``,
``pyramid = 256``, ``width = 1024``, ``mask_width = 256``, ``semantic_width = 128``, ``samples = 512``, ``stuff_area = 4096``.

[1] Kirillov, Girshick, He, Dollár: Panoptic Feature Pyramid Networks, CVPR 2019, arXiv 1901.02446. With a ResNet-50 39.0 PQ on
    COCO's val2017, with a ResNet-101 40.3 (table 3); Detectron2 states 39.4 (1x), 41.5 (3x) and 43.0 for its own.
"""

from typing import Literal

from pixelwise.core.image import RGB
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind
from pixelwise.decode.merge import Merging
from pixelwise.models.about import About
from pixelwise.models.box_parts import Layout, box_head, stated
from pixelwise.models.build_options import checked
from pixelwise.models.foreign_weights import source_of
from pixelwise.models.heads.box_proposals import ProposalOptions
from pixelwise.models.heads.box_raw import BoxOptions
from pixelwise.models.heads.box_terms import TERMS, terms_of
from pixelwise.models.heads.fused import Fused
from pixelwise.models.panoptic_fpn_weights import fill_from_detectron2
from pixelwise.models.panoptic_pyramid import KINDS, PanopticPyramid, encoder_of, pyramid_of, require, segmenter
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.semantic import Input
from pixelwise.models.semantic_branch import SemanticBranch

__all__ = ["ABOUT", "KINDS", "build"]
ABOUT = About(
    good_for="objects and stuff together by the plainest design; the measure of what other panoptic networks add",
    code="BSD-3-Clause (torchvision's layers), Apache-2.0 (what is around them)",
    weights="timm's tf_efficientnet_lite2: Apache-2.0, learnt from ImageNet; installed with pixelwise",
    paper="Kirillov, Girshick, He, Dollár, Panoptic Feature Pyramid Networks, CVPR 2019, arXiv 1901.02446",
    parameters=9_734_995,
    multiply_adds=23_810_332_208,
)
LOSS = " + ".join(TERMS)


@checked
def build(
    labels: LabelSet,
    kind: Kind = "panoptic",
    *,
    encoder: str = "tf_efficientnet_lite2",
    weights: str = "imagenet",
    caffe: bool = False,
    finest: Literal[2, 4] = 4,
    pyramid: int = 128,
    width: int = 512,
    mask_width: int = 128,
    semantic_width: int = 64,
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
    merge_score: float = 0.5,
    merge_overlap: float = 0.5,
    stuff_area: int = 64,
    bands: tuple[str, ...] = RGB,
    mean: tuple[float, ...] = (),
    deviation: tuple[float, ...] = (),
    loss: str = LOSS,
    semantic_loss: str = "0.5*cross_entropy",
    class_weights: tuple[float, ...] | None = None,
) -> Segmenter:
    """Build a Panoptic FPN.

    Args:
        labels: the classes, of which at least one is a thing.
        encoder: the name of a timm or smp encoder.
        weights: of the encoder, as for ``unet``; or ``detectron2:PATH``, a ``.pth`` or ``.safetensors`` made of Detectron2's
            ``panoptic_fpn_R_50``, for the whole network at the paper's sizes; classes of COCO's names keep their rows.
        caffe: of a ResNet with bottlenecks: halve the size in their first convolution, and normalise as Caffe's networks do, as
            Detectron2's files want it.
        finest: stride of the finest level; 2 for objects below some 8 pixels, at three to four times the cost.
        pyramid: channels of its levels.
        width: of the linear layers for class and box.
        mask_width: channels of the four convolutions of the mask.
        semantic_width: channels of the branch for stuff, a multiple of 64; the paper has 128.
        anchors: ``paper``: 32 pixels at stride 4, 64 at 8 … 512 at 64; ``small``: 8 … 128; or the sizes of each level, finest
            first, one more level than the encoder's.
        ratios: of their height to their width.
        candidates, proposals: kept of a level before, and of an image after overlapping ones are dropped: in training, in
            prediction.
        proposal_overlap: IoU above which proposals overlap.
        anchor_samples: anchors an image that proposals learn from, half of them on objects.
        samples, positive_share: proposals an image that classes, boxes and masks learn from; the paper has 512 and a quarter.
        detections, score, overlap: the most an image may have; their least score; IoU above which two of a class overlap.
        merge_score, merge_overlap: a detection of a lower score, or of which more than this share belongs to surer ones, is no
            segment.
        stuff_area: pixels of the image below which a class of stuff is left out. The paper's code has 4096 at 800 x 1333; 64 is
            the same share of 128 x 128.
        bands, mean, deviation: of the input, as for ``unet``.
        loss: the terms of boxes and masks, and their weights, as in ``"rpn_objectness + rpn_box + classes + boxes + 2*masks"``.
        semantic_loss: that of stuff, with its weight.
        class_weights: one a class, in the losses of classes.

    Raises:
        OptionError: the kind or an option does not fit, no class is a thing, or the encoder lacks a stride.
        CheckpointError: the file that ``weights`` names does not fit.
    """
    require("panoptic_fpn", labels, kind)
    layout = Layout(encoder, "v1", finest, pyramid, width, mask_width, 28, "none", True, anchors, ratios)
    proposing = ProposalOptions(candidates, proposals, proposal_overlap, anchor_samples)
    detecting = BoxOptions(samples, positive_share, detections, score, overlap)
    rules = Merging(merge_score, merge_overlap, stuff_area)
    path = encoder_of("panoptic_fpn", layout, weights, caffe, len(bands))
    levels = pyramid_of(path, layout)
    network = PanopticPyramid(levels, SemanticBranch(levels.own, pyramid, semantic_width))
    terms = terms_of(loss, network="panoptic_fpn")
    boxes = box_head(layout, levels.levels, proposing, detecting, len(labels.things), terms, None)
    head = Fused(boxes, labels, semantic_width, max(path.strides), rules, semantic_loss, class_weights)
    options = {
        "weights": weights,
        "caffe": caffe,
        **stated(layout, proposing, detecting),
        "semantic_width": semantic_width,
        "merge_score": merge_score,
        "merge_overlap": merge_overlap,
        "stuff_area": stuff_area,
    }
    model = segmenter("panoptic_fpn", labels, network, head, path, Input(bands, mean, deviation), options)
    if source := source_of(weights):
        fill_from_detectron2(model, source.path)
    return model
