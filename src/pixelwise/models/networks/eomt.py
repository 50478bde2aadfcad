"""EoMT [1]: a plain ViT, whose last layers take the queries in among its patches, and nothing else.

The layers are those of transformers. Its own model takes images of one size alone; here positions are interpolated to the size
of the images, and at the size it was built for both give the same. While it learns, queries look only at patches in which the
layer before saw their masks; the authors give that up little by little over a run (mask annealing), so that a trained network
works without. A run here keeps to one probability, ``masking``, and prediction masks if it is 1.

[1] Kerssies, Cavagnero, Hermans, Norouzi, Averta, Leibe, Dubbelman, de Geus: Your ViT is Secretly an Image Segmentation Model,
    CVPR 2025, arXiv 2503.19108. With DINOv2's ViT-L at 640 pixels 56.0 PQ on COCO, 128 images a second on an H100.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.core.arrays import Size
from pixelwise.core.errors import OptionError
from pixelwise.core.image import RGB
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind
from pixelwise.decode.query import Rules
from pixelwise.models.about import About
from pixelwise.models.build_options import checked
from pixelwise.models.heads.query import QueryFeatures, QueryHead
from pixelwise.models.heads.query_loss import Weights
from pixelwise.models.heads.query_points import Points
from pixelwise.models.recorded import holds
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.semantic import Input
from pixelwise.models.universal import KINDS, TRAINING, Parts, QueryNetwork, lower_bound, require, require_widths, segmenter

__all__ = ["ABOUT", "KINDS", "TRAINING", "build"]
ABOUT = About(
    "large data sets and an accelerator: a plain ViT, fast on a GPU, that wants published weights or long training",
    "Apache-2.0 (transformers)",
    "none by default; those on transformers' hub are MIT, of DINOv2 Apache-2.0",
    "Kerssies et al., Your ViT is Secretly an Image Segmentation Model, CVPR 2025",
    parameters=6_221_772,
    multiply_adds=8_276_428_800,
)
RENAMED = {"class_predictor.": "head.classify.", "": "network.model."}
NO_MASK = -1e9  # added to the attention where a query must not look, as transformers has it


@checked
def build(
    labels: LabelSet,
    kind: Kind = "panoptic",
    *,
    weights: str = "none",
    config: Mapping[str, Any] | None = None,
    queries: int = 50,
    width: int = 192,
    heads: int = 3,
    layers: int = 12,
    blocks: int = 3,
    patch: int = 16,
    side: int = 640,
    masking: float = -1.0,
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
    """Build an EoMT; its masks are at 1/4 of the input.

    Args:
        weights: ``none``, or ``hub:OWNER/NAME`` (or ``hub:FOLDER``) for a whole network of transformers' hub: it brings its own
            sizes, and the options from ``queries`` to ``side`` say nothing.
        queries: at least as many as the most objects of an image; the paper has 200.
        width, heads, layers: of the ViT: 384, 6 and 12 for a ViT-S, 768, 12 and 12 for B, 1024, 16 and 24 for L.
        blocks: the last layers, which take the queries in; the paper has 4 for a ViT-L.
        patch: side of a patch in pixels, a power of 2.
        side: of the square that the learned positions are for; others are interpolated.
        masking: probability with which a query looks at its mask alone; -1 takes 1, and 0 for a published network.

    The other arguments are those of ``mask2former``.

    Raises:
        OptionError: the kind or an option does not fit.
    """
    from transformers import EomtConfig, EomtForUniversalSegmentation

    require("eomt", labels, kind)
    sizes, rules = Sizes(queries, width, heads, layers, blocks, patch, side), Rules(object_score, overlap, mask, detections)
    if not masking <= 1:
        raise OptionError(f"[model] masking: expected a probability, or -1 to choose, got {masking}")
    parts = Parts("eomt", EomtForUniversalSegmentation, "", weights, config, len(bands))
    chosen = masking if masking >= 0 else float(not parts.has_config)
    settings = parts.settings(EomtConfig, sizes, labels)
    whole = EomtForUniversalSegmentation(settings)
    loss = Weights(class_loss, mask_loss, dice_loss, no_object)
    classify, stride = whole.class_predictor, int(settings.patch_size)
    head = QueryHead(labels, kind, classify, stride, loss, Points(points), rules, class_weights)
    options = {"weights": weights, **asdict(sizes), "masking": chosen, **asdict(rules)}
    network, given = Eomt(whole, parts, chosen), Input(bands, mean, deviation)
    return segmenter("eomt", labels, kind, network, head, parts, given, options, RENAMED, stride)


@dataclass(frozen=True)
class Sizes:
    """What an EoMT is built from where no configuration says it: options of ``build``."""

    queries: int
    width: int
    heads: int
    layers: int
    blocks: int
    patch: int
    side: int

    def config(self, parts: Parts, labels: LabelSet) -> Any:
        """Give transformers' configuration.

        Raises:
            OptionError: a size does not fit.
        """
        from transformers import EomtConfig

        require_widths("eomt", self.width, self.heads, 1)
        lower_bound("queries", self.queries, 1)
        if not 1 <= self.blocks <= self.layers:
            raise OptionError(f"[model] blocks: expected 1 to {self.layers}, the layers there are, got {self.blocks}")
        if self.patch < 4 or self.patch & (self.patch - 1):
            raise OptionError(f"[model] patch: expected 4, 8, 16 or another power of 2, got {self.patch}")
        if self.side < self.patch or self.side % self.patch:
            raise OptionError(f"[model] side: expected a multiple of the patch, {self.patch}, got {self.side}")
        return EomtConfig(
            hidden_size=self.width,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            image_size=self.side,
            patch_size=self.patch,
            num_channels=parts.bands,
            num_blocks=self.blocks,
            num_queries=self.queries,
            num_upscale_blocks=max(0, self.patch.bit_length() - 3),
            num_labels=len(labels),
        )


class Eomt(QueryNetwork):
    """The queries before each of the last layers and after them, and the masks they make."""

    def __init__(self, whole: Any, parts: Parts, masking: float) -> None:
        whole.class_predictor, whole.criterion = nn.Identity(), nn.Identity()  # the head's, and ours
        super().__init__(whole, parts)
        self.masking = masking
        self.strides = (int(whole.config.patch_size),)
        self.encoder = nn.Identity()

    def forward(self, images: Tensor) -> QueryFeatures:
        """Give the queries (N, Q, C) and the masks (N, Q, h, w) of each layer that has them."""
        model = self.model
        stride = self.strides[0]
        grid = (images.shape[-2] // stride, images.shape[-1] // stride)
        tokens = self._embedded(images, grid)
        first = len(model.layers) - model.config.num_blocks
        is_masked = self.masking > 0 if self.training else self.masking == 1
        found = []
        for index, layer in enumerate(model.layers):
            allowed = None
            if index == first:
                tokens = torch.cat([model.query.weight.expand(tokens.shape[0], -1, -1), tokens], dim=1)
            if index >= first and is_masked:
                found.append(self._predicted(tokens, grid))
                allowed = self._attention(found[-1][1], grid, tokens)
            tokens = layer(tokens, allowed)
        found.append(self._predicted(tokens, grid))
        queries, masks = zip(*found, strict=True)
        return QueryFeatures(queries, masks)

    def _embedded(self, images: Tensor, grid: Size) -> Tensor:
        """Give the tokens: a class token, registers, and the patches with their positions."""
        own = self.model.embeddings
        positions = own.position_embeddings.weight
        side = math.isqrt(len(positions))
        if not all(holds(cells == side) for cells in grid):
            square = positions.T.reshape(1, -1, side, side)
            positions = F.interpolate(square.float(), size=grid, mode="bicubic").to(square.dtype)[0].flatten(1).T
        patches = own.patch_embeddings(images) + positions
        before = [one.expand(images.shape[0], -1, -1) for one in (own.cls_token, own.register_tokens)]
        embedded: Tensor = own.dropout(torch.cat([*before, patches], dim=1))
        return embedded

    def _predicted(self, tokens: Tensor, grid: Size) -> tuple[Tensor, Tensor]:
        model = self.model
        count = model.config.num_queries
        normed = model.layernorm(tokens)
        queries = normed[:, :count]
        patches = normed[:, count + model.embeddings.num_prefix_tokens :].transpose(1, 2).unflatten(2, grid)
        return queries, torch.einsum("nqc,nchw->nqhw", model.mask_head(queries), model.upscale_block(patches))

    def _attention(self, masks: Tensor, grid: Size, tokens: Tensor) -> Tensor:
        """Give what is added to the attention (N, 1, S, S): queries look at the patches of their masks, all else at all."""
        count, length = masks.shape[1], tokens.shape[1]
        seen = F.interpolate(masks.float(), size=grid, mode="bilinear").flatten(2) > 0
        if self.training and self.masking < 1:
            seen = seen | (torch.rand(seen.shape[:2], device=seen.device) > self.masking)[..., None]
        before = count + self.model.embeddings.num_prefix_tokens
        return F.pad(torch.where(seen, 0.0, NO_MASK), (before, 0, 0, length - count))[:, None]
