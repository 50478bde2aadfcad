"""MaskFormer [1]: queries that look at the whole of the coarsest features, and masks as products with the finest.

Pixel decoder (a feature pyramid) and transformer decoder (DETR's) are those of transformers, which has no transformer layers
before the decoder, as the authors' panoptic networks do; the loss, its targets and the decoding are our query head. The authors
compare masks at full size; here they are compared at one place in each cell of the predicted masks, drawn anew every time, with
the truth bilinearly between its pixels. That takes a sixteenth of the memory, and its mean over the draws is the comparison of
all places.

[1] Cheng, Schwing, Kirillov: Per-Pixel Classification is Not All You Need for Semantic Segmentation, NeurIPS 2021, arXiv
    2107.06278.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from pixelwise.core.image import RGB
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind
from pixelwise.decode.query import Rules
from pixelwise.models.about import About
from pixelwise.models.build_options import checked
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
    PixelLevelNetwork,
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
    "stuff more than objects: its queries look at stride 32 alone; simpler than Mask2Former, and a step takes less time",
    "Apache-2.0 (transformers)",
    "timm's tf_efficientnet_lite2: Apache-2.0, installed with pixelwise; the networks on transformers' hub are CC BY-NC",
    "Cheng, Schwing, Kirillov, Per-Pixel Classification is Not All You Need for Semantic Segmentation, NeurIPS 2021",
    parameters=6_276_428,
    multiply_adds=5_865_754_800,
)
RENAMED = {"model.": "network.model.", "mask_embedder.": "network.mask_embedder.", "class_predictor.": "head.classify."}


@checked
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
        points: of a mask at which the loss looks, drawn as in Mask2Former; 0 looks into every cell of the masks once.
        class_loss, mask_loss, dice_loss: weights of the terms; the masks' is the focal cross entropy.

    The other arguments are those of ``mask2former``.

    Raises:
        OptionError: the kind or an option does not fit.
    """
    from transformers import MaskFormerConfig, MaskFormerForInstanceSegmentation

    require("maskformer", labels, kind)
    sizes = Sizes(queries, width, heads, decoder_layers, feedforward, dropout)
    rules = Rules(object_score, overlap, mask, detections)
    parts = Parts("maskformer", MaskFormerForInstanceSegmentation, encoder, weights, config, len(bands))
    with quietly():
        settings = parts.settings(MaskFormerConfig, sizes, labels)
        whole = MaskFormerForInstanceSegmentation(settings)
    if parts.encoder is not None:
        whole.model.pixel_level_module.encoder = Stages(parts.encoder)
        transformer = whole.model.transformer_module
        draw_as_published(
            projections=[whole.model.pixel_level_module.decoder, transformer.decoder],
            heads=[whole.class_predictor, whole.mask_embedder],
            queries=[transformer.queries_embedder.weight],
        )
    loss = Weights(class_loss, mask_loss, dice_loss, no_object, focal=True)
    at = Points(points, everywhere=not points)
    head = QueryHead(labels, kind, whole.class_predictor, STRIDES[-1], loss, at, rules, class_weights)
    options = {"encoder": encoder, "weights": weights, **asdict(sizes), **asdict(rules)}
    network = MaskFormer(whole.model, whole.mask_embedder, parts)
    return segmenter("maskformer", labels, kind, network, head, parts, Input(bands, mean, deviation), options, RENAMED)


@dataclass(frozen=True)
class Sizes:
    """What a MaskFormer is built from where no configuration says it: options of ``build``."""

    queries: int
    width: int
    heads: int
    decoder_layers: int
    feedforward: int
    dropout: float

    def config(self, parts: Parts, labels: LabelSet) -> Any:
        """Give transformers' configuration.

        Raises:
            OptionError: a size does not fit.
        """
        from transformers import DetrConfig, MaskFormerConfig

        require_widths("maskformer", self.width, self.heads)
        lower_bound("queries", self.queries, 1)
        lower_bound("decoder_layers", self.decoder_layers, 1)
        decoder = DetrConfig(
            d_model=self.width,
            num_queries=self.queries,
            decoder_layers=self.decoder_layers,
            decoder_ffn_dim=self.feedforward,
            decoder_attention_heads=self.heads,
            encoder_attention_heads=self.heads,
            dropout=self.dropout,
        )
        return MaskFormerConfig(
            backbone_config=parts.stand_in(),
            decoder_config=decoder,
            fpn_feature_size=self.width,
            mask_feature_size=self.width,
            num_labels=len(labels),
        )


class MaskFormer(PixelLevelNetwork):
    """The features of the queries after each layer of the decoder, and the masks they make.

    Attributes:
        mask_embedder: turns a query into the weights of its mask's product with the finest features.
    """

    def __init__(self, model: nn.Module, mask_embedder: nn.Module, parts: Parts) -> None:
        super().__init__(model, parts)
        self.mask_embedder = mask_embedder

    def forward(self, images: Tensor) -> QueryFeatures:
        """Give the queries (N, Q, C) and the masks (N, Q, h, w) of each layer."""
        pixels = self.model.pixel_level_module(images)
        found = self.model.transformer_module(pixels.encoder_last_hidden_state, output_hidden_states=True, return_dict=True)
        earlier = map(self.model.transformer_module.decoder.layernorm, found.hidden_states[1:-1])  # the first is what goes in
        queries = (*earlier, found.last_hidden_state)
        masks = tuple(
            torch.einsum("nqc,nchw->nqhw", self.mask_embedder(one), pixels.decoder_last_hidden_state) for one in queries
        )
        return QueryFeatures(queries, masks)
