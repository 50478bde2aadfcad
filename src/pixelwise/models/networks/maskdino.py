"""Mask DINO [1]: objects are found as DINO [2] finds boxes, and every one has a mask; for instances, panoptic and semantic.

Cells of a deformable encoder on four scales start the queries; a decoder moves their boxes, and a query times the features at
stride 4 is its mask. In training, objects made noisy are cleaned beside. All is of our own, in plain torch.

The defaults suit a CPU. The paper's network is ``encoder = "resnet50"``, ``queries = 300``, ``width = 256``, ``pixel_layers =
6``, ``pixel_feedforward = 2048``, ``decoder_layers = 9``, ``feedforward = 2048``, ``contrast = false``; for semantic
segmentation it has 100 queries and ``pixel_feedforward = 1024``. Batches are 16 images there, the rate 1e-4, the clip 0.01.

[1] Li, Zhang, Xu, Liu, Zhang, Ni, Shum: Mask DINO, CVPR 2023, arXiv 2206.02777. With a ResNet-50 on COCO, after 50 epochs, 46.3
    mask AP and 53.0 PQ; 48.7 mIoU on ADE20K. With a Swin-L 52.3 mask AP and 58.3 PQ.
[2] Zhang, Li, Liu, Zhang, Su, Zhu, Ni, Shum: DINO, ICLR 2023, arXiv 2203.03605.
"""

import math
from dataclasses import asdict
from typing import Any, Literal

from torch import Tensor

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import RGB
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind
from pixelwise.decode.query import Rules
from pixelwise.models.about import About
from pixelwise.models.build_options import checked
from pixelwise.models.deformable_encoder import DeformableEncoder
from pixelwise.models.encoders import Encoder
from pixelwise.models.fine_masks import FineMasks, Finest, levels_for
from pixelwise.models.foreign_weights import source_of
from pixelwise.models.heads.box_refining import RefiningDecoder
from pixelwise.models.heads.boxed_query import BoxWeights
from pixelwise.models.heads.denoising import Noise
from pixelwise.models.heads.maskdino import DinoFeatures, MaskDinoHead, Selection, Start, Teaching
from pixelwise.models.heads.query_loss import Weights
from pixelwise.models.heads.query_points import Points
from pixelwise.models.maskdino_weights import Layout, fill_from_authors, layout_for, read_authors
from pixelwise.models.network import Network
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.semantic import Input, encoder_for
from pixelwise.models.universal import LEVELS, STRIDES, TRAINING, require

__all__ = ["ABOUT", "KINDS", "TRAINING", "build"]
KINDS: tuple[Kind, ...] = ("instance", "panoptic", "semantic")
ABOUT = About(
    good_for="objects, and objects and stuff together, where accuracy counts most and there is time to train",
    code="Apache-2.0 (pixelwise)",
    weights="timm's tf_efficientnet_lite2: Apache-2.0, installed with pixelwise; the authors' networks are Apache-2.0",
    paper="Li et al., Mask DINO: Towards A Unified Transformer-based Framework, CVPR 2023, arXiv 2206.02777",
    parameters=6_424_783,
    multiply_adds=5_928_414_256,
)


