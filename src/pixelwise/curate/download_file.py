"""One file from a server, whole and checked, however often the transfer breaks off.

What has come is appended to ``NAME.part``; beside it a note says which version of which file that is the beginning of. So
a transfer goes on where any process left it, and bytes of two versions are never joined. What a server states is not
believed: a length it does not keep to, or bytes that are not those published, end in an error, and the part is deleted.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pixelwise.core.errors import PixelwiseError, StorageError, TransferError, UnreadableFile
from pixelwise.core.files import write_json
from pixelwise.curate.download_http import Answer, Passing, ask, read
from pixelwise.curate.progress import Progress
from pixelwise.curate.sources import Archive

_LONGEST_PAUSE = 60.0  # seconds between two tries


@dataclass(frozen=True)
class Transfer:
    """How files are transferred.

    Attributes:
        tries: in a row that bring less than ``block`` bytes, before it is given up.
        timeout: seconds in which a server must send something.
        block: bytes that are read at once at most.
        largest: bytes at which a file is refused whose size is not known beforehand.
        wait: how to let seconds pass between two tries.
    """

    tries: int = 6
    timeout: float = 60.0
    block: int = 2**20
    largest: int = 2**38
    wait: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Origin:
    """Which version of which file a part is the beginning of.

    Attributes:
        address: of the file.
        mark: what the server tells the version by; empty if by nothing.
        total: bytes of the whole, as far as known.
        sha256: of the whole, once it has been checked.
    """

    address: str
    mark: str
    total: int | None
    sha256: str = ""


class Short(Passing):
    """A transfer that ended before the length that the server stated; ``end`` is where, if it sent anything at all."""

    def __init__(self, begin: int, end: int, stated: int) -> None:
        super().__init__(f"the transfer broke off after {end:,} of {stated:,} bytes")
        self.end = end if end > begin else None


class Part:
    """A file that is being transferred."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._note = path.with_name(f"{path.name}.json")

    @property
    def held(self) -> int:
        """How many bytes are there."""
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def origin(self) -> Origin | None:
        """Give what the note says; None if there is none that can be read."""
        try:
            said = json.loads(self._note.read_bytes())
            origin = Origin(said["address"], said["mark"], said["total"], said["sha256"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        texts = (origin.address, origin.mark, origin.sha256)
        sound = all(isinstance(one, str) for one in texts) and isinstance(origin.total, int | None)
        return origin if sound else None

    def whole(self, address: str) -> bool:
        """Tell whether all of the file at ``address`` is there."""
        origin = self.origin
        return origin is not None and origin.address == address and origin.total == self.held and self.path.is_file()

    def begin(self, origin: Origin) -> None:
        """Start anew; the old bytes go first, so that they never stand beside the note of another version."""
        self.drop()
        write_json(self._note, asdict(origin))
        self.path.touch()

    def learn(self, origin: Origin) -> None:
        """Keep what is known by now of the file."""
        write_json(self._note, asdict(origin))

    def adopt(self, path: Path, address: str, sha256: str) -> None:
        """Take over a whole file that was checked."""
        self.begin(Origin(address, "", path.stat().st_size, sha256))
        os.replace(path, self.path)

    def drop(self) -> None:
        """Delete what is there."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)


def fetch(archive: Archive, part: Part, how: Transfer, progress: Progress) -> None:
    """Transfer a file to its end, going on with what is there of it.

    Raises:
        TransferError: the server does not give it, or breaks off again and again; what came is kept.
        UnreadableFile: what it gives is not the file; nothing is kept.
        StorageError: it cannot be written.
    """
    faults: list[Passing] = []
    farthest = part.held
    while not part.whole(archive.address):
        try:
            _try(archive, part, how, progress)
        except Passing as fault:
            faults = [fault] if part.held - farthest >= how.block else [*faults, fault]
            farthest = max(farthest, part.held)
            if len(faults) >= how.tries:
                raise _given_up(archive, part, faults) from None
            how.wait(fault.after or min(2.0 ** (len(faults) - 1), _LONGEST_PAUSE))
        except PixelwiseError:  # some are OSErrors too
            raise
        except OSError as error:
            raise StorageError(
                f"{part.path}: cannot be written: {error.strerror or error}; what came is kept, so the same command goes on"
            ) from None


def _given_up(archive: Archive, part: Part, faults: list[Passing]) -> PixelwiseError:
    ends = {fault.end if isinstance(fault, Short) else None for fault in faults}
    if len(ends) == 1 and None not in ends and len(faults) > 1:  # no line breaks at the same byte again and again
        part.drop()
        return UnreadableFile(f"{archive.address}: {faults[-1]}, and so at each of {len(faults)} tries; it was deleted")
    origin = part.origin
    if origin is None or not _can_go_on(archive, origin):
        part.drop()
    kept = f"the {part.held:,} bytes that came are kept, so the same command goes on" if part.held else "nothing is kept"
    return TransferError(f"{archive.address}: {faults[-1]}; given up after {len(faults)} tries; {kept}")


def _can_go_on(archive: Archive, origin: Origin) -> bool:
    """Tell whether bytes that come later are sure to be of the same version, or else the checksum shows it."""
    return origin.address == archive.address and bool(origin.mark or archive.checksum)


def _try(archive: Archive, part: Part, how: Transfer, progress: Progress) -> None:
    """Ask once, and take what comes."""
    origin = part.origin
    if part.held and (origin is None or not _can_go_on(archive, origin) or _overfull(part, origin)):
        part.drop()
        origin = None
    start = part.held
    mark = origin.mark if origin is not None else ""
    with ask(archive.address, start, mark, how.timeout) as answer:
        if answer.beyond:
            _end_there(archive, part, origin, answer.total)
            return
        _require_size(archive, answer.total)
        if not answer.start:  # also where the server does not know ranges, or has another version by now
            origin = Origin(archive.address, answer.mark, answer.total)
            part.begin(origin)
        elif origin is None or _differ(origin, answer):
            part.drop()
            raise Passing("the file has changed on the server")
        _take(archive, part, answer, how, progress)
        part.learn(replace(origin, total=part.held))


def _overfull(part: Part, origin: Origin) -> bool:
    return origin.total is not None and part.held > origin.total


def _differ(origin: Origin, answer: Answer) -> bool:
    marks = bool(origin.mark and answer.mark) and origin.mark != answer.mark
    return marks or (None not in (origin.total, answer.total) and origin.total != answer.total)


def _end_there(archive: Archive, part: Part, origin: Origin | None, total: int | None) -> None:
    """Make sense of an answer that there are no more bytes."""
    stated, held = (origin.total if origin is not None else None), part.held
    expected = archive.size or stated
    if origin is not None and total == held and expected in (None, held):
        part.learn(replace(origin, total=held))
        return
    part.drop()
    if total is not None and stated is not None and total != stated:
        raise UnreadableFile(
            f"{archive.address}: the server first stated {stated:,} bytes and now {total:,}; what came was deleted: try later"
        )
    raise Passing("the server knows no such place in the file")


def _require_size(archive: Archive, stated: int | None) -> None:
    if archive.size is not None and stated is not None and stated != archive.size:
        raise UnreadableFile(
            f"{archive.address}: expected {archive.size:,} bytes, the server states {stated:,}; it is not the file that was "
            "published, and nothing of it is taken"
        )


def _take(archive: Archive, part: Part, answer: Answer, how: Transfer, progress: Progress) -> None:
    """Append what comes to the part."""
    expected = archive.size or answer.total
    most = expected if expected is not None else how.largest
    begin = held = part.held
    with open(part.path, "ab") as file:
        while block := read(answer.body, how.block):
            held += len(block)
            if held > most:
                break
            file.write(block)
            file.flush()  # what came is there for the next process, however this one ends
            progress(f"transferring {archive.name}", held, expected or 0)
    if held > most:
        part.drop()
        raise UnreadableFile(f"{archive.address}: expected {most:,} bytes, the server sends more; nothing of it is kept")
    if expected is not None and held < expected:
        raise Short(begin, held, expected)


def sums(path: Path, checksum: str, what: str, progress: Progress) -> tuple[str, bool]:
    """Give the SHA-256 of a file, and whether its published checksum holds (or there is none)."""
    method, _, expected = checksum.partition(":")
    own = hashlib.sha256()
    other = hashlib.new(method, usedforsecurity=False) if method not in ("", "sha256") else own
    done, of = 0, path.stat().st_size
    with open(path, "rb") as file:
        while block := file.read(2**22):
            own.update(block)
            if other is not own:
                other.update(block)
            done += len(block)
            progress(f"checking {what}", done, of)
    return own.hexdigest(), not expected or other.hexdigest() == expected


def require_right(archive: Archive, part: Part, seen_before: str, progress: Progress) -> str:
    """Compare a whole part with the published checksum and with what an earlier download saw; give its SHA-256.

    Raises:
        UnreadableFile: it is another file; it is deleted.
    """
    origin = part.origin
    if origin is not None and origin.sha256:
        return origin.sha256
    sha256, right = sums(part.path, archive.checksum, archive.name, progress)
    if not right:
        part.drop()
        raise UnreadableFile(
            f"{archive.address}: the bytes that came are not those published (expected {archive.checksum}, found "
            f"sha256:{sha256}); they were deleted: try once more, and if it repeats, do not trust this connection"
        )
    if seen_before and sha256 != seen_before:
        part.drop()
        raise UnreadableFile(
            f"{archive.address}: an earlier download saw sha256:{seen_before}, this one sha256:{sha256}; the file on the "
            "server was changed, and what came was deleted; to take the new one, choose another --out"
        )
    if origin is not None:
        with suppress(StorageError):  # else it is summed up again next time
            part.learn(replace(origin, sha256=sha256))
    return sha256
