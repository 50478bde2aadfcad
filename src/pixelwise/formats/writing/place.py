"""The folder beside the one that is to be written, and how it takes that one's place when it is whole."""

import contextlib
import glob
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pixelwise.core.errors import DataError, PlaceTaken, StorageError
from pixelwise.core.files import locked, make_folder

_STAMP = "[0-9a-f]" * 16  # in the name of a folder that can be gone on with; that of ``out.2`` is none of those of ``out``
_TEMPORARY = re.compile(r"\..*\.[0-9a-f]{8}(\.[^.]*)?")  # as ``core.files.replacing`` calls a file until it is whole


@contextlib.contextmanager
def folder_beside(path: Path, resume: str) -> Iterator[Path]:
    """Give a folder beside ``path``: a new one, or the one that an interrupted work of the same kind left behind.

    Raises:
        StorageError: it cannot be made.
        RunInUse: another process writes to ``path``.
    """
    if not resume:
        try:
            made = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
            made.chmod(0o755)
        except OSError as error:
            raise StorageError(f"{path}: cannot be written: {error.strerror or error}; choose another folder") from None
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)
        return
    stamp = hashlib.sha256(resume.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    for other in path.parent.glob(f".{glob.escape(path.name)}.{_STAMP}.part"):
        if other.name != f".{path.name}.{stamp}.part":  # of another source or other options: it can never be gone on with
            with locked(other):  # unless another process is at it just now
                shutil.rmtree(other, ignore_errors=True)
    made = make_folder(path.parent / f".{path.name}.{stamp}.part")
    with locked(made):
        _sweep(made)
        try:
            yield made
        except DataError:  # it is mended before the next try, and then this is the work on another source
            shutil.rmtree(made, ignore_errors=True)
            raise


def _sweep(folder: Path) -> None:
    """Delete the temporary files that a killed process left among those that are whole."""
    for here, _, names in os.walk(folder):
        for name in names:
            if name.startswith(".") and _TEMPORARY.fullmatch(name):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(here, name))


def refuse_foreign(path: Path, own: Callable[[str], bool], is_ours: Callable[[Path], bool]) -> None:
    """Refuse to replace what is no data set of ours.

    Raises:
        PlaceTaken: ``path`` is a file, or a folder that holds something else.
    """
    if not path.exists():
        return
    if not path.is_dir():
        raise PlaceTaken(f"{path}: expected a folder to write to, found a file; choose another place")
    entries = sorted(one.name for one in path.iterdir())
    if not entries:
        return
    strange: Sequence[str] = [name for name in entries if not own(name)]
    if strange or not is_ours(path):
        raise PlaceTaken(
            f"{path}: the folder is not empty and not a data set that Pixelwise wrote (it holds "
            f"{', '.join((strange or entries)[:3])}); choose another place"
        )


def put_in_place(made: Path, path: Path) -> None:
    """Swap the new folder in; the old one is put back if that fails."""
    aside = made.with_name(f"{made.name}.old")
    try:
        if path.exists():
            shutil.rmtree(aside, ignore_errors=True)  # left by a process that was killed in the next lines
            os.replace(path, aside)
        try:
            os.replace(made, path)
        except OSError:
            if aside.exists():
                os.replace(aside, path)
            raise
    except OSError as error:
        raise StorageError(f"{path}: cannot be put in place: {error.strerror or error}") from None
    left_behind = path.parent.glob(f".{glob.escape(path.name)}.{_STAMP}.part.old")
    for old in (aside, *left_behind):  # the new data is in place; a leftover of the old is no failure
        shutil.rmtree(old, ignore_errors=True)
