"""Curves of precision over recall as plain values, for reports."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pixelwise.core.arrays import FloatArray
from pixelwise.metrics.average_precision.accumulation import Curves
from pixelwise.metrics.average_precision.tables import AREAS, RECALLS, THRESHOLDS

MOST = 100  # classes that are drawn; those with most objects, since nobody looks at a thousand curves
_DIGITS = 4


def graphs(found: Curves, names: Sequence[str]) -> dict[str, Any]:
    """Give precision at each of 101 recalls: of all classes together (their mean), and of each.

    ``precision`` is the mean over IoU thresholds; ``precision50`` and ``precision75`` are at 0.50 and 0.75; ``score50`` is the
    lowest score that counts when that recall is reached at 0.50, None where it is not reached. Figures have four digits. At
    most 100 classes have curves, those with most objects; ``left_out`` says how many have none. ``objects`` are the true ones
    that count, by their area.
    """
    precision, scores = found.precision[:, :, :, 0, -1], found.scores[:, :, :, 0, -1]
    order = np.argsort(-found.objects[0], kind="stable")[:MOST]
    return {
        "recall": RECALLS.round(2).tolist(),
        "mean": _lines(precision.mean(axis=2)) if found.classes.size else None,
        "classes": {
            names[int(found.classes[row])]: {
                **_lines(precision[:, :, row]),
                "score50": _reached(scores[THRESHOLDS == 0.5][0, :, row]),
            }
            for row in sorted(order.tolist())
        },
        "objects": dict(zip(AREAS, found.objects.sum(axis=1).tolist(), strict=True)),
        "left_out": len(found.classes) - len(order),
    }


def _lines(precision: FloatArray) -> dict[str, list[float]]:
    """Give the lines of one class from its precision (T, R)."""
    lines = {
        "precision": precision.mean(axis=0),
        "precision50": precision[THRESHOLDS == 0.5][0],
        "precision75": precision[THRESHOLDS == 0.75][0],
    }
    return {name: values.round(_DIGITS).tolist() for name, values in lines.items()}


def _reached(scores: FloatArray) -> list[float | None]:
    return [value if value > 0 else None for value in scores.round(_DIGITS).tolist()]
