"""SegNet [1]: VGG16's convolutions as an encoder, their mirror as a decoder, and unpooling by the encoder's own maxima between.

Written from the paper. Stages of ``form="vgg16"``, at ``width=64``; every convolution is 3x3 with batch norm and ReLU:

=========  ====================  ======    =========  ====================  ======
encoder    channels              stride    decoder    channels              stride
=========  ====================  ======    =========  ====================  ======
1          64, 64                1         5          512, 512, 512         16
2          128, 128              2         4          512, 512, 256         8
3          256, 256, 256         4         3          256, 256, 128         4
4          512, 512, 512         8         2          128, 64               2
5          512, 512, 512         16        1          64, classes           1
=========  ====================  ======    =========  ====================  ======

A 2x2 max pooling ends every stage of the encoder and keeps where each maximum was; a stage of the decoder begins by putting its
input back there. The last convolution, to the classes, has neither norm nor ReLU. With the convolutions' biases, as VGG16 has
them, and L classes that makes 29,443,008 + 577 L weights: the 29.46 M that the ENet paper's table 3 gives SegNet, from L = 21
on; and at its 640 x 360 pixels 143 G multiply-adds, which that table calls 286 GFLOPs.

``form="basic"`` is the paper's SegNet-Basic: four stages either way of one 7x7 convolution of 64 channels, without biases, in
the decoder without ReLUs, and a 1x1 classifier: 1,415,360 + 65 L weights.

[1] Badrinarayanan, Kendall, Cipolla: SegNet: A Deep Convolutional Encoder-Decoder Architecture for Image Segmentation, TPAMI
    2017, arXiv 1511.00561. Its figures on CamVid's 11 classes: mean IoU 60.1 % (3.4 k training images).
[2] Kendall, Badrinarayanan, Cipolla: Bayesian SegNet, BMVC 2017, arXiv 1511.02680, section 3.2.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Literal, NamedTuple

from torch import Tensor, nn

from pixelwise.core.arrays import Size
from pixelwise.core.errors import OptionError
from pixelwise.core.image import RGB
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind
from pixelwise.models.about import About
from pixelwise.models.build_options import checked
from pixelwise.models.encoders import Encoder
from pixelwise.models.encoders.build import statistics_of
from pixelwise.models.encoders.weights import loaded
from pixelwise.models.heads.pixel import PixelHead
from pixelwise.models.network import Network
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.semantic import KINDS, Input, require, segmenter
from pixelwise.models.unpooling import pooled, unpooled

__all__ = ["ABOUT", "KINDS", "build"]

ABOUT = About(
    good_for="comparison with its paper; sharp borders from pooling indices, at many times the cost of a U-Net",
    code="Apache-2.0 (written here from the paper)",
    weights="timm's vgg16_bn: BSD-3-Clause, learnt from ImageNet; from its hub",
    paper="Badrinarayanan, Kendall, Cipolla, SegNet, TPAMI 2017, arXiv 1511.00561",
    parameters=29_449_355,
    multiply_adds=104_133_427_200,
)
VGG16 = ((1, 1), (2, 2), (4, 4, 4), (8, 8, 8), (8, 8, 8))  # channels of each stage's convolutions, times ``width``
BASIC = ((1,), (1,), (1,), (1,))
BAYESIAN = 3  # stages next to the deepest point, either way, that have dropout


@checked
def build(
    labels: LabelSet,
    kind: Kind = "semantic",
    *,
    form: Literal["vgg16", "basic"] = "vgg16",
    width: int = 64,
    weights: str = "imagenet",
    dropout: float = 0.0,
    bands: tuple[str, ...] = RGB,
    mean: tuple[float, ...] = (),
    deviation: tuple[float, ...] = (),
    loss: str = "cross_entropy + dice",
    class_weights: tuple[float, ...] | None = None,
    label_smoothing: float = 0.0,
) -> Segmenter:
    """Build a SegNet.

    Args:
        form: ``vgg16``, or ``basic`` for SegNet-Basic.
        width: channels of the first stage; ImageNet weights have 64.
        weights: of the encoder: ``imagenet`` (timm's vgg16_bn), ``none``, a name such as ``torchvision:vgg16_bn``, or a file.
        dropout: of single values, after each of the three deepest stages either way: 0.5 in Bayesian SegNet [2].

    The other arguments are those of ``unet``.

    Raises:
        OptionError: the kind or an option does not fit.
    """
    require("segnet", labels, kind)
    if width < 1 or not 0 <= dropout < 1:
        raise OptionError(f"[model] expected a width above 0 and a dropout from 0 to below 1, got {width} and {dropout}")
    named = weights != "none" and (form == "basic" or width != 64)
    if named and weights != "imagenet":
        raise OptionError(f"[model] weights: '{weights}' are of form vgg16 and width 64, not of {form} and {width}")
    stages = tuple(tuple(width * times for times in stage) for stage in (VGG16 if form == "vgg16" else BASIC))
    path = _encoder(form, stages, dropout, len(bands), "none" if named else weights)
    network = SegNet(path, _decoder(stages, form, dropout))
    head = PixelHead(width, labels, 3 if form == "vgg16" else 1, 0.0, loss, class_weights, label_smoothing, kind)
    options = {"form": form, "width": width, "weights": weights, "dropout": dropout}
    given = Input(bands, mean, deviation)
    return segmenter("segnet", labels, kind, network, head, path, given, options, stride=2 ** len(stages))


class SegNet(Network):
    """Features (N, width, H, W)."""

    def __init__(self, encoder: Encoder, decoder: nn.ModuleList) -> None:
        super().__init__()
        self.encoder = encoder.module
        self.strides, self.weights = encoder.strides, encoder.weights
        self.decoder = decoder

    def forward(self, images: Tensor) -> Tensor:
        """Give the last stage's features."""
        found: _Encoded = self.encoder(images)
        values = found.values
        for stage, places, size in zip(self.decoder, reversed(found.places), reversed(found.sizes), strict=True):
            values = stage(unpooled(values, places, size))
        return values


class _Encoded(NamedTuple):
    """The deepest features; of each stage, finest first, where its maxima were, and its size before it was pooled."""

    values: Tensor
    places: tuple[Tensor, ...]
    sizes: tuple[Size, ...]


class _Encoder(nn.Module):
    """Convolutions under VGG16's own names, ``features.0`` and on, so that its weights are found by them."""

    def __init__(self, stages: tuple[tuple[int, ...], ...], form: str, dropout: float, bands: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        ends = []
        given = bands
        for index, stage in enumerate(stages):
            for made in stage:
                layers.extend(_convolution(given, made, form))
                given = made
            ends.append(len(layers))
            deep = len(stages) - index <= BAYESIAN
            layers.append(nn.Dropout(dropout) if dropout and deep else nn.Identity())  # stands where VGG16 has its pooling
        self.features = nn.ModuleList(layers)
        self.ends = frozenset(ends)

    def forward(self, images: Tensor) -> _Encoded:
        values, places, sizes = images, [], []
        for index, layer in enumerate(self.features):
            if index in self.ends:
                sizes.append((values.shape[-2], values.shape[-1]))
                values, each = pooled(values)
                places.append(each)
            values = layer(values)
        return _Encoded(values, tuple(places), tuple(sizes))


def _convolution(given: int, made: int, form: str) -> Iterator[nn.Module]:
    side = 3 if form == "vgg16" else 7
    yield nn.Conv2d(given, made, side, padding=side // 2, bias=form == "vgg16")
    yield nn.BatchNorm2d(made)
    yield nn.ReLU(inplace=True)


def _encoder(form: str, stages: tuple[tuple[int, ...], ...], dropout: float, bands: int, weights: str) -> Encoder:
    module = _Encoder(stages, form, dropout, bands)
    _begin(module)
    name = "vgg16_bn" if form == "vgg16" else "plain"
    mean, deviation = statistics_of("vgg16_bn", bands)
    channels = tuple(stage[-1] for stage in stages)
    strides = tuple(2**index for index in range(len(stages)))
    return loaded(Encoder(module, channels, strides, mean, deviation, ""), name, weights, bands)


def _decoder(stages: tuple[tuple[int, ...], ...], form: str, dropout: float) -> nn.ModuleList:
    """Mirror the encoder's stages, deepest first; the first one's last convolution is the head's."""
    mirrored = []
    for index in reversed(range(len(stages))):
        below = stages[index - 1][-1] if index else stages[0][0]
        channels = [*stages[index], below]
        if index == 0 and form == "vgg16":
            channels = channels[:-1]
        layers: list[nn.Module] = []
        for given, made in pairwise(channels):
            convolution = list(_convolution(given, made, form))
            layers.extend(convolution if form == "vgg16" else convolution[:-1])  # SegNet-Basic's decoder has no ReLU
        if dropout and len(stages) - index <= BAYESIAN:
            layers.append(nn.Dropout(dropout))
        mirrored.append(nn.Sequential(*layers))
    decoder = nn.ModuleList(mirrored)
    _begin(decoder)
    return decoder


def _begin(module: nn.Module) -> None:
    """Draw convolutions as He et al. do, which the paper names."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
