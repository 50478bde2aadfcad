"""MA-Net [1]: a U-Net with attention between all places of the deepest features, and between channels on the way up.

The decoder is that of segmentation-models-pytorch, on any encoder. The attention's cost grows with the square of the deepest
features' pixels: at stride 32 it is small up to some megapixels, and larger images want tiles.

[1] Fan, Wang, Li, Wang: MA-Net: A Multi-Scale Attention Network for Liver and Tumor Segmentation, IEEE Access 8, 2020.
"""

from typing import Literal

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
    good_for="medical images, where distant places of one organ tell on each other",
    code="MIT (segmentation-models-pytorch's decoder)",
    weights="timm's tf_efficientnet_lite2: Apache-2.0, learnt from ImageNet; installed with pixelwise",
    paper="Fan et al., MA-Net, IEEE Access 8, 2020",
    parameters=8_948_899,
    multiply_adds=5_218_082_896,
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
    attention: int = 64,
    output_stride: Literal[1, 2] = 2,
    dropout: float = 0.0,
    bands: tuple[str, ...] = RGB,
    mean: tuple[float, ...] = (),
    deviation: tuple[float, ...] = (),
    loss: str = "cross_entropy + dice",
    class_weights: tuple[float, ...] | None = None,
    label_smoothing: float = 0.0,
) -> Segmenter:
    """Build an MA-Net.

    Args:
        levels: how many of the encoder's levels are used, finest first; 0 takes all.
        decoder: channels of the expanding path, deepest first; () takes (160, 96, 48, 32), and 16 more at output stride 1.
        attention: channels in which the places of the deepest features are compared.
        output_stride: where the decoder stops: logits at 1/1 or 1/2 of the input, brought to full size bilinearly.
        dropout: of whole channels, before the last convolution.

    The other arguments are those of ``unet``.

    Raises:
        OptionError: the kind or an option does not fit.
    """
    from segmentation_models_pytorch.decoders.manet.decoder import MAnetDecoder

    require("manet", labels, kind, dropout=dropout)
    path = encoder_for("manet", encoder, weights, len(bands), levels=levels)
    given = pyramid_channels(path, len(bands))
    widths = widths_for(decoder, len(given) - 1, output_stride)
    made = MAnetDecoder(given, [*widths, 16][: len(given) - 1], len(given) - 1, pab_channels=attention)
    if output_stride == 2:
        made.blocks = made.blocks[:-1]
    head = PixelHead(widths[-1], labels, 3, dropout, loss, class_weights, label_smoothing, kind)
    options = {
        "encoder": encoder,
        "weights": weights,
        "levels": levels,
        "decoder": widths,
        "attention": attention,
        "output_stride": output_stride,
        "dropout": dropout,
    }
    network = EncoderDecoder(path, made)
    return segmenter("manet", labels, kind, network, head, path, Input(bands, mean, deviation), options)
