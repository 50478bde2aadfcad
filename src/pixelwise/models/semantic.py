"""What networks that classify pixels share: an encoder checked against what a decoder needs, and the way to a segmenter.

A file of ``networks`` builds a decoder, often one of segmentation-models-pytorch, and puts it on any encoder of ours; so
weights, bands, fast depthwise convolutions, freezing by stages and layer-wise rates work for all of them alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import RGB
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind
from pixelwise.models.encoders import Encoder, build_encoder
from pixelwise.models.heads.pixel import Auxiliary, PixelFeatures, PixelHead
from pixelwise.models.network import Network
from pixelwise.models.region_means import with_region_means
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.steady_norm import with_steady_norms

KINDS: tuple[Kind, ...] = ("semantic", "multilabel")  # that a network before a pixel head gives
WIDTHS = (160, 96, 48, 32, 16)  # of a decoder that doubles the size step by step, deepest first, where none are asked for


@dataclass(frozen=True)
class Input:
    """The input of a network: its bands, and by what they are normalised; () takes what the encoder's weights expect."""

    bands: tuple[str, ...] = RGB
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for what, values in (("mean", self.mean), ("deviation", self.deviation)):
            if values and len(values) != len(self.bands):
                raise OptionError(f"[model] {what}: expected {len(self.bands)} numbers, one a band, got {len(values)}")
        if not all(value > 0 for value in self.deviation):
            raise OptionError(f"[model] deviation: expected numbers above 0, got {list(self.deviation)}")


def require(name: str, labels: LabelSet, kind: Kind, channels: int = 1, dropout: float = 0.0) -> None:
    """Check that a network before a pixel head can be built for these labels, with so many channels and so much dropout.

    Raises:
        OptionError: it does not give such segmentations, there is no class, or a number does not fit.
    """
    if kind not in KINDS:
        raise OptionError(f"{name} gives {' or '.join(KINDS)} segmentations, not {kind}; choose another --kind or --model")
    if not len(labels):
        raise OptionError(f"{name} needs at least one class")
    if channels < 1:
        raise OptionError(f"[model] channels: expected 1 or more, got {channels}")
    if not 0 <= dropout < 1:
        raise OptionError(f"[model] dropout: expected 0 to below 1, got {dropout}")


def levels_of(strides: Sequence[int]) -> tuple[int, ...]:
    """Number an encoder's features by how often the size was halved, or would have been had the encoder not been dilated.

    >>> levels_of((2, 4, 8, 16, 32)), levels_of((4, 8, 8, 8))
    ((1, 2, 3, 4, 5), (2, 3, 4, 5))
    """
    levels: list[int] = []
    for index, stride in enumerate(strides):
        repeats = index > 0 and stride == strides[index - 1]
        levels.append(levels[-1] + 1 if repeats else max(stride.bit_length() - 1, levels[-1] + 1 if levels else 0))
    return tuple(levels)


def encoder_for(
    name: str, encoder: str, weights: str, bands: int, needs: Sequence[int] = (), levels: int = 0, output_stride: int = 0
) -> Encoder:
    """Build the encoder of the network ``name``, which needs features at the levels ``needs`` and no deeper ones.

    Raises:
        OptionError: the encoder lacks one of them, or cannot be dilated.
    """
    built = build_encoder(encoder, weights, bands, levels, output_stride)
    found = levels_of(built.strides)
    if needs and not (set(needs) <= set(found) and max(found) == max(needs)):
        wanted = ", ".join(str(2**level) for level in needs)
        raise OptionError(
            f"{name} needs features at the strides {wanted}, and the encoder '{encoder}' gives them at "
            f"{', '.join(map(str, built.strides))}; choose another encoder"
        )
    return built


class EncoderDecoder(Network):
    """An encoder, and a decoder that takes the pyramid of its features.

    The decoder is given a list, as those of segmentation-models-pytorch want it: the images, then the features of the levels 1,
    2 … (strides 2, 4 …), and for a level that the encoder lacks a tensor without channels.

    Args:
        supervised: whether the encoder's last but one stage is given to the head as well, for an auxiliary loss.
    """

    def __init__(self, encoder: Encoder, decoder: nn.Module, supervised: bool = False) -> None:
        from segmentation_models_pytorch.base.initialization import initialize_decoder

        super().__init__()
        self.encoder = encoder.module
        self.weights, self.strides = encoder.weights, encoder.strides
        self.places = _places(encoder)
        self.supervised = supervised
        initialize_decoder(decoder)
        self.decoder = with_region_means(with_steady_norms(decoder))

    def forward(self, images: Tensor) -> PixelFeatures:
        """Give the decoder's features (N, C, h, w)."""
        found = self.encoder(images)
        count, _, height, width = images.shape
        pyramid = [images]
        for level, place in enumerate(self.places, 1):
            empty = (count, 0, height >> level, width >> level)
            pyramid.append(images.new_zeros(empty) if place is None else found[place])
        return PixelFeatures(found[-2] if self.supervised else None, self.decoder(pyramid))


def pyramid_channels(encoder: Encoder, bands: int) -> list[int]:
    """Give the channels of the list that ``EncoderDecoder`` gives its decoder."""
    return [bands, *(0 if place is None else encoder.channels[place] for place in _places(encoder))]


def widths_for(decoder: tuple[int, ...], levels: int, output_stride: int) -> tuple[int, ...]:
    """Give the channels of a decoder that doubles the size step by step, deepest first: those asked for, or ``WIDTHS``.

    Raises:
        OptionError: there are too few or too many.
    """
    steps = levels - (output_stride == 2)
    found = decoder or WIDTHS[:steps]
    if len(found) != steps or min(found) < 1:
        raise OptionError(
            f"[model] decoder: expected {steps} widths above 0, one for each step of {levels} levels up to output stride "
            f"{output_stride}, got {list(found)}"
        )
    return found


def _places(encoder: Encoder) -> tuple[int | None, ...]:
    """Find the features of the levels 1, 2 … among an encoder's; None where it has none."""
    place = {level: index for index, level in enumerate(levels_of(encoder.strides))}
    return tuple(place.get(level) for level in range(1, max(place) + 1))


def auxiliary_on(encoder: Encoder, weight: float) -> Auxiliary | None:
    """Give the auxiliary head on an encoder's last but one stage, or None for a weight of 0.

    Raises:
        OptionError: the weight is below 0.
    """
    if weight < 0:
        raise OptionError(f"[model] auxiliary: expected a weight of 0 or more, got {weight}")
    return Auxiliary(encoder.channels[-2], weight) if weight else None


def segmenter(
    name: str,
    labels: LabelSet,
    kind: Kind,
    network: Network,
    head: PixelHead,
    encoder: Encoder,
    given: Input,
    options: Mapping[str, Any],
    stride: int = 0,
) -> Segmenter:
    """Put a network and its head together, with the card that a checkpoint is built from again.

    Args:
        options: what ``build`` was given, but for the input and what only training needs.
        stride: sides are padded to a multiple of it; 0 takes the encoder's largest.
    """
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in options.items()}
    inputs = {"bands": list(given.bands), "mean": list(given.mean), "deviation": list(given.deviation)}
    card = Card(
        name,
        kind,
        labels,
        given.bands,
        tuple(map(float, given.mean)) or encoder.mean,
        tuple(map(float, given.deviation)) or encoder.deviation,
        stride=stride or max(encoder.strides),
        gives_probabilities=True,
        options={**plain, **inputs},
    )
    return Segmenter(network, head, card)
