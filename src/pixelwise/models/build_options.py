"""Options of a network's ``build``, fitted to the types it declares: from a table of a file, or from whoever calls it."""

import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from pixelwise.core.errors import OptionError, nearest
from pixelwise.core.options import fitted

P = ParamSpec("P")
T = TypeVar("T")


def checked(build: Callable[P, T]) -> Callable[P, T]:
    """Refuse keyword arguments that are not of the declared type: a misspelt choice would silently be another one.

    >>> @checked
    ... def build(*, bottom: typing.Literal["proto", "deeplab"] = "proto") -> str:
    ...     return bottom
    >>> build(bottom="protoo")
    Traceback (most recent call last):
    pixelwise.core.errors.OptionError: [model] bottom: got 'protoo'; did you mean 'proto'?
    """

    @functools.wraps(build)
    def refusing(*args: Any, **options: Any) -> Any:
        hints = _hints_of(build)
        return build(*args, **{name: fitted(value, hints.get(name, Any), f"[model] {name}") for name, value in options.items()})

    return refusing


def fitted_options(build: Callable[..., Any], options: Mapping[str, object]) -> dict[str, object]:
    """Fit options to the keyword arguments of a network's ``build``: lists become tuples, whole numbers floats.

    Raises:
        OptionError: one is unknown (the message has the nearest known ones) or of the wrong type or value.
    """
    parameters = inspect.signature(build).parameters.values()
    known = [each.name for each in parameters if each.kind is each.KEYWORD_ONLY]
    for name in options:
        if name not in known:
            raise OptionError(f"[model] has no option '{name}'; {nearest(name, known)}")
    hints = _hints_of(build)
    return {name: fitted(value, hints[name], f"[model] {name}") for name, value in options.items()}


@functools.cache
def _hints_of(build: Callable[..., Any]) -> dict[str, Any]:
    return typing.get_type_hints(build)
