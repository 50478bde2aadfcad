"""Train a segmenter: see that data, model and options fit each other, fill what is left open, and run the loop."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pixelwise.augment import AugmentOptions
from pixelwise.core.errors import OptionError, TrainingError
from pixelwise.core.options import to_table
from pixelwise.core.resources import usable_cores
from pixelwise.core.sample import Dataset
from pixelwise.models.segmenter import Segmenter
from pixelwise.train.balance import class_weights
from pixelwise.train.cost import footprint
from pixelwise.train.devices import fits, leads, processes_here, share, together
from pixelwise.train.facts import look_at
from pixelwise.train.interrupt import gentle_stop
from pixelwise.train.loggers import listening
from pixelwise.train.loop import Loop
from pixelwise.train.machine import keep_freed_memory, this_machine
from pixelwise.train.options import DataOptions, Recipe, TrainOptions
from pixelwise.train.plan import plan
from pixelwise.train.reporter import Reporter
from pixelwise.train.run import RunFolder
from pixelwise.train.state import Progress


@dataclass(frozen=True)
class Run:
    """A finished (or stopped) run.

    Attributes:
        folder: where it is kept, or None.
        model: the averaged weights of the best validation, in evaluation mode.
        progress: steps, seconds, history and the best score.
        stopped: empty, or why training ended before its last step.
    """

    folder: Path | None
    model: Segmenter
    progress: Progress
    stopped: str


def fit(
    model: Segmenter,
    train: Dataset,
    val: Dataset,
    options: TrainOptions | None = None,
    augment: AugmentOptions | None = None,
    out: Path | str | None = None,
    resume: bool = False,
    quiet: bool = False,
) -> Run:
    """Train ``model`` in place.

    Args:
        model: with its head and card; its classes must be the data's.
        train, val: data sets with settled labels; instances are painted as classes for a semantic model. ``val`` may be
            empty, and the last weights are then the best.
        options: what they leave open (steps, batch, crop, precision) is planned from the data and the machine.
        augment: what to draw; None for the defaults.
        out: the run folder, a new one or that of the run to resume, kept from other processes meanwhile; None keeps nothing.
        resume: go on from the state in ``out`` where there is one.
        quiet: print nothing.

    Raises:
        RunInUse: ``out`` holds another run or other files, or another process trains into it.
        TrainingError: there is no image to train on; the loss stays not finite (the batch's images are named); memory does not
            hold one image; the device fails.
        OptionError: the options do not fit each other or the machine.
        StorageError: the last weights cannot be written. Earlier in training the files of an earlier step are then kept.
    """
    options = options or TrainOptions()
    if out is None or not leads(options):
        return fit_in(None if out is None else Path(out), model, train, val, options, augment, resume, quiet)
    folder = RunFolder(Path(out))
    with folder.locked():
        if not (resume and folder.state.is_file()):
            folder.open_new()
        return fit_in(folder.folder, model, train, val, options, augment, resume, quiet)


def fit_in(
    out: Path | None,
    model: Segmenter,
    train: Dataset,
    val: Dataset,
    options: TrainOptions,
    augment: AugmentOptions | None = None,
    resume: bool = False,
    quiet: bool = False,
    fingerprint: str = "",
) -> Run:
    """Train as ``fit`` does, into a folder that the caller has made and locked.

    ``fingerprint`` is of data and recipe: a state with another one is refused.
    """
    if not len(train):
        raise TrainingError("there is no image to train on")
    train, val = _as_taught(train, model), _as_taught(val, model)
    augment = augment or AugmentOptions()
    fabric = together(options)
    _weigh_classes(model, train, options)
    options = share(_complete(model, train, val, options, augment) if fabric.is_global_zero else options, fabric)
    fits(options)
    keep_freed_memory()
    torch.set_num_threads(options.threads or max(1, usable_cores() // processes_here(options)))
    folder = RunFolder(out) if out is not None else None
    loop = Loop(model, train, val, options, augment, fabric, folder, fingerprint)
    if resume and folder is not None and folder.state.is_file():
        loop.restore()
    log = folder.log if folder and fabric.is_global_zero else None
    with (
        Reporter(log, options.steps, quiet or not fabric.is_global_zero) as reporter,
        listening(
            options.loggers,
            out if fabric.is_global_zero else None,
            _params(model, options, augment),
            loop.progress.step,
            reporter.line,
        ) as loop.loggers,
        gentle_stop() as asked_to_stop,
    ):
        loop.run(reporter, asked_to_stop)
    return Run(out, loop.keeper.best_model(), loop.progress, loop.progress.stopped)


def _as_taught(dataset: Dataset, model: Segmenter) -> Dataset:
    """Read a data set as the kind that the model is taught, and see that the classes are the model's."""
    if model.card.kind == "semantic":
        dataset = dataset.semantic()
    elif model.card.kind == "instance":
        dataset = dataset.instances()
    elif dataset.kind != model.card.kind:
        raise OptionError(f"{dataset.name}: its labels are {dataset.kind}, and the model learns {model.card.kind} segmentation")
    if not dataset.labels.same_classes(model.card.labels):
        own, known = (", ".join(labels.names[:8]) for labels in (dataset.labels, model.card.labels))
        raise OptionError(
            f"{dataset.name}: its classes ({own}) are not those of the model ({known}) in the same order; build the model with "
            f"the data's labels (those of .semantic() where they are instances), or read the data under the model's"
        )
    return dataset


def _weigh_classes(model: Segmenter, train: Dataset, options: TrainOptions) -> None:
    """Weigh classes as the options say, unless the model was built with weights, as that of a recipe is."""
    if options.class_weights == "none" or model.head.class_weights is not None:
        return
    facts = look_at(train)
    if (weights := class_weights(options.class_weights, facts.shares, facts.presence)) is not None:
        model.head.weigh(weights)


def _complete(model: Segmenter, train: Dataset, val: Dataset, options: TrainOptions, augment: AugmentOptions) -> TrainOptions:
    """Fill what the options leave open."""
    if not (options.steps and options.batch and min(options.crop)):
        recipe = Recipe(DataOptions(scale=1.0), train=options)
        facts, machine = look_at(train), this_machine(options.device)
        options = plan(recipe, facts, machine, lambda _, classes, precision: footprint(model, precision)).recipe.train
    if options.minutes:
        from pixelwise.train.trial import timed

        options = timed(model, train, val, options, augment)[0]
    return options


def _params(model: Segmenter, options: TrainOptions, augment: AugmentOptions) -> dict[str, Any]:
    """Name all options of a run, for its loggers."""
    tables = {
        "model": {"name": model.card.name, "kind": model.card.kind, **model.card.options},
        "augment": to_table(augment),
        "train": to_table(options),
    }
    return {f"{table}.{name}": value for table, values in tables.items() for name, value in values.items()}
