"""What a zip or tar file holds, member by member, and what of it may be unpacked.

An archive from elsewhere may hold names that lead out of its folder, links, devices, and a few kilobytes that unpack to a
petabyte. ``Guard`` admits files and folders with plain names, within bounds, and refuses the whole archive for anything else.
"""

import contextlib
import gzip
import re
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO, cast

from pixelwise.core.errors import PixelwiseError, UnreadableFile

_LARGEST_LISTING = 2**28  # bytes of a zip file's directory, which is held in memory
_LARGEST_HEADER = 2**22  # bytes of a tar header, such as a long name
_LONGEST_TAIL = 2**26  # bytes after the end of a tar
_STRANGE = re.compile(r"[\\:\x00-\x1f\x7f]")  # outside Windows legal, there a separator, a drive or refused
_FARTHEST = 2**62  # no file is so long, and beyond it seeking fails
_BLOCK = 512  # bytes of a tar header
_ZIP_END = b"PK\x05\x06"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others need memory or libraries without bound


@dataclass(frozen=True)
class Member:
    """One entry of an archive.

    Attributes:
        name: as the archive gives it.
        kind: file, folder, or in words what else it is.
        size: bytes that it unpacks to, as stated.
        open: gives its content; before the next member is asked for.
    """

    name: str
    kind: str
    size: int
    open: Callable[[], IO[bytes]]


@dataclass(frozen=True)
class Limits:
    """What an archive may unpack to.

    Attributes:
        files: how many members.
        bytes: how many bytes in all.
        ratio: how many times its own size.
        depth: folders inside folders.
    """

    files: int = 1_000_000
    bytes: int = 2**38
    ratio: float = 200.0
    depth: int = 32


