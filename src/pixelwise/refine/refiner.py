"""A refiner with its options, and chains of them as people write them: ``crf,smallest(area=40)``."""

import ast
import inspect
import typing
from dataclasses import replace
from types import ModuleType
from typing import Any

from pixelwise.core.errors import OptionError, SizeMismatch, nearest
from pixelwise.core.image import Image
from pixelwise.core.options import fitted
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.refine import REFINERS
from pixelwise.refine.about import About

EXAMPLE = "as in 'crf' or 'crf(colour=8),smallest(area=40)'"


class Refiner:
    """A refiner of the table ``REFINERS`` with its options: an image and a segmentation in, a segmentation out."""

    def __init__(self, name: str, /, **options: Any) -> None:
        """Choose a refiner by name.

        Raises:
            UnknownName: no refiner has that name.
            OptionError: it has no such option, or one of another type.
        """
        self.name = name
        self.module: ModuleType = REFINERS[name]
        known = set(inspect.signature(self.module.refine).parameters) - {"image", "found", "threshold"}
        hints = typing.get_type_hints(self.module.refine)
        for key in options:
            if key not in known:
                raise OptionError(f"the refiner '{name}' has no option '{key}'; {nearest(key, known)}")
        self.options = {key: fitted(value, hints[key], f"{name}: {key}") for key, value in options.items()}

    def __repr__(self) -> str:
        """Write it as ``chain`` reads it."""
        options = ", ".join(f"{key}={value!r}" for key, value in self.options.items())
        return f"{self.name}({options})" if options else self.name

    @property
    def about(self) -> About:
        """What it does to which kind of segmentation."""
        about: About = self.module.ABOUT
        return about

    def gives(self, kind: Kind) -> Kind:
        """Tell the kind of segmentation that comes out when one of ``kind`` goes in.

        Raises:
            OptionError: it takes none of that kind; the message says why.
        """
        if kind not in self.about.rules:
            raise OptionError(f"'{self.name}' does not refine {kind} segmentations: {self.about.refused[kind]}")
        return self.about.gives.get(kind, kind)

    def __call__(self, image: Image, found: Segmentation, threshold: float | None = None) -> Segmentation:
        """Refine what was found in ``image``.

        Args:
            threshold: of two classes with probabilities, the foreground's above which a pixel counts.

        Raises:
            OptionError: it takes none of that kind, or an option is out of range.
            SizeMismatch: image and segmentation differ in size.
        """
        kind = self.gives(found.kind)
        if image.size != found.size:
            raise SizeMismatch(f"expected an image and a segmentation of one size, got {image.size} and {found.size}")
        if 0 in found.size or not len(found):
            return replace(found, kind=kind)
        given = {"threshold": threshold} if threshold is not None and self.about.uses_probabilities else {}
        refined: Segmentation = self.module.refine(image, found, **self.options, **given)
        return refined


def chain(text: str) -> tuple[Refiner, ...]:
    """Read refiners with commas between them, each with its options in brackets, to be applied from left to right.

    >>> chain("crf(rounds=3), holes")
    (crf(rounds=3), holes)

    Raises:
        OptionError: it is no such list, or an option is unknown or does not fit.
        UnknownName: there is no such refiner; the message has the nearest ones.
    """
    try:
        tree = ast.parse(f"[{text}]", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last two: nested beyond the parser's depth
        tree = None
    if not isinstance(tree, ast.List) or not tree.elts:
        raise OptionError(f"expected refiners with commas between them, {EXAMPLE}, got {text!r}")
    return tuple(_one(node, text) for node in tree.elts)


def _one(node: ast.expr, text: str) -> Refiner:
    if isinstance(node, ast.Name):
        return Refiner(node.id)
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.args):
        raise OptionError(f"expected a refiner's name, with named options in brackets if any, {EXAMPLE}, got {text!r}")
    try:
        options = {str(one.arg): ast.literal_eval(one.value) for one in node.keywords if one.arg}
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):  # what ``literal_eval`` says it raises
        raise OptionError(f"expected numbers or quoted words as options, {EXAMPLE}, got {text!r}") from None
    if len(options) != len(node.keywords):
        raise OptionError(f"expected named options in brackets, {EXAMPLE}, got {text!r}")
    return Refiner(node.func.id, **options)
