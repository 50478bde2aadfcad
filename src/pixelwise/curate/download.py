"""Fetch a public data set: transfer its archives, check them, unpack them, and keep a receipt.

All work is done in the folder ``.download`` inside that of the data set: parts of transfers, and what is unpacked until it
is whole. Whatever ends the process, the same command goes on where it stopped, and ends as if it had never been stopped. The
receipt ``.download.json`` says of each archive where it came from, its SHA-256 and by what it was checked; what it lists is
not fetched again, and what is fetched a second time must be the same.
"""

import contextlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pixelwise.core.errors import MissingFile, PlaceTaken, StorageError, UnreadableFile
from pixelwise.core.files import locked, make_folder, read_json, write_json
from pixelwise.curate.download_archive import Limits
from pixelwise.curate.download_file import Part, Transfer, fetch, require_right, sums
from pixelwise.curate.download_unpack import Unpacked, put, unpack
from pixelwise.curate.progress import Progress
from pixelwise.curate.sources import Archive, PublicSet

WORK = ".download"
RECEIPT = ".download.json"
KEPT = "archives"


@dataclass(frozen=True)
class Fetched:
    """One archive that is there, as the receipt has it.

    Attributes:
        name, address: of the file.
        bytes, sha256: of the file.
        checked: by what it was checked, in words.
        unpacked: what it held.
    """

    name: str
    address: str
    bytes: int
    sha256: str
    checked: str
    unpacked: Unpacked

    @classmethod
    def of(cls, said: Any) -> "Fetched":
        """Take what a receipt says.

        Raises:
            KeyError, TypeError, ValueError: it says something else.
        """
        name, address, sha256, checked = (str(said[key]) for key in ("name", "address", "sha256", "checked"))
        return cls(name, address, int(said["bytes"]), sha256, checked, Unpacked.of(said["unpacked"]))


