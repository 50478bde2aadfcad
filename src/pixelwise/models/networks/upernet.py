"""UPerNet [1]: PSPNet's pooling on the deepest features, a feature pyramid on top of it, and all levels joined at 1/4.

The decoder is that of segmentation-models-pytorch, on any encoder with features at the strides 4 to 32.

[1] Xiao, Liu, Zhou, Jiang, Sun: Unified Perceptual Parsing for Scene Understanding, ECCV 2018, arXiv 1807.10221. With the
    encoders that came later (Swin, ConvNeXt, BEiT) it is trained with an auxiliary FCN head of weight 0.4.
"""

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
    good_for="large hierarchical encoders (Swin, ConvNeXt) on an accelerator",
    code="MIT (segmentation-models-pytorch's decoder)",
    weights="timm's tf_efficientnet_lite2: Apache-2.0, learnt from ImageNet; installed with pixelwise",
    paper="Xiao et al., UPerNet, ECCV 2018, arXiv 1807.10221",
    parameters=5_104_748,
    multiply_adds=4_026_469_040,
)


@checked
def build(
    labels: LabelSet,
    kind: Kind = "semantic",
    *,
    encoder: str = "tf_efficientnet_lite2",
    weights: str = "imagenet",
    channels: int = 64,
    dropout: float = 0.1,
    auxiliary: float = 0.4,
    bands: tuple[str, ...] = RGB,
    mean: tuple[float, ...] = (),
    deviation: tuple[float, ...] = (),
    loss: str = "cross_entropy + dice",
    class_weights: tuple[float, ...] | None = None,
    label_smoothing: float = 0.0,
) -> Segmenter:
    """Build a UPerNet; its logits are at 1/4 of the input.

    Args:
        channels: of every level; 512 are usual with large encoders on an accelerator. The cost grows with their square.
        dropout: of whole channels, before the last convolution.
        auxiliary: weight of the loss of an FCN head on the encoder's last but one stage; 0 leaves that out.

    The other arguments are those of ``unet``.

    Raises:
        OptionError: the kind or an option does not fit, or the encoder lacks a stride.
    """
    from segmentation_models_pytorch.decoders.upernet.decoder import UPerNetDecoder

    require("upernet", labels, kind, channels, dropout)
    path = encoder_for("upernet", encoder, weights, len(bands), (2, 3, 4, 5))
    decoder = UPerNetDecoder(pyramid_channels(path, len(bands)), 5, channels)
    second = auxiliary_on(path, auxiliary)
    network = EncoderDecoder(path, decoder, supervised=second is not None)
    network.least_cells = 2  # a map is enlarged from one pixel
    head = PixelHead(channels, labels, 1, dropout, loss, class_weights, label_smoothing, kind, auxiliary=second)
    options = {
        "encoder": encoder,
        "weights": weights,
        "channels": channels,
        "dropout": dropout,
        "auxiliary": auxiliary,
    }
    return segmenter("upernet", labels, kind, network, head, path, Input(bands, mean, deviation), options)
