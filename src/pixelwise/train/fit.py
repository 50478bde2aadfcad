"""Train a segmenter: the loop, validation, and going on exactly where a run was stopped."""

import copy
import logging
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from lightning.fabric import Fabric

from pixelwise.augment import AugmentOptions
from pixelwise.core.errors import TrainingError
from pixelwise.core.sample import Dataset
from pixelwise.models import checkpoint
from pixelwise.models.segmenter import Segmenter
from pixelwise.train.interrupt import gentle_stop
from pixelwise.train.loader import Batch, Crops, Order, batches
from pixelwise.train.machine import free_memory, keep_freed_memory, this_machine, usable_cores
from pixelwise.train.optimise import Average, make_optimiser, rate_at, set_rate
from pixelwise.train.options import Recipe, TrainOptions
from pixelwise.train.plan import look_at, plan
from pixelwise.train.reporter import Reporter, duration
from pixelwise.train.run import RunFolder
from pixelwise.train.state import Progress, load_state, save_state
from pixelwise.train.validate import validate, validation_steps

CACHE_SHARE = 0.25  # of the free memory, for decoded images


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
    out: Path | None = None,
    resume: bool = False,
    quiet: bool = False,
    fingerprint: str = "",
) -> Run:
    """Train ``model`` in place.

    Args:
        model: with its head and card; its labels must be the data's.
        train, val: data sets with settled labels; ``val`` may be empty, and the last weights are then the best.
        options: what they leave open (steps, batch, crop, precision) is planned from the data and the machine.
        augment: what to draw; None for the defaults.
        out: the run folder, made and checked by the caller; None keeps nothing.
        resume: go on from the state in ``out`` where there is one.
        quiet: print nothing.
        fingerprint: of data and recipe; a state with another one is refused.

    Raises:
        TrainingError: there is no image to train on, or the loss is not finite; the batch's images are named.
    """
    if not len(train):
        raise TrainingError("there is no image to train on")
    options, augment = options or TrainOptions(), augment or AugmentOptions()
    if not (options.steps and options.batch and min(options.crop)):
        options = plan(Recipe(train=options), look_at(train), this_machine(options.device)).recipe.train
    if options.minutes:
        options = replace(options, minutes=0.0, steps=measured_steps(model, train, val, options, augment)[0])
    keep_freed_memory()
    torch.set_num_threads(options.threads or usable_cores())
    folder = RunFolder(out) if out is not None else None
    loop = _Loop(model, train, val, options, augment, folder, fingerprint)
    if resume and folder is not None and folder.state.is_file():
        loop.restore()
    with Reporter(folder.log if folder else None, options.steps, quiet) as reporter, gentle_stop() as asked_to_stop:
        loop.run(reporter, asked_to_stop)
    return Run(out, loop.best_model(), loop.progress, loop.progress.stopped)


