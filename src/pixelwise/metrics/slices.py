"""Scores of parts of a data set: the dark images, those of one sequence, of one tag, of whatever column a person gives.

A slice is some of the images that were counted; its scores are computed from their counts by the same rules as those of all,
and so are its intervals. Objects are sliced by size in the families that do so (``average_precision``, ``sizes``), pixels by
where they lie in ``places``, and classes in every family: none of these cuts images apart.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.core.arrays import FloatArray
from pixelwise.core.errors import DataError, OptionError, PixelwiseError, UnreadableFile, nearest
from pixelwise.core.image import Image
from pixelwise.core.sample import Dataset, Sample
from pixelwise.metrics.interval import Bootstrap, caution, intervals, joined, resample, score_draws
from pixelwise.metrics.result import Report, Slice
from pixelwise.metrics.tally import Tally, chosen
from pixelwise.metrics.views import Families

MOST = 12  # values of a column that are slices of their own; of more, numbers become three bins of equally many images
_MOST_BYTES = 2**28
_THIRDS = ("low", "middle", "high")
_BRIGHT = ("dark", "medium", "bright")
_MEASURED = ("brightness", "contrast", "image_size")
RULES = {
    "slices": "each slice is scored from the counts of its images alone, by the rules of the whole; numbers of many values are "
    "cut into thirds of equally many images",
    "brightness": "the mean grey level of an image, from 0 to 1 (Rec. 601 luma)",
    "contrast": "the standard deviation of an image's grey levels, from 0 to 1",
}


def columns(dataset: Dataset, wanted: Sequence[str], table: Path | None = None) -> dict[str, dict[str, Any]]:
    """Find the values of columns: by column, then by sample name.

    A column is ``brightness``, ``contrast`` or ``image_size``, measured on the images; a key of the samples' ``meta``; or a
    column of ``table``, a CSV file with a header and a row an image, whose first column names it. A list in ``meta``, such as
    tags, puts an image into several slices. An image without a value is in no slice of that column.

    Raises:
        OptionError: no such column is known; the message has the nearest ones.
        UnreadableFile: the table is no CSV file of that form.
    """
    given = {} if table is None else _table(table)
    known = {*_MEASURED, *given, *(key for sample in dataset for key in sample.meta)}
    if strange := [name for name in wanted if name not in known]:
        raise OptionError(f"no column is called '{strange[0]}'; {nearest(strange[0], sorted(known))}")
    found: dict[str, dict[str, Any]] = {name: {} for name in wanted}
    measured = [name for name in wanted if name in _MEASURED and name not in given]
    for sample in dataset:
        for name, value in _measured(sample, measured).items():
            found[name][sample.name] = value
        for name in wanted:
            if name in given:
                value = given[name].get(sample.name, given[name].get(Path(sample.name).name))
            else:
                value = sample.meta.get(name)
            if name not in measured and value is not None:
                found[name][sample.name] = value
    return found


def columns_in(table: Path) -> list[str]:
    """Name the columns of a table but the first.

    Raises:
        UnreadableFile: it is no CSV file with a header and a row an image.
    """
    return list(_table(table))


def slices(
    found: Tally,
    families: Families,
    metrics: Sequence[str],
    by: Mapping[str, Mapping[str, Any]],
    bootstrap: Bootstrap | None = None,
) -> tuple[Slice, ...]:
    """Score what was counted slice by slice; ``by`` has the values of ``columns``."""
    made = []
    for column, values in by.items():
        for value, names in _grouped(column, values).items():
            rows = [row for row, name in enumerate(found.names) if name in names]
            if rows:
                made.append(_slice(found, families, metrics, column, value, rows, bootstrap))
    return tuple(made)


def with_slices(
    report: Report,
    found: Tally,
    families: Families,
    metrics: Sequence[str],
    by: Mapping[str, Mapping[str, Any]],
    bootstrap: Bootstrap | None = None,
) -> Report:
    """Add the scores of slices to the report of what was counted."""
    if not by:
        return report
    rules = {name: text for name, text in RULES.items() if name == "slices" or name in by}
    return replace(report, slices=slices(found, families, metrics, by, bootstrap), rules={**report.rules, **rules})


def _slice(
    found: Tally,
    families: Families,
    metrics: Sequence[str],
    column: str,
    value: str,
    rows: Sequence[int],
    bootstrap: Bootstrap | None,
) -> Slice:
    weights = np.zeros((1, len(found.names)), np.int64)
    weights[0, list(rows)] = 1
    parts = [score_draws(families[name], counts, found.single.get(name, ()), weights) for name, counts in found.counts.items()]
    scores = {name: float(values[0]) for name, values in chosen(joined(parts).scores, metrics, families).items()}
    groups = [found.groups[row] for row in rows]
    if bootstrap is None:
        return Slice(column, value, len(rows), scores)
    note = caution(groups, bootstrap)
    if len(set(groups)) < 2:
        return Slice(column, value, len(rows), scores, dict.fromkeys(scores), note)
    drawn = [
        resample(families[name], counts, found.single.get(name, ()), found.groups, rows, bootstrap)
        for name, counts in found.counts.items()
    ]
    every, _ = intervals(joined(drawn), bootstrap.level)
    return Slice(column, value, len(rows), scores, {name: every[name] for name in scores}, note)


def _grouped(column: str, values: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Put images (by name) together whose values are alike; many different numbers become thirds."""
    lists = {name: value if isinstance(value, list | tuple | set | frozenset) else (value,) for name, value in values.items()}
    distinct = {each for value in lists.values() for each in value}
    if len(distinct) > MOST or column in ("brightness", "contrast"):
        numbers = {name: number for name, value in values.items() if (number := _number(value)) is not None}
        if len(numbers) < len(values):
            raise OptionError(
                f"the column '{column}' has {len(distinct)} values; at most {MOST} make slices, unless all of them are numbers"
            )
        return _thirds(numbers, _BRIGHT if column == "brightness" else _THIRDS)
    order = sorted(distinct, key=lambda each: (_number(each) is None, _number(each) or 0.0, str(each)))
    return {str(each): frozenset(name for name, value in lists.items() if each in value) for each in order}


