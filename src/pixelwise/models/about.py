"""What each network of the table gives, is good for and costs; told without running it, so that a list of all takes no time.

Costs are numbers in a network's own file, at its default options; a test counts them anew.
"""

import ast
import importlib.util
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pixelwise.core.arrays import Size
from pixelwise.core.segmentation import Kind
from pixelwise.models import MODELS

SIZE: Size = (352, 480)  # that costs are told at, with
CLASSES = 11  # as many


class About(NamedTuple):
    """The module constant ``ABOUT`` of a network: a line each, and what ``cost_of`` counts.

    Attributes:
        good_for: when to choose it.
        code: the licence of its code, and whose code it is.
        weights: the licence of the weights it starts from by default, and where they come from.
        paper: authors, title, place and year.
        parameters: at the default options, with 11 classes; 0 has them counted whenever they are asked for.
        multiply_adds: for one image of 352 x 480.
    """

    good_for: str = ""
    code: str = ""
    weights: str = ""
    paper: str = ""
    parameters: int = 0
    multiply_adds: int = 0


class Cost(NamedTuple):
    """Parameters, and multiply-adds for one image."""

    parameters: int
    multiply_adds: int


class Stated(NamedTuple):
    """What a network's module states: the kinds it gives, and the rest."""

    kinds: tuple[Kind, ...]
    about: About


def stated(name: str) -> Stated:
    """Tell what the module of a network states, with its costs.

    ``KINDS`` and ``ABOUT`` are read from the source where they are plain text there: running it would import PyTorch, which
    takes seconds. A module of another package that puts them together is run, and one without costs is counted.

    Raises:
        UnknownName: there is no such network.
    """
    try:
        module = MODELS.rows[name]
        given: Any = _constant(module, "ABOUT")
        about = About(*map(ast.literal_eval, given.args), **{one.arg: ast.literal_eval(one.value) for one in given.keywords})
        kinds = tuple(ast.literal_eval(_constant(module, "KINDS")))
    except (LookupError, ValueError, TypeError, AttributeError):
        found = MODELS[name]
        kinds, about = tuple(found.KINDS), About(*getattr(found, "ABOUT", ()))
    if not about.parameters:
        about = about._replace(**cost_of(name)._asdict())
    return Stated(kinds, about)


def _constant(module: str, name: str) -> ast.expr:
    """Find what a module assigns to a name, or the module that it imports the name from.

    Raises:
        LookupError: there is neither, or no source.
    """
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise LookupError(module)
    for node in ast.parse(Path(spec.origin).read_text("utf-8")).body:
        if isinstance(node, ast.AnnAssign) and node.value and ast.unparse(node.target) == name:
            return node.value
        if isinstance(node, ast.Assign) and [ast.unparse(one) for one in node.targets] == [name]:
            return node.value
        if isinstance(node, ast.ImportFrom) and node.module and any(one.name == name and not one.asname for one in node.names):
            return _constant(node.module, name)
    raise LookupError(name)


def cost_of(name: str, options: Mapping[str, Any] | None = None, size: Size = SIZE, classes: int = CLASSES) -> Cost:
    """Count a network, at its default options: the first of its kinds, ``classes`` classes, one RGB image of ``size``.

    It runs on torch's meta device, which has shapes and no numbers, so that 100 M parameters take no memory. A network whose
    shapes follow from numbers runs on an image of noise, in which one that finds boxes finds as many as it may. Multiply-adds
    are those of convolutions, matrix products and attention, counted as they run.
    """
    import torch

    try:
        with torch.device("meta"):
            model = _built(name, options, classes)
    except (NotImplementedError, RuntimeError):  # some are built by looking at numbers
        model = _built(name, options, classes).to("meta")
    parameters = sum(math.prod(parameter.shape) for parameter in model.parameters())
    try:
        return Cost(parameters, _multiply_adds(model, size, "meta"))
    except (NotImplementedError, RuntimeError):  # it looks at numbers, and here are none
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return Cost(parameters, _multiply_adds(_built(name, options, classes), size, "cpu"))


def _built(name: str, options: Mapping[str, Any] | None, classes: int) -> Any:
    from pixelwise.core.labels import LabelSet

    names = [f"class {index}" for index in range(classes)]
    module = MODELS[name]
    return module.build(LabelSet.of(names, things=names), module.KINDS[0], **{"weights": "none", **(options or {})})


def _multiply_adds(model: Any, size: Size, device: str) -> int:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with counter, torch.device(device), torch.no_grad():
        model.eval().requires_grad_(False)(torch.rand(1, len(model.card.bands), *size))
    return counter.get_total_flops() // 2
