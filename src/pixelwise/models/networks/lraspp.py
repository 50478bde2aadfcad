"""Lite R-ASPP [1]: two branches on the deepest features, one of them a gate pooled over the image, and a skip from stride 8.

The layers are torchvision's, on any encoder that can be dilated; ``mobilenetv3_large_100`` is the paper's, whose ImageNet
weights come from timm's hub. torchvision scores both branches and adds the scores; here the features are joined and scored by
one 1x1 convolution, which is the same.

[1] Howard et al.: Searching for MobileNetV3, ICCV 2019, arXiv 1905.02244, section 6.4. torchvision's weights, with
    MobileNetV3-Large, reach 57.9 % on COCO's validation images with the classes of VOC.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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
    good_for="the fastest prediction on phones and CPUs; borders are coarse",
    code="BSD-3-Clause (torchvision's layers)",
    weights="timm's tf_efficientnet_lite0: Apache-2.0, learnt from ImageNet; installed with pixelwise",
    paper="Howard et al., MobileNetV3, ICCV 2019, arXiv 1905.02244",
    parameters=3_042_883,
    multiply_adds=2_326_081_600,
)


@checked
def build(
    labels: LabelSet,
    kind: Kind = "semantic",
    *,
    encoder: str = "tf_efficientnet_lite0",
    weights: str = "imagenet",
    output_stride: Literal[8, 16, 32] = 16,
    channels: int = 128,
    dropout: float = 0.0,
    bands: tuple[str, ...] = RGB,
    mean: tuple[float, ...] = (),
    deviation: tuple[float, ...] = (),
    loss: str = "cross_entropy + dice",
    class_weights: tuple[float, ...] | None = None,
    label_smoothing: float = 0.0,
) -> Segmenter:
    """Build a Lite R-ASPP; its logits are at 1/8 of the input.

    Args:
        encoder: the paper's is ``mobilenetv3_large_100``.
        output_stride: of the last features: 16 as in the paper; 32 takes any encoder.
        channels: of the deepest features' branches.
        dropout: of whole channels, before the scores.

    The other arguments are those of ``unet``.

    Raises:
        OptionError: the kind or an option does not fit, or the encoder lacks a stride or cannot be dilated.
    """
    require("lraspp", labels, kind, channels, dropout)
    dilated = 0 if output_stride == 32 else output_stride
    path = encoder_for("lraspp", encoder, weights, len(bands), (3, 5), output_stride=dilated)
    given = pyramid_channels(path, len(bands))
    head = PixelHead(given[3] + channels, labels, 1, dropout, loss, class_weights, label_smoothing, kind)
    options = {
        "encoder": encoder,
        "weights": weights,
        "output_stride": output_stride,
        "channels": channels,
        "dropout": dropout,
    }
    network = EncoderDecoder(path, _Branches(given[-1], channels))
    return segmenter("lraspp", labels, kind, network, head, path, Input(bands, mean, deviation), options)


class _Branches(nn.Module):
    """The deepest features times their gate, enlarged to stride 8, beside those of stride 8."""

    def __init__(self, channels: int, width: int) -> None:
        from torchvision.models.segmentation.lraspp import LRASPPHead

        super().__init__()
        whole = LRASPPHead(1, channels, 1, width)
        self.cbr, self.scale = whole.cbr, whole.scale  # under torchvision's names, for its weights

    def forward(self, features: list[Tensor]) -> Tensor:
        low, high = features[3], features[-1]
        values = self.cbr(high) * self.scale(high)
        return torch.cat([low, F.interpolate(values, size=low.shape[-2:], mode="bilinear", align_corners=False)], dim=1)
