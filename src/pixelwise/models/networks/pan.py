"""PAN [1]: attention over the deepest features at three scales, which then guides the finer ones on their way up.

The decoder is that of segmentation-models-pytorch, on any encoder with features at the strides 4 to 16 or 32. It halves the
deepest features three times more, so features smaller than 8 x 8 are repeated at their edge, and what comes of that is cut off.

[1] Li, Xiong, An, Wang: Pyramid Attention Network for Semantic Segmentation, BMVC 2018, arXiv 1805.10180. Its abstract:
    84.0 % on the VOC 2012 test set, without COCO's images.
"""

from typing import Literal

from torch import Tensor, nn

from pixelwise.core.arrays import Size
from pixelwise.core.image import RGB
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind
from pixelwise.models.about import About
from pixelwise.models.build_options import checked
from pixelwise.models.heads.pixel import PixelHead
from pixelwise.models.recorded import cells, cut, repeated, varies
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.semantic import KINDS, EncoderDecoder, Input, encoder_for, pyramid_channels, require, segmenter

__all__ = ["ABOUT", "KINDS", "build"]

ABOUT = About(
    good_for="few decoder weights with context from the whole image",
    code="MIT (segmentation-models-pytorch's decoder)",
    weights="timm's tf_efficientnet_lite2: Apache-2.0, learnt from ImageNet; installed with pixelwise",
    paper="Li et al., PAN, BMVC 2018, arXiv 1805.10180",
    parameters=4_460_178,
    multiply_adds=3_562_984_119,
)
LEAST = 8  # pixels a side of the deepest features that the decoder can halve three times


@checked
def build(
    labels: LabelSet,
    kind: Kind = "semantic",
    *,
    encoder: str = "tf_efficientnet_lite2",
    weights: str = "imagenet",
    output_stride: Literal[16, 32] = 16,
    channels: int = 32,
    dropout: float = 0.0,
    bands: tuple[str, ...] = RGB,
    mean: tuple[float, ...] = (),
    deviation: tuple[float, ...] = (),
    loss: str = "cross_entropy + dice",
    class_weights: tuple[float, ...] | None = None,
    label_smoothing: float = 0.0,
) -> Segmenter:
    """Build a PAN; its logits are at 1/4 of the input.

    Args:
        output_stride: of the last features: 16 as in the paper, by dilation, or 32, which takes any encoder.
        channels: of every level of the decoder.
        dropout: of whole channels, before the last convolution.

    The other arguments are those of ``unet``.

    Raises:
        OptionError: the kind or an option does not fit, or the encoder lacks a stride or cannot be dilated.
    """
    from segmentation_models_pytorch.decoders.pan.decoder import PANDecoder

    require("pan", labels, kind, channels, dropout)
    dilated = 0 if output_stride == 32 else output_stride
    path = encoder_for("pan", encoder, weights, len(bands), (2, 3, 4, 5), output_stride=dilated)
    decoder = _Enlarging(PANDecoder(pyramid_channels(path, len(bands)), 5, channels))
    head = PixelHead(channels, labels, 3, dropout, loss, class_weights, label_smoothing, kind)
    options = {
        "encoder": encoder,
        "weights": weights,
        "output_stride": output_stride,
        "channels": channels,
        "dropout": dropout,
    }
    network = EncoderDecoder(path, decoder)
    return segmenter("pan", labels, kind, network, head, path, Input(bands, mean, deviation), options)


class _Enlarging(nn.Module):
    """Give a decoder features of which the deepest have at least ``LEAST`` pixels a side."""

    def __init__(self, decoder: nn.Module) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, features: list[Tensor]) -> Tensor:
        height, width = features[-1].shape[-2:]
        if not varies(height) and not varies(width) and min(height, width) >= LEAST:
            found: Tensor = self.decoder(features)
            return found
        finest = (features[2].shape[-2], features[2].shape[-1])
        rows, columns = cells(height, 1, LEAST), cells(width, 1, LEAST)  # in a graph for any size, enlarged even if by nothing
        enlarged = [_repeated(one, (one.shape[-2] // height * rows, one.shape[-1] // width * columns)) for one in features]
        return cut(self.decoder(enlarged), finest)


def _repeated(values: Tensor, size: Size) -> Tensor:
    """Repeat the last row and column; a tensor without channels only grows."""
    count, channels = values.shape[:2]
    return repeated(values, size) if channels else values.new_zeros(count, 0, *size)
