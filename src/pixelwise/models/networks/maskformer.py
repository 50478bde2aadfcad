"""MaskFormer [1]: queries that look at the whole of the coarsest features, and masks as products with the finest.

Pixel decoder (a feature pyramid) and transformer decoder (DETR's) are those of transformers; the loss, its targets and the
decoding are our query head. The authors compare masks at full size; here they are compared at the middle of each cell of the
predicted masks, with the truth bilinearly between its pixels, which takes a sixteenth of the memory.

[1] Cheng, Schwing, Kirillov: Per-Pixel Classification is Not All You Need for Semantic Segmentation, NeurIPS 2021, arXiv
    2107.06278. With a ResNet-50 it has 41 million parameters and reaches 44.5 % on ADE20K, and 46.5 PQ on COCO with six encoder
    layers, which transformers' model does not have.
"""

from collections.abc import Mapping
from typing import Any

import torch
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
    draw_as_published,
    lower_bound,
    quietly,
    require,
    require_widths,
    segmenter,
)

__all__ = ["ABOUT", "KINDS", "TRAINING", "build"]
ABOUT = About(
    "stuff more than objects; lighter than Mask2Former, which learns faster and finds small objects better",
    "Apache-2.0 (transformers)",
    "those of its encoder; the networks on transformers' hub are CC BY-NC 4.0",
    "Cheng, Schwing, Kirillov, Per-Pixel Classification is Not All You Need for Semantic Segmentation, NeurIPS 2021",
)
RENAMED = {"model.": "network.model.", "mask_embedder.": "network.mask_embedder.", "class_predictor.": "head.classify."}


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
    decoder_layers: int = 3,
    feedforward: int = 512,
    dropout: float = 0.0,
    object_score: float = 0.8,
    overlap: float = 0.8,
    mask: float = 0.5,
    detections: int = 100,
    bands: tuple[str, ...] = RGB,
    mean: tuple[float, ...] = (),
    deviation: tuple[float, ...] = (),
    points: int = 0,
    class_loss: float = 1.0,
    mask_loss: float = 20.0,
    dice_loss: float = 1.0,
    no_object: float = 0.1,
    class_weights: tuple[float, ...] | None = None,
) -> Segmenter:
    """Build a MaskFormer; its masks are at 1/4 of the input.

    Args:
        width: of the pyramid, the masks and the decoder, a multiple of 64; the paper has 256.
        decoder_layers: the paper has 6.
        feedforward: width of the layers between attentions; the paper has 2048.
        dropout: in the decoder; the paper has 0.1.
        points: of a mask at which the loss looks, drawn as in Mask2Former; 0 looks at every cell of the masks.
        class_loss, mask_loss, dice_loss: weights of the terms; the masks' is the focal cross entropy.

    The other arguments are those of ``mask2former``.

    Raises:
        OptionError: the kind or an option does not fit.
    """
    from transformers import DetrConfig, MaskFormerConfig, MaskFormerForInstanceSegmentation

    require("maskformer", labels, kind)
    parts = Parts("maskformer", MaskFormerForInstanceSegmentation, encoder, weights, config, len(bands))
    if not parts.has_config:
        require_widths("maskformer", width, heads)
        lower_bound("queries", queries, 1)
        lower_bound("decoder_layers", decoder_layers, 1)
    with quietly():
        settings = (
            parts.full_config(MaskFormerConfig, labels, len(bands))
            if parts.has_config
            else MaskFormerConfig(
                backbone_config=parts.stand_in(len(bands)),
                decoder_config=DetrConfig(
                    d_model=width,
                    num_queries=queries,
                    decoder_layers=decoder_layers,
                    decoder_ffn_dim=feedforward,
                    decoder_attention_heads=heads,
                    encoder_attention_heads=heads,
                    dropout=dropout,
                ),
                fpn_feature_size=width,
                mask_feature_size=width,
                num_labels=len(labels),
            )
        )
        whole = MaskFormerForInstanceSegmentation(settings)
    if parts.encoder is not None:
        whole.model.pixel_level_module.encoder = Stages(parts.encoder)
        transformer = whole.model.transformer_module
        draw_as_published([transformer.decoder], [transformer.queries_embedder])
    loss = Weights(class_loss, mask_loss, dice_loss, no_object, focal=True)
    rules = Rules(object_score, overlap, mask, detections)
    at = Points(points, everywhere=not points)
    head = QueryHead(labels, kind, whole.class_predictor, STRIDES[-1], loss, at, rules, class_weights)
    options = {
        "encoder": encoder,
        "weights": weights,
        "queries": queries,
        "width": width,
        "heads": heads,
        "decoder_layers": decoder_layers,
        "feedforward": feedforward,
        "dropout": dropout,
        "object_score": object_score,
        "overlap": overlap,
        "mask": mask,
        "detections": detections,
    }
    network = MaskFormer(whole.model, whole.mask_embedder, parts)
    return segmenter("maskformer", labels, kind, network, head, parts, Input(bands, mean, deviation), options, RENAMED)


class MaskFormer(QueryNetwork):
    """The features of the queries after each layer of the decoder, and the masks they make.

    Attributes:
        mask_embedder: turns a query into the weights of its mask's product with the finest features.
    """

    def __init__(self, model: nn.Module, mask_embedder: nn.Module, parts: Parts) -> None:
        super().__init__(model, parts)
        self.mask_embedder = mask_embedder

    @property
    def encoder(self) -> nn.Module:  # type: ignore[override]
        """The encoder, or transformers' backbone."""
        found: nn.Module = self.model.pixel_level_module.encoder
        return found

    def forward(self, images: Tensor) -> QueryFeatures:  # type: ignore[override]
        """Give the queries (N, Q, C) and the masks (N, Q, h, w) of each layer."""
        pixels = self.model.pixel_level_module(images)
        found = self.model.transformer_module(pixels.encoder_last_hidden_state, output_hidden_states=True, return_dict=True)
        earlier = map(self.model.transformer_module.decoder.layernorm, found.hidden_states[1:-1])  # the first is what goes in
        queries = (*earlier, found.last_hidden_state)
        masks = tuple(
            torch.einsum("nqc,nchw->nqhw", self.mask_embedder(one), pixels.decoder_last_hidden_state) for one in queries
        )
        return QueryFeatures(queries, masks)
