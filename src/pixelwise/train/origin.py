"""Where a run's first weights come from, and what it takes over from the checkpoint it starts from."""

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import torch

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.files import read_json
from pixelwise.core.image import RGB
from pixelwise.core.sample import Dataset
from pixelwise.core.segmentation import Kind
from pixelwise.models import MODELS, checkpoint
from pixelwise.models.build_options import fitted_options
from pixelwise.models.encoders.weights import is_named, require_file
from pixelwise.models.hub_networks import config_of, is_hub_network
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.transfer import require_same_network, transfer
from pixelwise.train.options import Recipe, with_network
from pixelwise.train.run import RunFolder

SUITED: dict[Kind, str] = {  # the network that learns a kind where none is named
    "semantic": "unet",
    "multilabel": "unet",
    "instance": "maskrcnn",
    "panoptic": "mask2former",
}
COLOUR = (RGB, ("grey",))  # images of either are read as the other


def card_of(recipe: Recipe) -> Card | None:
    """Read the card of the Pixelwise checkpoint that ``[model] weights`` names; None if it names no such thing.

    Raises:
        OptionError: it is neither a name nor a path.
        MissingFile: it names a file that is not there.
        CheckpointError: the checkpoint is of another network or kind than the recipe asks for, or its card is damaged.
    """
    weights = recipe.model.get("weights", "imagenet")
    if not isinstance(weights, str):
        raise OptionError(f"[model] weights: expected a name or a path, got {weights!r}")
    if is_named(weights):
        return None
    source = require_file(weights)
    card = checkpoint.card_of(source)
    if card is not None:
        require_same_network(card, recipe.model.get("name", card.name), recipe.model.get("kind", card.kind), source)
    return card


def named(recipe: Recipe, card: Card | None) -> Recipe:
    """Give the recipe its own network or, where it names none, the checkpoint's; without either, the labels will choose.

    Raises:
        UnknownName: there is no such network; the message has the nearest names.
        OptionError: the network does not give the recipe's kind, or no network gives it.
    """
    name = recipe.network or (card.name if card is not None else "")
    wanted = recipe.model.get("kind")
    kinds: tuple[Kind, ...] = MODELS[name].KINDS if name else tuple(SUITED)
    if wanted and wanted not in kinds:
        which = f"{name} gives" if name else "networks give"
        raise OptionError(f"{which} {' or '.join(kinds)} segmentations, not {wanted}; choose another --kind or --model")
    return with_network(recipe, name) if name else recipe


def kind_of(recipe: Recipe, data: Kind) -> Kind:
    """Give the kind of segmentation to train for: the recipe's, else the data's if the network gives it, else its usual one."""
    if wanted := recipe.model.get("kind"):
        return cast(Kind, wanted)
    kinds: tuple[Kind, ...] = MODELS[recipe.network].KINDS if recipe.network else tuple(SUITED)
    return data if data in kinds else kinds[0]


def inherited(recipe: Recipe, card: Card | None, bands: tuple[str, ...]) -> Recipe:
    """Build as the checkpoint was built, wherever the recipe does not say otherwise; ``bands`` are the data's.

    Its normalisation is kept with its bands: the weights were trained on such input. A whole network of transformers' hub
    brings its configuration.
    """
    known = inspect.signature(MODELS[recipe.model["name"]].build).parameters
    if is_hub_network(weights := recipe.model.get("weights", "imagenet")) and "config" in known:
        return replace(recipe, model={"config": config_of(weights), **recipe.model})
    if card is None:
        return recipe
    fitting = bands == card.bands or (bands in COLOUR and card.bands in COLOUR)
    used = tuple(recipe.model.get("bands", card.bands if fitting else bands))
    taken: dict[str, Any] = {**card.options, "bands": used, "mean": (), "deviation": ()}
    if used == card.bands:
        taken |= {"mean": card.mean, "deviation": card.deviation}
    taken = {key: value for key, value in taken.items() if key in known and key != "weights"}
    return replace(recipe, model={**taken, **recipe.model})


def build(recipe: Recipe, train: Dataset, say: Callable[[str], None] | None = None) -> Segmenter:
    """Build the recipe's network for the data, and fill it from where the recipe says.

    What is not filled is drawn from the recipe's seed. What came from where is said, and kept in the card's training.

    Raises:
        CheckpointError: the weights are of another network or kind, or nothing in them fits.
    """
    options = dict(recipe.model)
    network = MODELS[options.pop("name")]
    kind = options.pop("kind", train.kind)
    weights = options.get("weights", "imagenet")
    is_file = not is_named(weights)
    if is_file:
        options["weights"] = "none"
    if "weights" not in inspect.signature(network.build).parameters:
        options.pop("weights", None)
    torch.manual_seed(recipe.train.seed)
    model: Segmenter = network.build(train.labels, kind, **fitted_options(network.build, options))
    stated: dict[str, Any] = {"source": weights, "origin": model.network.weights}
    if is_hub_network(weights) and say is not None:
        say(f"weights: {model.network.weights}")
    if is_file:
        found = transfer(model, require_file(weights))
        model.network.weights = found.summary()
        stated = found.to_json()
        if say is not None:
            say(str(found))
    model.card = replace(model.card, scale=recipe.data.scale or 1.0, training={"weights": stated})
    return model


def rebuilt(recipe: Recipe, train: Dataset, folder: RunFolder) -> Segmenter:
    """Build the network of a run that goes on: its weights are in its state, so that what it started from may be gone.

    Weights of a whole network bring its sizes with them, which the card holds and the recipe need not.
    """
    if not folder.state.is_file():
        return build(recipe, train)
    card = Card.from_json(read_json(folder.card), str(folder.card))
    model = build(replace(recipe, model={**recipe.model, **card.options, "weights": "none"}), train)
    model.network.weights = str(card.training.get("encoder_weights", ""))
    return Segmenter(
        model.network, model.head, replace(model.card, mean=card.mean, deviation=card.deviation, training=card.training)
    )
