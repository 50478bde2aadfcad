"""U-Net [1]: a contracting path, an expanding path, and skips between them by concatenation.

With ``encoder="plain"`` it is the network of the paper, but for "same" padding, so that the output has the input's size.
With any timm or smp encoder the contracting path is that encoder, usually with ImageNet weights.

[1] Ronneberger, Fischer, Brox: U-Net: Convolutional Networks for Biomedical Image Segmentation, 2015, arXiv 1505.04597.
"""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.core.errors import OptionError
from pixelwise.core.image import RGB
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind
from pixelwise.models.about import About
from pixelwise.models.build_options import checked
from pixelwise.models.encoders import Encoder, build_encoder
from pixelwise.models.encoders.weights import loaded
from pixelwise.models.heads.pixel import PixelHead
from pixelwise.models.network import Network
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.semantic import KINDS, WIDTHS, Input, require, segmenter

__all__ = ["ABOUT", "KINDS", "UNet", "build"]

ABOUT = About(
    good_for="the first choice: sharp borders, from few images, at any size",
    code="Apache-2.0 (written here from the paper)",
    weights="timm's tf_efficientnet_lite2: Apache-2.0, learnt from ImageNet; installed with pixelwise",
    paper="Ronneberger, Fischer, Brox, U-Net, 2015, arXiv 1505.04597",
    parameters=5_635_435,
    multiply_adds=5_224_789_680,
)
Norm = Literal["batch", "group", "none"]
Upsampling = Literal["nearest", "bilinear", "transposed"]


@checked
def build(
    labels: LabelSet,
    kind: Kind = "semantic",
    *,
    encoder: str = "tf_efficientnet_lite2",
    weights: str = "imagenet",
    decoder: tuple[int, ...] = (),
    output_stride: int = 0,
    norm: Norm = "batch",
    upsampling: Upsampling = "nearest",
    dropout: float = 0.0,
    width: int = 64,
    depth: int = 4,
    bands: tuple[str, ...] = RGB,
    levels: int = 0,
    mean: tuple[float, ...] = (),
    deviation: tuple[float, ...] = (),
    loss: str = "cross_entropy + dice",
    class_weights: tuple[float, ...] | None = None,
    label_smoothing: float = 0.0,
) -> Segmenter:
    """Build a U-Net.

    Args:
        labels: the classes.
        kind: ``semantic``, one class a pixel; ``multilabel``, any number of them.
        encoder: ``plain`` for the paper's, else the name of a timm or smp encoder.
        weights: of the encoder: ``imagenet``, ``none``, a name such as ``timm:resnet50.a1_in1k``, or a file.
        decoder: channels of the expanding path, deepest first; () takes the paper's for ``plain``, else (160, 96, 48, 32).
        output_stride: where the decoder stops: logits at 1/1, 1/2 or 1/4 of the input, brought to full size bilinearly;
            0 takes 1 for ``plain`` and 2 else: the last step to full size costs a third of the training and gains little.
        norm, upsampling: of the decoder (and of the plain encoder).
        dropout: before the last convolution, whole channels.
        width, depth: of the plain encoder: channels of its first level, and how many times they double.
        bands: of the input.
        levels: how many of the encoder's levels are used, finest first; 0 takes all. Not for ``plain``, which has ``depth``.
        mean, deviation: a band, to normalise the input in [0, 1] by; () takes those of the encoder's weights.
        loss: a weighted sum of losses by name, as in ``"0.5*focal(gamma=3) + lovasz"``.
        class_weights: one a class, in the losses that average over pixels.
        label_smoothing: of the cross entropy.

    Raises:
        OptionError: the kind or an option does not fit.
    """
    require("unet", labels, kind)
    plain = encoder == "plain"
    output_stride = output_stride or (1 if plain else 2)
    path = (
        loaded(_plain_encoder(width, depth, len(bands), norm), encoder, weights, len(bands))
        if plain
        else build_encoder(encoder, weights, len(bands), levels)
    )
    widths = decoder or _decoder_widths(path, plain, output_stride)
    network = UNet(path, widths, output_stride, norm, upsampling)
    head = PixelHead(network.channels, labels, 1 if plain else 3, dropout, loss, class_weights, label_smoothing, kind)
    options = {
        "encoder": encoder,
        "weights": weights,
        "decoder": widths,
        "output_stride": output_stride,
        "norm": norm,
        "upsampling": upsampling,
        "dropout": dropout,
        "width": width,
        "depth": depth,
        "levels": levels,
    }
    return segmenter("unet", labels, kind, network, head, path, Input(bands, mean, deviation), options)


