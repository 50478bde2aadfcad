"""How far an exported model may stray from the one it was made of, by the precision it computes in.

In 32 bits nothing but rounding may differ, so pixels, scores and probabilities are bounded. Fewer bits move the borders between
classes where the model is of two minds; what counts then is whether the score suffers, and pixels decide alone only where there
is no truth to score against.
"""

from dataclasses import asdict, dataclass
from typing import Any

from pixelwise.core.errors import OptionError, nearest

PRECISIONS = ("fp32", "fp16", "bf16", "int8")


@dataclass(frozen=True)
class Bounds:
    """What a proof holds an exported model to; None where a figure is told and not judged.

    Attributes:
        equal: the least share of pixels of which both say the same.
        drop: the most that the score may fall, in fractions: 0.001 is a tenth of a point.
        probability: the most that any probability may differ.
        equal_alone: the least share of equal pixels where there is no truth to tell the score by.
    """

    equal: float | None = None
    drop: float | None = None
    probability: float | None = None
    equal_alone: float | None = None

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is not None and not 0 <= value <= 1:
                raise OptionError(f"the bound '{name}' is a fraction from 0 to 1, got {value}")

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values."""
        return asdict(self)


BOUNDS = {
    "fp32": Bounds(equal=0.999, drop=0.001, probability=0.01, equal_alone=0.999),
    "fp16": Bounds(drop=0.001, equal_alone=0.99),
    "bf16": Bounds(drop=0.001, equal_alone=0.99),
    "int8": Bounds(drop=0.005, equal_alone=0.95),
}


def bounds_of(precision: str) -> Bounds:
    """Give the usual bounds of a precision.

    Raises:
        OptionError: there is no such precision.
    """
    if precision not in BOUNDS:
        raise OptionError(f"--precision {precision}: {nearest(precision, PRECISIONS)}")
    return BOUNDS[precision]
