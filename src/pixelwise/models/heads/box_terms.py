"""The terms of a box head's loss, and their weights."""

import math
from collections.abc import Sequence

from pixelwise.core.errors import OptionError, UnknownName, nearest

TERMS = ("rpn_objectness", "rpn_box", "classes", "boxes", "masks")


def terms_of(text: str, known: Sequence[str] = TERMS, network: str = "maskrcnn") -> dict[str, float]:
    """Read the weights of a network's terms; those that are left out are not learnt.

    >>> terms_of("classes + boxes + 2*masks")
    {'classes': 1.0, 'boxes': 1.0, 'masks': 2.0}

    Raises:
        OptionError: it is no weighted sum, or holds a term twice.
        UnknownName: there is no such term.
    """
    found: dict[str, float] = {}
    for part in text.split("+"):
        weight, times, name = part.rpartition("*")
        name = name.strip()
        if name not in known:
            raise UnknownName(f"[model] loss: {network} has no term '{name}'; {nearest(name, known)}")
        if name in found:
            raise OptionError(f"[model] loss: {name} is there twice in {text!r}; write it once, with one weight")
        found[name] = _number(weight, text) if times else 1.0
    return found


def _number(weight: str, text: str) -> float:
    try:
        value = float(weight)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise OptionError(f"[model] loss: expected a weight above 0, as in '2*masks', got {weight.strip()!r} in {text!r}")
    return value
