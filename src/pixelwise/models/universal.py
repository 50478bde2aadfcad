"""What the networks before a query head share: transformers' models on any encoder of ours, or with the backbone of a hub's.

A file of ``networks`` builds one of transformers' models from its configuration. With an ``encoder`` of ours that model is
built on a stand-in with as many channels, and the encoder then takes the stand-in's place; so ImageNet weights, bands, freezing
and layer-wise rates work as everywhere. With a ``config``, as weights of transformers' hub have one, the model is built to the
letter, backbone and all.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from torch import Tensor, nn

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind
from pixelwise.models.encoders import Encoder
from pixelwise.models.encoders.build import IMAGENET
from pixelwise.models.heads.base import Head
from pixelwise.models.hub_networks import Published, fill, is_hub_network, read_published
from pixelwise.models.network import Network
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.semantic import Input, encoder_for

KINDS: tuple[Kind, ...] = ("panoptic", "instance", "semantic")
STRIDES = (4, 8, 16, 32)  # of the features that the decoders take
LEVELS = (2, 3, 4, 5)  # the same, as powers of 2
TRAINING: dict[str, Any] = {  # what suits a transformer's decoder on few images; the papers' clip is 0.01, their rate 1e-4
    "rate": 5e-4,
    "encoder_rate": 0.3,
    "decay": 0.05,
    "clip": 1.0,
}


def require(name: str, labels: LabelSet, kind: Kind, kinds: tuple[Kind, ...] = KINDS) -> None:
    """Check that a network can be built for these labels.

    Raises:
        OptionError: it does not give such segmentations, or there is no class.
    """
    if kind not in kinds:
        raise OptionError(f"{name} gives {', '.join(kinds)} segmentations, not {kind}; choose another --kind or --model")
    if not len(labels):
        raise OptionError(f"{name} needs at least one class")


def require_widths(name: str, width: int, heads: int, multiple: int = 64) -> None:
    """Check that a width is a multiple of what its norms and its attention divide it by.

    Norms have 32 groups; with two channels each, there is something to normalise where a small image has one pixel left.

    Raises:
        OptionError: it is not.
    """
    if width < multiple or width % multiple:
        raise OptionError(f"[model] width: {name} wants a multiple of {multiple}, got {width}")
    if heads < 1 or width % heads:
        raise OptionError(f"[model] heads: expected a divisor of the width {width}, got {heads}")


class Stages(nn.Module):
    """An encoder of ours as transformers' models call theirs: images to an object with four ``feature_maps``."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder.module

    def forward(self, images: Tensor) -> Any:
        """Give the features at the strides 4 to 32."""
        from transformers.modeling_outputs import BackboneOutput

        return BackboneOutput(feature_maps=self.pyramid(images)[-len(STRIDES) :])

    def pyramid(self, images: Tensor) -> tuple[Tensor, ...]:
        """Give the features at all strides that the encoder has, the finest first."""
        return tuple(self.encoder(images))


class Sizes(Protocol):
    """What a network is built from where no configuration says it: options of its ``build``."""

    def config(self, parts: "Parts", labels: LabelSet) -> Any:
        """Give transformers' configuration.

        Raises:
            OptionError: a size does not fit.
        """


class Parts:
    """What a network is made from: its published weights, if any, and the encoder, unless those bring theirs.

    Attributes:
        published: configuration and weights from transformers' hub; None for none.
        config: transformers' configuration to build from; None to build from options on ``encoder``.
        encoder: one of ours; None where ``config`` has the backbone, or the network knows no encoder.
        bands: how many the input has.
    """

    def __init__(
        self,
        name: str,
        model: Any,
        encoder: str,
        weights: str,
        config: Mapping[str, Any] | None,
        bands: int,
        levels: Sequence[int] = LEVELS,
    ) -> None:
        self.bands = bands
        self.published: Published | None = read_published(weights, name, model) if is_hub_network(weights) else None
        self.config = dict(config) if config else (dict(self.published.config) if self.published else None)
        if (self.config is not None or not encoder) and not self.published and weights not in ("none", "imagenet"):
            raise OptionError(f"[model] weights: expected 'none' or 'hub:OWNER/NAME' for this {name}, got {weights!r}")
        has_own = self.config is not None or not encoder
        self.encoder = None if has_own else encoder_for(name, encoder, weights, bands, levels)

    @property
    def weights(self) -> str:
        """Where the encoder's weights come from, in words."""
        if self.encoder is not None:
            return self.encoder.weights
        return self.published.origin if self.published else "random"

    @property
    def has_config(self) -> bool:
        """Whether the network is built from a configuration, and not from options."""
        return self.config is not None

    def stand_in(self) -> Any:
        """Give the configuration of a small backbone with the encoder's channels, which the encoder takes the place of."""
        from transformers import ResNetConfig

        assert self.encoder is not None
        return ResNetConfig(
            num_channels=self.bands,
            embedding_size=8,
            hidden_sizes=list(self.encoder.channels[-len(STRIDES) :]),
            depths=[1] * len(STRIDES),
            layer_type="basic",
            out_features=[f"stage{index + 1}" for index in range(len(STRIDES))],
        )

    def settings(self, kind_of_config: Any, sizes: Sizes, labels: LabelSet) -> Any:
        """Give transformers' configuration: the one there is, for these labels, else that of the sizes.

        Raises:
            OptionError: it is of another model, or for other bands; or a size does not fit.
        """
        if self.config is None:
            return sizes.config(self, labels)
        given = {key: value for key, value in self.config.items() if key not in _OF_LABELS}
        named = given.get("model_type", kind_of_config.model_type)
        if named != kind_of_config.model_type:
            raise OptionError(f"[model] config: expected one of '{kind_of_config.model_type}', got one of '{named}'")
        made = kind_of_config.from_dict({**given, "num_labels": len(labels)})
        expected = getattr(getattr(made, "backbone_config", None) or made, "num_channels", self.bands)
        if expected != self.bands:
            raise OptionError(f"[model] bands: the published network takes {expected} bands, got {self.bands}")
        return made


