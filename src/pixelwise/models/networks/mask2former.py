"""Mask2Former [1]: queries that look at the image only where the layer before saw their masks.

Pixel decoder (deformable attention over the strides 8, 16 and 32) and transformer decoder are those of transformers; the loss,
its targets and the decoding are our query head. The deformable attention is in plain torch: no kernel has to be compiled.

[1] Cheng, Misra, Schwing, Kirillov, Girdhar: Masked-attention Mask Transformer for Universal Image Segmentation, CVPR 2022,
    arXiv 2112.01527. With a ResNet-50 it has 44 million parameters and reaches 51.9 PQ and 43.7 AP on COCO; with a Swin-L 57.8
    and 50.1.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from pixelwise.core.image import RGB
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind
from pixelwise.decode.query import Rules
from pixelwise.models.about import About
from pixelwise.models.heads.query import QueryFeatures, QueryHead
from pixelwise.models.heads.query_loss import Weights
from pixelwise.models.heads.query_points import Points
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.semantic import Input
from pixelwise.models.universal import (
    KINDS,
    STRIDES,
    TRAINING,
    Parts,
    QueryNetwork,
    Stages,
    lower_bound,
    quietly,
    require,
    require_widths,
    segmenter,
)

__all__ = ["ABOUT", "KINDS", "TRAINING", "build"]
ABOUT = About(
    "objects and stuff together, in one network for every kind; the most accurate choice where there is time to train",
    "Apache-2.0 (transformers)",
    "those of its encoder; the networks on transformers' hub are CC BY-NC 4.0",
    "Cheng et al., Masked-attention Mask Transformer for Universal Image Segmentation, CVPR 2022",
)
RENAMED = {"model.": "network.model.", "class_predictor.": "head.classify."}


def build(
    labels: LabelSet,
    kind: Kind = "panoptic",
    *,
    encoder: str = "tf_efficientnet_lite2",
    weights: str = "imagenet",
    config: Mapping[str, Any] | None = None,
    queries: int = 50,
    width: int = 128,
    heads: int = 8,
    pixel_layers: int = 2,
    decoder_layers: int = 3,
    feedforward: int = 512,
    object_score: float = 0.8,
    overlap: float = 0.8,
    mask: float = 0.5,
    detections: int = 100,
    bands: tuple[str, ...] = RGB,
    mean: tuple[float, ...] = (),
    deviation: tuple[float, ...] = (),
    points: int = 0,
    class_loss: float = 2.0,
    mask_loss: float = 5.0,
    dice_loss: float = 5.0,
    no_object: float = 0.1,
    class_weights: tuple[float, ...] | None = None,
) -> Segmenter:
    """Build a Mask2Former; its masks are at 1/4 of the input.

    Args:
        labels: the classes.
        kind: ``panoptic``, ``instance`` or ``semantic``.
        encoder: the name of a timm or smp encoder with features at the strides 4 to 32.
        weights: of the encoder, as in ``unet``; or ``hub:OWNER/NAME`` (or ``hub:FOLDER``) for a whole network of transformers'
            hub: it brings its own sizes and backbone, and the options from ``encoder`` to ``feedforward`` say nothing.
        config: transformers' configuration, in place of the same options.
        queries: at least as many as the most objects of an image; the paper has 100, and 200 for Swin-L.
        width: of the decoders, a multiple of 64; the paper has 256.
        heads: of the attention.
        pixel_layers: of the pixel decoder; the paper has 6.
        decoder_layers: each over one stride in turn; the paper has 9.
        feedforward: width of the layers between attentions; the paper has 1024 and 2048.
        object_score, overlap, mask, detections: thresholds of decoding: see ``decode.query.Rules``.
        bands: of the input.
        mean, deviation: a band, to normalise the input in [0, 1] by; () takes those of the encoder's weights.
        points: of a mask at which the loss looks; 0 takes as many as the mask has cells, at most the paper's 12,544.
        class_loss, mask_loss, dice_loss: weights of the terms of the loss and of the assignment.
        no_object: weight of a query without an object in the classes' term.
        class_weights: one a class, in the classes' term.

    Raises:
        OptionError: the kind or an option does not fit.
    """
    from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation

    require("mask2former", labels, kind)
    parts = Parts("mask2former", Mask2FormerForUniversalSegmentation, encoder, weights, config, len(bands))
    if not parts.has_config:
        require_widths("mask2former", width, heads)
        lower_bound("queries", queries, 1)
        lower_bound("decoder_layers", decoder_layers, 1)
    with quietly():
        settings = (
            parts.full_config(Mask2FormerConfig, labels, len(bands))
            if parts.has_config
            else Mask2FormerConfig(
                backbone_config=parts.stand_in(len(bands)),
                feature_size=width,
                mask_feature_size=width,
                hidden_dim=width,
                num_attention_heads=heads,
                encoder_layers=pixel_layers,
                encoder_feedforward_dim=feedforward,
                decoder_layers=decoder_layers + 1,  # transformers counts the prediction before the first layer
                dim_feedforward=feedforward,
                num_queries=queries,
                num_labels=len(labels),
                feature_strides=list(STRIDES),
            )
        )
        whole = Mask2FormerForUniversalSegmentation(settings)
    if parts.encoder is not None:
        whole.model.pixel_level_module.encoder = Stages(parts.encoder)
    loss = Weights(class_loss, mask_loss, dice_loss, no_object)
    rules = Rules(object_score, overlap, mask, detections)
    head = QueryHead(labels, kind, whole.class_predictor, STRIDES[-1], loss, Points(points), rules, class_weights)
    options = {
        "encoder": encoder,
        "weights": weights,
        "queries": queries,
        "width": width,
        "heads": heads,
        "pixel_layers": pixel_layers,
        "decoder_layers": decoder_layers,
        "feedforward": feedforward,
        "object_score": object_score,
        "overlap": overlap,
        "mask": mask,
        "detections": detections,
    }
    network = Mask2Former(whole.model, parts)
    return segmenter("mask2former", labels, kind, network, head, parts, Input(bands, mean, deviation), options, RENAMED)


class Mask2Former(QueryNetwork):
    """The features of the queries before the decoder and after each layer of it, and the masks they make."""

    @property
    def encoder(self) -> nn.Module:  # type: ignore[override]
        """The encoder, or transformers' backbone."""
        found: nn.Module = self.model.pixel_level_module.encoder
        return found

    def forward(self, images: Tensor) -> QueryFeatures:  # type: ignore[override]
        """Give the queries (N, Q, C) and the masks (N, Q, h, w) of each layer."""
        found = self.model(images, output_hidden_states=True, return_dict=True)
        queries = tuple(one.transpose(0, 1) for one in found.transformer_decoder_intermediate_states)
        return QueryFeatures(queries, tuple(found.masks_queries_logits))
