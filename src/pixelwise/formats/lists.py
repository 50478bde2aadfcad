"""List files: ``train.txt``, ``val.txt`` … with one image path, stem, or image and mask path a line.

Paths are matched inside the folder by their trailing parts, so lists made on another machine work; an entry never opens
anything outside.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pixelwise.core.errors import UnreadableFile
from pixelwise.core.image import SUFFIXES
from pixelwise.formats.folder import Listing
from pixelwise.formats.names import split_of, stem_of

_MOST_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Entry:
    """A line: its text, and for each path in it the files it may mean."""

    text: str
    files: tuple[tuple[PurePosixPath, ...], ...]


@dataclass(frozen=True)
class FileList:
    """A list file and the split it stands for."""

    path: PurePosixPath
    split: str
    entries: tuple[Entry, ...]


def read_lists(listing: Listing) -> tuple[FileList, ...]:
    """Read every text file of which at least half the lines name pictures of the folder."""
    index: dict[str, list[PurePosixPath]] = defaultdict(list)
    for picture in listing.pictures:
        index[stem_of(picture.name)].append(picture)
    found = []
    for path in listing.texts:
        named = split_of(path.stem) is not None
        if path.suffix.lower() == ".json" or not (named or (path.suffix.lower() in (".txt", ".lst") and len(path.parts) < 3)):
            continue
        if (one := _read_list(listing, path, index)) is not None:
            found.append(one)
    return tuple(found)


def _read_list(listing: Listing, path: PurePosixPath, index: dict[str, list[PurePosixPath]]) -> FileList | None:
    file = listing.root / path
    try:
        if file.stat().st_size > _MOST_BYTES:
            return None
        lines = [line.strip() for line in file.read_text("utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        if split_of(path.stem) is None:
            return None  # some other text, in some other encoding: not ours to read
        raise UnreadableFile(f"{file}: expected a list of images in UTF-8, but {error}; save it as UTF-8 text") from None
    entries = [_entry(line, index) for line in lines if line and not line.startswith("#")]
    if not entries or 2 * sum(any(entry.files) for entry in entries) < len(entries):
        return None
    return FileList(path, split_of(path.stem) or path.stem, tuple(entries))


def _entry(line: str, index: dict[str, list[PurePosixPath]]) -> Entry:
    words = [word.strip("\"'") for word in line.replace(",", " ").replace(";", " ").split()]
    named = [files for word in words if PurePosixPath(word).suffix.lower() in SUFFIXES and (files := _resolve(word, index))]
    if len(words) == 2 and len(named) == 2:
        return Entry(line, tuple(named))
    whole = _resolve(line, index) or (_resolve(words[0], index) if words else ())  # a path may hold spaces
    return Entry(line, (whole,) if whole else ())


def _resolve(text: str, index: dict[str, list[PurePosixPath]]) -> tuple[PurePosixPath, ...]:
    """Find the pictures that ``text`` may mean: by file name if it has one, else by stem; most shared parents first."""
    parts = [part for part in text.replace("\\", "/").split("/") if part not in ("", ".")]
    if not parts or ".." in parts:
        return ()
    candidates = index.get(stem_of(parts[-1])) or index.get(parts[-1].casefold()) or []
    named = [one for one in candidates if one.name.casefold() == parts[-1].casefold()]
    candidates = named or candidates
    scores = {one: _shared(one.parts[:-1], parts[:-1]) for one in candidates}
    best = max(scores.values(), default=0)
    return tuple(one for one, score in scores.items() if score == best)


def _shared(first: Sequence[str], second: Sequence[str]) -> int:
    """Count equal trailing parts."""
    count = 0
    for one, other in zip(reversed(first), reversed(second), strict=False):
        if one.casefold() != other.casefold():
            break
        count += 1
    return count
