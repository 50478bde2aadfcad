"""The options ``--device --precision --compile``: what a network runs on, and how."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pixelwise.cli.progress import Pace
    from pixelwise.core.predictor import Predictor

DEVICE = "auto, cpu, cuda, mps; several, as in cuda:0,cuda:1, share the images of each batch."
PRECISION = "auto, fp32 or bf16; auto: bf16 where it is fast and known to cost no quality."
COMPILE = "auto, yes or no; auto: compile a network on a GPU where minutes of work are left."


def loaded_on(model: str, device: str, precision: str, compiled: str, pace: "Pace") -> "Predictor":
    """Load a model for work whose pace is told, and compile it when that pays, which is said on stderr.

    Raises:
        UnknownName: there is no such model.
        OptionError: there is no such device or precision, or ``compiled`` is none of auto, yes and no.
    """
    from pixelwise.load import load
    from pixelwise.methods.predictor import Method

    found = load(model, device, precision)
    if isinstance(found, Method) or "torch" not in sys.modules:  # nothing in it could be compiled, so torch stays unloaded
        return found
    from pixelwise.predict.compiled import compiling

    return compiling(found, compiled, lambda: pace.seconds_left, lambda sentence: print(sentence, file=sys.stderr))


def batch_on(device: str, batch: int) -> int:
    """Give the images of a batch: so many for each device."""
    return batch * len(device.split(","))
