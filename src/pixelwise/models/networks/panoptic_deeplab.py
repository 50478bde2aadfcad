"""Panoptic-DeepLab [1]: classes by one decoder; by another the centres of objects, and the way there from their pixels.

Bottom-up: no boxes, no proposals, no overlaps to settle. The defaults suit a CPU; the paper's setting is ``encoder =
"xception71"``, ``aspp = 256``, ``channels = 256``, ``skips = [64, 32]``, ``object_channels = 128``,
``object_skips = [32, 16]``, ``sigma = 8`` and ``stuff_area = 2048``.

[1] Cheng, Collins, Zhu, Liu, Huang, Adam, Chen: Panoptic-DeepLab: A Simple, Strong, and Fast Baseline for Bottom-Up Panoptic
    Segmentation, CVPR 2020, arXiv 1911.10194. With an Xception-71 and one scale 63.0 PQ, 35.3 AP and 80.5 mIoU on Cityscapes'
    val. Detectron2 states 60.3 PQ for its ResNet-52 with plain convolutions in the decoders.
"""

from dataclasses import fields
from typing import Literal

from torch import Tensor

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import RGB
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind
from pixelwise.decode.centre import Rules
from pixelwise.models.about import About
from pixelwise.models.build_options import checked
from pixelwise.models.depthwise import with_fast_depthwise
from pixelwise.models.dual_decoder import Decoder, Widths, plain
from pixelwise.models.encoders import Encoder
from pixelwise.models.heads.centre import CentreFeatures, CentreHead, Marking, Sizes
from pixelwise.models.heads.centre_loss import Weights
from pixelwise.models.network import Network
from pixelwise.models.panoptic_deeplab_weights import Layout, fill_from_detectron2, layout_for, look_further, published
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.semantic import Input, encoder_for, levels_of
from pixelwise.models.universal import lower_bound

__all__ = ["ABOUT", "KINDS", "build"]
KINDS: tuple[Kind, ...] = ("panoptic", "instance")
ABOUT = About(
    good_for="objects and stuff together at the price of a semantic network, however many objects there are; none may overlap",
    code="Apache-2.0 (ours)",
    weights="timm's tf_efficientnet_lite2: Apache-2.0, learnt from ImageNet; installed with pixelwise",
    paper="Cheng et al., Panoptic-DeepLab, CVPR 2020, arXiv 1911.10194",
    parameters=5_098_262,
    multiply_adds=4_456_283_392,
)
STEM = 16  # channels of the image's own features


@checked
def build(
    labels: LabelSet,
    kind: Kind = "panoptic",
    *,
    encoder: str = "tf_efficientnet_lite2",
    weights: str = "imagenet",
    output_stride: Literal[8, 16, 32] = 16,
    multi_grid: tuple[int, ...] = (),
    rates: tuple[int, ...] = (),
    aspp: int = 128,
    channels: int = 128,
    skips: tuple[int, ...] = (32, 16),
    object_channels: int = 64,
    object_skips: tuple[int, ...] = (16, 8),
    object_width: int = 32,
    plain_heat: bool = False,
    finest: Literal[1, 2, 4] = 4,
    dropout: float = 0.1,
    sigma: float = 4.0,
    kernel: int = 7,
    centres: int = 200,
    centre_score: float = 0.1,
    stuff_area: int = 0,
    bands: tuple[str, ...] = RGB,
    mean: tuple[float, ...] = (),
    deviation: tuple[float, ...] = (),
    semantic_loss: float = 1.0,
    centre_loss: float = 200.0,
    offset_loss: float = 0.01,
    hardest: float = 0.15,
    small_area: int = 4096,
    small_weight: float = 3.0,
    class_weights: tuple[float, ...] | None = None,
) -> Segmenter:
    """Build a Panoptic-DeepLab.

    Args:
        labels: the classes; for ``panoptic`` they say which are things.
        kind: ``panoptic``, or ``instance``: then one class more stands for the pixels of no object.
        encoder: the name of a timm or smp encoder that can be dilated, with features at the strides 4 and 8.
        weights: of the encoder, as for ``unet``; or ``detectron2:PATH`` for a whole network of Detectron2
            (``panoptic_deeplab_weights``): what it is made of is then taken, and classes of the same names keep their rows.
        output_stride: of the encoder's last features.
        multi_grid: how much further the blocks of a ResNet's last stage look, one after the other; () for no further.
        rates: the three dilations of the ASPP; () takes the paper's, (6, 12, 18) at output stride 16.
        aspp: channels of its branches, in both decoders; the paper has 256.
        channels, skips: of the decoder for classes, and of what it takes from the strides 8 and 4; 256 and (64, 32).
        object_channels, object_skips: the same for objects; 128 and (32, 16).
        object_width: of the layers before heat and offsets.
        plain_heat: have two plain 3x3 convolutions before heat, as Detectron2 does, and not one separable one of 5x5.
        finest: stride of the outputs: 4 as published; 2 or 1 for objects of a few pixels, by further steps of both decoders.
        dropout: of single values, after the ASPP.
        sigma: of the Gaussian that marks a centre, in pixels of what the network sees; the paper has 8, for 1024 x 2048.
        kernel: a centre is the highest of so many pixels along each side, an odd number; COCO's objects had 41.
        centres: an image has at most so many objects.
        centre_score, stuff_area: thresholds of decoding: see ``decode.centre.Rules``.
        bands, mean, deviation: of the input, as for ``unet``.
        semantic_loss, centre_loss, offset_loss: weights of the terms of the loss.
        hardest: share of an image's pixels that the classes are learnt from: those that cost most.
        small_area, small_weight: pixels of smaller objects weigh so much in that.
        class_weights: one a class, in the same.

    Raises:
        OptionError: the kind or an option does not fit, or the encoder lacks a stride or cannot be dilated.
    """
    _require(labels, kind, dropout)
    given, source = Input(bands, mean, deviation), published(weights)
    widths = (aspp, channels, skips, object_channels, object_skips, object_width)
    layout = layout_for(weights, Layout(encoder, output_stride, multi_grid, rates, *widths, plain_heat, finest))
    rules = Rules(kind, centre_score, stuff_area)
    losses = Weights(semantic_loss, centre_loss, offset_loss, hardest, small_area, small_weight)
    path = _encoder(layout, "none" if source else weights, len(bands))
    network = PanopticDeepLab(path, len(bands), layout, dropout)
    sizes = Sizes(*network.channels, layout.object_width, layout.plain_heat, layout.finest)
    head = CentreHead(labels, sizes, Marking(sigma, kernel, centres), losses, rules, class_weights)
    options = {field.name: getattr(layout, field.name) for field in fields(Layout)} | {
        "weights": weights,
        "dropout": dropout,
        "sigma": sigma,
        "kernel": kernel,
        "centres": centres,
        "centre_score": centre_score,
        "stuff_area": stuff_area,
        "bands": bands,
        "mean": mean,
        "deviation": deviation,
    }
    card = Card(
        "panoptic_deeplab",
        kind,
        labels,
        bands,
        tuple(map(float, given.mean)) or path.mean,
        tuple(map(float, given.deviation)) or path.deviation,
        stride=max(path.strides),
        options={name: list(value) if isinstance(value, tuple) else value for name, value in options.items()},
    )
    model = Segmenter(network, head, card)
    if source:
        fill_from_detectron2(model, source)
    return model


