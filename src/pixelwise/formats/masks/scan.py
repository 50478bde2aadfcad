"""Count what the masks of a data set hold, in one parallel pass: values, borders, neighbours.

The evidence ``values`` judges by. For each stored value: its pixels, in how many masks it occurs, how many of its pixels
touch another value (*border*), how many lie strictly between their two neighbours in a row or column (*ramp*: what
interpolation leaves behind), and how much border it shares with which other value.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.core.arrays import AnyArray, BoolArray, IntArray, Size
from pixelwise.core.errors import DataError, MissingFile
from pixelwise.core.image import read_ids
from pixelwise.core.labels import Encoding, pack_colour
from pixelwise.core.stored import palette_of
from pixelwise.formats.cache import Cache
from pixelwise.formats.classes import ClassTable

_MOST_VALUES = 1024  # of one mask, kept one by one: more than that is a photograph, not a mask
_MOST_PAIRED = 256  # values of one mask for which neighbours are counted

Progress = Callable[[int, int], None]  # done, of how many


@dataclass(frozen=True)
class MaskRecord:
    """What one mask holds; rows of ``values`` belong together. ``dropped`` are pixels of values past the first 1024."""

    size: Size
    encoding: str  # id, palette or rgb
    values: tuple[int, ...]
    pixels: tuple[int, ...]
    border: tuple[int, ...]
    ramp: tuple[int, ...]
    colours: tuple[int, ...] = ()  # of the values, in a palette mask
    pairs: tuple[tuple[int, int, int], ...] = ()  # value, other value, shared border
    dropped: int = 0


@dataclass(frozen=True)
class ValueUse:
    """A stored value over all masks."""

    value: int
    pixels: int
    images: int
    border: int
    ramp: int


@dataclass(frozen=True)
class Scan:
    """What all masks hold: uses by value, shared borders, each mask's record, the masks that could not be read."""

    encoding: Encoding
    uses: tuple[ValueUse, ...]
    neighbours: Mapping[tuple[int, int], int] = field(default_factory=dict)
    records: Mapping[Path, MaskRecord] = field(default_factory=dict)
    failures: Mapping[Path, str] = field(default_factory=dict)
    table: ClassTable | None = None
    dropped: int = 0

    @property
    def values(self) -> tuple[int, ...]:
        """The stored values in order."""
        return tuple(use.value for use in self.uses)

    @property
    def pixels(self) -> int:
        """All pixels of all masks."""
        return sum(use.pixels for use in self.uses) + self.dropped

    def share(self, values: Iterable[int]) -> float:
        """Give the share of all pixels that hold one of ``values``."""
        wanted = set(values)
        return sum(use.pixels for use in self.uses if use.value in wanted) / max(self.pixels, 1)


def measure(stored: IntArray, is_rgb: bool = False) -> MaskRecord:
    """Count one mask (H, W).

    >>> record = measure(np.array([[0, 0, 3], [0, 0, 3]], np.uint8))
    >>> record.values, record.pixels, record.border, record.pairs
    ((0, 3), (4, 2), (2, 2), ((0, 3, 2),))
    """
    values, index = _indexed(stored)
    across, down = index[:, 1:] != index[:, :-1], index[1:] != index[:-1]
    touching = np.zeros(index.shape, bool)
    touching[:, 1:] |= across
    touching[:, :-1] |= across
    touching[1:] |= down
    touching[:-1] |= down
    count = len(values)
    kept = np.arange(count)
    pixels = np.bincount(index.ravel(), minlength=count)
    if count > _MOST_VALUES:
        kept = np.sort(np.argsort(-pixels, kind="stable")[:_MOST_VALUES])
    border = np.bincount(index[touching], minlength=count)
    ramp = np.bincount(index[_ramps(stored, is_rgb)], minlength=count)
    pairs = _pairs(values, index, across, down) if count <= _MOST_PAIRED else ()

    def row(each: IntArray) -> tuple[int, ...]:
        return tuple(int(one) for one in each[kept])

    return MaskRecord(
        size=(int(stored.shape[0]), int(stored.shape[1])),
        encoding="rgb" if is_rgb else "id",
        values=row(values),
        pixels=row(pixels),
        border=row(border),
        ramp=row(ramp),
        pairs=pairs,
        dropped=int(pixels.sum() - pixels[kept].sum()),
    )


def _indexed(stored: IntArray) -> tuple[IntArray, IntArray]:
    """Give the values in order, and each pixel's place among them."""
    if stored.dtype in (np.uint8, np.uint16):
        values = np.flatnonzero(np.bincount(stored.ravel()))
        table = np.zeros(int(values[-1]) + 1 if len(values) else 1, np.int32)
        table[values] = np.arange(len(values))
        return values, table[stored]
    values, index = np.unique(stored, return_inverse=True)
    return values, index.reshape(stored.shape).astype(np.int32)


