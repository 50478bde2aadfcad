"""Write a data set's folder all at once, one sample after the other, so that an interrupted writing can go on.

A writer gives ``staged`` a place and a function that writes one sample; it gets back, in order, what that function said of
each. All is written to a folder beside the place, and swapped in when it is whole: what was there before stays until then.
Each sample done is one line of a journal in that folder. Where the caller says what the work depends on
(``Writing.resume``), a folder left behind by a process that was killed is gone on with, and nothing is done twice but what
was under way.
"""

import contextlib
import glob
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from pixelwise.core.arrays import IntArray, Size
from pixelwise.core.errors import DataError, MissingFile, StorageError
from pixelwise.core.files import locked, make_folder
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Salvaged, Sample, TruthSource
from pixelwise.core.segmentation import Segmentation

JOURNAL = ".journal.jsonl"


class Progress(Protocol):
    """Told how far a writing is: what is done, how many of how many."""

    def __call__(self, what: str, done: int, of: int) -> None:
        """Take note."""


def unheard(what: str, done: int, of: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Writing:
    """How to write.

    Attributes:
        strict: stop at the first sample or segment that is wrong; else leave it out and say so.
        resume: all that the result depends on, such as source and options; empty to start anew whatever is left behind.
        progress: told of each sample.
    """

    strict: bool = True
    resume: str = ""
    progress: Progress = unheard


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        images, segments: how many.
        dropped: what the format cannot hold and so was left out or changed, a sentence each.
        failed: what was wrong with the source and so was left out, a sentence each.
    """

    images: int
    segments: int
    dropped: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


_DROPPED: ContextVar[list[str] | None] = ContextVar("dropped", default=None)
_PROBLEMS: ContextVar[list[str] | None] = ContextVar("problems", default=None)


def drop(sentence: str) -> None:
    """Say, while a sample is written, what the format cannot hold of it."""
    found = _DROPPED.get()
    if found is not None:
        found.append(sentence)


@dataclass(frozen=True, eq=False)
class _Lenient:
    """A truth source that leaves out what is wrong and notes it for the sample that is being written."""

    source: TruthSource

    def read(self, labels: LabelSet, size: Size) -> tuple[Segmentation, ...]:
        truths, problems = self.salvage(labels, size)
        if (found := _PROBLEMS.get()) is not None:
            found.extend(one for one in problems if one not in found)  # a writer may read a truth more than once
        return truths

    def salvage(self, labels: LabelSet, size: Size) -> Salvaged:
        return self.source.salvage(labels, size)

    def raw(self) -> list[IntArray]:
        return self.source.raw()


class Stage:
    """The folder that is being written."""

    def __init__(self, folder: Path, writing: Writing) -> None:
        self.folder = folder
        self._writing = writing
        self._path = folder / JOURNAL
        self._written: Written | None = None

    @property
    def written(self) -> Written:
        """What ``each`` wrote."""
        if self._written is None:
            raise DataError(f"{self.folder}: nothing was written")
        return self._written

    def each(self, dataset: Dataset, work: "Work") -> Iterator[Any]:
        """Write every sample of a data set, in order; then give what ``work`` said of each, None for one that failed.

        Raises:
            DataError: with ``strict``, a sample is wrong.
            StorageError: something cannot be written.
        """
        done = _whole_lines(self._path)
        with open(self._path, "ab") as journal:
            for row in range(done, len(dataset)):
                _append(journal, self._path, self._line(dataset[row], work))
                self._writing.progress("writing", row + 1, len(dataset))
        self._written = _summed(self._path)
        return (line["entry"] for line in _lines(self._path))

    def _line(self, sample: Sample, work: "Work") -> dict[str, Any]:
        """Write one sample; give its line of the journal."""
        dropped: list[str] = []
        problems: list[str] = []
        tokens = _DROPPED.set(dropped), _PROBLEMS.set(problems)
        if not self._writing.strict and sample.truth_source is not None:
            sample = replace(sample, truth_source=_Lenient(sample.truth_source))
        try:
            entry, segments = work(sample, self.folder)
        except (DataError, MissingFile) as error:
            if self._writing.strict:
                raise
            return {"entry": None, "images": 0, "segments": 0, "dropped": [], "failed": [*problems, str(error)]}
        finally:
            _DROPPED.reset(tokens[0])
            _PROBLEMS.reset(tokens[1])
        return {"entry": entry, "images": 1, "segments": segments, "dropped": dropped, "failed": problems}


class Work(Protocol):
    """Writes the files of one sample."""

    def __call__(self, sample: Sample, folder: Path) -> tuple[Any, int]:
        """Write into ``folder``; give a JSON value, which may not depend on other samples, and how many segments it holds.

        Each file is written whole or not at all. What cannot be held is told with ``drop``.

        Raises:
            DataError: the sample is wrong.
        """


@contextlib.contextmanager
def staged(
    path: Path, own: Callable[[str], bool], is_ours: Callable[[Path], bool], writing: Writing | None = None
) -> Iterator[Stage]:
    """Give a stage to write to; put its folder in the place of ``path`` when the block ends well.

    Args:
        path: the folder to be; one that is there is replaced only if it is empty or of our own making.
        own: tells the names that a data set of ours has in its folder.
        is_ours: tells such a data set from one that another tool wrote.
        writing: how.

    Raises:
        StorageError: the folder holds something else, or cannot be written.
        RunInUse: another process writes it.
    """
    writing = writing or Writing()
    _refuse_foreign(path, own, is_ours)
    make_folder(path.parent)
    with _folder_beside(path, writing.resume) as made:
        yield Stage(made, writing)
        (made / JOURNAL).unlink(missing_ok=True)
        _put_in_place(made, path)


@contextlib.contextmanager
def _folder_beside(path: Path, resume: str) -> Iterator[Path]:
    """Give a folder beside ``path``: a new one, or the one that an interrupted work of the same kind left behind."""
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
    for other in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        if other.name != f".{path.name}.{stamp}.part":  # of another source or other options: it can never be gone on with
            shutil.rmtree(other, ignore_errors=True)
    made = make_folder(path.parent / f".{path.name}.{stamp}.part")
    with locked(made):
        yield made


def _whole_lines(path: Path) -> int:
    """Count the whole lines of a journal, and cut off one that a crash left unfinished."""
    if not path.exists():
        return 0
    with open(path, "r+b") as file:
        count = whole = 0
        for line in file:
            if not line.endswith(b"\n"):
                break
            count, whole = count + 1, whole + len(line)
        file.truncate(whole)
    return count


def _append(journal: BinaryIO, path: Path, line: dict[str, Any]) -> None:
    try:
        journal.write(json.dumps(line, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
        journal.flush()
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror}; free some space and start again") from error


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with open(path, "rb") as file:
        for line in file:
            yield json.loads(line.decode("utf-8", "surrogatepass"))


def _summed(path: Path) -> Written:
    images = segments = 0
    dropped: list[str] = []
    failed: list[str] = []
    for line in _lines(path) if path.exists() else ():
        images += line["images"]
        segments += line["segments"]
        dropped += line["dropped"]
        failed += line["failed"]
    return Written(images, segments, tuple(dropped), tuple(failed))


def _refuse_foreign(path: Path, own: Callable[[str], bool], is_ours: Callable[[Path], bool]) -> None:
    if not path.exists():
        return
    if not path.is_dir():
        raise StorageError(f"{path}: expected a folder to write to, found a file; choose another --out")
    entries = sorted(one.name for one in path.iterdir())
    if not entries:
        return
    strange: Sequence[str] = [name for name in entries if not own(name)]
    if strange or not is_ours(path):
        raise StorageError(
            f"{path}: the folder is not empty and not a data set that Pixelwise wrote (it holds "
            f"{', '.join((strange or entries)[:3])}); choose another --out"
        )


def _put_in_place(made: Path, path: Path) -> None:
    """Swap the new folder in; the old one is put back if that fails."""
    aside = made.with_name(f"{made.name}.old")
    try:
        if path.exists():
            os.replace(path, aside)
        try:
            os.replace(made, path)
        except OSError:
            if aside.exists():
                os.replace(aside, path)
            raise
    except OSError as error:
        raise StorageError(f"{path}: cannot be put in place: {error.strerror or error}") from None
    with contextlib.suppress(OSError):  # the new data is in place; a leftover of the old is no failure
        shutil.rmtree(aside)