def _thirds(numbers: Mapping[str, float], words: Sequence[str]) -> dict[str, frozenset[str]]:
    if not numbers:
        return {}
    values: FloatArray = np.array(list(numbers.values()))
    bounds = np.quantile(values, [1 / 3, 2 / 3])
    bins = np.searchsorted(bounds, values, side="left")
    edges = [float(values.min()), *bounds.tolist(), float(values.max())]
    found = {}
    for number, word in enumerate(words):
        names = frozenset(name for name, place in zip(numbers, bins, strict=True) if place == number)
        if names:
            found[f"{word} ({edges[number]:.3g} to {edges[number + 1]:.3g})"] = names
    return found


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


def _measured(sample: Sample, wanted: Iterable[str]) -> dict[str, Any]:
    wanted = list(wanted)
    if not wanted:
        return {}
    try:
        found: dict[str, Any] = {}
        if "image_size" in wanted:
            found["image_size"] = " x ".join(map(str, sample.size))
        if {"brightness", "contrast"} & set(wanted):
            grey = _grey(sample.image)
            measured = {"brightness": float(grey.mean()), "contrast": float(grey.std())} if grey.size else {}
            found.update({name: value for name, value in measured.items() if name in wanted})
        return found
    except PixelwiseError:
        return {}  # it is listed among the failures of the evaluation


def _grey(image: Image) -> FloatArray:
    pixels = image.pixels
    scale = 1.0 if pixels.dtype.kind == "f" else float(np.iinfo(pixels.dtype).max)
    weights = np.array([0.299, 0.587, 0.114]) if pixels.shape[2] == 3 else np.full(pixels.shape[2], 1 / pixels.shape[2])
    return np.asarray(pixels[::2, ::2] @ weights / scale)  # a quarter of the pixels tells as much


def _table(path: Path) -> dict[str, dict[str, str]]:
    path = Path(path)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f"{path}: expected at most {_MOST_BYTES:,} bytes; keep the columns that are sliced by")
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFile(f"{path}: expected a CSV file with a header and a row an image, but {error}") from None
    if not rows or len(rows[0]) < 2:
        raise UnreadableFile(f"{path}: expected a header of the image's name and one more column, found {rows[:1]}")
    header = rows[0]
    if wrong := [number for number, row in enumerate(rows, start=1) if row and len(row) != len(header)]:
        raise UnreadableFile(f"{path}: line {wrong[0]}: expected {len(header)} values, found {len(rows[wrong[0] - 1])}")
    return {
        name: {_stem(row[0]): row[place] for row in rows[1:] if row and row[place].strip()}
        for place, name in enumerate(header)
        if place
    }


def _stem(name: str) -> str:
    """Take an image's name without its ending, as samples are named; ``a/b.jpg`` and ``a/b`` are the same."""
    path = Path(name)
    return (
        str(path.with_suffix(""))
        if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")
        else name
    )
