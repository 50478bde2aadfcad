"""Write files so that nothing is ever half written: to a temporary name in the same folder, then renamed."""

import contextlib
import csv
import errno
import io
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pixelwise.core.errors import MissingFile, PixelwiseError, PlaceTaken, RunInUse, StorageError, UnreadableFile


def _explain(path: Path, error: OSError) -> StorageError:
    reason = {
        errno.ENOSPC: "no space is left on the disk; free some or choose another --out",
        errno.EDQUOT: "the disk quota is used up; free some or choose another --out",
        errno.EACCES: "permission denied; choose a folder you may write to",
        errno.EPERM: "permission denied; choose a folder you may write to",
        errno.EROFS: "the file system is read-only; choose another --out",
        errno.EISDIR: "expected a file, found a folder of that name",
        errno.ENAMETOOLONG: "the name is too long",
        errno.ENOTDIR: "a part of the path is a file, not a folder",
    }.get(error.errno or 0, error.strerror or str(error))
    return StorageError(f"{path}: cannot be written: {reason}")


def make_folder(path: Path) -> Path:
    """Make the folder ``path`` and its parents.

    Raises:
        StorageError: it cannot be made, or a file has its name.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if path.exists() and not path.is_dir():
            raise PlaceTaken(f"{path}: expected a folder, found a file; choose another --out") from None
        raise _explain(path, error) from None
    return path


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a second process from working in ``folder`` while the block runs; no file is left, whatever ends the process.

    Raises:
        RunInUse: another process works in it.
    """
    try:
        import fcntl
    except ImportError:  # Windows has no fcntl; two processes in one folder are then the user's to avoid
        yield
        return
    try:
        place = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise _explain(folder, error) from None
    try:
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"{folder}: another process is writing to this folder; wait for it or choose another --out"
            raise RunInUse(message) from None
        except OSError:  # some network file systems have no locks
            pass
        yield
    finally:
        os.close(place)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` to write to; rename it to ``path`` when the block ends well.

    The data is flushed to the disk before the rename, so after a power cut the old file or the new one is there, whole.

    Raises:
        StorageError: the folder or the file cannot be written.
    """
    path = Path(os.path.realpath(path)) if os.path.islink(path) else Path(path)  # write through a link, do not replace it
    make_folder(path.parent)
    temporary = path.with_name(f".{path.stem[:40]}.{secrets.token_hex(4)}{path.suffix[:16]}")
    try:
        temporary.open("xb").close()  # made by plain open, so that it has the permissions any new file has
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    except PixelwiseError:
        raise  # some are OSErrors; what they say is not about this file
    except OSError as error:
        raise _explain(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    r"""Write ``text`` to ``path`` in UTF-8, whole or not at all.

    A file name that is not UTF-8 reaches Python with lone surrogates in it; they are written as ``\udc..``, as JSON does.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` to ``path`` as indented JSON; NaN is refused, as most readers refuse it."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a header and rows to ``path`` as comma-separated values."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, text.getvalue())


def read_json(path: Path, max_bytes: int = 2**31) -> Any:
    """Read a JSON file.

    Raises:
        MissingFile: there is no such file.
        UnreadableFile: it is not JSON, or larger than ``max_bytes``.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFile(f"{path}: expected a JSON file, found {'a folder' if path.is_dir() else 'nothing there'}")
    if path.stat().st_size > max_bytes:
        raise UnreadableFile(f"{path}: {path.stat().st_size:,} bytes; at most {max_bytes:,} are read as JSON")
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise UnreadableFile(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(f"{path}: expected JSON, but {error}") from None
