"""Unpack an archive beside its place, member by member, and put it there only when it is whole.

Each file that is unpacked is one line of a journal, so a process that was killed is gone on with. When all is there, a mark
says so, and what was unpacked is renamed into the data set's folder; no file is ever seen there half written.
"""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pixelwise.core.errors import DataError, PixelwiseError, PlaceTaken, StorageError, UnreadableFile
from pixelwise.core.files import make_folder, write_json
from pixelwise.curate.download_archive import DAMAGE, Guard, Limits, Member, members, title
from pixelwise.curate.progress import Progress
from pixelwise.curate.sources import Archive
from pixelwise.formats.writing.journal import Journal, line_of

_MARK = "unpacked.json"
_CHUNK = 2**20


@dataclass(frozen=True)
class Unpacked:
    """What an archive held.

    Attributes:
        files, bytes: how many.
        first, last: two of the files, by which the set is known to be there still.
    """

    files: int = 0
    bytes: int = 0
    first: str = ""
    last: str = ""

    @classmethod
    def of(cls, said: Any) -> "Unpacked":
        """Take what a file says.

        Raises:
            KeyError, TypeError, ValueError: it says something else.
        """
        return cls(int(said["files"]), int(said["bytes"]), str(said["first"]), str(said["last"]))


def unpack(archive: Archive, path: Path, stage: Path, limits: Limits, progress: Progress) -> Unpacked:
    """Unpack the file ``path`` to the folder ``stage``, going on with what is there.

    Raises:
        UnreadableFile: it is damaged, or holds what may not be unpacked; the stage is deleted.
        StorageError: it cannot be written.
    """
    if (done := read_mark(stage)) is not None:
        return done
    content = make_folder(stage / "content")
    try:
        total = _unpack_one(path, content, stage / "0.jsonl", Guard(path, limits), progress)
        for row, name in enumerate(archive.nested, start=1):
            inner = content / name
            if not inner.is_file():
                raise UnreadableFile(f"{title(path)}: expected {name} in it, and there is none")
            found = _unpack_one(inner, inner.parent, stage / f"{row}.jsonl", Guard(inner, limits), progress)
            at = PurePosixPath(name).parent
            first, last = (str(at / one) if one else "" for one in (found.first, found.last))
            total = Unpacked(total.files - 1 + found.files, total.bytes + found.bytes, total.first or first, last or total.last)
    except DataError:
        shutil.rmtree(stage, ignore_errors=True)
        raise
    if not total.files:
        shutil.rmtree(stage, ignore_errors=True)
        raise UnreadableFile(f"{title(path)}: there is no file in it")
    for name in archive.nested:
        (content / name).unlink(missing_ok=True)
    below = [f"{archive.folder}/{one}" if archive.folder else one for one in (total.first, total.last)]
    total = Unpacked(total.files, total.bytes, *below)
    write_json(stage / _MARK, asdict(total))
    return total


def read_mark(stage: Path) -> Unpacked | None:
    """Give what was unpacked to a stage, if all of it was."""
    try:
        return Unpacked.of(json.loads((stage / _MARK).read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _unpack_one(path: Path, into: Path, journal_path: Path, guard: Guard, progress: Progress) -> Unpacked:
    journal = Journal(journal_path)
    files = size = 0
    first = last = ""
    with journal.opened() as lines, members(path) as found:
        for row, member, place in _admitted(found, guard):
            target = into / place
            if member.kind == "folder":
                make_folder(target)
                continue
            if row not in journal or not _holds(target, member.size):
                _write(path, member, target)
                if row not in journal:
                    journal.add(lines, row, line_of(row, {"name": str(place)}))
            files += 1
            size += member.size
            first, last = first or str(place), str(place)
            progress(f"unpacking {title(path)}", files, 0)
    return Unpacked(files, size, first, last)


def _admitted(found: Iterator[Member], guard: Guard) -> Iterator[tuple[int, Member, PurePosixPath]]:
    for row, member in enumerate(found):
        place = guard.admit(member)
        if place is not None:
            yield row, member, place


def _holds(target: Path, size: int) -> bool:
    return target.is_file() and target.stat().st_size == size


def _write(path: Path, member: Member, target: Path) -> None:
    """Write one file; its bytes must be as many as stated, and where there is a checksum it holds."""
    make_folder(target.parent)
    left = member.size
    try:
        with open(target, "wb") as file:
            for block in _content(path, member):
                left -= len(block)
                if left < 0:
                    break
                file.write(block)
    except PixelwiseError:  # some are OSErrors too
        raise
    except OSError as error:
        raise StorageError(
            f"{target}: cannot be written: {error.strerror or error}; what is unpacked is kept, so the same command goes on"
        ) from None
    if left:
        raise UnreadableFile(f"{title(path)}: {member.name!r} in it has not the {member.size:,} bytes that it states")


def _content(path: Path, member: Member) -> Iterator[bytes]:
    try:
        with member.open() as content:
            while block := content.read(_CHUNK):
                yield block
    except PixelwiseError:
        raise
    except (*DAMAGE, OSError) as error:
        raise UnreadableFile(f"{title(path)}: {member.name!r} in it is damaged: {error or type(error).__name__}") from None


def put(archive: Archive, stage: Path, out: Path) -> None:
    """Rename what was unpacked into the data set's folder; what was put there before a kill is passed over.

    Raises:
        PlaceTaken: another file has the name of one of them; nothing is moved.
        StorageError: it cannot be moved.
    """
    content = stage / "content"
    if not content.is_dir():
        return
    place = make_folder(out / archive.folder) if archive.folder else out
    _require_free(content, place)
    try:
        _move_all(content, place)
    except OSError as error:
        raise StorageError(f"{place}: cannot be put in place: {error.strerror or error}") from None


def _merges(source: Path, target: Path) -> bool:
    return source.is_dir() and target.is_dir() and not target.is_symlink()  # a link may lead anywhere


def _require_free(source: Path, target: Path) -> None:
    for one in source.iterdir():
        other = target / one.name
        if _merges(one, other):
            _require_free(one, other)
        elif os.path.lexists(other):
            raise PlaceTaken(f"{other}: is there already, and not from this download; move it away or choose another --out")


def _move_all(source: Path, target: Path) -> None:
    for one in sorted(source.iterdir()):
        other = target / one.name
        if _merges(one, other):
            _move_all(one, other)
        else:
            os.replace(one, other)
    source.rmdir()