class Guard:
    """Admits the members of an archive, one after the other."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._archive = title(path)
        self._limits = limits
        self._most = min(limits.bytes, int(limits.ratio * path.stat().st_size) + 2**20)
        self._bytes = self._members = 0
        self._entered: dict[str, tuple[str, str]] = {}  # path in one case -> path, kind

    def admit(self, member: Member) -> PurePosixPath | None:
        """Give the place of a member inside the folder; None for what macOS adds of its own.

        Raises:
            UnreadableFile: the archive may not be unpacked.
        """
        self._count(member)
        if member.kind not in ("file", "folder"):
            raise self._refused(f"{member.name!r} is {member.kind}; only files and folders are unpacked")
        parts = [part for part in member.name.rstrip("/").split("/") if part != "."]
        if not parts and member.kind == "folder":
            return None
        self._require_plain(member.name, parts)
        if parts[0] == "__MACOSX" or parts[-1].startswith("._") or parts[-1] == ".DS_Store":
            return None
        for depth in range(1, len(parts)):
            self._enter("/".join(parts[:depth]), "folder")
        self._enter("/".join(parts), member.kind)
        return PurePosixPath(*parts)

    def _count(self, member: Member) -> None:
        self._members += 1
        self._bytes += member.size
        if member.size < 0:
            raise self._refused(f"{member.name!r} has {member.size} bytes")
        if self._members > self._limits.files:
            raise self._refused(f"it holds more than {self._limits.files:,} files")
        if self._bytes > self._most:
            raise self._refused(f"it unpacks to more than {self._most:,} bytes")

    def _require_plain(self, name: str, parts: list[str]) -> None:
        if name.startswith("/") or not parts or any(part in ("", "..") for part in parts):
            raise self._refused(f"{name!r} leads out of the folder")
        if _STRANGE.search(name) or len(parts) > self._limits.depth or any(len(part.encode()) > 255 for part in parts):
            raise self._refused(f"{name[:300]!r} is no name that every system can hold")

    def _enter(self, path: str, kind: str) -> None:
        folded = unicodedata.normalize("NFC", path).casefold()
        before = self._entered.setdefault(folded, (path, "new"))
        if before[0] != path:
            raise self._refused(f"{before[0]!r} and {path!r} differ in case alone, and are one file on many systems")
        if before[1] != "new" and (before[1], kind) != ("folder", "folder"):
            raise self._refused(f"{path!r} is in it twice")
        self._entered[folded] = (path, kind)

    def _refused(self, why: str) -> UnreadableFile:
        return UnreadableFile(f"{self._archive}: not unpacked, as {why}")


def title(path: Path) -> str:
    """Name an archive as its address does, also while its file is called a part."""
    return path.name.removesuffix(".part")


@contextlib.contextmanager
def members(path: Path) -> Iterator[Iterator[Member]]:
    """Open a zip or tar file, told by its first bytes, and give its members in order.

    Raises:
        UnreadableFile: it is neither, or damaged.
    """
    with contextlib.ExitStack() as open_files:
        try:
            file = open_files.enter_context(open(path, "rb"))
            first = file.read(4)
            file.seek(0)
            if first[:2] == b"PK":
                found = _in_zip(path, file)
            elif first[:2] == b"\x1f\x8b":
                found = _in_tar(path, cast(BinaryIO, open_files.enter_context(gzip.GzipFile(fileobj=file))))
            else:
                found = _in_tar(path, file)
            yield found
        except PixelwiseError:  # some are ValueErrors or OSErrors too
            raise
        except (*DAMAGE, OSError) as error:
            raise UnreadableFile(f"{title(path)}: damaged: {error or type(error).__name__}") from None


DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
)  # what the standard library raises for archives that are not whole


def _in_zip(path: Path, file: BinaryIO) -> Iterator[Member]:
    if (listing := _listing_size(file)) > _LARGEST_LISTING:
        raise UnreadableFile(f"{title(path)}: not unpacked, as its list of files alone has {listing:,} bytes")
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            yield Member(entry.filename, _kind_in_zip(entry), entry.file_size, lambda entry=entry: archive.open(entry))  # type: ignore[misc]


def _kind_in_zip(entry: zipfile.ZipInfo) -> str:
    if not entry.filename:
        return "without a name"
    mode = entry.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a link" if stat.S_ISLNK(mode) else "a device or the like"
    if entry.flag_bits & 1:
        return "encrypted"
    if entry.compress_type not in _METHODS:
        return f"packed by method {entry.compress_type}"
    return "folder" if entry.is_dir() else "file"


def _listing_size(file: BinaryIO) -> int:
    """Give the bytes of a zip file's directory as its end states them; 0 where no end is found, which is then an error."""
    file.seek(0, 2)
    length = min(file.tell(), 2**16 + 22)  # the record and the longest comment after it
    file.seek(-length, 2)
    tail = file.read(length)
    file.seek(0)
    at = tail.rfind(_ZIP_END)
    if at < 0 or len(tail) < at + 22:
        return 0
    size = int.from_bytes(tail[at + 12 : at + 16], "little")
    if size < 2**32 - 1:
        return size
    locator = tail[max(at - 20, 0) : at]  # the record for files of more than 4 GiB says it in 64 bits
    place = int.from_bytes(locator[8:16], "little")
    if place > _FARTHEST:
        return 0
    file.seek(place)
    record = file.read(56)
    file.seek(0)
    return int.from_bytes(record[40:48], "little")


class _Stream:
    """An unpacked tar, of which no header may ask for more than a few megabytes at once."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name
        self.last = b""

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _LARGEST_HEADER:
            raise UnreadableFile(f"{self._name}: not unpacked, as a header in it claims {size:,} bytes")
        self.last = self._file.read(size)
        return self.last

    def seek(self, place: int) -> int:
        return self._file.seek(place)

    def tell(self) -> int:
        return self._file.tell()


def _in_tar(path: Path, file: BinaryIO) -> Iterator[Member]:
    stream = _Stream(file, title(path))
    with tarfile.open(fileobj=cast(Any, stream), mode="r:") as archive:
        while (entry := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined]  # else the list grows with the archive
            yield Member(entry.name, _kind_in_tar(entry), entry.size, lambda entry=entry: _content(archive, entry))  # type: ignore[misc]
    if stream.last != bytes(_BLOCK):  # tarfile takes a header it cannot read for the end
        raise UnreadableFile(f"{title(path)}: damaged: it ends in the middle")
    left = _LONGEST_TAIL
    while tail := file.read(2**20):  # to the end, where gzip keeps its checksum
        left -= len(tail)
        if left < 0:
            raise UnreadableFile(f"{title(path)}: not unpacked, as much follows after its end")


def _content(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> IO[bytes]:
    content = archive.extractfile(entry)
    if content is None:
        raise tarfile.ReadError(f"{entry.name!r} has no content")
    return content


def _kind_in_tar(entry: tarfile.TarInfo) -> str:
    if entry.isdir():
        return "folder"
    if entry.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not entry.issparse():
        return "file"
    return "a link" if entry.issym() or entry.islnk() else "a device or the like"
