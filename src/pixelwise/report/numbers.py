"""Numbers as a page shows them."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """Turn what may be NumPy's into plain JSON values; what is not finite becomes None."""
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def shown(value: Any) -> str:
    """Write a number as the page shows it: a count with its thousands apart, a score with four decimals.

    >>> shown(0.5), shown(12345), shown(None)
    ('0.5000', '12,345', '–')
    """
    value = plain(value)
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def bounds(interval: Any) -> str:
    """Write an interval; nothing where there is none.

    >>> bounds((0.25, 0.5)), bounds(None)
    ('0.2500 to 0.5000', '')
    """
    return "" if interval is None else f"{shown(interval[0])} to {shown(interval[1])}"


def is_number(value: Any) -> bool:
    """Tell whether this is a score, be it undefined, or a count."""
    return value is None or (isinstance(value, int | float | np.number) and not isinstance(value, bool))
