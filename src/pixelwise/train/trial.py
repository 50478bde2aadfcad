"""Trials before a run: a few steps on a copy of the model, which tell how many fill ``--minutes``."""

import copy
import time
from dataclasses import replace

import numpy as np
import torch

from pixelwise.augment import AugmentOptions
from pixelwise.core.resources import usable_cores
from pixelwise.core.sample import Dataset
from pixelwise.models.heads.base import Head
from pixelwise.models.segmenter import Segmenter
from pixelwise.train.devices import alone, processes_here, ranks
from pixelwise.train.loop import Loop
from pixelwise.train.machine import keep_freed_memory
from pixelwise.train.options import VALIDATIONS, TrainOptions
from pixelwise.train.validate import validate

CHECKING = 0.25  # of the time, at most, that validations take where their number is not asked for


def trial_of(model: Segmenter, train: Dataset, val: Dataset, options: TrainOptions, augment: AugmentOptions) -> Loop:
    """Make a run of a copy of ``model``, alone in this process, with what is one process's share of a batch."""
    keep_freed_memory()
    torch.set_num_threads(options.threads or max(1, usable_cores() // processes_here(options)))
    batch = max(1, options.batch // ranks(options))
    freeze = 0 if options.unfreeze_at else options.freeze  # measured as after the release, so that the time is not overrun
    options = replace(
        options, minutes=0.0, steps=options.steps or 10**6, batch=batch, devices=1, nodes=1, freeze=freeze, unfreeze_at=0.0
    )
    return Loop(copy.deepcopy(model), train, val, options, augment, alone(options))


def at_full_load(trial: Loop) -> Loop:
    """Have its heads learn from as many examples as they ever may, so that no step of the run takes longer or more memory."""
    for module in trial.model.modules():
        if isinstance(module, Head):
            module.at_full_load = True
    return trial


def timed(
    model: Segmenter, train: Dataset, val: Dataset, options: TrainOptions, augment: AugmentOptions
) -> tuple[TrainOptions, float]:
    """Turn ``options.minutes`` into steps and validations: run a few steps and one validation batch on a copy, and divide.

    Gives options that say steps alone, and images/s. Where the number of validations is not asked for, there are as many as
    take a quarter of the time, at most ten. The copy is thrown away: nothing of the run's weights or order is touched.
    """
    began = time.monotonic()
    trial = at_full_load(trial_of(model, train, val, options, augment))
    times, waits = [], []
    last = time.monotonic()
    for batch in trial.batches(0, 60):
        start = time.monotonic()
        trial.step(batch)
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
        checking = (time.monotonic() - start) / len(few) * len(val) / ranks(options)
    left = options.minutes * 60 - (time.monotonic() - began)
    validations = options.validations or max(1, min(VALIDATIONS, int(CHECKING * left / max(checking, 1e-6))))
    steps = max(1, int((left - validations * checking) / seconds))
    return replace(options, minutes=0.0, steps=steps, validations=validations), options.step_images / seconds
