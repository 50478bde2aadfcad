"""Find a learning rate or a batch by trying them on a copy of the model; nothing of the run itself is touched."""

import contextlib
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from pixelwise.augment import AugmentOptions
from pixelwise.core.arrays import FloatArray
from pixelwise.core.errors import TrainingError
from pixelwise.core.resources import free_memory, resident_memory
from pixelwise.core.sample import Dataset
from pixelwise.models.segmenter import Segmenter
from pixelwise.train.loop import Loop
from pixelwise.train.options import TrainOptions
from pixelwise.train.trial import at_full_load, trial_of

RANGES = {"adamw": (1e-6, 1.0), "adam": (1e-6, 1.0), "sgd": (1e-5, 10.0), "lion": (1e-7, 0.1)}
DIVERGED = 3.0  # times the fall of the loss so far, above its lowest: the test ends
JUMP = 6.0  # times the noise of a batch, above the smoothed loss
WINDOW, BELOW = 1.0, 10.0  # decades that a slope is taken over; the suggestion's distance from the lowest loss
SHARE = 0.8  # of the free memory, that a batch may be predicted to take on a CPU


@dataclass(frozen=True)
class RateTest:
    """The losses over rates that grow from step to step.

    Attributes:
        rates, losses: of each step.
        smooth: the losses, averaged with those before them.
        suggested: the rate.
    """

    rates: FloatArray
    losses: FloatArray
    smooth: FloatArray
    suggested: float


@dataclass(frozen=True)
class BatchTrial:
    """One batch that was tried.

    Attributes:
        batch: images.
        seconds: of a step, the median of the later ones.
        memory: bytes at the peak of a step, above what was held before the first one.
    """

    batch: int
    seconds: float
    memory: int

    @property
    def speed(self) -> float:
        """Images a second."""
        return self.batch / self.seconds


@dataclass(frozen=True)
class BatchTest:
    """The batches that were tried, and why no larger one was."""

    trials: tuple[BatchTrial, ...]
    ended: str

    @property
    def largest(self) -> BatchTrial:
        """The largest that fits."""
        return self.trials[-1]

    @property
    def fastest(self) -> BatchTrial:
        """The smallest of those within 3 % of the best speed: what is faster by less is noise."""
        best = max(trial.speed for trial in self.trials)
        return next(trial for trial in self.trials if trial.speed >= 0.97 * best)


def find_rate(model: Segmenter, train: Dataset, options: TrainOptions, augment: AugmentOptions, steps: int = 100) -> RateTest:
    """Raise the rate from step to step, from far too low to far too high, and see where the loss falls fastest [1].

    The suggestion is the rate at the steepest fall of the loss over the logarithm of the rate, and at most a tenth of the rate
    of the lowest loss: beyond, training is about to diverge.

    Raises:
        TrainingError: the loss is not finite from the start, or falls nowhere.

    [1] Smith, Cyclical Learning Rates for Training Neural Networks, WACV 2017, section 3.3.
    """
    low, high = RANGES[options.optimiser]
    trial = trial_of(model, train, train.take([]), replace(options, ema=0.0), augment)
    wanted = low * (high / low) ** (np.arange(steps) / (steps - 1))
    losses: list[float] = []
    smooth: list[float] = []
    for step, batch in enumerate(trial.batches(0, steps)):
        result = trial.stepper(batch, step, float(wanted[step]))
        if not result.is_finite:
            break
        losses.append(result.loss)
        smooth.append(_smoothed(losses))
        fall = smooth[0] - min(smooth)
        if step > steps // 10 and smooth[-1] > min(smooth) + DIVERGED * max(fall, 0.02 * abs(smooth[0])):
            break
    if len(smooth) < 10:
        raise TrainingError(
            f"the loss was finite for {len(smooth)} steps alone, at rates from {low:g}; look at the images and their masks"
        )
    return RateTest(
        wanted[: len(losses)],
        np.array(losses),
        np.array(smooth),
        _steepest(wanted[: len(losses)], np.array(losses), np.array(smooth)),
    )


def _smoothed(losses: list[float], keep: float = 0.9) -> float:
    """Average exponentially, without the bias towards 0 of a short list."""
    weights = keep ** np.arange(len(losses))[::-1]
    return float(np.average(losses, weights=weights))


