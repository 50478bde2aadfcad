"""What each network of the table is good for and costs, without its weights ever being made."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from pixelwise.core.arrays import Size

SIZE: Size = (352, 480)  # that costs are told at, with
CLASSES = 11  # as many


class About(NamedTuple):
    """The module constant ``ABOUT`` of a network: a line each.

    Attributes:
        good_for: when to choose it.
        code: the licence of its code, and whose code it is.
        weights: the licence of the weights it starts from by default, and where they come from.
        paper: authors, title, place and year.
    """

    good_for: str
    code: str
    weights: str
    paper: str


class Cost(NamedTuple):
    """Parameters, and multiply-adds for one image; None where a network looks at numbers on its way, as at boxes it finds."""

    parameters: int
    multiply_adds: int | None


def cost_of(name: str, options: Mapping[str, Any] | None = None, size: Size = SIZE, classes: int = CLASSES) -> Cost:
    """Count a network at its default options: the first of its kinds, ``classes`` classes, one RGB image of ``size``.

    It is built on torch's meta device, which has shapes and no numbers, so that 100 M parameters take no memory. Multiply-adds
    are those of convolutions, matrix products and attention, counted as they run.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from pixelwise.core.labels import LabelSet
    from pixelwise.models import MODELS

    module = MODELS[name]
    names = [f"class {index}" for index in range(classes)]
    labels = LabelSet.of(names, things=names)
    given = {"weights": "none", **(options or {})}
    try:
        with torch.device("meta"):
            model = module.build(labels, module.KINDS[0], **given)
    except (NotImplementedError, RuntimeError):  # some are built by looking at numbers
        model = module.build(labels, module.KINDS[0], **given).to("meta")
    parameters = sum(math.prod(parameter.shape) for parameter in model.parameters())
    counter = FlopCounterMode(display=False)
    try:
        with counter, torch.device("meta"), torch.no_grad():
            model.eval().requires_grad_(False)(torch.empty(1, len(model.card.bands), *size))
    except (NotImplementedError, RuntimeError):  # it looks at numbers, and here are none
        return Cost(parameters, None)
    return Cost(parameters, counter.get_total_flops() // 2)
