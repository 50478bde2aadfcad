"""Training: a plan, a loop, a run folder."""

from pixelwise.train.fit import Run, fit
from pixelwise.train.options import DataOptions, Recipe, TrainOptions

__all__ = ["DataOptions", "Recipe", "Run", "TrainOptions", "fit"]
