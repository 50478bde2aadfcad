"""Train a segmenter: the loop, validation, and going on exactly where a run was stopped."""

import copy
import math
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric

from pixelwise.augment import AugmentOptions
from pixelwise.core.errors import OptionError, PixelwiseError, StorageError, TrainingError
from pixelwise.core.files import write_json
from pixelwise.core.options import to_table
from pixelwise.core.sample import Dataset
from pixelwise.models import checkpoint
from pixelwise.models.recompute import frozen_norms, recomputed
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.weights import write_tensors
from pixelwise.train.balance import class_presence, class_weights, repeat_factors
from pixelwise.train.cost import footprint
from pixelwise.train.devices import Share, fits, leads, processes_here, share, together
from pixelwise.train.examples import examples
from pixelwise.train.facts import look_at
from pixelwise.train.failures import first_line, is_lost_device, is_lost_process
from pixelwise.train.freeze import Frozen
from pixelwise.train.interrupt import gentle_stop
from pixelwise.train.loader import Batch, Crops, Order, batches
from pixelwise.train.loggers import Loggers, listening
from pixelwise.train.machine import free_memory, keep_freed_memory, this_machine, usable_cores
from pixelwise.train.optimise import Average, make_optimiser
from pixelwise.train.options import DataOptions, Recipe, TrainOptions
from pixelwise.train.plan import plan
from pixelwise.train.reporter import Reporter, duration
from pixelwise.train.run import RunFolder
from pixelwise.train.schedules import note_score, rate_at
from pixelwise.train.state import Progress, load_state, save_state
from pixelwise.train.step import Result, Stepper
from pixelwise.train.validate import validate, validation_steps

CACHE_SHARE = 0.25  # of the free memory, for decoded images
MOST_SKIPPED = 5  # steps in a row without a finite loss, before training ends


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
            options.loggers, out if loop.writes else None, _params(model, options, augment), loop.progress.step, reporter.line
        ) as loop.loggers,
        gentle_stop() as asked_to_stop,
    ):
        loop.run(reporter, asked_to_stop)
    return Run(out, loop.best_model(), loop.progress, loop.progress.stopped)


def _as_taught(dataset: Dataset, model: Segmenter) -> Dataset:
    """Read a data set as the classes a semantic model is taught, and see that they are the model's."""
    if model.card.kind == "semantic":
        dataset = dataset.semantic()
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
        from pixelwise.train.trial import measured_steps

        options = replace(options, minutes=0.0, steps=measured_steps(model, train, val, options, augment)[0])
    return options


def _params(model: Segmenter, options: TrainOptions, augment: AugmentOptions) -> dict[str, Any]:
    """Name all options of a run, for its loggers."""
    tables = {
        "model": {"name": model.card.name, "kind": model.card.kind, **model.card.options},
        "augment": to_table(augment),
        "train": to_table(options),
    }
    return {f"{table}.{name}": value for table, values in tables.items() for name, value in values.items()}


