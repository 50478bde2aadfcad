"""Mask2Former [1]: queries that look at the image only where the layer before saw their masks.

Pixel decoder (deformable attention over the strides 8, 16 and 32) and transformer decoder are those of transformers; the loss,
its targets and the decoding are our query head. The deformable attention is in plain torch: no kernel has to be compiled.

[1] Cheng, Misra, Schwing, Kirillov, Girdhar: Masked-attention Mask Transformer for Universal Image Segmentation, CVPR 2022,
    arXiv 2112.01527. With a ResNet-50 51.9 PQ and 43.7 AP on COCO; with a Swin-L 57.8 and 50.1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor, nn

from pixelwise.core.errors import OptionError
from pixelwise.core.image import RGB
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind
from pixelwise.decode.query import Rules
from pixelwise.models.about import About
from pixelwise.models.build_options import checked
from pixelwise.models.deformable_pixels import Pixels, pixels_of
from pixelwise.models.fine_masks import FineMasks, Finest, levels_for
from pixelwise.models.heads.query import QueryFeatures, QueryHead
from pixelwise.models.heads.query_loss import Weights
from pixelwise.models.heads.query_points import Points
from pixelwise.models.recorded import is_recorded
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.semantic import Input
from pixelwise.models.universal import (
    KINDS,
    LEVELS,
    STRIDES,
    TRAINING,
    Parts,
    PixelLevelNetwork,
    Stages,
    draw_as_published,
    lower_bound,
    projections_of,
    quietly,
    require,
    require_widths,
    segmenter,
)

__all__ = ["ABOUT", "KINDS", "TRAINING", "build"]
ABOUT = About(
    "objects and stuff together, in one network for every kind; the most accurate choice where there is time to train",
    "Apache-2.0 (transformers)",
    "timm's tf_efficientnet_lite2: Apache-2.0, installed with pixelwise; the networks on transformers' hub are CC BY-NC",
    "Cheng et al., Masked-attention Mask Transformer for Universal Image Segmentation, CVPR 2022",
    parameters=5_856_652,
    multiply_adds=5_524_378_800,
)
RENAMED = {"model.": "network.model.", "class_predictor.": "head.classify."}


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
    pixel_layers: int = 2,
    decoder_layers: int = 3,
    feedforward: int = 512,
    finest: Finest = 4,
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
    """Build a Mask2Former.

    Args:
        labels: the classes.
        kind: ``panoptic``, ``instance`` or ``semantic``.
        encoder: the name of a timm or smp encoder with features at the strides 4 to 32.
        weights: of the encoder, as in ``unet``; or ``hub:OWNER/NAME`` (or ``hub:FOLDER``) for a whole network of transformers'
            hub: it brings its own sizes and backbone, and the options from ``encoder`` to ``feedforward`` say nothing.
        config: transformers' configuration, in place of the same options.
        queries: at least as many as the most objects of an image; the paper has 100.
        width: of the decoders, a multiple of 64; the paper has 256.
        heads: of the attention.
        pixel_layers: of the pixel decoder; the paper has 6.
        decoder_layers: each over one stride in turn; the paper has 9.
        feedforward: width of the layers between attentions; the paper has 1024 and 2048.
        finest: stride of the masks: 4 as in the paper; 2 or 1 for objects of a few pixels, by features of our own
            (``fine_masks``) that a whole network of the hub does not have.
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
    sizes = Sizes(queries, width, heads, pixel_layers, decoder_layers, feedforward)
    rules = Rules(object_score, overlap, mask, detections)
    levels = levels_for(finest, LEVELS)
    parts = Parts("mask2former", Mask2FormerForUniversalSegmentation, encoder, weights, config, len(bands), levels)
    if parts.has_config and finest != 4:
        raise OptionError(f"[model] finest: masks of a published network are at stride 4, got {finest}; leave it out")
    with quietly():
        settings = parts.settings(Mask2FormerConfig, sizes, labels)
        whole = Mask2FormerForUniversalSegmentation(settings)
    fine = None
    if parts.encoder is not None:
        pixels = whole.model.pixel_level_module
        pixels.encoder = Stages(parts.encoder)
        draw_as_published(projections=projections_of(pixels.decoder), heads=[whole.class_predictor])
        fine = FineMasks(width, parts.encoder.channels[-len(STRIDES) - 1], len(bands), finest) if finest != 4 else None
    loss, at = Weights(class_loss, mask_loss, dice_loss, no_object), Points(points, cells=4 // finest)
    head = QueryHead(labels, kind, whole.class_predictor, STRIDES[-1], loss, at, rules, class_weights)
    options = {"encoder": encoder, "weights": weights, **asdict(sizes), "finest": finest, **asdict(rules)}
    network = Mask2Former(whole.model, parts, fine)
    return segmenter("mask2former", labels, kind, network, head, parts, Input(bands, mean, deviation), options, RENAMED)


@dataclass(frozen=True)
class Sizes:
    """What a Mask2Former is built from where no configuration says it: options of ``build``."""

    queries: int
    width: int
    heads: int
    pixel_layers: int
    decoder_layers: int
    feedforward: int

    def config(self, parts: Parts, labels: LabelSet) -> Any:
        """Give transformers' configuration.

        Raises:
            OptionError: a size does not fit.
        """
        from transformers import Mask2FormerConfig

        require_widths("mask2former", self.width, self.heads)
        lower_bound("queries", self.queries, 1)
        lower_bound("decoder_layers", self.decoder_layers, 1)
        return Mask2FormerConfig(
            backbone_config=parts.stand_in(),
            feature_size=self.width,
            mask_feature_size=self.width,
            hidden_dim=self.width,
            num_attention_heads=self.heads,
            encoder_layers=self.pixel_layers,
            encoder_feedforward_dim=self.feedforward,
            decoder_layers=self.decoder_layers + 1,  # transformers counts the prediction before the first layer
            dim_feedforward=self.feedforward,
            num_queries=self.queries,
            num_labels=len(labels),
            feature_strides=list(STRIDES),
        )


class Mask2Former(PixelLevelNetwork):
    """The features of the queries before the decoder and after each layer of it, and the masks they make.

    Attributes:
        fine: makes masks finer than stride 4; None for none.
    """

    def __init__(self, model: nn.Module, parts: Parts, fine: FineMasks | None = None) -> None:
        super().__init__(model, parts)
        self.fine = fine

    def forward(self, images: Tensor) -> QueryFeatures:
        """Give the queries (N, Q, C) and the masks (N, Q, h, w) of each layer."""
        stages = self.model.pixel_level_module.encoder
        features = stages(images).feature_maps if self.fine is None else stages.pyramid(images)
        pixels = self._pixels(features[-len(STRIDES) :])
        module = self.model.transformer_module
        found = module(pixels.levels, pixels.finest, output_hidden_states=True)
        queries = tuple(one.transpose(0, 1) for one in found.intermediate_hidden_states)
        masks = tuple(found.masks_queries_logits)
        if self.fine is not None:
            finest = self.fine(pixels.finest, features[-len(STRIDES) - 1], images)
            embedded = map(module.decoder.mask_predictor.mask_embedder, queries)
            masks = tuple(self.fine.masks(one, mask, finest) for one, mask in zip(embedded, masks, strict=True))
        return QueryFeatures(queries, masks)

    def _pixels(self, features: Sequence[Tensor]) -> Pixels:
        decoder = self.model.pixel_level_module.decoder
        if is_recorded():
            return pixels_of(decoder, decoder.lateral_convolutions, decoder.output_convolutions, features)
        found = decoder(features)
        return Pixels(found.multi_scale_features, found.mask_features)
