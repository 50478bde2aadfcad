"""U-Net++ [1]: a U-Net whose skips are small decoders of their own, densely connected.

The decoder is that of segmentation-models-pytorch, on any encoder; the paper's deep supervision is not part of it.

[1] Zhou, Siddiquee, Tajbakhsh, Liang: UNet++: A Nested U-Net Architecture for Medical Image Segmentation, 2018,
    arXiv 1807.10165. Its abstract: with deep supervision 3.9 points of IoU over U-Net, on average over
    four medical sets.
"""

from typing import Literal

from torch import nn

from pixelwise.core.image import RGB
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind
from pixelwise.models.about import About
from pixelwise.models.build_options import checked
from pixelwise.models.heads.pixel import PixelHead
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.semantic import (
    KINDS,
    EncoderDecoder,
    Input,
    encoder_for,
    pyramid_channels,
    require,
    segmenter,
    widths_for,
)

__all__ = ["ABOUT", "KINDS", "build"]

ABOUT = About(
    good_for="thin and small structures, at more cost than a U-Net",
    code="MIT (segmentation-models-pytorch's decoder)",
    weights="timm's tf_efficientnet_lite2: Apache-2.0, learnt from ImageNet; installed with pixelwise",
    paper="Zhou et al., UNet++, 2018, arXiv 1807.10165",
    parameters=5_883_115,
    multiply_adds=8_190_037_680,
)


@checked
def build(
    labels: LabelSet,
    kind: Kind = "semantic",
    *,
    encoder: str = "tf_efficientnet_lite2",
    weights: str = "imagenet",
    levels: int = 0,
    decoder: tuple[int, ...] = (),
    output_stride: Literal[1, 2] = 2,
    dropout: float = 0.0,
    bands: tuple[str, ...] = RGB,
    mean: tuple[float, ...] = (),
    deviation: tuple[float, ...] = (),
    loss: str = "cross_entropy + dice",
    class_weights: tuple[float, ...] | None = None,
    label_smoothing: float = 0.0,
) -> Segmenter:
    """Build a U-Net++.

    Args:
        levels: how many of the encoder's levels are used, finest first; 0 takes all.
        decoder: channels of the expanding path, deepest first; () takes (160, 96, 48, 32), and 16 more at output stride 1. The
            nodes in between have those of the encoder.
        output_stride: where the decoder stops: logits at 1/1 or 1/2 of the input, brought to full size bilinearly.
        dropout: of whole channels, before the last convolution.

    The other arguments are those of ``unet``.

    Raises:
        OptionError: the kind or an option does not fit.
    """
    from segmentation_models_pytorch.decoders.unetplusplus.decoder import UnetPlusPlusDecoder

    require("unetplusplus", labels, kind, dropout=dropout)
    path = encoder_for("unetplusplus", encoder, weights, len(bands), levels=levels)
    given = pyramid_channels(path, len(bands))
    widths = widths_for(decoder, len(given) - 1, output_stride)
    made = UnetPlusPlusDecoder(given, [*widths, 16][: len(given) - 1], len(given) - 1)
    if output_stride == 2:
        made.blocks[f"x_0_{made.depth}"] = nn.Identity()  # the step to full size
    head = PixelHead(widths[-1], labels, 3, dropout, loss, class_weights, label_smoothing, kind)
    options = {
        "encoder": encoder,
        "weights": weights,
        "levels": levels,
        "decoder": widths,
        "output_stride": output_stride,
        "dropout": dropout,
    }
    network = EncoderDecoder(path, made)
    return segmenter("unetplusplus", labels, kind, network, head, path, Input(bands, mean, deviation), options)