def _require(labels: LabelSet, kind: Kind, dropout: float) -> None:
    if kind not in KINDS:
        raise OptionError(
            f"panoptic_deeplab gives {' or '.join(KINDS)} segmentations, not {kind}; choose another --kind or --model"
        )
    if not len(labels):
        raise OptionError("panoptic_deeplab needs at least one class")
    if not 0 <= dropout < 1:
        raise OptionError(f"[model] dropout: expected 0 to below 1, got {dropout}")


def _encoder(layout: Layout, weights: str, bands: int) -> Encoder:
    lower_bound("object_width", layout.object_width, 1)
    levels = (2, 3, 5) if layout.finest == 4 else (1, 2, 3, 5)
    dilated = layout.output_stride % 32  # at 32 an encoder is as it is
    path = encoder_for("panoptic_deeplab", layout.encoder, weights, bands, levels, output_stride=dilated)
    look_further(path.module, layout.multi_grid)
    return path


def _rates(layout: Layout) -> tuple[int, ...]:
    """Give the dilations of the ASPP: those asked for, or 6, 12 and 18 at output stride 16 and as far at others."""
    rates = layout.rates or tuple(6 * step * 16 // layout.output_stride for step in (1, 2, 3))
    if len(rates) != 3 or min(rates) < 1:
        raise OptionError(f"[model] rates: expected three dilations above 0, got {list(rates)}")
    return rates


class PanopticDeepLab(Network):
    """A dilated encoder and two decoders on it, for classes and for objects.

    Attributes:
        channels: of the features for classes and for objects.
    """

    def __init__(self, encoder: Encoder, bands: int, layout: Layout, dropout: float) -> None:
        super().__init__()
        self.encoder = encoder.module
        self.weights, self.strides = encoder.weights, encoder.strides
        place = {level: index for index, level in enumerate(levels_of(encoder.strides))}
        self.places = tuple(place[level] for level in (3, 2, 1) if 2**level >= layout.finest)
        self.stem = plain(bands, STEM, 3) if layout.finest == 1 else None
        beside = [*(encoder.channels[index] for index in self.places), *([STEM] if layout.finest == 1 else [])]
        of_classes = Widths.of(layout.aspp, layout.channels, layout.skips, layout.finest)
        of_objects = Widths.of(layout.aspp, layout.object_channels, layout.object_skips, layout.finest)
        self.channels = (of_classes.steps[-1], of_objects.steps[-1])
        self.of_classes, self.of_objects = (
            with_fast_depthwise(Decoder(encoder.channels[-1], beside, widths, _rates(layout), dropout))
            for widths in (of_classes, of_objects)
        )

    def forward(self, images: Tensor) -> CentreFeatures:
        """Give the features of both decoders, at stride ``finest``."""
        found = self.encoder(images)
        beside = [found[index] for index in self.places]
        if self.stem is not None:
            beside.append(self.stem(images))
        return CentreFeatures(self.of_classes(found[-1], beside), self.of_objects(found[-1], beside))
