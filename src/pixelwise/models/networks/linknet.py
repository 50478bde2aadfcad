"""LinkNet [1]: a light expanding path by transposed convolutions, to which the encoder's features are added.

The decoder is that of segmentation-models-pytorch, on any encoder.

[1] Chaurasia, Culurciello: LinkNet: Exploiting Encoder Representations for Efficient Semantic Segmentation, VCIP 2017,
    arXiv 1707.03718.
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
)

__all__ = ["ABOUT", "KINDS", "build"]

ABOUT = About(
    good_for="speed: a light decoder on any encoder",
    code="MIT (segmentation-models-pytorch's decoder)",
    weights="timm's tf_efficientnet_lite2: Apache-2.0, learnt from ImageNet; installed with pixelwise",
    paper="Chaurasia, Culurciello, LinkNet, VCIP 2017, arXiv 1707.03718",
    parameters=4_548_099,
    multiply_adds=1_940_598_000,
)


@checked
def build(
    labels: LabelSet,
    kind: Kind = "semantic",
    *,
    encoder: str = "tf_efficientnet_lite2",
    weights: str = "imagenet",
    levels: int = 0,
    channels: int = 32,
    output_stride: Literal[1, 2] = 2,
    dropout: float = 0.0,
    bands: tuple[str, ...] = RGB,
    mean: tuple[float, ...] = (),
    deviation: tuple[float, ...] = (),
    loss: str = "cross_entropy + dice",
    class_weights: tuple[float, ...] | None = None,
    label_smoothing: float = 0.0,
) -> Segmenter:
    """Build a LinkNet.

    Args:
        levels: how many of the encoder's levels are used, finest first; 0 takes all.
        channels: of the last step, where the decoder ends at the input's size.
        output_stride: where the decoder stops: logits at 1/1 or 1/2 of the input, brought to full size bilinearly.
        dropout: of whole channels, before the last convolution.

    The other arguments are those of ``unet``.

    Raises:
        OptionError: the kind or an option does not fit.
    """
    from segmentation_models_pytorch.decoders.linknet.decoder import LinknetDecoder

    require("linknet", labels, kind, channels, dropout)
    path = encoder_for("linknet", encoder, weights, len(bands), levels=levels)
    given = pyramid_channels(path, len(bands))
    decoder = LinknetDecoder(given, channels, len(given) - 1)
    made = channels
    if output_stride == 2:
        decoder.blocks = decoder.blocks[:-1]
        made = given[1] or given[2]  # smp keeps the channels where the encoder has no features at stride 2
    head = PixelHead(made, labels, 1, dropout, loss, class_weights, label_smoothing, kind)
    options = {
        "encoder": encoder,
        "weights": weights,
        "levels": levels,
        "channels": channels,
        "output_stride": output_stride,
        "dropout": dropout,
    }
    network = EncoderDecoder(path, decoder)
    return segmenter("linknet", labels, kind, network, head, path, Input(bands, mean, deviation), options)
