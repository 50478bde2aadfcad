"""DETR with masks [1]: a transformer finds boxes, and a small convolutional head draws a mask for each query's attention.

All layers are those of transformers; the loss is ours, as DETR has one of its own: objects are assigned by class and box, and
masks are taught by the last layer alone. Masks are compared as in ``maskformer``, and decoded by Mask2Former's rules, with the
score of DETR. It learns slowly, as its queries look at stride 32 alone; the authors teach the boxes first, and then the masks.
Batch norms are the encoder's own; the authors freeze them (``--set train.freeze_norm=true``).

[1] Carion, Massa, Synnaeve, Usunier, Kirillov, Zagoruyko: End-to-End Object Detection with Transformers, ECCV 2020, arXiv
    2005.12872. With a ResNet-101 45.1 PQ and 33.0 mask AP on COCO.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
from pixelwise.models.heads.boxed_query import BoxedFeatures, BoxedQueryHead, BoxWeights
from pixelwise.models.heads.query import QueryHead
from pixelwise.models.heads.query_loss import Weights
from pixelwise.models.heads.query_points import Points
from pixelwise.models.recorded import is_recorded
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.semantic import Input
from pixelwise.models.universal import (
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
KINDS: tuple[Kind, ...] = ("panoptic", "instance")
ABOUT = About(
    "work that compares with DETR; Mask2Former learns in far fewer steps",
    "Apache-2.0 (transformers)",
    "timm's tf_efficientnet_lite2: Apache-2.0, installed with pixelwise; the networks on transformers' hub are Apache-2.0",
    "Carion et al., End-to-End Object Detection with Transformers, ECCV 2020",
    parameters=5_947_721,
    multiply_adds=6_555_438_640,
)
RENAMED = {
    "detr.model.": "network.model.detr.model.",
    "detr.bbox_predictor.": "head.boxes.",
    "detr.class_labels_classifier.": "head.queries.classify.",
    "mask_head.": "network.model.mask_head.",
    "bbox_attention.": "network.model.bbox_attention.",
}


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
    encoder_layers: int = 2,
    decoder_layers: int = 3,
    feedforward: int = 512,
    dropout: float = 0.0,
    object_score: float = 0.85,
    overlap: float = 0.8,
    mask: float = 0.5,
    detections: int = 100,
    bands: tuple[str, ...] = RGB,
    mean: tuple[float, ...] = (),
    deviation: tuple[float, ...] = (),
    class_loss: float = 1.0,
    box_loss: float = 5.0,
    giou_loss: float = 2.0,
    mask_loss: float = 1.0,
    dice_loss: float = 1.0,
    no_object: float = 0.1,
    class_weights: tuple[float, ...] | None = None,
) -> Segmenter:
    """Build a DETR with masks, which are at 1/4 of the input.

    Args:
        queries: as in ``mask2former``; the mask head runs once for each of them.
        width: of the transformer: 16, 32, 64 or a multiple of 128, for the groups of the mask head's norms; the paper has 256.
        encoder_layers, decoder_layers: the paper has 6 and 6.
        feedforward: width of the layers between attentions; the paper has 2048.
        dropout: in the transformer; the paper has 0.1.
        object_score: the paper's for panoptic.
        class_loss, box_loss, giou_loss, mask_loss, dice_loss: weights of the terms; the assignment goes by the first three.

    The other arguments are those of ``mask2former``.

    Raises:
        OptionError: the kind or an option does not fit.
    """
    from transformers import DetrConfig, DetrForSegmentation

    require("detr", labels, kind, KINDS)
    sizes = Sizes(queries, width, heads, encoder_layers, decoder_layers, feedforward, dropout)
    rules = Rules(object_score, overlap, mask, detections)
    parts = Parts("detr", DetrForSegmentation, encoder, weights, config, len(bands))
    with quietly():
        settings = parts.settings(DetrConfig, sizes, labels)
        whole = DetrForSegmentation(settings)
    if parts.encoder is not None:
        inner = whole.detr.model
        inner.backbone.model = Stages(parts.encoder)
        draw_as_published(
            projections=[inner.encoder, inner.decoder],
            heads=[inner.input_projection, whole.detr.class_labels_classifier, whole.detr.bbox_predictor],
            queries=[inner.query_position_embeddings.weight],
        )
    loss = Weights(class_loss, mask_loss, dice_loss, no_object, focal=True)
    at = Points(everywhere=True)
    own = QueryHead(labels, kind, whole.detr.class_labels_classifier, STRIDES[-1], loss, at, rules, class_weights)
    head = BoxedQueryHead(own, whole.detr.bbox_predictor, BoxWeights(box_loss, giou_loss))
    options = {"encoder": encoder, "weights": weights, **asdict(sizes), **asdict(rules)}
    network = Detr(whole, parts)
    return segmenter("detr", labels, kind, network, head, parts, Input(bands, mean, deviation), options, RENAMED)


@dataclass(frozen=True)
class Sizes:
    """What a DETR is built from where no configuration says it: options of ``build``."""

    queries: int
    width: int
    heads: int
    encoder_layers: int
    decoder_layers: int
    feedforward: int
    dropout: float

    def config(self, parts: Parts, labels: LabelSet) -> Any:
        """Give transformers' configuration.

        Raises:
            OptionError: a size does not fit.
        """
        from transformers import DetrConfig

        require_widths("detr", self.width, self.heads, 128 if self.width not in (16, 32, 64) else self.width)
        if (self.width + self.heads) % 8:
            both = f"{self.width} + {self.heads}"
            raise OptionError(f"[model] heads: width + heads must be a multiple of 8 for the mask head, got {both}")
        lower_bound("queries", self.queries, 1)
        lower_bound("decoder_layers", self.decoder_layers, 1)
        return DetrConfig(
            backbone_config=parts.stand_in(),
            num_channels=parts.bands,
            num_queries=self.queries,
            d_model=self.width,
            encoder_layers=self.encoder_layers,
            decoder_layers=self.decoder_layers,
            encoder_attention_heads=self.heads,
            decoder_attention_heads=self.heads,
            encoder_ffn_dim=self.feedforward,
            decoder_ffn_dim=self.feedforward,
            dropout=self.dropout,
            num_labels=len(labels),
        )


class Detr(QueryNetwork):
    """The queries after each layer of the decoder, and the masks of the last."""

    def __init__(self, whole: Any, parts: Parts) -> None:
        whole.detr.class_labels_classifier, whole.detr.bbox_predictor = nn.Identity(), nn.Identity()  # the head's
        super().__init__(whole, parts)

    @property
    def encoder(self) -> nn.Module:  # type: ignore[override]
        """The encoder, or transformers' backbone."""
        found: nn.Module = self.model.detr.model.backbone.model
        return found

    def forward(self, images: Tensor) -> BoxedFeatures:
        """Give the queries (N, Q, C) of each layer, and the masks (N, Q, h, w)."""
        if not is_recorded():
            return self._features(images)
        with _plain_attention(self.model.config):
            return self._features(images)

    def _features(self, images: Tensor) -> BoxedFeatures:
        model = self.model.detr.model
        everywhere = images.new_ones(images.shape[0], *images.shape[-2:])  # padding repeats the edge: all pixels are there
        stages = [features for features, _ in model.backbone(images, everywhere)]
        deepest = model.input_projection(stages[-1])
        flat = deepest.flatten(2).transpose(1, 2)
        places = model.position_embedding(shape=deepest.shape, device=images.device, dtype=deepest.dtype).flatten(2)
        places = places.transpose(1, 2)
        memory = model.encoder(inputs_embeds=flat, spatial_position_embeddings=places).last_hidden_state
        asked = model.query_position_embeddings.weight.expand(images.shape[0], -1, -1)
        found = model.decoder(
            inputs_embeds=asked * 0,
            spatial_position_embeddings=places,
            object_queries_position_embeddings=asked,
            encoder_hidden_states=memory,
            output_hidden_states=True,
        )
        last = found.last_hidden_state
        attention = self.model.bbox_attention(last, memory.transpose(1, 2).unflatten(2, tuple(deepest.shape[-2:])))
        masks = self.model.mask_head(deepest, attention, fpn_features=stages[-2::-1])
        earlier = map(model.decoder.layernorm, found.hidden_states[1:-1])  # the first is what goes in
        return BoxedFeatures((*earlier, last), masks[:, 0].unflatten(0, (images.shape[0], asked.shape[1])))


@contextmanager
def _plain_attention(config: Any) -> Iterator[None]:
    """Have attention written out, within the block: torch's own asks how many places there are, which a graph leaves open."""
    before = config._attn_implementation
    config._attn_implementation = "eager"
    try:
        yield
    finally:
        config._attn_implementation = before
