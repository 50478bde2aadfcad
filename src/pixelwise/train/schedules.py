"""The learning rate at each step.

All but ``plateau`` are functions of the step alone, so that a resumed run needs no state; what ``plateau`` has seen is part of
the run's progress. ``onecycle`` has a rise of its own; the others warm up linearly over ``warmup`` of the steps.
"""

import math
from collections.abc import Callable

from pixelwise.train.options import TrainOptions
from pixelwise.train.state import Progress

POLY_POWER = 0.9
CYCLE_RISE, CYCLE_START, CYCLE_END = 0.3, 25.0, 1e4  # share of the steps that rise; divisors of the first and the last rate


def rate_at(step: int, options: TrainOptions) -> float:
    """Give the learning rate of a step; ``plateau`` multiplies it by what it has lowered so far.

    >>> options = TrainOptions(steps=100, rate=1.0, warmup=0.1)
    >>> [round(rate_at(step, options), 2) for step in (0, 9, 54, 99)]
    [0.1, 1.0, 0.52, 0.0]
    """
    if options.schedule == "onecycle":
        return options.rate * _one_cycle(step, options)
    warm = max(1, round(options.warmup * options.steps))
    if step < warm:
        return options.rate * (step + 1) / warm
    done = min(1.0, (step - warm) / max(1, options.steps - warm))
    return options.rate * _FALLS[options.schedule](done, options)


def note_score(score: float, progress: Progress, options: TrainOptions) -> bool:
    """Take a validation's mIoU into a plateau schedule's progress; True where it lowers the rate.

    After ``plateau_patience`` validations without a better score the rate is multiplied by ``plateau_factor``, and the count
    begins anew; it never falls below ``final_rate`` of the highest.
    """
    if options.schedule != "plateau":
        return False
    if score > progress.plateau_best:
        progress.plateau_best, progress.plateau_wait = score, 0
        return False
    progress.plateau_wait += 1
    lower = max(progress.lowered * options.plateau_factor, options.final_rate)
    if progress.plateau_wait < options.plateau_patience or lower == progress.lowered:
        return False
    progress.lowered, progress.plateau_wait = lower, 0
    return True


def _cosine(done: float, options: TrainOptions) -> float:
    """Fall along half a cosine; Loshchilov and Hutter, SGDR, 2017, equation 5, without restarts."""
    return options.final_rate + (1 - options.final_rate) * (1 + math.cos(math.pi * done)) / 2


def _poly(done: float, options: TrainOptions) -> float:
    """Fall by a power of what is left; Chen et al., DeepLab, 2017, section 4.1."""
    return float(options.final_rate + (1 - options.final_rate) * (1 - done) ** POLY_POWER)


def _level(done: float, options: TrainOptions) -> float:
    return 1.0


_FALLS: dict[str, Callable[[float, TrainOptions], float]] = {
    "cosine": _cosine,
    "poly": _poly,
    "plateau": _level,
    "constant": _level,
}


def _one_cycle(step: int, options: TrainOptions) -> float:
    """Rise to the rate and fall far below the first one, both along half a cosine; Smith and Topin, 2018, arXiv 1708.07120."""
    last = max(1, options.steps - 1)
    top = CYCLE_RISE * options.steps - 1
    first, final = 1 / CYCLE_START, 1 / CYCLE_START / CYCLE_END
    if step <= top:
        return first + (1 - first) * (1 - math.cos(math.pi * step / top)) / 2
    done = min(1.0, (step - top) / max(1e-9, last - top))
    return final + (1 - final) * (1 + math.cos(math.pi * done)) / 2
