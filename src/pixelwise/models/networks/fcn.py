"""FCN [1]: an encoder without its classifier, a score for each class at its last strides, and their sum brought to full size.

FCN-32s scores the features at stride 32; FCN-16s and FCN-8s add scores of those at strides 16 and 8. The paper enlarges scores;
here features are enlarged and scored together by one 1x1 convolution, which is the same: enlarging is linear, and fixed
to be bilinear, where the paper learns the steps between. The features are the encoder's last ones at each stride: of a VGG,
those before its pooling, where the paper takes those after it.

``variant = "dilated"`` is the FCN that torchvision has: its head, a 3x3 and a 1x1 convolution, on a dilated encoder.

[1] Long, Shelhamer, Darrell: Fully Convolutional Networks for Semantic Segmentation, CVPR 2015, arXiv 1411.4038. With a
    VGG16 of 134 million parameters FCN-8s reaches 62.2 % on the VOC 2012 test set. torchvision's, with a dilated ResNet-50:
    60.5 % on COCO's validation images with the classes of VOC.
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
    good_for="a plain baseline: no decoder, little memory",
    code="Apache-2.0 (written here from the paper), BSD-3-Clause (torchvision's head)",
    weights="timm's tf_efficientnet_lite2: Apache-2.0, learnt from ImageNet; installed with pixelwise",
    paper="Long, Shelhamer, Darrell, FCN, CVPR 2015, arXiv 1411.4038",
    parameters=4_363_683,
    multiply_adds=1_877_755_440,
)
Variant = Literal["32s", "16s", "8s", "dilated"]
LEVELS: dict[str, tuple[int, ...]] = {"32s": (5,), "16s": (4, 5), "8s": (3, 4, 5), "dilated": (5,)}  # that are scored


@checked
def build(
    labels: LabelSet,
    kind: Kind = "semantic",
    *,
    variant: Variant = "8s",
    encoder: str = "tf_efficientnet_lite2",
    weights: str = "imagenet",
    output_stride: Literal[8, 16] = 8,
    hidden: int = 0,
    dropout: float = 0.1,
    auxiliary: float = 0.0,
    bands: tuple[str, ...] = RGB,
    mean: tuple[float, ...] = (),
    deviation: tuple[float, ...] = (),
    loss: str = "cross_entropy + dice",
    class_weights: tuple[float, ...] | None = None,
    label_smoothing: float = 0.0,
) -> Segmenter:
    """Build an FCN.

    Args:
        variant: the paper's ``32s``, ``16s`` or ``8s``, or torchvision's, ``dilated``.
        encoder: the paper's is ``vgg16``.
        output_stride: of the dilated encoder's last features, for ``dilated`` alone.
        hidden: channels of a 7x7 and a 1x1 convolution after the encoder: VGG's fully connected layers in the paper, with 4096;
            0 leaves them out, as encoders without such layers want it.
        dropout: after each of these layers (0.5 in the paper), else of whole channels before the scores.
        auxiliary: weight of the loss of an FCN head on the encoder's last but one stage, usually 0.4; the paper has none.

    The other arguments are those of ``unet``.

    Raises:
        OptionError: the kind or an option does not fit, or the encoder lacks a stride or cannot be dilated.
    """
    require("fcn", labels, kind, dropout=dropout)
    dilated = variant == "dilated"
    path = encoder_for("fcn", encoder, weights, len(bands), LEVELS[variant], output_stride=output_stride if dilated else 0)
    channels = pyramid_channels(path, len(bands))
    deep = channels[-1] // 4 if dilated else hidden or channels[-1]
    decoder = _Dilated(channels[-1], dropout) if dilated else _Skips(channels[-1], hidden, dropout, len(LEVELS[variant]) - 1)
    second = auxiliary_on(path, auxiliary)
    scored = deep + sum(channels[level] for level in LEVELS[variant][:-1])
    drop = 0.0 if dilated or hidden else dropout
    head = PixelHead(scored, labels, 1, drop, loss, class_weights, label_smoothing, kind, auxiliary=second)
    network = EncoderDecoder(path, decoder, supervised=second is not None)
    options = {
        "variant": variant,
        "encoder": encoder,
        "weights": weights,
        "output_stride": output_stride,
        "hidden": hidden,
        "dropout": dropout,
        "auxiliary": auxiliary,
    }
    return segmenter("fcn", labels, kind, network, head, path, Input(bands, mean, deviation), options)


class _Skips(nn.Module):
    """The deepest features, through VGG's last layers where there are any, enlarged and joined with those of finer strides."""

    def __init__(self, channels: int, hidden: int, dropout: float, skips: int) -> None:
        super().__init__()
        self.skips = skips
        layers: list[nn.Module] = []
        for given, kernel in ((channels, 7), (hidden, 1)) if hidden else ():
            layers += [nn.Conv2d(given, hidden, kernel, padding=kernel // 2), nn.ReLU(inplace=True), nn.Dropout2d(dropout)]
        self.deepest = nn.Sequential(*layers)

    def forward(self, features: list[Tensor]) -> Tensor:
        values = self.deepest(features[-1])
        for finer in features[-2 : -2 - self.skips : -1]:
            values = F.interpolate(values, size=finer.shape[-2:], mode="bilinear", align_corners=False)
            values = torch.cat([values, finer], dim=1)
        return values


class _Dilated(nn.Module):
    """torchvision's FCN head on the deepest features, but for its last convolution, which is the pixel head's."""

    def __init__(self, channels: int, dropout: float) -> None:
        from torchvision.models.segmentation.fcn import FCNHead

        super().__init__()
        convolution, norm, activation, drop, _ = FCNHead(channels, 1)
        drop.p = dropout
        self.layers = nn.Sequential(convolution, norm, activation, drop)

    def forward(self, features: list[Tensor]) -> Tensor:
        found: Tensor = self.layers(features[-1])
        return found
