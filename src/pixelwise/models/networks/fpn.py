"""FPN for semantic segmentation [1]: a feature pyramid, each level of it brought to 1/4 of the input and summed.

The decoder is that of segmentation-models-pytorch, on any encoder with features at the strides 4 to 32.

[1] Kirillov, Girshick, He, Dollár: Panoptic Feature Pyramid Networks, CVPR 2019, arXiv 1901.02446, section 3.1.
"""

from pixelwise.core.errors import OptionError
from pixelwise.core.image import RGB
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind
from pixelwise.models.about import About
from pixelwise.models.build_options import checked
from pixelwise.models.heads.pixel import PixelHead
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.semantic import KINDS, EncoderDecoder, Input, encoder_for, pyramid_channels, require, segmenter

__all__ = ["ABOUT", "KINDS", "build"]

ABOUT = About(
    good_for="objects of very different sizes; small batches, for its norms are by group",
    code="MIT (segmentation-models-pytorch's decoder)",
    weights="timm's tf_efficientnet_lite2: Apache-2.0, learnt from ImageNet; installed with pixelwise",
    paper="Kirillov et al., Panoptic FPN, CVPR 2019, arXiv 1901.02446",
    parameters=4_835_211,
    multiply_adds=3_189_328_560,
)


@checked
def build(
    labels: LabelSet,
    kind: Kind = "semantic",
    *,
    encoder: str = "tf_efficientnet_lite2",
    weights: str = "imagenet",
    pyramid: int = 128,
    channels: int = 64,
    dropout: float = 0.1,
    bands: tuple[str, ...] = RGB,
    mean: tuple[float, ...] = (),
    deviation: tuple[float, ...] = (),
    loss: str = "cross_entropy + dice",
    class_weights: tuple[float, ...] | None = None,
    label_smoothing: float = 0.0,
) -> Segmenter:
    """Build a semantic FPN; its logits are at 1/4 of the input.

    Args:
        pyramid: channels of the feature pyramid; the paper has 256, which suit a ResNet and an accelerator.
        channels: of the levels that are summed, a multiple of 32 from 64 on; the paper has 128.
        dropout: of whole channels, before the last convolution.

    The other arguments are those of ``unet``.

    Raises:
        OptionError: the kind or an option does not fit, or the encoder lacks a stride.
    """
    from segmentation_models_pytorch.decoders.fpn.decoder import FPNDecoder

    require("fpn", labels, kind, channels, dropout)
    if channels < 64 or channels % 32:  # a group norm of 32 groups wants more than one value in each, also of 1 x 1 features
        raise OptionError(f"[model] channels: expected 64, 96, 128 or another multiple of 32, got {channels}")
    path = encoder_for("fpn", encoder, weights, len(bands), (2, 3, 4, 5))
    decoder = FPNDecoder(pyramid_channels(path, len(bands)), 5, pyramid, channels, dropout)
    head = PixelHead(channels, labels, 1, 0.0, loss, class_weights, label_smoothing, kind)
    options = {
        "encoder": encoder,
        "weights": weights,
        "pyramid": pyramid,
        "channels": channels,
        "dropout": dropout,
    }
    network = EncoderDecoder(path, decoder)
    return segmenter("fpn", labels, kind, network, head, path, Input(bands, mean, deviation), options)
