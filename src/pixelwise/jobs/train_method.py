"""Train a method that learns, by the recipe and the commands that networks are trained by.

``pixelwise train --data D --model randomforest --out RUN`` reads, checks and divides the data as it does for a network. The run
folder then holds ``method.toml``, ``method.safetensors`` and ``card.json``, and ``load``, ``predict`` and ``evaluate`` take it
as they take a network's. The method's options are those of the table ``[model]``: ``--set model.trees=60``.
"""

import time
from collections.abc import Callable
from pathlib import Path

from pixelwise.core.errors import OptionError, RunInUse
from pixelwise.core.files import locked, make_folder, write_json
from pixelwise.core.sample import Dataset
from pixelwise.curate.split_lists import read_with_lists
from pixelwise.methods import TRAINABLE
from pixelwise.methods.predictor import Method
from pixelwise.methods.stored import fitted_options, write_method
from pixelwise.train.options import DataOptions, Recipe
from pixelwise.train.start import Prepared, prepare

_PLACE = frozenset({"device"})  # of [train], what is said of where and not of what


def is_method(recipe: Recipe) -> bool:
    """Tell whether a recipe names a method that learns, and not a network."""
    return recipe.network in TRAINABLE


def train_method(recipe: Recipe, out: Path, say: Callable[[str], None]) -> tuple[Method, Prepared]:
    """Train a method and write it to the folder ``out``; give it, and the data it was trained and is to be scored on.

    Args:
        recipe: its ``[model]`` names the method and its options; of ``[train]`` only ``seed`` holds.
        out: a folder that is new or empty.
        say: called with a line at a time.

    Raises:
        OptionError: the recipe says what is for networks alone, or an option is unknown or does not fit.
        RunInUse: ``out`` holds something.
        UnsettledLabels: what the data's values mean is in doubt.
        DataError: there is nothing to learn from.
    """
    method = _method(recipe)
    if make_folder(out) and any(not entry.name.startswith(".") for entry in out.iterdir()):
        raise RunInUse(f"{out}: expected an empty folder for a new run; choose another --out")
    with locked(out):
        prepared = _prepared(recipe, say)
        began = time.monotonic()
        trained = method.fit(prepared.train)
        say(f"{method.name}: learned from {len(prepared.train)} images in {time.monotonic() - began:.1f} s")
        trained = trained.known_to(_training(prepared, recipe.data))
        write_method(trained, out)
        write_json(out / "card.json", trained.card.to_json())
    return trained, prepared


def _method(recipe: Recipe) -> Method:
    if recipe.data.folds:
        raise OptionError(f"[data] folds: '{recipe.network}' is a method, and folds are of networks")
    if strange := sorted(recipe.stated - _PLACE - {"seed"}):
        raise OptionError(
            f"[train] {strange[0]}: '{recipe.network}' is a method, and takes no steps; give its options in [model]"
        )
    options = {key: value for key, value in recipe.model.items() if key not in ("name", "kind")}
    if "seed" in recipe.stated:
        options = {"seed": recipe.train.seed, **options}
    return Method(recipe.network, **fitted_options(recipe.network, options, "[model]"))


def _prepared(recipe: Recipe, say: Callable[[str], None]) -> Prepared:
    """Read, check and divide the data as for a network of the kind that the method learns from."""
    options = recipe.data
    if not options.path:
        raise OptionError("there is no data: give --data PATH, or path in the recipe's table [data]")
    lists = Path(options.lists) if options.lists else None
    given: Dataset = read_with_lists(Path(options.path), lists, format=options.format or None)
    kind = "regions" if given.kind == "regions" and recipe.network == "ragmerge" else "semantic"
    return prepare(Recipe(options, {"name": "unet", "kind": kind}, train=recipe.train), say)


def _training(prepared: Prepared, options: DataOptions) -> dict[str, object]:
    """Say what was learned from, as the card of a network does."""
    good = prepared.audit.good
    test = good.splits.get("test", ()) if options.test or options.lists else ()
    return {
        "data": Path(options.path).name,
        "train_images": len(prepared.train),
        "val_images": len(prepared.val),
        "val_names": [sample.name for sample in prepared.val],
        **({"lists": Path(options.lists).name} if options.lists else {}),
        **({"test_names": [good[row].name for row in test]} if test else {}),
    }
