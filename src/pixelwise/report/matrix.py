"""The confusion matrix as a page shows it: shares of each true class, and the largest mistakes."""

from typing import Any

import numpy as np

from pixelwise.core.arrays import IntArray
from pixelwise.core.errors import DataError

MOST_CELLS = 60  # classes a side of the confusion matrix; beyond, only its largest mistakes are listed


def matrix(confusion: IntArray | None, names: tuple[str, ...]) -> dict[str, Any] | None:
    """Lay out the confusion matrix by shares of each true class, and list its largest mistakes."""
    if confusion is None or not np.asarray(confusion).any():
        return None
    counts = np.asarray(confusion)
    if counts.ndim != 2 or counts.shape[0] != len(names) or counts.shape[1] not in (len(names), len(names) + 1):
        raise DataError(f"expected a confusion matrix of {len(names)} classes, truth by prediction, got shape {counts.shape}")
    if counts.shape[1] > len(names) and not counts[:, -1].any():
        counts = counts[:, :-1]
    columns = [*names, "no class"][: counts.shape[1]]
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    off = counts.copy()
    np.fill_diagonal(off, 0)
    places = [divmod(int(place), counts.shape[1]) for place in np.argsort(-off, axis=None, kind="stable")[:8]]
    mistakes = [
        {"truth": names[row], "told": columns[column], "pixels": f"{off[row, column]:,}", "share": f"{shares[row, column]:.1%}"}
        for row, column in places
        if off[row, column]
    ]
    rows = []
    if len(names) <= MOST_CELLS:
        for row, name in enumerate(names):
            cells = [
                {
                    "share": round(float(share), 3),
                    "text": _percent(float(share)),
                    "tip": f"truth {name}, predicted {columns[column]}: {counts[row, column]:,} pixels ({share:.2%} of {name})",
                    "right": row == column,
                }
                for column, share in enumerate(shares[row])
            ]
            rows.append({"name": name, "cells": cells, "empty": not totals[row, 0]})
    return {"columns": columns, "rows": rows, "mistakes": mistakes, "small": len(names) > 12}


def _percent(share: float) -> str:
    return "" if share == 0 else "<1" if share < 0.005 else f"{share * 100:.0f}"
