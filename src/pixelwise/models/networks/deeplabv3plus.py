"""DeepLabv3+ [1]: DeepLabv3's dilated branches, and a small decoder that joins them with fine features at stride 4.

The decoder is that of segmentation-models-pytorch, on any encoder that can be dilated.

[1] Chen, Zhu, Papandreou, Schroff, Adam: Encoder-Decoder with Atrous Separable Convolution for Semantic Image Segmentation,
    ECCV 2018, arXiv 1802.02611. With an Xception 87.8 % on the VOC 2012 test set, 89.0 % after learning from JFT-300M too.
"""

from typing import Literal

from pixelwise.core.image import RGB
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind
from pixelwise.models.about import About
from pixelwise.models.build_options import checked
from pixelwise.models.heads.pixel import PixelHead
from pixelwise.models.networks.deeplabv3 import dilations
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.semantic import (
    KINDS,
    EncoderDecoder,
    Input,
    auxiliary_on,
    encoder_for,
    pyramid_channels,
    require,
    segmenter,
)

__all__ = ["ABOUT", "KINDS", "build"]

ABOUT = About(
    good_for="wide context with sharper borders than DeepLabv3; a good second choice after unet",
    code="MIT (segmentation-models-pytorch's decoder)",
    weights="timm's tf_efficientnet_lite2: Apache-2.0, learnt from ImageNet; installed with pixelwise",
    paper="Chen et al., DeepLabv3+, ECCV 2018, arXiv 1802.02611",
    parameters=5_302_267,
    multiply_adds=4_784_847_232,
)


@checked
def build(
    labels: LabelSet,
    kind: Kind = "semantic",
    *,
    encoder: str = "tf_efficientnet_lite2",
    weights: str = "imagenet",
    output_stride: Literal[8, 16] = 16,
    rates: tuple[int, ...] = (),
    channels: int = 256,
    separable: bool = True,
    dropout: float = 0.1,
    auxiliary: float = 0.0,
    bands: tuple[str, ...] = RGB,
    mean: tuple[float, ...] = (),
    deviation: tuple[float, ...] = (),
    loss: str = "cross_entropy + dice",
    class_weights: tuple[float, ...] | None = None,
    label_smoothing: float = 0.0,
) -> Segmenter:
    """Build a DeepLabv3+; its logits are at 1/4 of the input.

    Args:
        output_stride: of the last features: 8 sees finer and costs three times as much.
        rates: the three dilations; () takes the paper's, (6, 12, 18) at output stride 16 and twice that at 8.
        channels: of each branch and of the decoder.
        separable: split the dilated convolutions into depthwise and pointwise ones, as the paper does.
        dropout: of single values, after the branches are joined.
        auxiliary: weight of the loss of an FCN head on the encoder's last but one stage, usually 0.4; the paper has none.

    The other arguments are those of ``unet``.

    Raises:
        OptionError: the kind or an option does not fit, or the encoder lacks stride 4 or cannot be dilated.
    """
    from segmentation_models_pytorch.decoders.deeplabv3.decoder import DeepLabV3PlusDecoder

    require("deeplabv3plus", labels, kind, channels, dropout)
    dilated = dilations(rates, output_stride)
    path = encoder_for("deeplabv3plus", encoder, weights, len(bands), (2, 5), output_stride=output_stride)
    decoder = DeepLabV3PlusDecoder(pyramid_channels(path, len(bands)), 5, channels, dilated, output_stride, separable, dropout)
    second = auxiliary_on(path, auxiliary)
    network = EncoderDecoder(path, decoder, supervised=second is not None)
    head = PixelHead(channels, labels, 1, 0.0, loss, class_weights, label_smoothing, kind, auxiliary=second)
    options = {
        "encoder": encoder,
        "weights": weights,
        "output_stride": output_stride,
        "rates": dilated,
        "channels": channels,
        "separable": separable,
        "dropout": dropout,
        "auxiliary": auxiliary,
    }
    return segmenter("deeplabv3plus", labels, kind, network, head, path, Input(bands, mean, deviation), options)
