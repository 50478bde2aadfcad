"""What the exports of labelling platforms share: JSON files that list images, which lie beside or above them.

A file is a list of items, one item, or one item a line (NDJSON). Items stay on the disk until they are asked for.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, wraps
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np
from msgspec import Raw

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.errors import DataError, MissingFile, UnreadableFile
from pixelwise.formats.coco.pieces import places_of, read_pieces, stamp_of
from pixelwise.formats.folder import Listing, list_folder, natural
from pixelwise.formats.json_file import decode, decoded, keys_of

SUFFIXES = (".json", ".ndjson", ".jsonl")
_FOLDERS = ("annotations", "annotation", "labels", "anns", "ann", "json", "exports", "export")
_MOST_OTHERS = 32  # files of another make that come first, before the rest is taken for such

_T = TypeVar("_T")
Keys = frozenset[str] | None


@dataclass(frozen=True)
class Export:
    """The label files of one tool, relative to the root of a listing; ``whole`` where a folder was given, not one file."""

    listing: Listing
    files: tuple[PurePosixPath, ...]
    whole: bool

    def paths(self) -> list[Path]:
        """Give the files as they can be opened."""
        return [self.listing.root / one for one in self.files]


def find_export(path: Path, is_own: Callable[[Keys], bool]) -> Export | None:
    """Find the files of a tool that ``path`` means: those of a folder, or one file.

    A file of a folder that is no JSON at all counts where another beside it is the tool's: reading then says what is wrong.

    Args:
        path: a folder or a file.
        is_own: tells a file of the tool by the keys of its first item, as ``keys_of`` gives them.

    Raises:
        MissingFile: there is nothing at ``path``.
    """
    path = Path(path)
    if not path.exists():
        raise MissingFile(f"{path}: expected an export, found nothing there; check the path")
    if not path.is_dir():
        return _of_file(path) if path.suffix.lower() in SUFFIXES and is_own(keys_of(path)) else None
    listing = list_folder(path)
    found: list[PurePosixPath] = []
    broken: list[PurePosixPath] = []
    others = 0
    for one in (*listing.texts, *listing.others):
        if one.suffix.lower() not in SUFFIXES:
            continue
        if others >= _MOST_OTHERS and not found:
            break
        keys = keys_of(listing.root / one)
        if keys is not None and is_own(keys):
            found.append(one)
        else:
            others += 1
            broken += [one] if keys is None else []
    folders = {one.parent for one in found}
    found = sorted([*found, *(one for one in broken if one.parent in folders)], key=natural)
    if found and not listing.pictures and path.resolve().name.casefold() in _FOLDERS:
        above = PurePosixPath(path.resolve().name)
        return Export(list_folder(path.resolve().parent), tuple(above / one for one in found), True)
    return Export(listing, tuple(found), True) if found else None


def _of_file(path: Path) -> Export:
    folder = path.resolve().parent
    root = folder.parent if folder.name.casefold() in _FOLDERS else folder
    return Export(list_folder(root), (PurePosixPath(path.resolve().relative_to(root).as_posix()),), False)


@dataclass(frozen=True, eq=False)
class Item:
    """One item of a label file, where it lies on the disk."""

    path: Path
    place: tuple[int, int]
    stamp: tuple[int, int]

    def text(self) -> bytes:
        """Read its JSON.

        Raises:
            MissingFile, UnreadableFile: the file is gone, or has changed since it was listed.
        """
        return read_pieces(self.path, self.stamp, np.array([self.place], np.int64))[0]

    def decoded(self, form: type[_T]) -> _T:
        """Decode it.

        Raises:
            UnreadableFile: it is not of that form.
            MissingFile: as ``text``.
        """
        try:
            return decode(self.text(), form)
        except DataError as error:
            if isinstance(error, UnreadableFile):
                raise
            raise UnreadableFile(f"{self.path}: the item at byte {self.place[0]} is not as expected: {error}") from None

    def require_unchanged(self) -> None:
        """Check that the file is still the one that was listed, as where a part of it is kept.

        Raises:
            MissingFile, UnreadableFile: as ``text``.
        """
        read_pieces(self.path, self.stamp, np.zeros((1, 2), np.int64))


def once(read: Callable[[Item], _T]) -> Callable[[Item], _T]:
    """Keep what ``read`` makes of the last item, as the truths of one are asked for one after the other."""
    kept = lru_cache(maxsize=1)(read)

    @wraps(read)
    def found(item: Item) -> _T:
        item.require_unchanged()
        return kept(item)

    return found


def items_of(path: Path, what: str) -> list[Item]:
    """List the items of a file: those of a list, one a line, or the one it is; ``what`` names in messages what it should be.

    Raises:
        MissingFile: there is none.
        UnreadableFile: it is empty, cut off, too large or no JSON.
    """
    keys = keys_of(path)
    if keys is not None and "\n" in keys:
        return list(_lines(path))
    if keys is not None and "[]" not in keys:
        one, data, skipped = decoded(path, Raw, what)
        parts = [one]
    else:
        parts, data, skipped = decoded(path, list[Raw], what)
    stamp = stamp_of(path.stat())
    places: IntArray = places_of(parts, data.ctypes.data - skipped)
    return [Item(path, (int(first), int(length)), stamp) for first, length in places]


def _lines(path: Path) -> Iterator[Item]:
    stamp = stamp_of(path.stat())
    place = 0
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            text = line.strip() if place else line.removeprefix(b"\xef\xbb\xbf").strip()
            if text:
                try:
                    decode(text, dict[str, Raw])
                except DataError as error:
                    raise UnreadableFile(
                        f"{path}: line {number}: expected a JSON object, but {error}; copy or export the file again"
                    ) from None
                yield Item(path, (place + line.index(text), len(text)), stamp)
            place += len(line)


def take(fields: Mapping[str, Raw], key: str, form: type[_T], default: _T) -> _T:
    """Decode one field of an item; ``default`` where it is not there, or of another form."""
    if key not in fields:
        return default
    try:
        return decode(fields[key], form)
    except DataError:
        return default


def objects_in(raws: Sequence[Raw]) -> list[dict[str, Raw]]:
    """Decode objects for a first look: what is none is left out, and told when the truth is read."""
    found = []
    for raw in raws:
        try:
            found.append(decode(raw, dict[str, Raw]))
        except DataError:
            continue
    return found


def by_name(said: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Collect what is said under names; a name that comes again, as where several values may be chosen, gets a list.

    >>> by_name([("colour", "red"), ("age", 2), ("colour", "blue")])
    {'colour': ['red', 'blue'], 'age': 2}
    """
    found: dict[str, list[Any]] = {}
    for name, value in said:
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def is_null(raw: Raw) -> bool:
    """Tell whether a field is there and says nothing."""
    return bytes(memoryview(raw)) == b"null"


def scaled(points: FloatArray, scale: Sequence[float]) -> FloatArray:
    """Multiply points (P, 2) by a factor for x and one for y; what goes beyond all numbers becomes infinite."""
    with np.errstate(over="ignore"):
        return points * np.asarray(scale, np.float64)


def number_in(fields: Mapping[str, Any], key: str) -> float:
    """Give a number of a decoded object.

    >>> number_in({"x": 2}, "x")
    2.0

    Raises:
        DataError: it is missing, or no finite number.
    """
    value = fields.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise DataError(f"expected a number as '{key}', found {'nothing' if value is None else repr(value)[:40]}")
    try:
        found = float(value)
    except OverflowError:
        found = np.inf
    if not np.isfinite(found):
        raise DataError(f"expected a finite number as '{key}', found {str(value)[:40]}")
    return found
