"""Write a data set's folder all at once, one sample after the other, so that an interrupted writing can go on.

A writer gives ``staged`` a place and a function that writes one sample; it gets back, in order, what that function said of
each. All is written to a folder beside the place, and swapped in when it is whole: what was there before stays until then.
Each sample done is one line of a journal in that folder. Where the caller says what the work depends on
(``Writing.resume``), a folder left behind by a process that was killed is gone on with, and nothing is done twice but what
was under way. Several processes may write (``Writing.workers``); what they write does not depend on how many they are.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from pixelwise.core.arrays import IntArray, Size
from pixelwise.core.errors import DataError, MissingFile
from pixelwise.core.files import make_folder
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Salvaged, Sample, TruthSource
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.writing.journal import Journal, line_of
from pixelwise.formats.writing.place import folder_beside, put_in_place, refuse_foreign

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
        workers: processes that write. With more than one, the writer's ``Work`` and the samples are sent to them, and a
            script that asks for this keeps its own work under ``if __name__ == "__main__"``.
    """

    strict: bool = True
    resume: str = ""
    progress: Progress = unheard
    workers: int = 1


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        images, segments: how many.
        dropped: what the format cannot hold and so was left out or changed, a sentence each.
        failed: what was wrong with the source and so was left out, a sentence each.
        counts: what was left out on purpose, such as objects that are too small: how many of what.
    """

    images: int
    segments: int
    dropped: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)


_DROPPED: ContextVar[list[str] | None] = ContextVar("dropped", default=None)
_PROBLEMS: ContextVar[list[str] | None] = ContextVar("problems", default=None)
_COUNTS: ContextVar[Counter[str] | None] = ContextVar("counts", default=None)


def drop(sentence: str) -> None:
    """Say, while a sample is written, what the format cannot hold of it."""
    found = _DROPPED.get()
    if found is not None:
        found.append(sentence)


def count(what: str, number: int) -> None:
    """Count, while a sample is written, what is left out of it on purpose."""
    found = _COUNTS.get()
    if found is not None and number:
        found[what] += number


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


@dataclass(frozen=True)
class _Job:
    """What is done for one sample, in this process or in another."""

    work: "Work"
    folder: Path
    strict: bool

    def __call__(self, row: int, sample: Sample) -> bytes:
        """Write one sample; give its line of the journal."""
        dropped: list[str] = []
        problems: list[str] = []
        counts: Counter[str] = Counter()
        tokens = _DROPPED.set(dropped), _PROBLEMS.set(problems), _COUNTS.set(counts)
        if not self.strict and sample.truth_source is not None:
            sample = replace(sample, truth_source=_Lenient(sample.truth_source))
        try:
            entry, segments = self.work(sample, self.folder)
        except (DataError, MissingFile) as error:
            if self.strict:
                raise
            failed = [*problems, str(error)]
            return line_of(row, {"entry": None, "images": 0, "segments": 0, "dropped": [], "failed": failed, "counts": {}})
        finally:
            _DROPPED.reset(tokens[0])
            _PROBLEMS.reset(tokens[1])
            _COUNTS.reset(tokens[2])
        told = {"dropped": dropped, "failed": problems, "counts": counts}
        return line_of(row, {"entry": entry, "images": 1, "segments": segments, **told})


class Stage:
    """The folder that is being written."""

    def __init__(self, folder: Path, writing: Writing) -> None:
        self.folder = folder
        self._writing = writing
        self._written: Written | None = None

    @property
    def written(self) -> Written:
        """What ``each`` wrote."""
        if self._written is None:
            raise DataError(f"{self.folder}: nothing was written")
        return self._written

    def each(self, dataset: Dataset, work: "Work") -> Iterator[Any]:
        """Write every sample of a data set; then give, in order, what ``work`` said of each, None for one that failed.

        Asked again, it writes nothing anew, and gives the same once more.

        Raises:
            DataError: with ``strict``, a sample is wrong.
            StorageError: something cannot be written.
        """
        journal = Journal(self.folder / JOURNAL)
        left = ((row, dataset[row]) for row in range(len(dataset)) if row not in journal)
        job = _Job(work, self.folder, self._writing.strict)
        with journal.opened() as file, contextlib.closing(self._lines(job, left, len(dataset) - len(journal))) as lines:
            for row, line in lines:
                journal.add(file, row, line)
                self._writing.progress("writing", len(journal), len(dataset))
        self._written = _summed(journal)
        return (line["entry"] for line in journal.lines())

    def _lines(self, job: _Job, left: Iterator[tuple[int, Sample]], number: int) -> Generator[tuple[int, bytes], None, None]:
        workers = min(self._writing.workers, number)
        if workers < 2:
            return ((row, job(row, sample)) for row, sample in left)
        from pixelwise.formats.writing.workers import spread  # on first use: one process needs nothing of it

        return spread(job, left, workers)


class Work(Protocol):
    """Writes the files of one sample."""

    def __call__(self, sample: Sample, folder: Path) -> tuple[Any, int]:
        """Write into ``folder``; give a JSON value, which may not depend on other samples, and how many segments it holds.

        What a killed process left of a sample's files is written over. What cannot be held is told with ``drop``. To be used
        with several processes, it must pickle.

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
        PlaceTaken: the folder holds something else.
        StorageError: it cannot be written.
        RunInUse: another process writes it.
    """
    writing = writing or Writing()
    refuse_foreign(path, own, is_ours)
    make_folder(path.parent)
    with folder_beside(path, writing.resume) as made:
        yield Stage(made, writing)
        (made / JOURNAL).unlink(missing_ok=True)
        put_in_place(made, path)


def _summed(journal: Journal) -> Written:
    images = segments = 0
    dropped: list[str] = []
    failed: list[str] = []
    counts: Counter[str] = Counter()
    for line in journal.lines():
        images += line["images"]
        segments += line["segments"]
        dropped += line["dropped"]
        failed += line["failed"]
        counts.update(line["counts"])
    return Written(images, segments, tuple(dropped), tuple(failed), dict(counts))