class _Loop:
    """One run in memory."""

    def __init__(
        self,
        model: Segmenter,
        train: Dataset,
        val: Dataset,
        options: TrainOptions,
        augment: AugmentOptions,
        folder: RunFolder | None,
        fingerprint: str,
    ) -> None:
        self.options, self.folder, self.fingerprint, self.val = options, folder, fingerprint, val
        self.fabric = make_fabric(options)
        self.device = self.fabric.device
        self.model = model.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = Average(self.model, options.ema)
        optimiser = make_optimiser(self.model, options)
        self.module, self.optimiser = self.fabric.setup(self.model, optimiser)
        self.module.mark_forward_method("loss")
        chosen = 0 if self.device.type == "cpu" else min(usable_cores(), 16)
        self.workers = options.workers if options.workers >= 0 else chosen
        memory = int(free_memory() * CACHE_SHARE / max(1, self.workers))  # each process keeps its own
        self.crops = Crops(
            train, copy.deepcopy(model.head).cpu(), augment, options.crop, options.seed, model.card.bands, memory
        )
        self.order = Order(len(train), options.batch, options.seed)
        self.progress = Progress()
        self.best_weights: dict[str, torch.Tensor] | None = None
        self.saved = time.monotonic()
        self.marks = validation_steps(options)
        self.noted_every = max(1, options.steps // 200)

    def restore(self) -> None:
        """Go on from the run folder's state."""
        assert self.folder is not None
        parts = {"model": self.model, "average": self.average.model, "optimiser": self.optimiser}
        self.progress = load_state(self.folder.state, self.fingerprint, parts)

    def run(self, reporter: Reporter, asked_to_stop: threading.Event) -> None:
        options, progress = self.options, self.progress
        if progress.step:
            reporter.line(f"resuming at step {progress.step} of {options.steps}")
        self.model.train()
        source = batches(self.crops, self.order, progress.step, options.steps, self.workers, self.device.type == "cuda")
        began, first = time.monotonic(), progress.step
        base = progress.seconds
        for batch in source:
            if progress.stopped:
                break
            self._step(batch)
            elapsed = time.monotonic() - began
            progress.seconds = base + elapsed
            done = progress.step - first
            speed = done * options.batch / max(elapsed, 1e-9)
            left = elapsed / done * (options.steps - progress.step)
            reporter.step(progress.step, options.steps, self.loss, rate_at(progress.step - 1, options), speed, left)
            if progress.step in self.marks:
                self._validate(reporter, speed)
            elif progress.step % self.noted_every == 0:
                self._note(speed, {})
            stop = asked_to_stop.is_set()
            if stop or time.monotonic() - self.saved >= options.save_seconds:
                self._save()
            if stop:
                progress.stopped = "interrupted"
                break
        source.close()  # type: ignore[attr-defined]
        self._finish(reporter)

    def _step(self, batch: Batch) -> None:
        options, progress = self.options, self.progress
        torch.manual_seed(options.seed * 1_000_003 + progress.step)  # dropout draws by step, so a resumed run draws the same
        rate = rate_at(progress.step, options)
        set_rate(self.optimiser, rate)
        with self.fabric.autocast():  # Fabric casts inside forward() alone, not inside other marked methods
            terms = self.module.loss(batch.images(self.device), batch.targets_on(self.device))
        total = torch.stack([term.float() for term in terms.values()]).sum()
        self.loss = float(total.detach())
        if not np.isfinite(self.loss):
            shown = ", ".join(f"{name} {float(term.detach()):.4g}" for name, term in terms.items())
            raise TrainingError(
                f"the loss is not finite at step {progress.step + 1} ({shown}) on the images {', '.join(batch.names)}; look at "
                f"them and their masks, or lower the rate with --set train.rate={options.rate / 4:g}"
            )
        self.fabric.backward(total)
        if options.clip:
            self.fabric.clip_gradients(self.module, self.optimiser, max_norm=options.clip, error_if_nonfinite=False)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.average.update(self.model, progress.step)
        progress.step += 1
        progress.images += len(batch.names)
        progress.loss_sum += self.loss
        progress.loss_steps += 1

    def _note(self, speed: float, scores: dict[str, float]) -> dict[str, float | None]:
        """Add a row to the history: the mean loss since the last one, and scores where there are any."""
        progress = self.progress
        row: dict[str, float | None] = {
            "step": progress.step,
            "epoch": progress.images / max(1, len(self.crops)),
            "loss": progress.loss_sum / max(1, progress.loss_steps),
            "lr": rate_at(progress.step - 1, self.options),
            "images_per_second": speed,
            "seconds": progress.seconds,
            "val_miou": _finite(scores.get("miou")),
            "val_pixel_accuracy": _finite(scores.get("pixel_accuracy")),
        }
        progress.loss_sum, progress.loss_steps = 0.0, 0
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
        if self.options.patience and progress.since_best >= self.options.patience:
            progress.stopped = f"no better mIoU in {self.options.patience} validations"
        text = f"step {progress.step}/{self.options.steps}  loss {row['loss']:.4f}"
        if scores:
            text += f"  val mIoU {miou:.4f}  pixel accuracy {scores['pixel_accuracy']:.4f}{'  (best)' if is_best else ''}"
        reporter.line(f"{text}  {speed:.1f} images/s  {duration(progress.seconds)}")
        if self.folder is not None:
            if is_best:
                checkpoint.save(self.average.model, self.folder.best)
            self.folder.write_history(progress.history)
            self._save()

    def _save(self) -> None:
        self.saved = time.monotonic()
        if self.folder is not None:
            parts = {"model": self.model, "average": self.average.model, "optimiser": self.optimiser}
            save_state(self.folder.state, self.fingerprint, self.progress, parts)

    def _finish(self, reporter: Reporter) -> None:
        progress = self.progress
        if progress.stopped == "interrupted":
            if self.folder is not None:
                reporter.line(
                    f"stopped at step {progress.step}; go on with: pixelwise train --resume --out {self.folder.folder}"
                )
            return
        if progress.stopped:
            reporter.line(f"stopped at step {progress.step}: {progress.stopped}")
        if self.folder is not None:
            checkpoint.save(self.average.model, self.folder.last)
            self._save()

    def best_model(self) -> Segmenter:
        """Give the averaged weights of the best validation."""
        if self.best_weights is not None:
            self.average.model.load_state_dict(self.best_weights)
        elif self.folder is not None and self.folder.best.is_file():  # resumed after the best was found
            return checkpoint.load(self.folder.best)
        return self.average.model.eval()


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None


def make_fabric(options: TrainOptions) -> Fabric:
    """Set up Lightning Fabric for the device and the precision; ``auto`` takes bfloat16 where it is computed in hardware."""
    machine = this_machine(options.device)
    for name in ("lightning.fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.WARNING)  # their greetings would break the progress bar
    precision = options.precision if options.precision != "auto" else "bf16-mixed" if machine.bf16 else "32-true"
    fabric = Fabric(accelerator=machine.device, devices=1, precision=precision)  # type: ignore[arg-type]
    fabric.launch()
    return fabric


def measured_steps(
    model: Segmenter, train: Dataset, val: Dataset, options: TrainOptions, augment: AugmentOptions
) -> tuple[int, float]:
    """Turn ``options.minutes`` into a number of steps: run a few steps and one validation batch on a copy, and divide.

    Gives (steps, images/s). The copy is thrown away: nothing of the run's weights or order is touched.
    """
    keep_freed_memory()
    torch.set_num_threads(options.threads or usable_cores())
    began = time.monotonic()
    trial = _Loop(copy.deepcopy(model), train, val, replace(options, minutes=0.0, steps=10**6), augment, None, "")
    trial.model.train()
    times, waits = [], []
    last = time.monotonic()
    for batch in batches(trial.crops, trial.order, 0, 60, trial.workers, trial.device.type == "cuda"):
        start = time.monotonic()
        trial._step(batch)
        waits.append(start - last)
        last = time.monotonic()
        times.append(last - start)
        spent = last - began
        if (len(times) >= 14 and spent > 10) or (len(times) >= 3 and spent > 40):
            break
    late = slice(len(times) // 2, None)  # the first steps are slow: kernels and memory are set up
    seconds = float(np.median(times[late])) * 1.02
    if not trial.crops.fits or trial.workers:  # otherwise images are read once, and no step waits from the second epoch on
        seconds += float(np.mean(waits[late]))
    start = time.monotonic()
    few = val.take(range(min(len(val), options.batch)))
    checking = 0.0
    if len(few):
        validate(trial.average.model, few, trial.fabric, options.batch)
        checking = (time.monotonic() - start) / len(few) * len(val) * (options.validations or 10)
    left = options.minutes * 60 - (time.monotonic() - began) - checking
    return max(1, int(left / seconds)), options.batch / seconds
