"""Count pixels by class of truth and prediction, as fast as memory can be read.

Maps of bytes are counted in strips, one a core at a time. Where a strip is mostly runs of equal pixels (as masks are) only the
ends of runs are visited; where it is not, OpenCV's histogram counts every pixel. All ways give the same integers.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, IntArray
from pixelwise.core.errors import DataError, SizeMismatch

STRIP = 2**19  # pixels: what is made of them stays in a core's cache; below 2^24, where float32 stops counting
_LEAST_RUN = 12  # a strip of fewer pixels a run than this is counted pixel by pixel


class _Coding(NamedTuple):
    classes: int
    void: int


def confusion(truth: IntArray, prediction: IntArray, classes: int, void: int) -> IntArray:
    """Count pixels by class of truth and prediction: (L, L + 1); the last column is any other predicted value.

    Both maps are of one shape, of any number of axes. Pixels whose truth is ``void`` are not counted.

    >>> confusion(np.array([[0, 0, 1, 255]], np.uint8), np.array([[0, 1, 1, 0]], np.uint8), classes=2, void=255)
    array([[1, 1, 0],
           [0, 1, 0]])

    Raises:
        SizeMismatch: the shapes differ.
        DataError: the truth holds a value that is neither a class nor void.
    """
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    if truth.shape != prediction.shape:
        raise SizeMismatch(f"truth and prediction must have one size, got {truth.shape} and {prediction.shape}")
    are_bytes = truth.dtype == prediction.dtype == np.uint8 and classes < 255 and classes <= void <= 255
    one: Callable[[IntArray, IntArray, _Coding], IntArray] = _strip if are_bytes else _pairs
    flat, coding = (truth.reshape(-1), prediction.reshape(-1)), _Coding(classes, void)
    parts = [slice(start, start + STRIP) for start in range(0, flat[0].size, STRIP)]
    total = np.zeros((classes, classes + 1), np.int64)

    def count(mine: list[slice]) -> IntArray:
        found = np.zeros_like(total)
        for part in mine:
            found += one(flat[0][part], flat[1][part], coding)
        return found

    cores = min(os.cpu_count() or 1, len(parts) // 8, 4)  # a thread pays from a few strips on; memory feeds no more than four
    if cores < 2:
        return count(parts)
    with ThreadPoolExecutor(cores) as pool:
        return sum(pool.map(count, (parts[core::cores] for core in range(cores))), total)


def _strip(truth: IntArray, prediction: IntArray, coding: _Coding) -> IntArray:
    """Count bytes: by runs, or pixel by pixel where runs are short."""
    part = truth.size // 16 + 1  # a look at a part tells which way is worth it
    if np.count_nonzero(_changes(truth[:part], prediction[:part])) * _LEAST_RUN < part:
        ends = np.append(np.flatnonzero(_changes(truth, prediction)), truth.size - 1)
        return _pairs(truth[ends], prediction[ends], coding, np.diff(ends, prepend=-1))
    classes = coding.classes
    rows, columns = truth[None], prediction[None]
    found = np.zeros((classes, classes + 1), np.int64)
    ranges = [0, classes, 0, classes]
    found[:, :classes] = cv2.calcHist([rows, columns], [0, 1], None, [classes, classes], ranges)  # values outside are left out
    counted = int(found.sum())
    if counted != truth.size and counted + int(np.count_nonzero(truth == coding.void)) != truth.size:
        return _pairs(truth, prediction, coding)  # some value is none of the classes
    return found


def _changes(truth: IntArray, prediction: IntArray) -> BoolArray:
    """Mark the pixels after which either map changes; the last is not among them."""
    return np.asarray((truth[1:] != truth[:-1]) | (prediction[1:] != prediction[:-1]))


def _pairs(truth: IntArray, prediction: IntArray, coding: _Coding, lengths: IntArray | None = None) -> IntArray:
    """Count integers of any type; ``lengths`` says how many pixels each stands for, if not one."""
    classes, void = coding
    labelled = truth != void
    rows, columns = truth[labelled].astype(np.int64), prediction[labelled].astype(np.int64)
    if rows.size and (rows.min() < 0 or rows.max() >= classes):
        strange = np.unique(rows[(rows < 0) | (rows >= classes)])
        raise DataError(f"the truth holds {strange[:5].tolist()}; expected classes 0..{classes - 1} and {void} for void")
    columns[(columns < 0) | (columns > classes)] = classes
    weights = None if lengths is None else lengths[labelled]  # float64 sums of whole numbers are exact here
    pairs = np.bincount(rows * (classes + 1) + columns, weights, minlength=classes * (classes + 1))
    return np.asarray(pairs.reshape(classes, classes + 1), np.int64)
