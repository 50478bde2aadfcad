"""The tables of a run file: ``[data] [model] [augment] [train]``, and reading and writing them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from pixelwise.augment import AugmentOptions
from pixelwise.core.errors import OptionError, nearest
from pixelwise.core.options import from_table, read_toml, to_table, write_toml
from pixelwise.models import MODELS
from pixelwise.train.loggers import LOGGERS

VALIDATIONS = 10  # of a run, where their number is not asked for


@dataclass(frozen=True)
class DataOptions:
    """The table ``[data]``.

    Attributes:
        path: the labelled folder.
        format: the label format; empty to find out.
        void: stored values that mean "not labelled", as ``--void`` takes them.
        classes: names or a table of them, as ``--classes`` takes them.
        lists: a folder of list files such as ``data split`` writes; its splits take the place of the data's own.
        train: the split to train on; empty for ``train`` where there is one, else all that is not for validation.
        val: the split to validate on, or the fraction to keep aside; empty for ``val`` where there is one, else ``"0.2"``.
        test: a fraction set aside before anything else is divided, drawn by the seed; ``evaluate --split test`` finds it.
        scale: what images and masks are reduced by when they are read (0.25: to a quarter of their sides); 1 leaves them, 0
            lets the plan choose, which reduces huge images alone. Predictions come at the images' own size again.
        folds: divide all but the test split into so many parts for cross-validation; 0 does not.
        fold: which of them, from 1, is validated on; 0 means all, one run each.
    """

    path: str = ""
    format: str = ""
    void: str = ""
    classes: str = ""
    lists: str = ""
    train: str = ""
    val: str = ""
    test: float = 0.0
    scale: float = 0.0
    folds: int = 0
    fold: int = 0

    def __post_init__(self) -> None:
        if self.folds < 0 or self.folds == 1:
            raise OptionError(f"[data] folds: expected 2 or more, or 0 for none, got {self.folds}")
        if not 0 <= self.fold <= self.folds:
            raise OptionError(f"[data] fold: expected one from 1 to {self.folds} (folds), or 0 for all, got {self.fold}")
        if self.folds and self.val:
            raise OptionError("[data] folds and val exclude each other: each fold is validated on in its turn; leave one out")
        if not 0 <= self.test < 1:
            raise OptionError(f"[data] test: expected a fraction below 1, or 0 for none, got {self.test}")
        if not 0 <= self.scale <= 1:
            raise OptionError(f"[data] scale: expected a factor up to 1, or 0 to let the plan choose, got {self.scale}")


@dataclass(frozen=True)
class TrainOptions:
    """The table ``[train]``. A value of 0 (or ``auto``) is chosen by the plan, which prints why.

    Attributes:
        seed: of weights, order and augmentation.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        devices: processes on each machine, one a device: a number, or ``auto`` for every GPU. Under torchrun or SLURM the
            launcher's own number holds.
        nodes: machines that take part; each is given the same command.
        strategy: how processes work together: ``ddp``, or ``auto``, which takes it where there are several.
        precision: ``auto``, ``32-true`` or ``bf16-mixed``.
        threads: CPU threads; 0 takes all cores.
        minutes: a time to fill; becomes ``steps`` once, after a short warm-up, and is then 0.
        epochs: passes over the data; becomes ``steps``.
        steps: optimiser steps in all.
        batch: images a step, over all processes.
        accumulate: how many such batches make up one step: their gradients are added before the weights change.
        checkpointing: keep few activations and compute the others again in the backward pass: less memory, a third more time.
        freeze_norm: keep the statistics of batch norms as they came; for batches too small to measure them.
        crop: (height, width) an image is cropped or padded to.
        optimiser: ``adamw``, ``adam``, ``sgd`` (with Nesterov's momentum; wants a rate about 30 times AdamW's) or ``lion``
            (wants about a fifth of AdamW's, and more decay).
        momentum: of ``sgd``.
        schedule: the rate over the steps: ``cosine``, ``poly`` (power 0.9), ``onecycle``, ``plateau`` (lowered when the
            validation mIoU stops rising) or ``constant``.
        rate: the highest learning rate.
        encoder_rate: the encoder's rate as a share of it.
        layer_decay: the rate of each stage of the encoder as a share of the next deeper one's; 1 treats all alike.
        decay: weight decay, on weights alone, not on norms and biases.
        warmup: share of the steps in which the rate grows.
        final_rate: share of the rate at the last step, where ``cosine`` and ``poly`` end; ``plateau`` goes no lower.
        plateau_patience: validations without a better mIoU before ``plateau`` lowers the rate.
        plateau_factor: what it is then multiplied by.
        clip: largest norm of the gradient.
        ema: decay of the averaged weights that are validated and kept; 0 for none.
        class_weights: in the losses that average over pixels: ``none`` (the Dice term counts every class alike already),
            ``log`` (ENet's rule) or ``median`` (median frequency); a class without a training pixel gets 0.
        sampling: ``uniform``, or ``balanced``: images of rare classes are drawn more often, the others less; ``auto`` is
            balanced where a class is in few images.
        rare_share: for ``balanced``: a class that fewer of the images hold is rare.
        freeze: how many of the encoder's stages, from the finest, do not learn (their batch norms keep their statistics);
            ``encoder`` for all of it.
        unfreeze_at: share of the steps after which they learn too; 0 for never.
        loggers: what is told of the run, and to whom: ``auto`` (TensorBoard; MLflow where it is installed; Weights & Biases
            where it is installed and WANDB_API_KEY or WANDB_MODE is set), names with commas, or ``none``.
        validations: how many times to validate, evenly spaced; the last one at the last step. 0 takes ten, or with ``minutes``
            as many of them as take a quarter of the time.
        patience: stop after so many validations without a better mIoU; 0 never does.
        save_seconds: how often the state for resuming is written; 0 after every step.
        workers: loader processes; -1 chooses: a thread on a CPU, processes for an accelerator.
    """

    seed: int = 0
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    devices: int | Literal["auto"] = 1
    nodes: int = 1
    strategy: Literal["auto", "ddp"] = "auto"
    precision: str = "auto"
    threads: int = 0
    minutes: float = 0.0
    epochs: float = 0.0
    steps: int = 0
    batch: int = 0
    accumulate: int = 1
    checkpointing: bool = False
    freeze_norm: bool = False
    crop: tuple[int, int] = (0, 0)
    optimiser: Literal["adamw", "adam", "sgd", "lion"] = "adamw"
    momentum: float = 0.9
    schedule: Literal["cosine", "poly", "onecycle", "plateau", "constant"] = "cosine"
    rate: float = 1e-3
    encoder_rate: float = 1.0
    layer_decay: float = 1.0
    decay: float = 0.01
    warmup: float = 0.04
    final_rate: float = 0.0
    plateau_patience: int = 2
    plateau_factor: float = 0.3
    clip: float = 5.0
    ema: float = 0.998
    class_weights: Literal["none", "log", "median"] = "none"
    sampling: Literal["auto", "uniform", "balanced"] = "auto"
    rare_share: float = 0.25
    freeze: int | Literal["encoder"] = 0
    unfreeze_at: float = 0.0
    loggers: str = "auto"
    validations: int = 0
    patience: int = 0
    save_seconds: float = 60.0
    workers: int = -1

    def __post_init__(self) -> None:
        for name in ("minutes", "epochs", "rate", "encoder_rate", "decay", "clip", "save_seconds"):
            if not math.isfinite(getattr(self, name)):
                raise OptionError(f"[train] {name}: expected a finite number, got {getattr(self, name)}")
        if self.seed >= 2**32:
            raise OptionError(f"[train] seed: expected a whole number below {2**32}, got {self.seed}")
        if min(self.crop) < 0 or any(self.crop) != all(self.crop):
            height, width = self.crop
            raise OptionError(
                f"[train] crop: expected [height, width], or [0, 0] for the plan to choose, got [{height}, {width}]"
            )
        for name in (
            "seed",
            "minutes",
            "epochs",
            "steps",
            "batch",
            "rate",
            "encoder_rate",
            "decay",
            "clip",
            "save_seconds",
            "validations",
            "patience",
            "threads",
        ):
            if getattr(self, name) < 0:
                raise OptionError(f"[train] {name}: expected 0 or more, got {getattr(self, name)}")
        for name in ("devices", "nodes", "accumulate", "plateau_patience"):
            if getattr(self, name) != "auto" and getattr(self, name) < 1:
                raise OptionError(f"[train] {name}: expected 1 or more, got {getattr(self, name)}")
        for name in ("ema", "momentum"):
            if not 0 <= getattr(self, name) < 1:
                raise OptionError(f"[train] {name}: expected 0 to below 1, got {getattr(self, name)}")
        for name in ("layer_decay", "plateau_factor"):
            if not 0 < getattr(self, name) <= 1:
                raise OptionError(f"[train] {name}: expected above 0 and at most 1, got {getattr(self, name)}")
        for name in ("warmup", "final_rate", "rare_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(f"[train] {name}: expected a share from 0 to 1, got {getattr(self, name)}")
        if self.precision not in ("auto", "32-true", "bf16-mixed"):
            raise OptionError(f"[train] precision: {nearest(self.precision, ['auto', '32-true', 'bf16-mixed'])}")
        if self.freeze != "encoder" and self.freeze < 0:
            raise OptionError(f"[train] freeze: expected a number of stages or 'encoder', got {self.freeze}")
        if not 0 <= self.unfreeze_at < 1 or (self.unfreeze_at and not self.freeze):
            raise OptionError(
                f"[train] unfreeze_at: expected a share of the steps from 0 to below 1, with freeze, got {self.unfreeze_at}"
            )
        for name in filter(None, (one.strip() for one in self.loggers.split(","))):
            if name not in LOGGERS and name not in ("auto", "none"):
                raise OptionError(f"[train] loggers: there is no '{name}'; {nearest(name, ['auto', 'none', *LOGGERS])}")
        if sum(bool(value) for value in (self.minutes, self.epochs, self.steps)) > 1:
            raise OptionError("[train] minutes, epochs and steps exclude each other: they all say how long; give one")

    @property
    def step_images(self) -> int:
        """Images whose gradients make up one step, over all processes."""
        return self.batch * self.accumulate


PLACE = frozenset(  # options that say where and how a run is computed, not what: a run may be resumed with others
    {"device", "devices", "nodes", "strategy", "threads", "workers", "save_seconds", "checkpointing", "loggers"}
)


@dataclass(frozen=True)
class Recipe:
    """A run file: all that is needed to repeat a run on the same data.

    Attributes:
        model: the table ``[model]``: the network's ``name``, without which the labels' kind chooses, and its options.
        stated: the options of ``[train]`` that were given; the others give way to what suits the network. It is in no file.
    """

    data: DataOptions = field(default_factory=DataOptions)
    model: Mapping[str, Any] = field(default_factory=dict)
    augment: AugmentOptions = field(default_factory=AugmentOptions)
    train: TrainOptions = field(default_factory=TrainOptions)
    stated: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def network(self) -> str:
        """The network's name; empty where the labels' kind is to choose."""
        return str(self.model.get("name", ""))


def recipe_from(tables: Mapping[str, Any], where: str = "recipe") -> Recipe:
    """Read a recipe from tables.

    Raises:
        OptionError: a table or a key is unknown; the message has the nearest known one.
    """
    known = [one.name for one in fields(Recipe) if one.name != "stated"]
    for name, table in tables.items():
        if name not in known:
            raise OptionError(f"{where}: there is no table [{name}]; {nearest(name, known)}")
        if not isinstance(table, Mapping):
            raise OptionError(f"{where}: [{name}] is a table of options, not {table!r}")
    return Recipe(
        from_table(DataOptions, tables.get("data", {}), "data"),
        dict(tables.get("model", {})),
        from_table(AugmentOptions, tables.get("augment", {}), "augment"),
        from_table(TrainOptions, tables.get("train", {}), "train"),
        frozenset(tables.get("train", {})),
    )


def with_network(recipe: Recipe, name: str) -> Recipe:
    """Give a recipe its network, and those options of ``[train]`` that suit it better than the usual ones: its ``TRAINING``.

    Options that were stated stay.

    Raises:
        UnknownName: there is no such network; the message has the nearest names.
    """
    usual: Mapping[str, Any] = getattr(MODELS[name], "TRAINING", {})
    suited = {key: value for key, value in usual.items() if key not in recipe.stated}
    model = {"name": name, **{key: value for key, value in recipe.model.items() if key != "name"}}
    return replace(recipe, model=model, train=replace(recipe.train, **suited), stated=recipe.stated | suited.keys())


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
