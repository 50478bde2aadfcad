"""DPT [1]: tokens of a vision transformer at four depths, laid out as images at strides 4 to 32 and fused from coarse to fine.

Encoder wrapper, decoder and the layers before the scores are those of segmentation-models-pytorch, on timm's vision
transformers with patches of 8, 16 or 32 pixels. Position embeddings are resampled to the image, so any size goes in.

[1] Ranftl, Bochkovskiy, Koltun: Vision Transformers for Dense Prediction, ICCV 2021, arXiv 2103.13413. Its abstract:
    49.02 % on ADE20K.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from pixelwise.core.errors import OptionError, UnknownName, nearest
from pixelwise.core.image import RGB
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind
from pixelwise.models.about import About
from pixelwise.models.build_options import checked
from pixelwise.models.encoders import Encoder
from pixelwise.models.encoders.build import statistics_of
from pixelwise.models.encoders.weights import loaded
from pixelwise.models.heads.pixel import PixelFeatures, PixelHead
from pixelwise.models.network import Network
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.semantic import KINDS, Input, require, segmenter
from pixelwise.models.steady_norm import with_steady_norms

__all__ = ["ABOUT", "KINDS", "build"]

ABOUT = About(
    good_for="long training on an accelerator from a large pretrained vision transformer",
    code="MIT (segmentation-models-pytorch), Apache-2.0 (timm)",
    weights="timm's vit_small_patch16_224: Apache-2.0, learnt from ImageNet-21k; from its hub",
    paper="Ranftl, Bochkovskiy, Koltun, DPT, ICCV 2021, arXiv 2103.13413",
    parameters=42_624_331,
    multiply_adds=86_649_062_400,
)
PATCHES = (8, 16, 32)  # pixels a side; the decoder halves and doubles, so other patches do not fit together
STRIDE = 32  # of the coarsest level the decoder makes of the tokens


@checked
def build(
    labels: LabelSet,
    kind: Kind = "semantic",
    *,
    encoder: str = "vit_small_patch16_224",
    weights: str = "imagenet",
    readout: Literal["cat", "add", "ignore"] = "cat",
    widths: tuple[int, int, int, int] = (96, 192, 384, 768),
    channels: int = 256,
    dropout: float = 0.1,
    bands: tuple[str, ...] = RGB,
    mean: tuple[float, ...] = (),
    deviation: tuple[float, ...] = (),
    loss: str = "cross_entropy + dice",
    class_weights: tuple[float, ...] | None = None,
    label_smoothing: float = 0.0,
) -> Segmenter:
    """Build a DPT; its logits are at 1/2 of the input.

    Args:
        encoder: a vision transformer of timm, such as ``vit_base_patch16_384``, DPT-Base's.
        readout: what becomes of the class token: joined with every other token, added, or left out.
        widths: channels of the four levels, finest first; DPT-Large has (256, 512, 1024, 1024).
        channels: of the fused features.
        dropout: of whole channels, before the scores.

    The other arguments are those of ``unet``.

    Raises:
        UnknownName: timm has no such model; the message has the nearest names.
        OptionError: the kind or an option does not fit, or the encoder is no vision transformer of such patches.
    """
    from segmentation_models_pytorch.decoders.dpt.decoder import DPTDecoder

    require("dpt", labels, kind, channels, dropout)
    path, has_tokens = _encoder(encoder, weights, len(bands))
    decoder = DPTDecoder(path.channels, path.strides, has_tokens, readout if has_tokens else "ignore", widths, channels)
    head = PixelHead(channels, labels, 1, dropout, loss, class_weights, label_smoothing, kind)
    options = {
        "encoder": encoder,
        "weights": weights,
        "readout": readout,
        "widths": widths,
        "channels": channels,
        "dropout": dropout,
    }
    network = DPT(path, decoder, channels)
    return segmenter("dpt", labels, kind, network, head, path, Input(bands, mean, deviation), options, stride=STRIDE)


class DPT(Network):
    """Features (N, C, H / 2, W / 2) for images (N, B, H, W) whose sides are multiples of 32."""

    def __init__(self, encoder: Encoder, decoder: nn.Module, channels: int) -> None:
        from segmentation_models_pytorch.base.initialization import initialize_decoder
        from segmentation_models_pytorch.decoders.dpt.decoder import DPTSegmentationHead

        super().__init__()
        self.encoder = encoder.module
        self.weights, self.strides = encoder.weights, encoder.strides
        last = nn.Sequential(*list(DPTSegmentationHead(channels, 1).head)[:3])  # its dropout and scores are the pixel head's
        initialize_decoder(decoder)
        self.decoder, self.last = with_steady_norms(decoder), with_steady_norms(last)

    def forward(self, images: Tensor) -> PixelFeatures:
        """Give the decoder's features."""
        return PixelFeatures(None, self.last(self.decoder(*self.encoder(images))))


def _encoder(name: str, weights: str, bands: int) -> tuple[Encoder, bool]:
    """Build a vision transformer that gives its tokens at four depths, and tell whether it has a class token.

    Raises:
        UnknownName: timm has no such model.
        OptionError: it gives no tokens of one size, takes one image size alone, or has other patches than ``PATCHES``.
    """
    import timm
    from segmentation_models_pytorch.encoders.timm_vit import TimmViTEncoder

    if not timm.is_model(name):
        raise UnknownName(f"no vision transformer is called '{name}'; {nearest(name, timm.list_models('*vit*'))}")
    given: dict[str, Any] = {"dynamic_img_size": True, "num_classes": 0}
    try:
        module = TimmViTEncoder(name, pretrained=False, in_channels=bands, **given)
        strides = set(module.output_strides)
        if strides <= set(PATCHES) and len(strides) == 1:
            with torch.no_grad():
                module.eval()(torch.zeros(1, bands, 64, 96))
    except (RuntimeError, AttributeError, TypeError, ValueError, AssertionError) as error:
        raise OptionError(
            f"dpt needs a vision transformer that takes images of any size, and '{name}' is none ({error}); choose one such as "
            f"vit_small_patch16_224"
        ) from None
    if len(strides) > 1 or not strides <= set(PATCHES):
        raise OptionError(
            f"dpt needs a vision transformer with patches of {', '.join(map(str, PATCHES))} pixels, and '{name}' has features "
            f"at the strides {', '.join(map(str, module.output_strides))}; choose one such as vit_small_patch16_224"
        )
    module.model.norm = nn.Identity()  # after the last block; the decoder takes tokens before it
    mean, deviation = statistics_of(name, bands)
    encoder = Encoder(module.train(), tuple(module.out_channels), tuple(module.output_strides), mean, deviation, "")
    return loaded(encoder, name, weights, bands), module.has_prefix_tokens
