"""A folder's files, listed once: which are pictures, which are texts, and what was refused.

Nothing outside the folder is ever opened: a symbolic link that leads out of it is refused and reported.
"""

import contextlib
import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pixelwise.core.errors import MissingFile, PixelwiseError, StorageError
from pixelwise.core.image import SUFFIXES

TEXTS = frozenset({".txt", ".csv", ".json", ".lst", ".tsv"})
_DIGITS = 4000  # of a number that counts; Python refuses longer ones
_SKIPPED = frozenset({"__macosx", "@eadir", "__pycache__"})


@dataclass(frozen=True)
class Listing:
    """The files under ``root``, as paths relative to it, in natural order (``2`` before ``10``); ``others`` are of any kind."""

    root: Path
    pictures: tuple[PurePosixPath, ...]
    texts: tuple[PurePosixPath, ...]
    others: tuple[PurePosixPath, ...]
    refused: tuple[str, ...]

    def describe(self) -> str:
        """Say in a few words what the folder holds."""
        if not (self.pictures or self.texts or self.others):
            return "nothing"
        kinds = Counter((one.parent.as_posix(), one.suffix.lower()) for one in (*self.pictures, *self.texts))
        shown = [
            f"{count} {suffix} in {'the folder itself' if folder == '.' else folder + '/'}"
            for (folder, suffix), count in kinds.most_common(6)
        ]
        rest = len(kinds) - len(shown)
        if rest > 0:
            shown.append(f"{rest} more kinds")
        if self.others:
            shown.append(f"{len(self.others)} other files")
        return ", ".join(shown)


def natural(path: object) -> tuple[object, ...]:
    """Give a sort key in which numbers count as numbers.

    >>> sorted(["a10", "a2", "A1"], key=natural)
    ['A1', 'a2', 'a10']
    >>> sorted(["a1", "a"], key=natural)
    ['a', 'a1']
    """
    parts = re.split(r"(\d+)", str(path).casefold())
    return tuple(int(part[:_DIGITS]) if part.isdecimal() else part for part in parts), str(path)


_SEEN: ContextVar[dict[Path, Listing] | None] = ContextVar("seen", default=None)


@contextlib.contextmanager
def remembering() -> Iterator[None]:
    """List each folder once while the block runs, as when one format after the other is asked whether a folder is its own."""
    token = _SEEN.set({} if _SEEN.get() is None else _SEEN.get())
    try:
        yield
    finally:
        _SEEN.reset(token)


def list_folder(root: Path) -> Listing:
    """List the files under ``root``; hidden ones are left out.

    Raises:
        MissingFile: there is no such folder.
        StorageError: it may not be read.
    """
    seen = _SEEN.get()
    if seen is None:
        return _listed(root)
    if root not in seen:
        seen[root] = _listed(root)
    return seen[root]


def files_at(path: Path, suffixes: Collection[str]) -> list[Path]:
    """Give the files of some suffixes for a first look: ``path`` itself, or those under it; none of what cannot be listed."""
    if not path.is_dir():
        return [path] if path.suffix.lower() in suffixes else []
    try:
        listing = list_folder(path)
    except PixelwiseError:
        return []
    return [path / one for one in _of_suffixes(listing, suffixes)]


def own_files(
    path: Path, suffixes: Collection[str], is_own: Callable[[Path], bool]
) -> tuple[Listing, tuple[PurePosixPath, ...]]:
    """List the folder that ``path`` is or lies in, and the files that it means: those that are a tool's own.

    Raises:
        MissingFile, StorageError: as ``list_folder``.
    """
    if path.is_dir():
        listing = list_folder(path)
        return listing, tuple(one for one in _of_suffixes(listing, suffixes) if is_own(path / one))
    file = path.resolve()
    return list_folder(file.parent), (PurePosixPath(file.name),) if files_at(file, suffixes) and is_own(file) else ()


def _of_suffixes(listing: Listing, suffixes: Collection[str]) -> Iterator[PurePosixPath]:
    return (one for one in (*listing.texts, *listing.others) if one.suffix.lower() in suffixes)


def _listed(root: Path) -> Listing:
    root = Path(root)
    if not root.exists():
        raise MissingFile(f"{root}: expected a data set, found nothing there; check the path")
    inside = root.resolve()
    pictures: list[PurePosixPath] = []
    texts: list[PurePosixPath] = []
    others: list[PurePosixPath] = []
    refused: list[str] = []

    def stop(error: OSError) -> None:
        raise StorageError(f"{error.filename}: the folder cannot be read: {error.strerror}; check its permissions")

    for folder, names, files in os.walk(root, onerror=stop):
        here = Path(folder)
        for name in list(names):
            if name.startswith(".") or name.casefold() in _SKIPPED:
                names.remove(name)
            elif (here / name).is_symlink():
                names.remove(name)
                refused.append(_refusal(here / name, root, inside))
        for name in files:
            path = here / name
            if name.startswith("."):
                continue
            if path.is_symlink() and not _target(path).is_relative_to(inside):
                refused.append(_refusal(path, root, inside))
                continue
            relative, suffix = PurePosixPath(path.relative_to(root).as_posix()), path.suffix.lower()
            if suffix in SUFFIXES:
                pictures.append(relative)
            elif suffix in TEXTS:
                texts.append(relative)
            else:
                others.append(relative)
    ordered = [tuple(sorted(paths, key=natural)) for paths in (pictures, texts, others)]
    return Listing(root, ordered[0], ordered[1], ordered[2], tuple(refused))


def _target(path: Path) -> Path:
    """Give where a link leads; one that leads to itself leads nowhere, and is told when its file is read."""
    return Path(os.path.realpath(path))


def _refusal(path: Path, root: Path, inside: Path) -> str:
    name = path.relative_to(root).as_posix()
    if _target(path).is_relative_to(inside):
        return f"{name}: a link to another folder of the data set; left out, as its files are read where they are"
    return f"{name}: a link that leads outside the data set; refused, copy the files into it"
