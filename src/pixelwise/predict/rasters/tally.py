"""Count what each class of a class map has, block by block, so that a raster's segments are described without holding it."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.labels import LabelSet

_ROWS = 2**18  # pixels counted at once: what they need stays in the processor's cache


def tally(top: int, left: int, classes: IntArray, length: int, scores: FloatArray | None) -> dict[str, list[float]]:
    """Sum up each class of a block (h, w): pixels, score, x, y, and its box; as plain JSON values.

    >>> tally(2, 0, np.array([[1, 1]], np.uint8), 2, np.array([0.0, 0.5]))
    {'1': [2, 1.0, 1, 4, 0, 2, 2, 3]}
    """
    height, width = classes.shape
    kinds = max(length, int(classes.max(initial=0))) + 1
    down, along = np.zeros((height, kinds), np.int64), np.zeros((width, kinds), np.int64)
    across = np.arange(width, dtype=np.int64) * kinds
    step = max(1, _ROWS // max(width, 1))
    for first in range(0, height, step):
        part = classes[first : first + step].astype(np.int64)
        starts = np.arange(len(part), dtype=np.int64)[:, None] * kinds
        down[first : first + step] = np.bincount((part + starts).ravel(), minlength=len(part) * kinds).reshape(-1, kinds)
        along += np.bincount((part + across).ravel(), minlength=width * kinds).reshape(-1, kinds)
    found: dict[str, list[float]] = {}
    for one in np.flatnonzero(down.sum(axis=0)[:length]).tolist():
        rows, columns = np.flatnonzero(down[:, one]), np.flatnonzero(along[:, one])
        count = int(down[:, one].sum())
        found[str(one)] = [
            count,
            0.0 if scores is None else float(scores[one]) * count,
            int(columns @ along[columns, one]) + left * count,
            int(rows @ down[rows, one]) + top * count,
            *(int(columns[0]) + left, int(rows[0]) + top, int(columns[-1]) + left + 1, int(rows[-1]) + top + 1),
        ]
    return found


def class_entries(
    tallies: Iterable[Mapping[str, list[float]]], labels: LabelSet, has_scores: bool, pixel_area: float | None
) -> list[dict[str, Any]]:
    """Describe each class that the blocks have, as ``predict`` describes segments; what it would take all pixels for is null.

    ``area_m2`` is there where a pixel has a known area.
    """
    sums: dict[int, list[float]] = {}
    for one in tallies:
        for name, (count, score, x, y, *box) in one.items():
            old = sums.setdefault(int(name), [0, 0.0, 0, 0, *box])
            old[:4] = [a + b for a, b in zip(old[:4], (count, score, x, y), strict=True)]
            old[4:6] = [min(a, b) for a, b in zip(old[4:6], box[:2], strict=True)]
            old[6:] = [max(a, b) for a, b in zip(old[6:], box[2:], strict=True)]
    return [
        {
            "id": index,
            "class": labels.names[index],
            "class_id": index,
            "score": round(min(score / count, 1.0), 6) if has_scores else None,
            "area": int(count),
            **({} if pixel_area is None else {"area_m2": round(count * pixel_area, 4)}),
            "box": [int(value) for value in box],
            "centroid": [round(x / count, 4), round(y / count, 4)],
            "perimeter": None,
            "mean_colour": None,
            "run_lengths": None,
        }
        for index, (count, score, x, y, *box) in sorted(sums.items())
    ]
