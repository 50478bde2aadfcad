"""``--levels clusters=2,4,8``: one method at several settings of one of its options."""

import inspect
from typing import TYPE_CHECKING, get_args

if TYPE_CHECKING:
    from pixelwise.core.predictor import Predictor
    from pixelwise.metrics.views import Families


def at_levels(predictor: "Predictor", text: str, families: "Families") -> "list[Predictor]":
    """Give a method at each of the settings that ``text`` lists, to be scored by ``families``.

    Raises:
        OptionError: it is no method, has no such option, the option takes no such value, or nothing or one value is listed; or
            a family scores one setting alone.
    """
    from pixelwise.core.errors import OptionError, nearest
    from pixelwise.methods.predictor import Method

    name, equals, listed = (part.strip() for part in text.partition("="))
    values = [value.strip() for value in listed.split(",") if value.strip()]
    if not (name and equals and len(set(values)) > 1):
        raise OptionError(f"--levels {text}: expected an option and two or more of its values, such as clusters=2,4,8")
    if not isinstance(predictor, Method):
        raise OptionError(f"--levels is for methods, which have options; '{predictor.card.name}' is a model")
    parameters = inspect.signature(predictor.module.segment).parameters
    known = sorted(parameters.keys() - {"image", "model", "probabilities"})
    if name not in known:
        raise OptionError(f"--levels {text}: '{predictor.name}' has no option '{name}'; {nearest(name, known)}")
    if unfit := [family for family, module in families.items() if not getattr(module, "SEVERAL_LEVELS", False)]:
        raise OptionError(f"--levels: {', '.join(unfit)} scores a method at one setting; at several, --metrics partition does")
    kind = _kind(parameters[name])
    return [Method(predictor.name, **{**predictor.options, name: _value(value, kind, text)}) for value in dict.fromkeys(values)]


def _kind(option: inspect.Parameter) -> type:
    """Give the type of an option's default or, where that is None, the one it is annotated with beside None."""
    if option.default is not None:
        return type(option.default)
    return next((each for each in get_args(option.annotation) if each is not type(None)), str)


def _value(text: str, kind: type, given: str) -> float | str:
    """Read a value as the option's default is: a whole number, a number or a word."""
    from pixelwise.core.errors import OptionError

    if kind not in (int, float):
        return text
    try:
        found: float = kind(text)
    except ValueError:
        what = "whole numbers" if kind is int else "numbers"
        raise OptionError(f"--levels {given}: expected {what}, got '{text}'") from None
    return found
