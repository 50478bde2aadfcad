"""An id map and the table beside it, which says what its numbers stand for."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixelwise.core.arrays import Size
from pixelwise.core.errors import DataError, MissingFile, UnreadableFile
from pixelwise.core.image import read_ids, read_size
from pixelwise.core.runs import encode
from pixelwise.formats.numbered import MOST_IDS, masks_of
from pixelwise.formats.objects import Drawn
from pixelwise.formats.shapes import Coded

CLASS = "object"
_MOST_BYTES = 256 * 2**20
_IDS = ("id", "label", "object_id", "instance_id", "value")
_CLASSES = ("class", "class_name", "category", "name")
_TRUE = frozenset({"1", "true", "yes"})


@dataclass(frozen=True)
class Row:
    """What a table says of one number."""

    label: str
    crowd: bool = False
    source: int | None = None
    track: int | None = None


@dataclass(frozen=True)
class IdMap:
    """A map of object numbers, and its table where there is one."""

    path: Path
    table: Path | None = None

    def stated(self) -> Size:
        """Give (H, W) of the map."""
        return read_size(self.path)

    def drawn(self, size: Size) -> Sequence[Drawn | str]:
        """List the objects by their numbers, also those of the table of which nothing is in the map.

        Raises:
            DataError: the map or the table cannot be read.
        """
        rows = None if self.table is None else read_table(self.table)
        stored, _ = read_ids(self.path)
        try:
            runs, values = masks_of(stored)
        except DataError as error:
            raise UnreadableFile(f"{self.path}: {error}") from None
        masks = dict(zip(values, runs, strict=True))
        none = encode(np.zeros(size, bool))
        found: list[Drawn | str] = []
        for value in sorted(set(masks) | set(rows or ())):
            where, row = f"object {value}", Row(CLASS) if rows is None else rows.get(value)
            if row is None:
                found.append(f"{where}: {self.table} has no row for it; add one")
                continue
            shape = Coded(masks.get(value, none))
            source = value if row.source is None else row.source
            found.append(Drawn(row.label, shape, where, row.crowd, id=source, track=row.track))
        return found


def read_table(path: Path) -> Mapping[int, Row]:
    """Read a table of numbers and classes: comma, semicolon or tab separated, with a header.

    Raises:
        MissingFile: there is none.
        UnreadableFile: it is no such table, or a number stands in it twice.
    """
    found: dict[int, Row] = {}
    for line, row in enumerate(_rows(path), start=2):
        try:
            number, label = int(_cell(row, _IDS)), _cell(row, _CLASSES)
            crowd, source, track = row.get("crowd", "").casefold() in _TRUE, _number(row, "source_id"), _number(row, "track_id")
        except (KeyError, ValueError) as error:
            raise UnreadableFile(f"{path}: line {line}: expected a number and a class, found {error}") from None
        if number < 1 or number in found or not label:
            what = "stands there twice" if number in found else "is none of an object" if number < 1 else "has no class"
            raise UnreadableFile(f"{path}: line {line}: the number {number} {what}")
        if len(found) >= MOST_IDS:
            raise UnreadableFile(f"{path}: more than {MOST_IDS:,} rows; is it a table of objects?")
        found[number] = Row(label, crowd, source, track)
    return found


def names_in(path: Path) -> set[str]:
    """List the classes that a table names; none of one that cannot be read."""
    try:
        return {row.label for row in read_table(path).values()}
    except (DataError, MissingFile):
        return set()


def _rows(path: Path) -> Iterator[dict[str, str]]:
    try:
        if (size := path.stat().st_size) > _MOST_BYTES:
            raise UnreadableFile(f"{path}: {size:,} bytes; at most {_MOST_BYTES:,} are read as a table")
        with open(path, encoding="utf-8-sig", newline="") as file:
            start = file.readline(65536)
            file.seek(0)
            mark = max(",;\t", key=start.count)
            for row in csv.DictReader(file, delimiter=mark):
                yield {
                    key.strip().casefold(): value or ""
                    for key, value in row.items()
                    if isinstance(key, str) and isinstance(value, str | None)
                }
    except FileNotFoundError:
        raise MissingFile(f"{path}: expected a table of objects, found nothing there") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFile(f"{path}: expected a table of objects, but {error}") from None


def _cell(row: Mapping[str, str], names: Sequence[str]) -> str:
    found = next((name for name in names if name in row), None)
    if found is None:
        raise ValueError(f"no column called {' or '.join(names[:2])} among {', '.join(row) or 'none'}")
    return row[found].strip() if names is _IDS else row[found]


def _number(row: Mapping[str, str], name: str) -> int | None:
    text = row.get(name, "").strip()
    return int(text) if text else None