def _pairs(values: IntArray, index: IntArray, across: BoolArray, down: BoolArray) -> tuple[tuple[int, int, int], ...]:
    count = len(values)
    first = np.concatenate([index[:, 1:][across], index[1:][down]])
    second = np.concatenate([index[:, :-1][across], index[:-1][down]])
    codes = np.bincount(np.minimum(first, second) * count + np.maximum(first, second), minlength=1)
    return tuple((int(values[code // count]), int(values[code % count]), int(codes[code])) for code in np.flatnonzero(codes))


def _ramps(stored: IntArray, is_rgb: bool) -> BoolArray:
    """Mark pixels strictly between their neighbours in a row or a column; for colours, between them in every band."""
    if is_rgb:
        bands: AnyArray = np.stack([stored >> shift & 255 for shift in (16, 8, 0)]).astype(np.int16)
    else:
        bands = stored[None].astype(np.int32)
    found = np.zeros(stored.shape, bool)
    for axis in (1, 2):
        steps = np.diff(bands, axis=axis)
        before, after = (steps[:, :, :-1], steps[:, :, 1:]) if axis == 2 else (steps[:, :-1], steps[:, 1:])
        agree = np.sign(before) * np.sign(after)
        between = (agree >= 0).all(axis=0) & (agree > 0).any(axis=0)
        (found[:, 1:-1] if axis == 2 else found[1:-1])[between] = True
    return found


def scan_masks(paths: Sequence[Path], root: Path, table: ClassTable | None = None, progress: Progress | None = None) -> Scan:
    """Count all masks, two or more at a time; masks that did not change since the last time are not read again."""
    cache = Cache("masks", root)
    records: dict[Path, MaskRecord] = {}
    failures: dict[Path, str] = {}
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:  # decoding and counting release the interpreter lock
        results = pool.map(lambda path: _measured(path, cache), paths)
        for done, (path, result) in enumerate(zip(paths, results, strict=True), 1):
            if isinstance(result, MaskRecord):
                records[path] = result
            else:
                failures[path] = result
            if progress is not None:
                progress(done, len(paths))
    cache.save()
    return combine(records, failures, table)


def _measured(path: Path, cache: Cache) -> MaskRecord | str:
    kept = _from_json(cache.get(path))
    if kept is not None:
        return kept
    try:
        stored, is_rgb = read_ids(path)
        if not stored.size:
            return f"{path}: the mask has no pixels"
        record = measure(stored, is_rgb)
        if not is_rgb and (palette := palette_of(path)) is not None:
            colours = tuple(int(palette[value]) for value in record.values)
            record = MaskRecord(**{**asdict(record), "encoding": "palette", "colours": colours})
    except (DataError, MissingFile) as error:
        return str(error)
    except OSError as error:
        return f"{path}: the mask cannot be read: {error.strerror or error}; check its permissions"
    cache.put(path, asdict(record))
    return record


def _from_json(data: Any) -> MaskRecord | None:
    """Take a cached record; anything that does not fit is as good as none."""
    try:
        rows = {name: tuple(int(one) for one in data[name]) for name in ("values", "pixels", "border", "ramp", "colours")}
        if len({len(rows[name]) for name in ("values", "pixels", "border", "ramp")}) != 1:
            return None
        pairs = tuple((int(one), int(other), int(count)) for one, other, count in data["pairs"])
        height, width = data["size"]
        return MaskRecord((int(height), int(width)), str(data["encoding"]), pairs=pairs, dropped=int(data["dropped"]), **rows)
    except (TypeError, KeyError, ValueError):
        return None


def combine(
    records: Mapping[Path, MaskRecord], failures: Mapping[Path, str] | None = None, table: ClassTable | None = None
) -> Scan:
    """Add up records. One colour-coded mask makes the whole data set colour-coded; so does a palette of the table's colours."""
    by_colour = table.by_colour() if table is not None else {}
    palettes = [record for record in records.values() if record.encoding == "palette"]
    is_rgb = any(record.encoding == "rgb" for record in records.values()) or (
        bool(palettes) and bool(by_colour) and all(colour in by_colour for record in palettes for colour in record.colours)
    )
    pixels, images, border, ramp = (Counter[int]() for _ in range(4))
    neighbours: Counter[tuple[int, int]] = Counter()
    for record in records.values():
        meaning = _meaning(record) if is_rgb else {}
        for row, value in enumerate(record.values):
            value = meaning.get(value, value)
            pixels[value] += record.pixels[row]
            images[value] += 1
            border[value] += record.border[row]
            ramp[value] += record.ramp[row]
        for one, other, count in record.pairs:
            neighbours[meaning.get(one, one), meaning.get(other, other)] += count
    uses = tuple(ValueUse(value, pixels[value], images[value], border[value], ramp[value]) for value in sorted(pixels))
    dropped = sum(record.dropped for record in records.values())
    return Scan("rgb" if is_rgb else "id", uses, neighbours, dict(records), dict(failures or {}), table, dropped)


def _meaning(record: MaskRecord) -> dict[int, int]:
    """Map a record's values to packed colours."""
    if record.encoding == "rgb":
        return {}
    if record.encoding == "palette":
        return dict(zip(record.values, record.colours, strict=True))
    return {value: pack_colour((value, value, value)) for value in record.values if value < 256}


def values_of(record: MaskRecord, encoding: Encoding) -> Iterable[int]:
    """Give the values of one mask under the data set's encoding."""
    meaning = _meaning(record) if encoding == "rgb" else {}
    return (meaning.get(value, value) for value in record.values)
