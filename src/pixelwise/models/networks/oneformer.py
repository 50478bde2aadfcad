"""OneFormer [1]: Mask2Former with a token that says which task is asked for, and queries that start from it.

Pixel decoder, query transformer and decoder are those of transformers; loss, targets and decoding are our query head's. A run
trains one kind, and its token never changes. The authors draw a task for each image, and teach the queries what each task and
image holds by a contrastive loss (weight 0.5) against a text encoder; text encoder and contrastive loss are not built here.
There is no dropout, where transformers' configuration has 0.1.
Published networks, which learnt all three tasks, are asked by the token of the kind.

[1] Jain, Li, Chiu, Hassani, Orlov, Shi: OneFormer: One Transformer to Rule Universal Image Segmentation, CVPR 2023, arXiv
    2211.06220. With a Swin-L 57.9 PQ and 49.0 AP on COCO.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from pixelwise.core.errors import MissingFile, OptionError
from pixelwise.core.image import RGB
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind
from pixelwise.decode.query import Rules
from pixelwise.models.about import About
from pixelwise.models.build_options import checked
from pixelwise.models.deformable_pixels import Pixels, pixels_of
from pixelwise.models.heads.query import QueryFeatures, QueryHead
from pixelwise.models.heads.query_loss import Weights
from pixelwise.models.heads.query_points import Points
from pixelwise.models.recorded import is_recorded
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
    projections_of,
    quietly,
    require,
    require_widths,
    segmenter,
)

__all__ = ["ABOUT", "KINDS", "TRAINING", "build"]
ABOUT = About(
    "published weights that give all three kinds from one file; to train anew, Mask2Former is lighter",
    "Apache-2.0 (transformers)",
    "timm's tf_efficientnet_lite2: Apache-2.0, installed with pixelwise; the networks on transformers' hub tell theirs",
    "Jain et al., OneFormer: One Transformer to Rule Universal Image Segmentation, CVPR 2023",
    parameters=6_422_668,
    multiply_adds=6_678_117_680,
)
RENAMED = {"model.transformer_module.decoder.class_embed.": "head.classify.", "model.": "network.model."}
TEXT = 77  # numbers that a task is told in: the places of CLIP's tokens


@checked
def build(
    labels: LabelSet,
    kind: Kind = "panoptic",
    *,
    encoder: str = "tf_efficientnet_lite2",
    weights: str = "imagenet",
    config: Mapping[str, Any] | None = None,
    task: tuple[int, ...] = (),
    queries: int = 50,
    width: int = 128,
    heads: int = 8,
    pixel_layers: int = 2,
    query_layers: int = 2,
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
    """Build a OneFormer; its masks are at 1/4 of the input.

    Args:
        task: the numbers that tell the task; () takes for published weights the tokens of "the task is panoptic" (or of the
            other kinds), by the tokenizer they come with, and else a 1 in a place for each kind.
        queries: the task's own among them; the paper has 150.
        query_layers: of the transformer that turns the task's token into queries; the paper has 2.

    The other arguments are those of ``mask2former``.

    Raises:
        OptionError: the kind or an option does not fit.
    """
    from transformers import OneFormerConfig, OneFormerForUniversalSegmentation

    require("oneformer", labels, kind)
    sizes = Sizes(queries, width, heads, pixel_layers, query_layers, decoder_layers, feedforward)
    rules = Rules(object_score, overlap, mask, detections)
    parts = Parts("oneformer", OneFormerForUniversalSegmentation, encoder, weights, config, len(bands))
    with quietly():
        settings = parts.settings(OneFormerConfig, sizes, labels)
        settings.is_training, settings.use_auxiliary_loss = False, True
        whole = OneFormerForUniversalSegmentation(settings)
    decoder = whole.model.transformer_module.decoder
    if parts.encoder is not None:
        whole.model.pixel_level_module.encoder = Stages(parts.encoder)
        _draw(whole.model)
    told = task or (_tokens(weights, kind) if parts.published else _own_task(kind))
    if len(told) != settings.task_seq_len:
        raise OptionError(f"[model] task: expected {settings.task_seq_len} numbers, got {len(told)}")
    loss = Weights(class_loss, mask_loss, dice_loss, no_object)
    head = QueryHead(labels, kind, decoder.class_embed, STRIDES[-1], loss, Points(points), rules, class_weights)
    decoder.class_embed = nn.Identity()  # it then gives the queries' features, which the head classifies
    options = {"encoder": encoder, "weights": weights, "task": told, **asdict(sizes), **asdict(rules)}
    network = OneFormer(whole.model, parts, told)
    return segmenter("oneformer", labels, kind, network, head, parts, Input(bands, mean, deviation), options, RENAMED)


@dataclass(frozen=True)
class Sizes:
    """What a OneFormer is built from where no configuration says it: options of ``build``."""

    queries: int
    width: int
    heads: int
    pixel_layers: int
    query_layers: int
    decoder_layers: int
    feedforward: int

    def config(self, parts: Parts, labels: LabelSet) -> Any:
        """Give transformers' configuration.

        Raises:
            OptionError: a size does not fit.
        """
        from transformers import OneFormerConfig

        require_widths("oneformer", self.width, self.heads)
        lower_bound("queries", self.queries, 2)
        lower_bound("decoder_layers", self.decoder_layers, 1)
        return OneFormerConfig(
            backbone_config=parts.stand_in(),
            conv_dim=self.width,
            mask_dim=self.width,
            hidden_dim=self.width,
            num_attention_heads=self.heads,
            encoder_layers=self.pixel_layers,
            encoder_feedforward_dim=self.feedforward,
            query_dec_layers=self.query_layers,
            decoder_layers=self.decoder_layers + 1,  # transformers counts the prediction before the first layer
            dim_feedforward=self.feedforward,
            dropout=0.0,
            num_queries=self.queries,
            num_labels=len(labels),
            strides=list(STRIDES),
        )


def _draw(model: Any) -> None:
    """Draw what transformers draws too alike; the levels of the pixel decoder it leaves at 0."""
    pixels, transformer = model.pixel_level_module.decoder, model.transformer_module
    decoder = transformer.decoder
    draw_as_published(
        projections=[decoder.query_transformer, *decoder.layers, *projections_of(pixels)],
        heads=[decoder.class_embed, decoder.mask_embed],
        queries=[transformer.queries_embedder.weight, transformer.level_embed.weight, pixels.level_embed],
    )


def _own_task(kind: Kind) -> tuple[int, ...]:
    return tuple(int(place == KINDS.index(kind)) for place in range(TEXT))


def _tokens(weights: str, kind: Kind) -> tuple[int, ...]:
    """Tell the task in CLIP's tokens, as the published networks were taught.

    Raises:
        MissingFile: the tokenizer is not there.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(weights.removeprefix("hub:"))
    except (OSError, ValueError) as error:
        raise MissingFile(f"{weights}: the tokenizer that tells the task cannot be had ({error}); give model.task") from None
    told = tokenizer([f"the task is {kind}"], padding="max_length", max_length=TEXT, truncation=True)
    pairs = zip(told["input_ids"][0], told["attention_mask"][0], strict=True)
    return tuple(int(token) * int(counts) for token, counts in pairs)


