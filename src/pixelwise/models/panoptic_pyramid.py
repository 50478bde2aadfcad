"""What Panoptic FPN and UPSNet share before their heads: one pyramid, on which boxes and the pixels' classes are both found."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind
from pixelwise.models.box_parts import Layout, norm_of
from pixelwise.models.encoders import Encoder, build_encoder
from pixelwise.models.foreign_weights import CAFFE, source_of, stride_in_first
from pixelwise.models.heads.base import Head
from pixelwise.models.heads.fused import FusedFeatures, require_things
from pixelwise.models.network import Network
from pixelwise.models.pyramid import EncoderPyramid
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.semantic import Input

KINDS: tuple[Kind, ...] = ("panoptic",)


class PanopticPyramid(Network):
    """A feature pyramid for boxes, and features of the pixels from the same levels.

    Args:
        semantic: the levels that are the encoder's, to features (N, C, h, w) at the finest one's size.
    """

    def __init__(self, pyramid: EncoderPyramid, semantic: nn.Module) -> None:
        super().__init__()
        self.pyramid, self.semantic = pyramid, semantic
        self.weights, self.strides = pyramid.weights, pyramid.strides

    @property
    def encoder(self) -> nn.Module:  # type: ignore[override]
        """The pyramid's."""
        return self.pyramid.encoder

    def forward(self, images: Tensor) -> FusedFeatures:
        """Give all levels (N, C, H / s, W / s), finest first, and the features of the pixels."""
        levels = self.pyramid(images)
        return FusedFeatures(levels, self.semantic(levels[: self.pyramid.own]))


def require(name: str, labels: LabelSet, kind: Kind) -> None:
    """Check that a network can be built for these labels.

    Raises:
        OptionError: it does not give such segmentations, or no class is a thing.
    """
    if kind not in KINDS:
        raise OptionError(f"{name} gives panoptic segmentations, not {kind}; choose another --kind or --model")
    require_things(labels)


def encoder_of(name: str, layout: Layout, weights: str, caffe: bool, bands: int) -> Encoder:
    """Build the encoder; with ``caffe`` its bottlenecks halve the size as those of Caffe's ResNets do.

    Raises:
        OptionError: the weights are of a file that the network cannot read, or want ``caffe``.
    """
    source = source_of(weights)
    if source is not None and source.maker != "detectron2":
        raise OptionError(f"[model] weights: {name} reads files of detectron2, got '{weights}'")
    if source is not None and not caffe:
        raise OptionError(f"[model] caffe: expected true with the weights '{weights}', whose ResNet came from Caffe, got false")
    encoder = build_encoder(layout.encoder, "none" if source else weights, bands)
    if caffe:
        stride_in_first(encoder.module)
    return encoder


def pyramid_of(encoder: Encoder, layout: Layout) -> EncoderPyramid:
    """Build the pyramid of a layout.

    Raises:
        OptionError: the encoder lacks a stride.
    """
    return EncoderPyramid(encoder, layout.finest, layout.pyramid, norm_of(layout))


def segmenter(
    name: str, labels: LabelSet, network: Network, head: Head, encoder: Encoder, given: Input, options: Mapping[str, Any]
) -> Segmenter:
    """Put a network and its head together, with the card that a checkpoint is built from again."""
    inputs = {"bands": given.bands, "mean": given.mean, "deviation": given.deviation}
    usual = CAFFE if options.get("caffe") else (encoder.mean, encoder.deviation)
    card = Card(
        name,
        "panoptic",
        labels,
        given.bands,
        tuple(map(float, given.mean or usual[0])),
        tuple(map(float, given.deviation or usual[1])),
        stride=max(encoder.strides),
        options={key: list(value) if isinstance(value, tuple) else value for key, value in {**options, **inputs}.items()},
    )
    return Segmenter(network, head, card)