@dataclass(frozen=True)
class Downloaded:
    """What a download brought.

    Attributes:
        folder: of the data set, as the formats read it.
        fetched: the archives that came now.
        already: those that were there.
    """

    folder: Path
    fetched: tuple[Fetched, ...]
    already: tuple[Fetched, ...]

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON values."""
        return {
            "folder": str(self.folder),
            "fetched": [asdict(one) for one in self.fetched],
            "already": [asdict(one) for one in self.already],
        }


def _unheard(what: str, done: int, of: int) -> None:
    """Tell nobody."""


def download(
    wanted: PublicSet,
    out: Path,
    parts: Sequence[str] = (),
    keep: bool = False,
    how: Transfer | None = None,
    limits: Limits | None = None,
    progress: Progress = _unheard,
) -> Downloaded:
    """Fetch parts of a data set into the folder ``out``.

    Args:
        wanted: the data set.
        out: its folder; new, empty, or of an earlier download.
        parts: which to fetch; those that the set has by default if none are named.
        keep: leave the archives in the folder ``archives`` instead of deleting them.
        how: how files are transferred.
        limits: what an archive may unpack to.
        progress: told of bytes transferred and checked, and of files unpacked.

    Raises:
        OptionError: there is no such part.
        PlaceTaken: the folder holds something else.
        RunInUse: another process fetches into it.
        TransferError: a server does not give a file; what came is kept.
        UnreadableFile: what a server gives is not the file, or may not be unpacked; it is deleted.
        StorageError: there is no space.
    """
    archives = wanted.chosen(parts)
    _require_place(out)
    work = make_folder(out / WORK)
    with locked(work):
        place = _Place(out, keep, how or Transfer(), limits or Limits(), progress)
        before = place.receipt()
        already = tuple(one for archive in archives if (one := place.listed(archive, before)) is not None)
        left = [archive for archive in archives if archive.name not in {one.name for one in already}]
        for archive in archives:
            if archive not in left:
                place.tidy(archive)
        place.require_space(left)
        fetched = tuple(place.fetch(archive) for archive in left)
        with contextlib.suppress(OSError):  # parts of other archives may be left in it
            work.rmdir()
    return Downloaded(out / wanted.root if wanted.root else out, fetched, already)


def _require_place(out: Path) -> None:
    if not out.exists():
        return
    if not out.is_dir():
        raise PlaceTaken(f"{out}: expected a folder to write to, found a file; choose another --out")
    names = sorted(one.name for one in out.iterdir())
    if names and WORK not in names and RECEIPT not in names:
        raise PlaceTaken(
            f"{out}: the folder is not empty and not from a download (it holds {', '.join(names[:3])}); choose another --out"
        )


@dataclass(frozen=True)
class _Place:
    """The folder that archives are fetched into, and how."""

    out: Path
    keep: bool
    how: Transfer
    limits: Limits
    progress: Progress

    def part(self, archive: Archive) -> Part:
        return Part(self.out / WORK / f"{archive.name}.part")

    def stage(self, archive: Archive) -> Path:
        return self.out / WORK / f"{archive.name}.unpacked"

    def kept(self, archive: Archive) -> Path:
        return self.out / KEPT / archive.name

    def receipt(self) -> dict[str, Fetched]:
        """Read what was fetched before."""
        path = self.out / RECEIPT
        try:
            rows = read_json(path, 2**24)["archives"]
            return {str(one["name"]): Fetched.of(one) for one in rows}
        except MissingFile:
            return {}
        except (UnreadableFile, KeyError, TypeError, ValueError) as error:
            raise UnreadableFile(f"{path}: not the receipt of a download ({error}); delete it to fetch all again") from None

    def listed(self, archive: Archive, receipt: dict[str, Fetched]) -> Fetched | None:
        """Give the receipt of an archive whose files are there still."""
        one = receipt.get(archive.name)
        if one is None or one.address != archive.address:
            return None
        return one if all((self.out / path).is_file() for path in (one.unpacked.first, one.unpacked.last)) else None

    def require_space(self, archives: Sequence[Archive]) -> None:
        """Refuse to begin what the disk cannot hold, as far as sizes are known."""
        packed = [one.about for one in archives]
        unpacked = [int(one.about * one.growth) for one in archives]
        here = sum(one.stat().st_size for one in (self.out / WORK).rglob("*") if one.is_file())
        need = (sum(packed) if self.keep else max(packed, default=0)) + sum(unpacked) - here
        free = shutil.disk_usage(self.out).free
        if need > free:
            raise StorageError(
                f"{self.out}: about {need / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free; free some, choose "
                "another --out, or fetch fewer --parts"
            )

    def fetch(self, archive: Archive) -> Fetched:
        """Fetch, check and unpack one archive, put it in place and list it."""
        receipt = self.receipt()
        seen = receipt[archive.name].sha256 if archive.name in receipt else ""
        part, stage = self.part(archive), self.stage(archive)
        if not part.whole(archive.address):  # what is unpacked is of a file that is no longer there
            shutil.rmtree(stage, ignore_errors=True)
            self._take_kept(archive, part, seen)
        fetch(archive, part, self.how, self.progress)
        sha256 = require_right(archive, part, seen, self.progress)
        size = part.held
        try:
            unpacked = unpack(archive, part.path, stage, self.limits, self.progress)
        except UnreadableFile:
            part.drop()
            raise
        put(archive, stage, self.out)
        one = Fetched(archive.name, archive.address, size, sha256, _checked(archive), unpacked)
        rows = [asdict(other) for name, other in sorted((receipt | {one.name: one}).items())]
        write_json(self.out / RECEIPT, {"version": 1, "archives": rows})
        self.tidy(archive)
        return one

    def _take_kept(self, archive: Archive, part: Part, seen: str) -> None:
        """Use an archive that an earlier download kept, if it is the right one, in the place of a transfer."""
        path = self.kept(archive)
        if not path.is_file() or not (archive.checksum or seen):
            return
        sha256, right = sums(path, archive.checksum, archive.name, self.progress)
        if right and seen in ("", sha256):
            part.adopt(path, archive.address, sha256)

    def tidy(self, archive: Archive) -> None:
        """Clear away what an archive that is in place has left."""
        part = self.part(archive)
        if self.keep and part.whole(archive.address):
            make_folder(self.kept(archive).parent)
            os.replace(part.path, self.kept(archive))
        part.drop()
        shutil.rmtree(self.stage(archive), ignore_errors=True)


def _checked(archive: Archive) -> str:
    if archive.checksum:
        return f"the published {archive.checksum.partition(':')[0]}"
    return "its length and the sums inside the archive; no checksum is published"