class OneFormer(PixelLevelNetwork):
    """The features of the queries before the decoder and after each layer of it, and the masks they make."""

    def __init__(self, model: nn.Module, parts: Parts, task: tuple[int, ...]) -> None:
        super().__init__(model, parts)
        self.register_buffer("task", torch.tensor([task], dtype=torch.float32), persistent=False)

    def forward(self, images: Tensor) -> QueryFeatures:
        """Give the queries (N, Q, C) and the masks (N, Q, h, w) of each layer."""
        pixels = self._pixels(images)
        task = self.model.task_encoder(self.task.expand(images.shape[0], -1))  # type: ignore[operator]
        found = self.model.transformer_module(pixels.levels, pixels.finest, task, output_attentions=False)
        layers = [
            *((one["class_queries_logits"], one["masks_queries_logits"]) for one in found.auxiliary_predictions),
            (found.prediction_class, found.prediction_masks),
        ]
        queries, masks = zip(*layers, strict=True)
        return QueryFeatures(queries, masks)

    def _pixels(self, images: Tensor) -> Pixels:
        module = self.model.pixel_level_module
        if is_recorded():
            decoder = module.decoder
            return pixels_of(decoder, decoder.lateral_convs, decoder.output_convs, module.encoder(images).feature_maps)
        found = module(images)
        return Pixels(tuple(found.decoder_features), found.decoder_last_feature)
