"""Mask R-CNN [1]: proposals from a feature pyramid, and for each that holds an object its class, its box and a mask in it.

Layers are torchvision's, on any encoder with features at the strides from ``finest`` on. The defaults suit a CPU; torchvision's
own networks are ``encoder = "resnet50"``, ``pyramid = 256``, ``width = 1024``, ``mask_width = 256``, ``samples = 512``,
``aligned = false``, and ``weights = "torchvision:maskrcnn_resnet50_fpn"`` (or ``…_v2``) stands for all but the samples.

[1] He, Gkioxari, Dollár, Girshick: Mask R-CNN, ICCV 2017, arXiv 1703.06870. torchvision states a mask AP of 34.6 on COCO's
    val2017 for its weights, and 41.8 for those of the second version.
"""

from dataclasses import fields
from typing import Literal

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import RGB
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind
from pixelwise.models.about import About
from pixelwise.models.box_parts import Layout, box_head, norm_of, stated
from pixelwise.models.build_options import checked
from pixelwise.models.encoders import build_encoder
from pixelwise.models.heads.box_proposals import ProposalOptions
from pixelwise.models.heads.box_raw import BoxOptions
from pixelwise.models.heads.box_terms import TERMS, terms_of
from pixelwise.models.maskrcnn_weights import fill_from_hub, is_whole, layout_for
from pixelwise.models.pyramid import EncoderPyramid, Norm
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.semantic import Input

KINDS: tuple[Kind, ...] = ("instance",)
ABOUT = About(
    good_for="separate objects that may overlap; hundreds of small ones with anchors = 'small'",
    code="BSD-3-Clause (torchvision's layers), Apache-2.0 (what is around them)",
    weights="timm's tf_efficientnet_lite2: Apache-2.0, learnt from ImageNet; installed with pixelwise",
    paper="He, Gkioxari, Dollár, Girshick, Mask R-CNN, ICCV 2017, arXiv 1703.06870",
    parameters=9_328_530,
    multiply_adds=22_556_649_008,
)
LOSS = " + ".join(TERMS)


@checked
def build(
    labels: LabelSet,
    kind: Kind = "instance",
    *,
    encoder: str = "tf_efficientnet_lite2",
    weights: str = "imagenet",
    version: Literal["v1", "v2"] = "v1",
    finest: Literal[2, 4] = 4,
    pyramid: int = 128,
    width: int = 512,
    mask_width: int = 128,
    mask_size: Literal[28, 56] = 28,
    norm: Norm | Literal["auto"] = "auto",
    aligned: bool = True,
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
    bands: tuple[str, ...] = RGB,
    mean: tuple[float, ...] = (),
    deviation: tuple[float, ...] = (),
    loss: str = LOSS,
    class_weights: tuple[float, ...] | None = None,
) -> Segmenter:
    """Build a Mask R-CNN.

    Args:
        labels: the classes of objects; background is none of them.
        encoder: the name of a timm or smp encoder.
        weights: of the encoder, as for ``unet``; or ``torchvision:maskrcnn_resnet50_fpn`` or ``…_fpn_v2`` for a whole network
            trained on COCO: its encoder, widths, anchors and version are then taken, and classes of COCO's names keep theirs.
            It saw images of 800 pixels at the shorter side, with batch norms frozen: fine-tune it with
            ``--set train.freeze_norm=true``.
        version: ``v2`` has four convolutions before the box's linear layer, one more in the proposals, and norms.
        finest: stride of the finest level; 2 for objects below some 8 pixels, at three to four times the cost.
        pyramid: channels of its levels.
        width: of the linear layers for class and box.
        mask_width: channels of the four convolutions of the mask.
        mask_size: cells of a mask's side.
        norm: of pyramid, boxes and masks: ``none``, ``batch``, or ``group`` for small batches; ``auto`` takes none for ``v1``
            and batch norm for ``v2``, as published. The encoder's are frozen by ``train.freeze_norm``.
        aligned: read features and paste masks at the centres of pixels; torchvision's networks are off by half a pixel or cell.
        anchors: ``paper``: 32 pixels at stride 4, 64 at 8 … 512 at 64; ``small``, for nuclei: 8 … 128; or the sizes of each
            level, finest first, one more level than the encoder's.
        ratios: of their height to their width.
        candidates, proposals: kept of a level before, and of an image after overlapping ones are dropped: in training, in
            prediction.
        proposal_overlap: IoU above which proposals overlap.
        anchor_samples: anchors an image that proposals learn from, half of them on objects.
        samples, positive_share: proposals an image that classes, boxes and masks learn from; the paper has 512 and a quarter.
        detections, score, overlap: the most an image may have; their least score; IoU above which two of a class overlap.
        bands, mean, deviation: of the input, as for ``unet``.
        loss: the terms and their weights, as in ``"rpn_objectness + rpn_box + classes + boxes + 2*masks"``.
        class_weights: one a class, in the loss of classes; background weighs 1.

    Raises:
        OptionError: the kind or an option does not fit, or the encoder lacks a stride.
    """
    _require(labels, kind)
    layout = layout_for(
        weights, Layout(encoder, version, finest, pyramid, width, mask_width, mask_size, norm, aligned, anchors, ratios)
    )
    proposing = ProposalOptions(candidates, proposals, proposal_overlap, anchor_samples)
    detecting = BoxOptions(samples, positive_share, detections, score, overlap, layout.aligned)
    given = Input(bands, mean, deviation)
    path = build_encoder(layout.encoder, "none" if is_whole(weights) else weights, len(bands))
    network = EncoderPyramid(path, layout.finest, layout.pyramid, norm_of(layout))
    head = box_head(layout, network.levels, proposing, detecting, len(labels), terms_of(loss), class_weights)
    options = {field.name: getattr(layout, field.name) for field in fields(Layout)} | {
        **stated(layout, proposing, detecting),
        "weights": weights,
        "bands": bands,
        "mean": mean,
        "deviation": deviation,
    }
    card = Card(
        "maskrcnn",
        kind,
        labels,
        bands,
        tuple(map(float, given.mean)) or path.mean,
        tuple(map(float, given.deviation)) or path.deviation,
        stride=max(path.strides),
        options={name: list(value) if isinstance(value, tuple) else value for name, value in options.items()},
    )
    model = Segmenter(network, head, card)
    if is_whole(weights):
        fill_from_hub(model, weights)
    return model


def _require(labels: LabelSet, kind: Kind) -> None:
    if kind not in KINDS:
        raise OptionError(f"maskrcnn gives instance segmentations, not {kind}; choose another --kind or --model")
    if not len(labels):
        raise OptionError("maskrcnn needs at least one class")