def _steepest(rates: FloatArray, losses: FloatArray, smooth: FloatArray) -> float:
    """Find where the loss falls fastest over the logarithm of the rate, in a window wide enough to see it through the noise.

    The noise of a batch is taken from the first quarter, whose rates are too low to matter. A loss far above it ends the range:
    some networks stand any rate for a while, but jump about.
    """
    quarter = max(3, len(losses) // 4)
    noise = float(np.std(losses[:quarter]))
    jumps = np.flatnonzero(losses[quarter:] > smooth[quarter:] + JUMP * noise + 1e-6)
    end = quarter + int(jumps[0]) if len(jumps) else len(losses)
    lowest = int(np.argmin(smooth[:end]))
    if smooth[:quarter].mean() - smooth[lowest] <= noise or lowest < 3:
        raise TrainingError("the loss falls at no rate; look at the images and their masks: pixelwise data check")
    powers = np.log10(rates[: lowest + 1])
    windows = [np.abs(powers - power) <= WINDOW / 2 for power in powers]
    slopes = [np.polyfit(powers[one], losses[: lowest + 1][one], 1)[0] if one.sum() > 2 else 0.0 for one in windows]
    return float(min(rates[int(np.argmin(slopes))], rates[lowest] / BELOW))


def find_batch(
    model: Segmenter,
    train: Dataset,
    options: TrainOptions,
    augment: AugmentOptions,
    seconds: float = 60.0,
    largest: int = 1024,
) -> BatchTest:
    """Double the batch until memory ends, or until trying takes ``seconds``.

    On an accelerator a batch is tried and may fail; on a CPU, where a process that asks for too much is killed, a batch is
    tried only if it fits the free memory by what the smaller ones took.

    Raises:
        TrainingError: not even one image fits.
    """
    trials: list[BatchTrial] = []
    began, batch = time.monotonic(), 1
    while True:
        found = _try(model, train, replace(options, batch=batch, accumulate=1), augment)
        if found is None:
            ended = f"a batch of {batch} does not fit the memory"
            break
        trials.append(found)
        batch *= 2
        spent = time.monotonic() - began
        if batch > largest:
            ended = f"{largest} images were the most to try"
            break
        if spent + 2 * _cost(found) > seconds:
            ended = f"a batch of {batch} would have taken longer than the {seconds:g} s to try in"
            break
        needed = _predicted(trials)
        if options_device(options) == "cpu" and needed > SHARE * free_memory():
            ended = (
                f"a batch of {batch} would take about {needed / 2**30:.1f} GiB, and {free_memory() / 2**30:.1f} GiB are free"
            )
            break
    if not trials:
        raise TrainingError("memory does not hold one crop; choose a smaller one with --set train.crop=[H,W]")
    return BatchTest(tuple(trials), ended)


def options_device(options: TrainOptions) -> str:
    """Give the kind of device that the options mean on this machine."""
    from pixelwise.train.machine import this_machine

    return this_machine(options.device).device


def _try(model: Segmenter, train: Dataset, options: TrainOptions, augment: AugmentOptions) -> BatchTrial | None:
    """Take a few steps; None where they do not fit."""
    trial = at_full_load(trial_of(model, train, train.take([]), replace(options, devices=1, nodes=1), augment))
    before = _begin_peak(trial)
    times = []
    for batch in trial.batches(0, 5):
        start = time.monotonic()
        try:
            trial.step(batch)
        except TrainingError:
            return None
        if trial.stepper.parts > 1:
            return None
        times.append(time.monotonic() - start)
    return BatchTrial(options.batch, float(np.median(times[2:])), max(0, _peak(trial) - before))


def _cost(trial: BatchTrial) -> float:
    return 7 * trial.seconds


def _predicted(trials: list[BatchTrial]) -> float:
    """Predict the memory of the next batch, twice the last one, in a line through the last two."""
    last = trials[-1]
    if len(trials) == 1:
        return 2.0 * last.memory
    return last.memory + 2.0 * max(0, last.memory - trials[-2].memory)


def _begin_peak(trial: Loop) -> int:
    """Begin to measure the peak of memory anew; give what is held now."""
    if trial.device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        return int(torch.cuda.memory_allocated())
    marks = Path("/proc/self/clear_refs")
    if marks.exists():
        with contextlib.suppress(OSError):  # some containers refuse it; peaks of larger batches are seen all the same
            marks.write_text("5")  # the high-water mark of the resident memory
    return resident_memory()


def _peak(trial: Loop) -> int:
    if trial.device.type == "cuda":
        return int(torch.cuda.max_memory_allocated())
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.is_file() else ():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return resident_memory()