def _decoder_widths(path: Encoder, plain: bool, output_stride: int) -> tuple[int, ...]:
    levels = [stride for stride in (1, *path.strides) if output_stride <= stride < max(path.strides)]
    if plain:
        return path.channels[-2::-1][: len(levels)]
    return tuple(WIDTHS[index] if index < len(WIDTHS) else WIDTHS[-1] for index in range(len(set(levels))))


class UNet(Network):
    """Features (N, C, H / s, W / s) for images (N, B, H, W) whose sides are multiples of the encoder's last stride."""

    def __init__(self, encoder: Encoder, widths: Sequence[int], output_stride: int, norm: Norm, upsampling: Upsampling) -> None:
        super().__init__()
        self.encoder = encoder.module
        self.weights = encoder.weights  # where they come from, in words
        self.strides = encoder.strides
        self.output_stride = output_stride
        skips = dict(zip(encoder.strides, encoder.channels, strict=True))
        levels = sorted(
            {stride for stride in (1, *encoder.strides) if output_stride <= stride < max(encoder.strides)}, reverse=True
        )
        if len(widths) != len(levels):
            raise OptionError(
                f"the decoder needs {len(levels)} widths, one for each of the strides {levels}, got {tuple(widths)}; "
                f"output_stride={output_stride} ends it"
            )
        blocks, channels = [], encoder.channels[-1]
        for stride, width in zip(levels, widths, strict=True):
            blocks.append(_Up(channels, skips.get(stride, 0), width, norm, upsampling))
            channels = width
        self.blocks = nn.ModuleList(blocks)
        self.levels = tuple(levels)
        self.channels = channels

    def forward(self, images: Tensor) -> Tensor:
        """Give the features of the last decoder level."""
        features = dict(zip(self.strides, self.encoder(images), strict=True))
        height, width = images.shape[-2:]
        values = features[self.strides[-1]]
        for stride, block in zip(self.levels, self.blocks, strict=True):
            values = block(values, features.get(stride), (height // stride, width // stride))
        return values


class _Up(nn.Module):
    """One step of the expanding path: upsample, concatenate the skip, two 3x3 convolutions."""

    def __init__(self, channels: int, skip: int, width: int, norm: Norm, upsampling: Upsampling) -> None:
        super().__init__()
        self.upsampling = upsampling
        halved = width if upsampling == "transposed" else channels
        self.up = nn.ConvTranspose2d(channels, width, 2, stride=2) if upsampling == "transposed" else nn.Identity()
        self.convolve = _double(halved + skip, width, norm)

    def forward(self, values: Tensor, skip: Tensor | None, size: tuple[int, int]) -> Tensor:
        if self.upsampling == "transposed":
            values = self.up(values)
        if values.shape[-2:] != torch.Size(size):
            mode = "nearest" if self.upsampling == "nearest" else "bilinear"
            values = F.interpolate(values, size=size, mode=mode)
        return self.convolve(values if skip is None else torch.cat([values, skip], dim=1))


def _double(channels: int, width: int, norm: Norm) -> nn.Sequential:
    """Two 3x3 convolutions, each with its norm and ReLU."""
    layers: list[nn.Module] = []
    for given in (channels, width):
        layers.append(nn.Conv2d(given, width, 3, padding=1, bias=norm == "none"))
        if norm != "none":
            layers.append(nn.BatchNorm2d(width) if norm == "batch" else nn.GroupNorm(_groups(width), width))
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def _groups(width: int) -> int:
    return next(groups for groups in (32, 16, 8, 4, 2, 1) if width % groups == 0)


class _Plain(nn.Module):
    """The paper's contracting path: double convolutions with 2x2 max pooling between them, channels doubling."""

    def __init__(self, width: int, depth: int, bands: int, norm: Norm) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(depth + 1)]
        self.levels = nn.ModuleList(_double(given, own, norm) for given, own in zip([bands, *widths], widths, strict=False))

    def forward(self, images: Tensor) -> list[Tensor]:
        features = [self.levels[0](images)]
        for level in self.levels[1:]:
            features.append(level(F.max_pool2d(features[-1], 2)))
        return features


def _plain_encoder(width: int, depth: int, bands: int, norm: Norm) -> Encoder:
    if width < 1 or not 1 <= depth <= 8:
        raise OptionError(f"expected a width above 0 and a depth from 1 to 8, got {width} and {depth}")
    module = _Plain(width, depth, bands, norm)
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):  # the paper, section 3: standard deviation sqrt(2 / N)
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    channels = tuple(width * 2**level for level in range(depth + 1))
    strides = tuple(2**level for level in range(depth + 1))
    return Encoder(module, channels, strides, (0.5,) * bands, (0.25,) * bands, "random")
