"""ENet [1]: a network for speed, of small bottlenecks most of which work at 1/8 of the input; written from the paper.

Stages (the paper's table 1), at ``width=16``; a bottleneck is told by what stands between its two 1x1 convolutions:

====================  ========  ======  ==============================================================================
stage                 channels  stride  layers
====================  ========  ======  ==============================================================================
initial               16        2       3x3 convolution to 13 channels beside a 2x2 max pooling of the 3 bands
1                     64        4       downsampling; 4 x 3x3
2                     128       8       downsampling; 3x3, dilated 2, asymmetric 5, dilated 4, 3x3, dilated 8,
                                        asymmetric 5, dilated 16
3                     128       8       those 8 once more
4                     64        4       upsampling; 2 x 3x3
5                     16        2       upsampling; 3x3
full convolution      classes   1       3x3, transposed
====================  ========  ======  ==============================================================================

Downsampling pools its skip, fills up its channels with zeros, and begins with a 2x2 convolution of stride 2; upsampling unpools
its skip to where the maxima of the stage of the same size were. A bottleneck's inner channels are a quarter of those it gives.
1x1 convolutions have no biases; the initial convolution, those between (3x3, 5x1, 1x5, transposed) and the last one have. Every
convolution but the last is followed by batch norm, and that by a PReLU with a slope a channel, after a bottleneck's sum at
last. That makes 363,924 + 145 L weights for L classes: 0.37 M, as the paper's table 3 has it for 19 or 20 of them.

The paper trains the encoder first, on labels of 1/8 of the size, and then all of it: ``part="encoder"`` builds the encoder with
a 1x1 classifier, and a run of the whole network started from that run's weights takes it over (recipes/camvid_enet.toml). What
differs: its logits are brought to the labels' size, not the labels to theirs.

[1] Paszke, Chaurasia, Kim, Culurciello: ENet: A Deep Neural Network Architecture for Real-Time Semantic Segmentation, 2016,
    arXiv 1606.02147. Its figures: mean IoU 58.3 % on Cityscapes' test set, 51.3 % on CamVid's.
"""

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.core.arrays import Size
from pixelwise.core.errors import OptionError
from pixelwise.core.image import RGB
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind
from pixelwise.models.about import About
from pixelwise.models.build_options import checked
from pixelwise.models.encoders import Encoder
from pixelwise.models.encoders.weights import loaded
from pixelwise.models.full_convolution import FullConvolution
from pixelwise.models.heads.pixel import PixelHead
from pixelwise.models.leaky import ChannelSlopes
from pixelwise.models.network import Network
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.semantic import KINDS, Input, require, segmenter
from pixelwise.models.unpooling import Pooled, pooled, unpooled

__all__ = ["ABOUT", "KINDS", "build"]

ABOUT = About(
    good_for="the least memory and disk: 0.4 M weights, trained from scratch",
    code="Apache-2.0 (written here from the paper)",
    weights="none: starts from random weights",
    paper="Paszke et al., ENet, 2016, arXiv 1606.02147",
    parameters=365_519,
    multiply_adds=1_279_491_840,
)
BETWEEN = ("regular", "dilated 2", "asymmetric", "dilated 4", "regular", "dilated 8", "asymmetric", "dilated 16")
EARLY = 0.1  # of the dropout is what stages before the second have


@checked
def build(
    labels: LabelSet,
    kind: Kind = "semantic",
    *,
    part: Literal["whole", "encoder"] = "whole",
    width: int = 16,
    dropout: float = 0.1,
    weights: str = "none",
    bands: tuple[str, ...] = RGB,
    mean: tuple[float, ...] = (),
    deviation: tuple[float, ...] = (),
    loss: str = "cross_entropy + dice",
    class_weights: tuple[float, ...] | None = None,
    label_smoothing: float = 0.0,
) -> Segmenter:
    """Build an ENet.

    Args:
        part: ``encoder`` builds the initial stage and stages 1 to 3 with a classifier at 1/8 of the size, to be trained first.
        width: channels of the initial stage and the last one; those between have 4 and 8 times as many.
        dropout: of whole channels, in every bottleneck; before stage 2 a tenth of it.
        weights: of the encoder: ``none``, or a file; none are published, so ``imagenet`` is the same as ``none``.

    The other arguments are those of ``unet``.

    Raises:
        OptionError: the kind or an option does not fit.
    """
    require("enet", labels, kind)
    if width < 4 or width % 4 or width <= len(bands):
        raise OptionError(f"[model] width: expected a multiple of 4 above the {len(bands)} bands, got {width}")
    if not 0 <= dropout < 1:
        raise OptionError(f"[model] dropout: expected 0 to below 1, got {dropout}")
    module = _Encoder(width, len(bands), dropout)
    path = Encoder(module, (width, 4 * width, 8 * width), (2, 4, 8), (0.5,) * len(bands), (0.25,) * len(bands), "random")
    path = loaded(path, "plain", weights, len(bands))
    network = ENet(path, width, dropout, part == "whole")
    last = FullConvolution(width, len(labels)) if part == "whole" else None
    head = PixelHead(8 * width, labels, 1, 0.0, loss, class_weights, label_smoothing, kind, last)
    options = {"part": part, "width": width, "dropout": dropout, "weights": weights}
    return segmenter("enet", labels, kind, network, head, path, Input(bands, mean, deviation), options)