@checked
def build(
    labels: LabelSet,
    kind: Kind = "instance",
    *,
    encoder: str = "tf_efficientnet_lite2",
    weights: str = "imagenet",
    queries: int = 100,
    width: int = 128,
    heads: int = 8,
    scales: Literal[4, 5] = 4,
    pixel_layers: int = 2,
    pixel_feedforward: int = 512,
    decoder_layers: int = 3,
    feedforward: int = 512,
    finest: Finest = 4,
    start: Start | Literal["auto"] = "auto",
    grows: bool = True,
    object_score: float = 0.25,
    overlap: float = 0.8,
    mask: float = 0.5,
    temperature: float = 0.06,
    detections: int = 100,
    bands: tuple[str, ...] = RGB,
    mean: tuple[float, ...] = (),
    deviation: tuple[float, ...] = (),
    noisy: int = 40,
    box_noise: float = 0.4,
    class_noise: float = 0.2,
    contrast: bool = True,
    points: int = 0,
    class_loss: float = 4.0,
    box_loss: float = 5.0,
    giou_loss: float = 2.0,
    mask_loss: float = 5.0,
    dice_loss: float = 5.0,
    no_object: float = 0.1,
    class_weights: tuple[float, ...] | None = None,
) -> Segmenter:
    """Build a Mask DINO.

    Args:
        labels: the classes.
        kind: ``instance``, ``panoptic`` or ``semantic``.
        encoder: the name of a timm or smp encoder with features at the strides 4 to 32.
        weights: of the encoder, as for ``unet``; or ``detectron2:PATH`` for a whole network of the authors on a ResNet-50: it
            brings its sizes, and wants ``queries = 300``; classes of COCO's names keep theirs.
        queries: at least as many as the most objects of an image; the paper has 300.
        width: of encoder and decoder, a multiple of 64; the paper has 256.
        heads: of the attention.
        scales: 4 for the strides 8 to 64, or 5 for 4 to 64, which the paper has with Swin-L.
        pixel_layers, decoder_layers: of encoder and decoder; the paper has 6 and 9.
        pixel_feedforward, feedforward: width of the layers between their attentions; the paper has 2048.
        finest: stride of the masks, as in ``mask2former``.
        start: what a query's first box is: ``masks`` that around its cell's mask, ``cells`` what the cell says; ``auto`` is
            the first for instances, as published.
        grows: whether a cell's own box is larger on coarser levels; the authors' code, and so their weights, has it the other
            way round.
        object_score, overlap, mask, detections: thresholds of decoding: see ``decode.query.Rules``.
        temperature: panoptic: see ``decode.query.decode``; 0 for none.
        bands: of the input.
        mean, deviation: a band, to normalise the input in [0, 1] by; () takes those of the encoder's weights.
        noisy: queries of objects made noisy, in training, and with ``contrast`` as many again; the paper has 100; 0: none.
        box_noise, class_noise, contrast: see ``heads.denoising.Noise``; the authors' code has no contrast, DINO has.
        points: of a mask at which the loss looks; 0 takes as many as the mask has cells, at most the paper's 12,544.
        class_loss, box_loss, giou_loss, mask_loss, dice_loss: weights of the terms of the loss and of the assignment.
        no_object: semantic: weight of a query without an object in the classes' term.
        class_weights: one a class, in the classes' term.

    Raises:
        OptionError: the kind or an option does not fit.
    """
    require("maskdino", labels, kind, KINDS)
    source = source_of(weights)
    tensors = read_authors(source, kind) if source else None
    layout = Layout(encoder, width, heads, scales, pixel_layers, pixel_feedforward, decoder_layers, feedforward, finest, grows)
    layout = layout_for(tensors, layout) if tensors else layout
    rules = Rules(object_score, overlap, mask, detections)
    if not 0 <= temperature < math.inf:
        raise OptionError(f"[model] temperature: expected 0 or more, got {temperature}")
    given = Input(bands, mean, deviation)
    path = encoder_for("maskdino", layout.encoder, "none" if source else weights, len(bands), levels_for(finest, LEVELS))
    network = MaskDino(path, layout)
    head = MaskDinoHead(
        labels,
        kind,
        RefiningDecoder(layout.width, layout.heads, layout.scales, layout.decoder_layers, layout.feedforward),
        Selection(queries, _start(start, kind), layout.grows),
        Teaching(
            Weights(class_loss, mask_loss, dice_loss, no_object),
            BoxWeights(box_loss, giou_loss),
            Points(points, cells=4 // finest),
            Noise(noisy, box_noise, class_noise, contrast),
            class_weights,
        ),
        STRIDES[-1],
        rules,
        temperature,
        FineMasks(layout.width, path.channels[-len(STRIDES) - 1], len(bands), finest) if finest != 4 else None,
    )
    options = {**asdict(layout), "weights": weights, "queries": queries, "start": start, **asdict(rules)}
    card = _card(labels, kind, path, given, {**options, "temperature": temperature})
    model = Segmenter(network, head, card)
    if tensors:
        fill_from_authors(model, tensors, layout)
    return model


class MaskDino(Network):
    """An encoder, and the deformable encoder on it.

    Attributes:
        pixels: the deformable encoder.
    """

    def __init__(self, encoder: Encoder, layout: Layout) -> None:
        super().__init__()
        self.encoder, self.weights, self.strides = encoder.module, encoder.weights, encoder.strides
        self.finest = layout.finest
        channels = encoder.channels[-len(STRIDES) :]
        own = channels[len(STRIDES) + 1 - layout.scales :]
        self.pixels = DeformableEncoder(
            channels[0], own, layout.width, layout.heads, layout.pixel_layers, layout.pixel_feedforward
        )

    def forward(self, images: Tensor) -> DinoFeatures:
        """Give what the head takes."""
        found = list(self.encoder(images))
        pyramid = self.pixels(found[-len(STRIDES) :])
        beside = () if self.finest == 4 else (found[-len(STRIDES) - 1], images)
        return DinoFeatures(pyramid.memory, pyramid.pixels, beside)


def _start(start: Start | Literal["auto"], kind: Kind) -> Start:
    if start == "auto":
        return "masks" if kind == "instance" else "cells"
    return start


def _card(labels: LabelSet, kind: Kind, encoder: Encoder, given: Input, options: dict[str, Any]) -> Card:
    inputs = {"bands": list(given.bands), "mean": list(given.mean), "deviation": list(given.deviation)}
    return Card(
        "maskdino",
        kind,
        labels,
        given.bands,
        tuple(map(float, given.mean)) or encoder.mean,
        tuple(map(float, given.deviation)) or encoder.deviation,
        stride=STRIDES[-1],
        gives_probabilities=kind == "semantic",
        options={**options, **inputs},
    )
