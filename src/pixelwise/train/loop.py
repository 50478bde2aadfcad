"""The loop of a run: steps, validation, history, and going on exactly where it was stopped."""

import copy
import math
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext

import torch
from lightning.fabric import Fabric

from pixelwise.augment import AugmentOptions
from pixelwise.core.errors import OptionError, PixelwiseError, TrainingError
from pixelwise.core.resources import free_memory, usable_cores
from pixelwise.core.sample import Dataset
from pixelwise.models.recompute import frozen_norms, recomputed
from pixelwise.models.segmenter import Segmenter
from pixelwise.train.balance import class_presence, repeat_factors
from pixelwise.train.devices import Share, processes_here, share
from pixelwise.train.examples import examples
from pixelwise.train.failures import is_lost_device
from pixelwise.train.freeze import Frozen
from pixelwise.train.goal import goal_of
from pixelwise.train.keeper import Keeper
from pixelwise.train.loader import Batch, Crops, Order, batches
from pixelwise.train.loggers import Loggers
from pixelwise.train.optimise import Average, make_optimiser
from pixelwise.train.options import TrainOptions
from pixelwise.train.reporter import Reporter, duration
from pixelwise.train.run import RunFolder
from pixelwise.train.schedules import note_score, rate_at
from pixelwise.train.state import Progress
from pixelwise.train.step import Result, Stepper
from pixelwise.train.validate import validate, validation_steps

CACHE_SHARE = 0.25  # of the free memory, for decoded images
MOST_SKIPPED = 5  # steps in a row without a finite loss, before training ends


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
        self.options, self.val, self.fabric = options, val, fabric
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
        parts = {"model": self.model, "average": self.average.model, "optimiser": self.optimiser}
        self.keeper = Keeper(folder, fabric.is_global_zero, fingerprint, parts)
        self.marks = validation_steps(options)
        self.goal = goal_of(model.card.kind)
        self.noted_every = max(1, options.steps // 200)

    def restore(self) -> None:
        """Go on from the run folder's state.

        Raises:
            TrainingError: the processes find different states.
        """
        self.progress = self.keeper.restore()
        self.stepper.parts = max(self.options.accumulate, self.progress.parts)
        if share(self.progress.step, self.fabric) != self.progress.step:
            raise TrainingError("the processes of this run find different states; they need one run folder")

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
            raise self.keeper.lost(error, self.progress, self.device, self.stepper.is_whole) from error
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
            if stop or time.monotonic() - self.keeper.saved >= options.save_seconds:
                self.keeper.save(progress, reporter)
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
            **{f"val_{name}": _finite(scores.get(name)) for name in (self.goal.main, self.goal.beside)},
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
        found = row[f"val_{self.goal.main}"]
        score = -1.0 if found is None else found
        is_best = not len(self.val) or score > progress.best_score
        progress.since_best = 0 if is_best else progress.since_best + 1
        if is_best:
            progress.best_score, progress.best_step = score, progress.step
            self.keeper.note_best()
        main, beside = self.goal.words
        if self.options.patience and progress.since_best >= self.options.patience:
            progress.stopped = f"no better {main} in {self.options.patience} validations"
        text = f"step {progress.step}/{self.options.steps}"
        text += "" if row["loss"] is None else f"  loss {row['loss']:.4f}"
        if scores:
            text += f"  val {main} {score:.4f}  {beside} {scores[self.goal.beside]:.4f}{'  (best)' if is_best else ''}"
        reporter.line(f"{text}  {speed:.1f} images/s  {duration(progress.seconds)}")
        if note_score(score, progress, self.options):
            waited = f"no better {main} in {self.options.plateau_patience} validations"
            reporter.line(f"{waited}: the rate falls to {progress.lowered:.2g} of it")
        self._show()
        self.keeper.save(progress, reporter, with_history=True)

    def _show(self) -> None:
        """Give the loggers a few validation images."""
        if self.loggers.names and len(self.val):
            pictures = examples(self.average.model, self.val, self.fabric)
            self.loggers.images(self.progress.step, pictures)

    def _finish(self, reporter: Reporter) -> None:
        progress = self.progress
        if progress.stopped == "interrupted":
            self.loggers.state = "interrupted"
            if self.keeper.folder is not None:
                reporter.line(f"stopped at step {self.keeper.saved_step}; go on with: {self.keeper.resume_command}")
            return
        if progress.skipped:
            reporter.line(f"{progress.skipped} of {progress.step} steps were skipped, because their loss was not finite")
        if progress.stopped:
            reporter.line(f"stopped at step {progress.step}: {progress.stopped}")
        self.keeper.save(progress, reporter, with_history=True, at_end=True)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
