"""SegFormer [1]: a hierarchical transformer without position embeddings, and a decoder of linear layers alone.

The encoders (``mit_b0`` to ``mit_b5``) are transformers', the decoder is that of segmentation-models-pytorch; it may stand on
any encoder with features at the strides 4 to 32. NVIDIA's licence allows the encoders' published weights for research and
evaluation alone.

[1] Xie, Wang, Yu, Anandkumar, Alvarez, Luo: SegFormer: Simple and Efficient Design for Semantic Segmentation with
    Transformers, NeurIPS 2021, arXiv 2105.15203. B0 has 3.8 and B5 84.7 million parameters with 150 classes; they reach
    37.4 % and 51.0 % on the ADE20K validation set.
"""

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
    good_for="noise, blur and weather that training did not show, on an accelerator",
    code="Apache-2.0 (transformers' encoder), MIT (segmentation-models-pytorch's decoder)",
    weights="NVIDIA's mit_b0: for research and evaluation alone, learnt from ImageNet; from transformers' hub",
    paper="Xie et al., SegFormer, NeurIPS 2021, arXiv 2105.15203",
    parameters=3_716_971,
    multiply_adds=4_792_128_000,
)
SMALL = ("mit_b0", "mit_b1")  # whose decoder has 256 channels in the paper, where the others' has 768


@checked
def build(
    labels: LabelSet,
    kind: Kind = "semantic",
    *,
    encoder: str = "mit_b0",
    weights: str = "imagenet",
    channels: int = 0,
    dropout: float = 0.1,
    bands: tuple[str, ...] = RGB,
    mean: tuple[float, ...] = (),
    deviation: tuple[float, ...] = (),
    loss: str = "cross_entropy + dice",
    class_weights: tuple[float, ...] | None = None,
    label_smoothing: float = 0.0,
) -> Segmenter:
    """Build a SegFormer; its logits are at 1/4 of the input.

    Args:
        encoder: ``mit_b0`` to ``mit_b5`` for the paper's, else the name of any other.
        channels: of the decoder; 0 takes the paper's for ``mit_b2`` and larger, 768, else 256.
        dropout: of whole channels, before the last convolution.

    The other arguments are those of ``unet``.

    Raises:
        OptionError: the kind or an option does not fit, or the encoder lacks a stride.
    """
    from segmentation_models_pytorch.decoders.segformer.decoder import SegformerDecoder

    require("segformer", labels, kind)
    path = encoder_for("segformer", encoder, weights, len(bands), (2, 3, 4, 5))
    channels = channels or (768 if encoder.startswith("mit_") and encoder not in SMALL else 256)
    given = pyramid_channels(path, len(bands))
    decoder = _FromStride4(SegformerDecoder([given[0], 0, *given[2:]], 5, channels))
    head = PixelHead(channels, labels, 1, dropout, loss, class_weights, label_smoothing, kind)
    options = {
        "encoder": encoder,
        "weights": weights,
        "channels": channels,
        "dropout": dropout,
    }
    network = EncoderDecoder(path, decoder)
    return segmenter("segformer", labels, kind, network, head, path, Input(bands, mean, deviation), options)


class _FromStride4(nn.Module):
    """Leave out the features at stride 2, which the paper's encoders have not: smp's decoder would take them too."""

    def __init__(self, decoder: nn.Module) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, features: list[Tensor]) -> Tensor:
        images, at_half, *others = features
        found: Tensor = self.decoder([images, at_half[:, :0], *others])
        return found