class Loop:
    """One run in memory."""

    def __init__(
        self,
        model: Segmenter,
        train: Dataset,
        val: Dataset,
        options: TrainOptions,
        augment: AugmentOptions,
        fabric: Fabric,
        folder: RunFolder | None = None,
        fingerprint: str = "",
    ) -> None:
        self.options, self.folder, self.fingerprint, self.val, self.fabric = options, folder, fingerprint, val, fabric
        self.device = fabric.device
        self.model = model.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.model.train()
        if options.freeze_norm:
            frozen_norms(self.model)
        self.frozen = Frozen(self.model, options)
        if not options.unfreeze_at:  # what is never released needs no optimiser
            self.frozen.apply(0)
        elif fabric.world_size > 1:
            raise OptionError("[train] unfreeze_at: several processes agree on what learns at the start; leave it out")
        self.average = Average(self.model, options.ema)
        self.optimiser = make_optimiser(self.model, options)
        self.stepper = Stepper(self.model, self.optimiser, self.average, fabric, options)
        chosen = 0 if self.device.type == "cpu" else min(usable_cores() // processes_here(options), 16)
        self.workers = options.workers if options.workers >= 0 else chosen
        readers = max(1, self.workers) * processes_here(options)
        memory = int(free_memory() * CACHE_SHARE / readers)  # each process keeps its own
        self.crops = Crops(
            train, copy.deepcopy(model.head).cpu(), augment, options.crop, options.seed, model.card.bands, memory
        )
        factors = repeat_factors(class_presence(train), options.rare_share) if options.sampling == "balanced" else None
        order = Order(len(train), options.step_images, options.seed, factors)
        self.order = Share(order, fabric.global_rank, fabric.world_size)
        self.progress = Progress()
        self.loggers = Loggers({}, str)
        self.best_weights: dict[str, torch.Tensor] | None = None
        self.best_is_saved = True
        self.saved, self.saved_step = time.monotonic(), 0
        self.marks = validation_steps(options)
        self.noted_every = max(1, options.steps // 200)

    @property
    def writes(self) -> RunFolder | None:
        """The folder to write to: the leader's alone."""
        return self.folder if self.fabric.is_global_zero else None

    def restore(self) -> None:
        """Go on from the run folder's state.

        Raises:
            TrainingError: the processes find different states.
        """
        assert self.folder is not None
        self.progress = load_state(self.folder.state, self.fingerprint, self._parts())
        self.saved_step = self.progress.step
        self.stepper.parts = max(self.options.accumulate, self.progress.parts)
        if share(self.progress.step, self.fabric) != self.progress.step:
            raise TrainingError(f"{self.folder.state}: the processes of this run find different states; they need one folder")

    def batches(self, first: int, last: int) -> Iterator[Batch]:
        """Give this process's share of the steps ``first`` to ``last`` (exclusive)."""
        return batches(self.crops, self.order, first, last, self.workers, self.device.type == "cuda")  # type: ignore[arg-type]

    def run(self, reporter: Reporter, asked_to_stop: threading.Event) -> None:
        """Train to the last step, or until asked to stop.

        Raises:
            TrainingError: the loss stays not finite, or the device failed.
        """
        if self.progress.step:
            reporter.line(f"resuming at step {self.progress.step} of {self.options.steps}")
        if frozen := self.frozen.describe(self.progress.step):
            reporter.line(frozen)
        try:
            with recomputed(self.model) if self.options.checkpointing else nullcontext():
                self._run(reporter, asked_to_stop)
        except RuntimeError as error:
            if isinstance(error, PixelwiseError) or not is_lost_device(error):
                raise
            raise self._lost(error) from error
        self._finish(reporter)

    def _run(self, reporter: Reporter, asked_to_stop: threading.Event) -> None:
        options, progress = self.options, self.progress
        source = self.batches(progress.step, options.steps)
        began, first = time.monotonic(), progress.step
        base = progress.seconds
        for batch in source:
            if progress.stopped:
                break
            result = self.step(batch, reporter, asked_to_stop.is_set())
            elapsed = time.monotonic() - began
            progress.seconds = base + elapsed
            done = progress.step - first
            speed = done * options.step_images / max(elapsed, 1e-9)
            left = elapsed / done * (options.steps - progress.step)
            reporter.step(progress.step, options.steps, result.loss, self.rate(progress.step - 1), speed, left)
            if progress.step in self.marks:
                self._validate(reporter, speed)
            elif progress.step % self.noted_every == 0:
                self._note(speed, {})
            stop = result.stop or (self.fabric.world_size == 1 and asked_to_stop.is_set())
            if stop or time.monotonic() - self.saved >= options.save_seconds:
                self._save(reporter)
            if stop:
                progress.stopped = "interrupted"
                break
        source.close()  # type: ignore[attr-defined]

    def rate(self, step: int) -> float:
        """Give the learning rate of a step."""
        return rate_at(step, self.options) * self.progress.lowered

    def step(self, batch: Batch, reporter: Reporter | None = None, stop: bool = False) -> Result:
        """Take one step and note it."""
        progress, parts = self.progress, self.stepper.parts
        if said := self.frozen.apply(progress.step):
            self._say(reporter, said)
        result = self.stepper(batch, progress.step, self.rate(progress.step), stop)
        progress.step += 1
        progress.images += self.options.step_images
        if self.stepper.parts != parts:
            progress.parts = self.stepper.parts
            self._say(
                reporter,
                f"memory ran out at step {progress.step}: its {len(batch.names)} images are computed in {progress.parts} parts "
                f"from here on; the step and its rate stay what they were",
            )
        if result.is_finite:
            progress.skipped_in_row = 0
            progress.loss_sum += result.loss
            progress.loss_steps += 1
            for name, value in result.terms.items():
                progress.term_sums[name] = progress.term_sums.get(name, 0.0) + value
        else:
            self._skipped(result, batch, reporter)
        return result

    def _skipped(self, result: Result, batch: Batch, reporter: Reporter | None) -> None:
        """Note a step that changed nothing.

        Raises:
            TrainingError: there were too many in a row, or the weights themselves are not finite.
        """
        progress = self.progress
        progress.skipped += 1
        progress.skipped_in_row += 1
        shown = ", ".join(f"{name} {value:.4g}" for name, value in result.terms.items())
        what = "loss" if not math.isfinite(result.loss) else "gradient"
        text = f"the {what} is not finite at step {progress.step} ({shown}) on the images {', '.join(batch.names)}"
        is_broken = not all(bool(torch.isfinite(weight).all()) for weight in self.stepper.parameters)
        if is_broken or progress.skipped_in_row >= MOST_SKIPPED:
            why = "the weights are not finite" if is_broken else f"so it was for {MOST_SKIPPED} steps in a row"
            raise TrainingError(
                f"{text}, and {why}; look at the images and their masks, or lower the rate with "
                f"--set train.rate={self.options.rate / 4:g}"
            )
        self._say(reporter, f"{text}: the step is skipped")

    @staticmethod
    def _say(reporter: Reporter | None, text: str) -> None:
        if reporter is not None:
            reporter.line(text)

    def _note(self, speed: float, scores: dict[str, float]) -> dict[str, float | None]:
        """Add a row to the history: the mean loss since the last one, and scores where there are any."""
        progress = self.progress
        row: dict[str, float | None] = {
            "step": progress.step,
            "epoch": progress.images / max(1, len(self.crops)),
            "loss": progress.loss_sum / progress.loss_steps if progress.loss_steps else None,
            "lr": self.rate(progress.step - 1),
            "images_per_second": speed,
            "seconds": progress.seconds,
            "val_miou": _finite(scores.get("miou")),
            "val_pixel_accuracy": _finite(scores.get("pixel_accuracy")),
        }
        terms = {name: value / progress.loss_steps for name, value in progress.term_sums.items()}
        progress.loss_sum, progress.loss_steps, progress.term_sums = 0.0, 0, {}
        figures = {(name if "val_" in name else f"train_{name}").replace("_", "/", 1): value for name, value in row.items()}
        del figures["train/step"]
        self.loggers.scalars(progress.step, {**figures, **{f"loss/{name}": value for name, value in terms.items()}})
        row |= {f"loss_{name}": value for name, value in terms.items()}
        progress.history.append(row)
        return row

    def _validate(self, reporter: Reporter, speed: float) -> None:
        progress = self.progress
        scores = validate(self.average.model, self.val, self.fabric, self.options.batch) if len(self.val) else {}
        row = self._note(speed, scores)
        miou = row["val_miou"] if row["val_miou"] is not None else -1.0
        is_best = not len(self.val) or miou > progress.best_score
        progress.since_best = 0 if is_best else progress.since_best + 1
        if is_best:
            progress.best_score, progress.best_step = miou, progress.step
            self.best_weights = {
                name: tensor.detach().cpu().clone() for name, tensor in self.average.model.state_dict().items()
            }
            self.best_is_saved = False
        if self.options.patience and progress.since_best >= self.options.patience:
            progress.stopped = f"no better mIoU in {self.options.patience} validations"
        text = f"step {progress.step}/{self.options.steps}"
        text += "" if row["loss"] is None else f"  loss {row['loss']:.4f}"
        if scores:
            text += f"  val mIoU {miou:.4f}  pixel accuracy {scores['pixel_accuracy']:.4f}{'  (best)' if is_best else ''}"
        reporter.line(f"{text}  {speed:.1f} images/s  {duration(progress.seconds)}")
        if note_score(miou, progress, self.options):
            reporter.line(
                f"no better mIoU in {self.options.plateau_patience} validations: the rate falls to {progress.lowered:.2g} of it"
            )
        self._show()
        self._save(reporter, with_history=True)

    def _show(self) -> None:
        """Give the loggers a few validation images."""
        if self.loggers.names and len(self.val):
            pictures = examples(self.average.model, self.val, self.fabric)
            self.loggers.images(self.progress.step, pictures)

    def _save(self, reporter: Reporter, with_history: bool = False, at_end: bool = False) -> None:
        """Save what a resumed run needs; a disk that is full is told and tried again, and at the end it is an error."""
        self.saved = time.monotonic()
        folder = self.writes
        if folder is None:
            return
        try:
            if not self.best_is_saved:
                self._save_best(folder)
            if with_history:
                folder.write_history(self.progress.history)
            if at_end:
                checkpoint.save(self.average.model, folder.last)
            save_state(folder.state, self.fingerprint, self.progress, self._parts())
            self.saved_step = self.progress.step
        except StorageError as error:
            if at_end:
                raise
            reporter.line(
                f"not saved at step {self.progress.step}: {error}; training goes on, the files of step {self.saved_step} stay"
            )

    def _save_best(self, folder: RunFolder) -> None:
        """Write the best weights, from the copy that is kept in memory."""
        assert self.best_weights is not None
        write_tensors(folder.best, self.best_weights, {"pixelwise": self.model.card.name})
        if not folder.card.is_file():
            write_json(folder.card, self.model.card.to_json())
        self.best_is_saved = True

    def _parts(self) -> dict[str, Any]:
        return {"model": self.model, "average": self.average.model, "optimiser": self.optimiser}

    def _lost(self, error: RuntimeError) -> TrainingError:
        """Say what is left after the device, or another process, has failed; save the state if it can still be read."""
        progress, folder = self.progress, self.writes
        if folder is not None and self.stepper.is_whole:
            try:
                save_state(folder.state, self.fingerprint, progress, self._parts())
                self.saved_step = progress.step
            except (RuntimeError, StorageError):  # what the device held is lost with it; the earlier state is whole
                pass
        what = "another process of the run" if is_lost_process(error) else f"the device ({self.device})"
        kept = "nothing was saved"
        if self.folder is not None and (self.saved_step or self.folder.state.is_file()):
            where = f"pixelwise train --resume --out {self.folder.folder}"
            kept = f"the state of step {self.saved_step} is saved; go on with: {where}"
        return TrainingError(f"{what} failed at step {progress.step + 1} ({first_line(error)}); {kept}")

    def _finish(self, reporter: Reporter) -> None:
        progress = self.progress
        if progress.stopped == "interrupted":
            self.loggers.state = "interrupted"
            if self.folder is not None:
                reporter.line(
                    f"stopped at step {self.saved_step}; go on with: pixelwise train --resume --out {self.folder.folder}"
                )
            return
        if progress.skipped:
            reporter.line(f"{progress.skipped} of {progress.step} steps were skipped, because their loss was not finite")
        if progress.stopped:
            reporter.line(f"stopped at step {progress.step}: {progress.stopped}")
        self._save(reporter, with_history=True, at_end=True)

    def best_model(self) -> Segmenter:
        """Give the averaged weights of the best validation."""
        if self.best_weights is not None:
            self.average.model.load_state_dict(self.best_weights)
        elif self.folder is not None and self.folder.best.is_file():  # resumed after the best was found
            return checkpoint.load(self.folder.best)
        return self.average.model.eval()


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
