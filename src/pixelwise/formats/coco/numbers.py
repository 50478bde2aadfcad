"""Numbers as COCO files state them: whole or not, as text, missing, or beyond all bounds. Columns are made of them at once."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, repeat

import numpy as np

from pixelwise.core.arrays import AnyArray, BoolArray, FloatArray, IntArray

_NO_BOX = (None,) * 4
_FLAGS = {"0": False, "false": False, "1": True, "true": True}
_DIGITS = 18  # of a number in text: one of so many fits a column


def whole_in(text: object) -> object:
    """Give the whole number that a text holds, as Label Studio's import files have them, or a fraction; all else as it is.

    >>> whole_in("12"), whole_in("0012a"), whole_in(3.0), whole_in(3.5)
    (12, '0012a', 3, 3.5)
    """
    is_number = is_whole(text) if isinstance(text, str) else isinstance(text, float) and text.is_integer()
    return int(text) if is_number else text  # type: ignore[call-overload]


def is_whole(text: str) -> bool:
    """Tell whether a text is a whole number that a column can hold."""
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS


def rows_of(ids: AnyArray, rows: Mapping[object, int]) -> IntArray:
    """Give the row (A,) of each id, -1 for an id that has none; 7 and "7" are one id where only one of the two is there.

    >>> rows_of(np.array([7, "8", 9], object), {"7": 0, 8: 1})
    array([ 0,  1, -1])
    """
    if ids.dtype != object and set(map(type, rows)) == {int}:
        with contextlib.suppress(OverflowError):
            return _rows_of_numbers(
                ids, np.fromiter(rows, np.int64, len(rows)), np.fromiter(rows.values(), np.int64, len(rows))
            )
    ids = ids.tolist()
    found = np.fromiter(map(rows.get, ids, repeat(-1)), np.int64, len(ids))
    for row in np.flatnonzero(found < 0).tolist():
        own = ids[row]
        if isinstance(own, str):
            found[row] = rows.get(whole_in(own), -1)
        elif isinstance(own, int) and abs(own) < 10**_DIGITS:
            found[row] = rows.get(str(own), -1)
    return found


def _rows_of_numbers(ids: IntArray, known: IntArray, rows: IntArray) -> IntArray:
    order = np.argsort(known)
    place = np.searchsorted(known[order], ids).clip(max=len(known) - 1)
    return np.where(known[order][place] == ids, rows[order][place], -1)


def is_flag(text: str) -> bool:
    """Tell whether a text is a mark that is set or not: "true", "false", "1", "0"."""
    return text.casefold() in _FLAGS


def flags(stated: Sequence[object]) -> BoolArray:
    """Take marks (A,) that are set or not; as text too."""
    if str in set(map(type, stated)):
        stated = [_FLAGS.get(one.casefold(), False) if isinstance(one, str) else one for one in stated]
    return np.fromiter(map(bool, stated), bool, len(stated))


def strange_text(stated: Sequence[object], is_good: Callable[[str], bool]) -> tuple[int, str] | None:
    """Find the first text among values that is no good one, with its place; None where there is none."""
    if str not in set(map(type, stated)):  # far faster than a loop, and so for every file of numbers
        return None
    return next(((place, one) for place, one in enumerate(stated) if isinstance(one, str) and not is_good(one)), None)


def _whole(value: object) -> int:
    """Give a whole number that a column can hold, or -1."""
    number = whole_in(value)
    return number if isinstance(number, int) and 0 <= number < 2**63 else -1


def wholes(values: Sequence[object] | AnyArray) -> IntArray:
    """Give whole numbers that a column can hold, or -1."""
    if isinstance(values, np.ndarray) and values.dtype != object:
        return values.clip(-1)
    with contextlib.suppress(OverflowError):
        if set(map(type, values)) == {int}:  # ten times as fast as one by one
            return np.fromiter(values, np.int64, len(values)).clip(-1)
    return np.array([_whole(one) for one in values], np.int64)


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (OverflowError, TypeError, ValueError):
        return np.nan


def as_numbers(stated: Sequence[object]) -> FloatArray:
    """Take numbers (A,); nan for what is none."""
    try:
        return np.fromiter(stated, np.float64, len(stated))  # ten times as fast as one by one
    except (OverflowError, TypeError, ValueError):
        return np.array([_number(one) for one in stated], np.float64)


def as_sides(stated: Sequence[Sequence[float | str | None] | None]) -> FloatArray:
    """Take boxes (A, 4) as they are stated; nan where four numbers are not."""
    with contextlib.suppress(OverflowError, TypeError, ValueError):  # twice as fast where every box has four numbers
        if set(map(len, stated)) == {4}:  # type: ignore[arg-type]
            flat = np.fromiter(chain.from_iterable(stated), np.float64, 4 * len(stated))  # type: ignore[arg-type]
            return flat.reshape(-1, 4)
    parts = [part for box in stated for part in (box if box is not None and len(box) == 4 else _NO_BOX)]
    return as_numbers(parts).reshape(-1, 4)


def as_boxes(sides: FloatArray) -> FloatArray:
    """Turn left, top, width, height (A, 4) into left, top, right, bottom; nan where they are no sensible box."""
    boxes = sides.copy()
    with np.errstate(over="ignore", invalid="ignore"):  # text may say inf, and sums go beyond all numbers
        boxes[:, 2:] += boxes[:, :2]
    boxes[(sides[:, 2:] < 0).any(axis=1) | ~np.isfinite(boxes).all(axis=1)] = np.nan
    return boxes


def as_areas(stated: FloatArray) -> FloatArray:
    """Keep areas (A,) that make sense; nan for the others."""
    return np.where((stated >= 0) & np.isfinite(stated), stated, np.nan)


def stated_or(stated: FloatArray, measured: Callable[[], IntArray]) -> FloatArray | None:
    """Take what a file states, with what is measured where it is nan; None where it states nothing at all."""
    missing = np.isnan(stated)
    if missing.all():
        return None
    return np.where(missing, measured(), stated) if missing.any() else stated
