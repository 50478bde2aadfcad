"""DeepLabv3 [1]: a dilated encoder, and on its last features parallel convolutions of growing dilation (ASPP).

The decoder is that of segmentation-models-pytorch, on any encoder that can be dilated.

[1] Chen, Papandreou, Schroff, Adam: Rethinking Atrous Convolution for Semantic Image Segmentation, 2017, arXiv 1706.05587.
    85.7 % on the VOC 2012 test set.
"""

from typing import Literal

from pixelwise.core.errors import OptionError
from pixelwise.core.image import RGB
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind
from pixelwise.models.about import About
from pixelwise.models.build_options import checked
from pixelwise.models.heads.pixel import PixelHead
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.semantic import KINDS, EncoderDecoder, Input, auxiliary_on, encoder_for, require, segmenter

__all__ = ["ABOUT", "KINDS", "build", "dilations"]

ABOUT = About(
    good_for="large objects and wide context at a moderate cost; borders are coarse",
    code="MIT (segmentation-models-pytorch's decoder)",
    weights="timm's tf_efficientnet_lite2: Apache-2.0, learnt from ImageNet; installed with pixelwise",
    paper="Chen et al., DeepLabv3, 2017, arXiv 1706.05587",
    parameters=7_895_115,
    multiply_adds=5_659_700_992,
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
    separable: bool = False,
    dropout: float = 0.1,
    auxiliary: float = 0.0,
    bands: tuple[str, ...] = RGB,
    mean: tuple[float, ...] = (),
    deviation: tuple[float, ...] = (),
    loss: str = "cross_entropy + dice",
    class_weights: tuple[float, ...] | None = None,
    label_smoothing: float = 0.0,
) -> Segmenter:
    """Build a DeepLabv3.

    Args:
        output_stride: of the last features: 8 sees finer and costs three times as much.
        rates: the three dilations; () takes the paper's, (6, 12, 18) at output stride 16 and twice that at 8.
        channels: of each branch and of what comes after them.
        separable: split the dilated convolutions into depthwise and pointwise ones.
        dropout: of single values, after the branches are joined.
        auxiliary: weight of the loss of an FCN head on the encoder's last but one stage, usually 0.4; the paper has none.

    The other arguments are those of ``unet``.

    Raises:
        OptionError: the kind or an option does not fit.
    """
    from segmentation_models_pytorch.decoders.deeplabv3.decoder import DeepLabV3Decoder

    require("deeplabv3", labels, kind, channels, dropout)
    dilated = dilations(rates, output_stride)
    path = encoder_for("deeplabv3", encoder, weights, len(bands), (5,), output_stride=output_stride)
    decoder = DeepLabV3Decoder(path.channels[-1], channels, dilated, separable, dropout)
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
    return segmenter("deeplabv3", labels, kind, network, head, path, Input(bands, mean, deviation), options)


def dilations(rates: tuple[int, ...], output_stride: int) -> tuple[int, ...]:
    """Give the dilations asked for, or the paper's for the output stride (section 4.1).

    Raises:
        OptionError: there are not three.
    """
    found = rates or ((6, 12, 18) if output_stride == 16 else (12, 24, 36))
    if len(found) != 3 or min(found) < 1:
        raise OptionError(f"[model] rates: expected three dilations above 0, got {list(found)}")
    return found
