"""Weighted sums of losses, written as people write them: ``"cross_entropy + 0.5*focal(gamma=3)"``."""

import ast
import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from pixelwise.core.errors import OptionError, UnknownName, nearest
from pixelwise.core.options import fitted
from pixelwise.models.losses import LOSSES
from pixelwise.models.losses.evidence import Evidence
from pixelwise.models.losses.memberships import Memberships
from pixelwise.models.losses.pixels import Pixels

OF_WHOLE_PIXELS = frozenset({"lovasz"})  # losses to which a pixel counts once or not at all
OF_CLASS_MAPS = frozenset({"boundary", "lovasz"})  # losses that are not made of a yes or no for each class
EXAMPLE = "as in 'cross_entropy + dice' or '0.5*focal(gamma=3) + lovasz'"


@dataclass(frozen=True)
class Term:
    """One loss of a sum: its name, its weight and its options."""

    name: str
    weight: float = 1.0
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def function(self) -> Callable[..., Tensor]:
        """The loss, a function of ``Pixels`` and its options."""
        loss: Callable[..., Tensor] = getattr(LOSSES[self.name], self.name)
        return loss

    def __call__(self, pixels: Evidence) -> Tensor:
        """Compute the weighted term."""
        return self.weight * self.function(pixels, **self.options)


def parse(text: str) -> tuple[Term, ...]:
    """Read a weighted sum of losses.

    >>> [(term.weight, term.name, term.options) for term in parse("0.5*focal(gamma=3) + lovasz")]
    [(0.5, 'focal', {'gamma': 3.0}), (1.0, 'lovasz', {})]

    Raises:
        OptionError: it is no such sum, or holds a loss twice, or an option is unknown or does not fit.
        UnknownName: there is no such loss; the message has the nearest ones.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        raise OptionError(f"[model] loss: expected a sum of losses, {EXAMPLE}, got {text!r}") from None
    terms = tuple(_term(node, text) for node in _summands(tree))
    names = [term.name for term in terms]
    for name in names:
        if names.count(name) > 1:
            raise OptionError(f"[model] loss: {name} is there twice in {text!r}; write it once, with one weight")
    return terms


def of_pixels(text: str, classes: int, option: str) -> tuple[Term, ...]:
    """Read a weighted sum of losses of class maps that no distances are measured of.

    Raises:
        OptionError: it is no such sum, or holds ``boundary``.
        UnknownName: there is no such loss.
    """
    terms = parse(text)
    if any(term.name == "boundary" for term in terms):
        raise OptionError(f"[model] {option}: boundary wants distances, which nothing here measures; leave it out")
    check(terms, classes)
    return terms


def with_option(terms: tuple[Term, ...], name: str, option: str, value: object) -> tuple[Term, ...]:
    """Set an option of the loss ``name`` where the sum does not set it itself.

    Raises:
        OptionError: the sum does not hold that loss.
    """
    if all(term.name != name for term in terms):
        held = " + ".join(term.name for term in terms)
        raise OptionError(f"[model] loss: {option} is an option of {name}, which is not in the loss '{held}'")
    return tuple(replace(term, options={option: value, **term.options}) if term.name == name else term for term in terms)


def check(terms: tuple[Term, ...], classes: int, multilabel: bool = False) -> None:
    """Compute the sum once on two pixels, so that a value that does not fit is refused before training.

    Raises:
        OptionError: it is, or a loss is one of class maps and the classes may overlap.
    """
    for term in terms:
        if multilabel and term.name in OF_CLASS_MAPS:
            others = ", ".join(name for name in LOSSES.rows if name not in OF_CLASS_MAPS)
            raise OptionError(f"[model] loss: {term.name} wants one class a pixel, and multilabel has several; take {others}")
        term(_two_pixels(classes, multilabel))


def _two_pixels(classes: int, multilabel: bool) -> Evidence:
    logits = torch.zeros(1, classes, 1, 2, device="cpu")  # also where a network is built on a device without numbers
    if multilabel:
        return Memberships(logits, torch.zeros_like(logits, dtype=torch.uint8))
    truth = torch.zeros(1, 1, 2, dtype=torch.long, device="cpu")
    return Pixels(logits, truth, classes, distances=torch.zeros(1, 1, 2, device="cpu"))


def _summands(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [*_summands(node.left), *_summands(node.right)]
    return [node]


def _term(node: ast.expr, text: str) -> Term:
    """Read ``weight*name(option=value)``; the weight and the brackets may be missing."""
    weight = 1.0
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        number, node = (node.right, node.left) if isinstance(node.left, ast.Name | ast.Call) else (node.left, node.right)
        weight = _number(number, text)
    given: list[ast.keyword] = []
    if isinstance(node, ast.Call) and not node.args:
        given, node = node.keywords, node.func
    if not isinstance(node, ast.Name):
        shown = ast.get_source_segment(text.strip(), node) or text
        raise OptionError(f"[model] loss: expected the name of a loss, {EXAMPLE}, got {shown!r} in {text!r}")
    if node.id not in LOSSES:
        raise UnknownName(f"[model] loss: no loss is called '{node.id}'; {nearest(node.id, LOSSES)}")
    return Term(node.id, weight, _options(node.id, given))


def _number(node: ast.expr, text: str) -> float:
    value = node.value if isinstance(node, ast.Constant) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        shown = ast.get_source_segment(text.strip(), node) or text
        raise OptionError(f"[model] loss: expected a weight above 0 before a loss, {EXAMPLE}, got {shown!r} in {text!r}")
    return float(value)


def _options(name: str, given: list[ast.keyword]) -> dict[str, Any]:
    """Read the options of a loss and fit them to its keywords."""
    function = Term(name).function
    known = [one.name for one in inspect.signature(function).parameters.values() if one.kind is one.KEYWORD_ONLY]
    hints = typing.get_type_hints(function)
    options = {}
    for one in given:
        if one.arg not in known:
            raise OptionError(f"[model] loss: {name} has no option '{one.arg}'; {nearest(str(one.arg), known)}")
        try:
            value = ast.literal_eval(one.value)
        except ValueError:
            raise OptionError(
                f"[model] loss: {name}: expected a number for {one.arg}, got {ast.unparse(one.value)!r}"
            ) from None
        options[one.arg] = fitted(value, hints[one.arg], f"[model] loss: {name}: {one.arg}")
    return options
