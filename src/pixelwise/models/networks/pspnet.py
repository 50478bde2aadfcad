"""PSPNet [1]: means over the whole image and over its 2 x 2, 3 x 3 and 6 x 6 parts, joined with a dilated encoder's features.

The decoder is that of segmentation-models-pytorch, on any encoder that can be dilated, with the paper's auxiliary loss.

[1] Zhao, Shi, Qi, Wang, Jia: Pyramid Scene Parsing Network, CVPR 2017, arXiv 1612.01105. Its abstract: 85.4 % on the VOC
    2012 test set, 80.2 % on that of Cityscapes.
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
    auxiliary_on,
    encoder_for,
    pyramid_channels,
    require,
    segmenter,
)

__all__ = ["ABOUT", "KINDS", "build"]

ABOUT = About(
    good_for="scenes, where what the whole image shows decides what its parts are; borders are coarse",
    code="MIT (segmentation-models-pytorch's decoder)",
    weights="timm's tf_efficientnet_lite2: Apache-2.0, learnt from ImageNet; installed with pixelwise",
    paper="Zhao et al., PSPNet, CVPR 2017, arXiv 1612.01105",
    parameters=4_927_444,
    multiply_adds=3_659_828_480,
)


@checked
def build(
    labels: LabelSet,
    kind: Kind = "semantic",
    *,
    encoder: str = "tf_efficientnet_lite2",
    weights: str = "imagenet",
    output_stride: Literal[8, 16, 32] = 16,
    channels: int = 512,
    dropout: float = 0.1,
    auxiliary: float = 0.4,
    bands: tuple[str, ...] = RGB,
    mean: tuple[float, ...] = (),
    deviation: tuple[float, ...] = (),
    loss: str = "cross_entropy + dice",
    class_weights: tuple[float, ...] | None = None,
    label_smoothing: float = 0.0,
) -> Segmenter:
    """Build a PSPNet.

    Args:
        output_stride: of the last features. The paper has 8, which costs three times as much as 16; 32 takes any encoder.
        channels: of the joined features.
        dropout: of whole channels, before the last convolution.
        auxiliary: weight of the loss of an FCN head on the encoder's last but one stage; 0 leaves that out.

    The other arguments are those of ``unet``.

    Raises:
        OptionError: the kind or an option does not fit, or the encoder cannot be dilated.
    """
    from segmentation_models_pytorch.decoders.pspnet.decoder import PSPDecoder

    require("pspnet", labels, kind, channels, dropout)
    dilated = 0 if output_stride == 32 else output_stride
    path = encoder_for("pspnet", encoder, weights, len(bands), (5,), output_stride=dilated)
    decoder = PSPDecoder(pyramid_channels(path, len(bands)), out_channels=channels, dropout=dropout)
    second = auxiliary_on(path, auxiliary)
    network = EncoderDecoder(path, decoder, supervised=second is not None)
    network.least_cells = 2  # a map is enlarged from one pixel
    head = PixelHead(channels, labels, 3, 0.0, loss, class_weights, label_smoothing, kind, auxiliary=second)
    options = {
        "encoder": encoder,
        "weights": weights,
        "output_stride": output_stride,
        "channels": channels,
        "dropout": dropout,
        "auxiliary": auxiliary,
    }
    return segmenter("pspnet", labels, kind, network, head, path, Input(bands, mean, deviation), options)