class ENet(Network):
    """Features (N, width, H / 2, W / 2), or those of the encoder alone: (N, 8 width, H / 8, W / 8)."""

    def __init__(self, encoder: Encoder, width: int, dropout: float, has_decoder: bool) -> None:
        super().__init__()
        self.encoder = encoder.module
        self.strides, self.weights = encoder.strides, encoder.weights
        self.has_decoder = has_decoder
        if has_decoder:
            self.stage4 = _Up(8 * width, 4 * width, dropout)
            self.stage4_rest = nn.Sequential(*(_bottleneck(4 * width, "regular", dropout) for _ in range(2)))
            self.stage5 = _Up(4 * width, width, dropout)
            self.stage5_rest = _bottleneck(width, "regular", dropout)

    def forward(self, images: Tensor) -> Tensor:
        """Give features for the head."""
        found: _Encoded = self.encoder(images)
        if not self.has_decoder:
            return found.values
        height, width = images.shape[-2:]
        values = self.stage4_rest(self.stage4(found.values, found.quarter, (height // 4, width // 4)))
        result: Tensor = self.stage5_rest(self.stage5(values, found.half, (height // 2, width // 2)))
        return result


class _Encoded(NamedTuple):
    """The encoder's features at stride 8, and where the maxima pooled from the strides 2 and 4 were."""

    values: Tensor
    half: Tensor
    quarter: Tensor


class _Encoder(nn.Module):
    """The initial stage, and stages 1 to 3."""

    def __init__(self, width: int, bands: int, dropout: float) -> None:
        super().__init__()
        self.initial = nn.Conv2d(bands, width - bands, 3, stride=2, padding=1)
        self.normalise = nn.Sequential(nn.BatchNorm2d(width), ChannelSlopes(width))
        self.stage1 = _Down(width, 4 * width, EARLY * dropout)
        self.stage1_rest = nn.Sequential(*(_bottleneck(4 * width, "regular", EARLY * dropout) for _ in range(4)))
        self.stage2 = _Down(4 * width, 8 * width, dropout)
        self.stage2_rest = nn.Sequential(*(_bottleneck(8 * width, between, dropout) for between in BETWEEN))
        self.stage3 = nn.Sequential(*(_bottleneck(8 * width, between, dropout) for between in BETWEEN))

    def forward(self, images: Tensor) -> _Encoded:
        values = self.normalise(torch.cat([self.initial(images), F.max_pool2d(images, 2)], dim=1))
        values, half = self.stage1(values)
        values, quarter = self.stage2(self.stage1_rest(values))
        return _Encoded(self.stage3(self.stage2_rest(values)), half, quarter)


class _Bottleneck(nn.Module):
    """A bottleneck around which its input goes unchanged."""

    def __init__(self, branch: nn.Module, channels: int) -> None:
        super().__init__()
        self.branch = branch
        self.activate = ChannelSlopes(channels)

    def forward(self, values: Tensor) -> Tensor:
        result: Tensor = self.activate(values + self.branch(values))
        return result


class _Down(nn.Module):
    """A bottleneck to half the size; its skip is pooled, and zeros fill up the channels."""

    def __init__(self, given: int, made: int, dropout: float) -> None:
        super().__init__()
        self.more = made - given
        self.branch = _branch(given, made, _between("regular", made // 4), dropout, halves=True)
        self.activate = ChannelSlopes(made)

    def forward(self, values: Tensor) -> Pooled:
        skip, places = pooled(values)
        skip = F.pad(skip, (0, 0, 0, 0, 0, self.more))
        return Pooled(self.activate(skip + self.branch(values)), places)


class _Up(nn.Module):
    """A bottleneck to twice the size; its skip goes through a 1x1 convolution and is unpooled."""

    def __init__(self, given: int, made: int, dropout: float) -> None:
        super().__init__()
        self.skip = nn.Sequential(nn.Conv2d(given, made, 1, bias=False), nn.BatchNorm2d(made))
        self.branch = _branch(given, made, _between("full", made // 4), dropout)
        self.activate = ChannelSlopes(made)

    def forward(self, values: Tensor, places: Tensor, size: Size) -> Tensor:
        result: Tensor = self.activate(unpooled(self.skip(values), places, size) + self.branch(values))
        return result


def _bottleneck(channels: int, between: str, dropout: float) -> _Bottleneck:
    return _Bottleneck(_branch(channels, channels, _between(between, channels // 4), dropout), channels)


def _branch(given: int, made: int, between: nn.Module, dropout: float, halves: bool = False) -> nn.Sequential:
    """Build a branch: to a quarter of the channels, what stands between, and out again; dropout is of whole channels."""
    inner, side = made // 4, 2 if halves else 1
    return nn.Sequential(
        nn.Conv2d(given, inner, side, stride=side, bias=False),
        nn.BatchNorm2d(inner),
        ChannelSlopes(inner),
        between,
        nn.BatchNorm2d(inner),
        ChannelSlopes(inner),
        nn.Conv2d(inner, made, 1, bias=False),
        nn.BatchNorm2d(made),
        nn.Dropout2d(dropout),
    )


def _between(name: str, channels: int) -> nn.Module:
    """Build what stands between a branch's 1x1 convolutions: regular, dilated N, asymmetric (5x1 then 1x5) or full."""
    if name == "full":
        return nn.ConvTranspose2d(channels, channels, 3, stride=2, padding=1, output_padding=1)
    if name == "asymmetric":
        return nn.Sequential(
            nn.Conv2d(channels, channels, (5, 1), padding=(2, 0)),
            nn.BatchNorm2d(channels),
            ChannelSlopes(channels),
            nn.Conv2d(channels, channels, (1, 5), padding=(0, 2)),
        )
    reach = 1 if name == "regular" else int(name.removeprefix("dilated "))
    return nn.Conv2d(channels, channels, 3, padding=reach, dilation=reach)
