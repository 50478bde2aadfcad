"""The tables of a run file: ``[data] [model] [augment] [train]``, and reading and writing them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from pixelwise.augment import AugmentOptions
from pixelwise.core.errors import OptionError, nearest
from pixelwise.core.options import from_table, read_toml, to_table, write_toml


@dataclass(frozen=True)
class DataOptions:
    """The table ``[data]``.

    Attributes:
        path: the labelled folder.
        format: the label format; empty to find out.
        void: stored values that mean "not labelled", as ``--void`` takes them.
        classes: names or a table of them, as ``--classes`` takes them.
        train: the split to train on; empty for ``train`` where there is one, else all that is not for validation.
        val: the split to validate on, or the fraction to keep aside; empty for ``val`` where there is one, else ``"0.2"``.
    """

    path: str = ""
    format: str = ""
    void: str = ""
    classes: str = ""
    train: str = ""
    val: str = ""


@dataclass(frozen=True)
class TrainOptions:
    """The table ``[train]``. A value of 0 (or ``auto``) is chosen by the plan, which prints why.

    Attributes:
        seed: of weights, order and augmentation.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        precision: ``auto``, ``32-true`` or ``bf16-mixed``.
        threads: CPU threads; 0 takes all cores.
        minutes: a time to fill; becomes ``steps`` once, after a short warm-up, and is then 0.
        epochs: passes over the data; becomes ``steps``.
        steps: optimiser steps in all.
        batch: images a step.
        crop: (height, width) an image is cropped or padded to.
        rate: the highest learning rate.
        encoder_rate: the encoder's rate as a share of it.
        decay: weight decay, on weights alone, not on norms and biases.
        warmup: share of the steps in which the rate grows.
        final_rate: share of the rate at the last step, where the cosine ends.
        clip: largest norm of the gradient.
        ema: decay of the averaged weights that are validated and kept; 0 for none.
        class_weights: of the cross entropy: ``none`` (the Dice term counts every class alike already), ``log`` (ENet's rule)
            or ``median`` (median frequency).
        validations: how many times to validate, evenly spaced; the last one at the last step.
        patience: stop after so many validations without a better mIoU; 0 never does.
        save_seconds: how often the state for resuming is written; 0 after every step.
        workers: loader processes; -1 chooses: a thread on a CPU, processes for an accelerator.
    """

    seed: int = 0
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: str = "auto"
    threads: int = 0
    minutes: float = 0.0
    epochs: float = 0.0
    steps: int = 0
    batch: int = 0
    crop: tuple[int, int] = (0, 0)
    rate: float = 1e-3
    encoder_rate: float = 1.0
    decay: float = 0.01
    warmup: float = 0.04
    final_rate: float = 0.0
    clip: float = 5.0
    ema: float = 0.998
    class_weights: Literal["none", "log", "median"] = "none"
    validations: int = 0
    patience: int = 0
    save_seconds: float = 60.0
    workers: int = -1

    def __post_init__(self) -> None:
        for name in (
            "seed",
            "minutes",
            "epochs",
            "steps",
            "batch",
            "rate",
            "decay",
            "clip",
            "save_seconds",
            "validations",
            "patience",
            "threads",
        ):
            if getattr(self, name) < 0:
                raise OptionError(f"[train] {name}: expected 0 or more, got {getattr(self, name)}")
        if not 0 <= self.ema < 1:
            raise OptionError(f"[train] ema: expected 0 to below 1, got {self.ema}")
        if self.precision not in ("auto", "32-true", "bf16-mixed"):
            raise OptionError(f"[train] precision: {nearest(self.precision, ['auto', '32-true', 'bf16-mixed'])}")
        if sum(bool(value) for value in (self.minutes, self.epochs, self.steps)) > 1:
            raise OptionError("[train] minutes, epochs and steps exclude each other: they all say how long; give one")


@dataclass(frozen=True)
class Recipe:
    """A run file: all that is needed to repeat a run on the same data."""

    data: DataOptions = field(default_factory=DataOptions)
    model: Mapping[str, Any] = field(default_factory=lambda: {"name": "unet"})
    augment: AugmentOptions = field(default_factory=AugmentOptions)
    train: TrainOptions = field(default_factory=TrainOptions)


def recipe_from(tables: Mapping[str, Any], where: str = "recipe") -> Recipe:
    """Read a recipe from tables.

    Raises:
        OptionError: a table or a key is unknown; the message has the nearest known one.
    """
    known = [one.name for one in fields(Recipe)]
    for name, table in tables.items():
        if name not in known:
            raise OptionError(f"{where}: there is no table [{name}]; {nearest(name, known)}")
        if not isinstance(table, Mapping):
            raise OptionError(f"{where}: [{name}] is a table of options, not {table!r}")
    model = {"name": "unet", **tables.get("model", {})}
    return Recipe(
        from_table(DataOptions, tables.get("data", {}), "data"),
        model,
        from_table(AugmentOptions, tables.get("augment", {}), "augment"),
        from_table(TrainOptions, tables.get("train", {}), "train"),
    )


def read_recipe(path: Path) -> Recipe:
    """Read a recipe from a TOML file."""
    return recipe_from(read_toml(path), str(path))


def tables_of(recipe: Recipe) -> dict[str, Any]:
    """Give a recipe's tables; ``recipe_from`` reads them back equal."""
    return {
        "data": to_table(recipe.data),
        "model": dict(recipe.model),
        "augment": to_table(recipe.augment),
        "train": to_table(recipe.train),
    }


def write_recipe(path: Path, recipe: Recipe) -> None:
    """Write a recipe as TOML."""
    write_toml(path, tables_of(recipe))