_OF_LABELS = ("id2label", "label2id", "num_labels", "architectures", "transformers_version", "torch_dtype", "dtype")


@contextmanager
def quietly() -> Iterator[None]:
    """Keep transformers from warning, within the block, that an encoder is not among those its models were published with."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


def draw_as_published(
    projections: Iterable[nn.Module] = (), heads: Iterable[nn.Module] = (), queries: Iterable[Tensor] = ()
) -> None:
    """Draw weights as the authors' code does; transformers draws most of them with a deviation of 0.02.

    Queries are then so much alike, and masks and boxes so little moved by them, that a network that starts from there hardly
    tells objects apart in the first thousand steps.

    Args:
        projections: attention, and layers between features: by Xavier's rule.
        heads: what turns queries into classes, boxes and masks: as torch draws a layer.
        queries: they, and what tells levels apart: from the normal distribution.
    """
    for module in projections:
        for parameter in module.parameters():
            if parameter.ndim > 1:
                nn.init.xavier_uniform_(parameter)
    for module in heads:
        for layer in module.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                layer.reset_parameters()
    for each in queries:
        nn.init.normal_(each)


def projections_of(decoder: Any) -> list[nn.Module]:
    """List the projections of a pixel decoder with deformable attention; the attention itself is drawn as published already."""
    layers = [part for layer in decoder.encoder.layers for part in (layer.fc1, layer.fc2)]
    return [*layers, *decoder.input_projections, decoder.adapter_1, decoder.layer_1, decoder.mask_projection]


class QueryNetwork(Network):
    """A network that gives what a query head takes; what it is made from says where its encoder and its weights come from.

    Attributes:
        model: transformers', without the layer that classifies queries.
    """

    def __init__(self, model: nn.Module, parts: Parts) -> None:
        super().__init__()
        self.model: Any = model
        self.weights = parts.weights
        self.strides = STRIDES


class PixelLevelNetwork(QueryNetwork):
    """One whose encoder lies in a module that transformers calls ``pixel_level_module``, before a pixel decoder."""

    @property
    def encoder(self) -> nn.Module:  # type: ignore[override]
        """The encoder, or transformers' backbone."""
        found: nn.Module = self.model.pixel_level_module.encoder
        return found


def segmenter(
    name: str,
    labels: LabelSet,
    kind: Kind,
    network: Network,
    head: Head,
    parts: Parts,
    given: Input,
    options: Mapping[str, Any],
    renamed: Mapping[str, str],
    stride: int = STRIDES[-1],
) -> Segmenter:
    """Put a network and its head together, with its card, and fill it with the published weights where there are any.

    Args:
        options: what ``build`` was given, but for the input and what only training needs.
        renamed: beginnings of the names of transformers' tensors, and of ours; names without a place are left out.
        stride: sides are padded to a multiple of it.
    """
    mean, deviation = (parts.encoder.mean, parts.encoder.deviation) if parts.encoder is not None else IMAGENET
    if parts.published is not None:
        mean, deviation = parts.published.mean, parts.published.deviation
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in options.items()}
    inputs = {"bands": list(given.bands), "mean": list(given.mean), "deviation": list(given.deviation)}
    card = Card(
        name,
        kind,
        labels,
        given.bands,
        tuple(map(float, given.mean or mean)),
        tuple(map(float, given.deviation or deviation)),
        stride=stride,
        gives_probabilities=kind == "semantic",
        options={**plain, "config": parts.config, **inputs},
    )
    model = Segmenter(network, head, card)
    if parts.published is not None:
        fill(model, parts.published, renamed)
    return model


def lower_bound(name: str, value: int, least: int) -> None:
    """Check that an option is at least ``least``.

    Raises:
        OptionError: it is not.
    """
    if value < least:
        raise OptionError(f"[model] {name}: expected {least} or more, got {value}")
