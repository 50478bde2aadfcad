"""The work on a folder's images: threads decode ahead of the predictor, and measure, draw and write behind it.

The predictor stays in the caller's thread. Each image is entered in the journal as soon as its pictures are on the disk and all
before it are entered; a stop loses what is under way, which is bounded in pixels.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pixelwise.core.errors import PixelwiseError, StorageError
from pixelwise.core.image import Image, read_image
from pixelwise.core.pipeline import Behind, ahead
from pixelwise.core.predictor import Predictor, Request
from pixelwise.core.prompt import Prompts
from pixelwise.core.resources import usable_cores
from pixelwise.core.segmentation import Segmentation
from pixelwise.predict.assessed import Assessed
from pixelwise.predict.inputs import Job
from pixelwise.predict.journal import Journal
from pixelwise.predict.measure import measure
from pixelwise.predict.pictures import write_pictures
from pixelwise.predict.prompted import prompted_stream

READ_AHEAD = 2**26  # pixels decoded or being decoded: a fifth of a gigabyte of 8-bit colours
WRITE_BEHIND = 2**25  # pixels being drawn and written, which takes several bytes each
_READERS = 4  # more decode no faster than one predictor takes
_WRITERS = 8  # they mostly wait: each file is flushed to the disk before it counts


@dataclass
class Outcome:
    """What became of the images: why some failed, in their order, and the notes, with the number of images of each."""

    failures: dict[str, str] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class FolderWork:
    """What is done with each image.

    Attributes:
        jobs: the images.
        journal: open; those it knows are left alone.
        binary: whether the one foreground class is written as 0 and 255.
        threads: how many read, and how many write; None for what suits the machine, 0 for none.
        tell: called with the number of images that are done or failed.
        assessed: the predictor, where how unsure it is shall be written too.
    """

    jobs: Sequence[Job]
    journal: Journal
    binary: bool
    threads: int | None
    tell: Callable[[int], None]
    assessed: Assessed | None = None

    def run(self, predictor: Predictor, batch: int, request: Request, prompts: Prompts) -> Outcome:
        """Segment what is not done.

        Raises:
            StorageError: results cannot be written; those before are entered.
            OptionError: the predictor cannot do what is asked.
        """
        left = [job for job in self.jobs if job.stamp not in self.journal.done]
        kept, counted = len(self.jobs) - len(left), 0
        outcome = Outcome()
        self.tell(kept)
        readers = min(_READERS, usable_cores()) if self.threads is None else self.threads
        writers = _WRITERS if self.threads is None else self.threads

        def good(opened: Iterator[tuple[Job, Image | PixelwiseError]]) -> Iterator[tuple[Job, Image]]:
            for job, image in opened:
                if isinstance(image, Image):
                    yield job, image
                else:
                    outcome.failures[str(job.path)] = _reason(job.path, image)

        def enter(written: "_Written") -> None:
            nonlocal counted
            counted += self._enter(written, outcome)

        with (
            closing(ahead(left, _read, _weight, readers, READ_AHEAD)) as opened,  # closed, it decodes no more
            Behind(self._write, enter, writers, WRITE_BEHIND, 2 * writers) as behind,
        ):
            for job, image, found in prompted_stream(predictor, good(opened), batch, request, prompts):
                behind.put((job, image, found), image.size[0] * image.size[1])
                self.tell(kept + counted + len(outcome.failures))
        self.tell(kept + counted + len(outcome.failures))
        places = {str(job.path): place for place, job in enumerate(left)}
        ordered = dict(sorted(outcome.failures.items(), key=lambda one: places[one[0]]))
        return Outcome(ordered, outcome.notes)

    def _write(self, item: "tuple[Job, Image, Segmentation | PixelwiseError]") -> "_Written":
        job, image, found = item
        try:
            if isinstance(found, PixelwiseError):
                raise found
            names = write_pictures(self.journal.folder, job, image, found, self.binary)
            entry: dict[str, Any] = {"file": str(job.path), **names, "size": list(image.size), "kind": found.kind}
            told = {"notes": list(found.notes)} if found.notes else {}
            entry |= {**told, "segments": list(measure(image, found))}
            if self.assessed is not None:
                self.assessed.write(self.journal.folder, job, found, entry)
            text = Journal.line(job, entry, image.bands)
            return _Written(job, text, image.bands, found.notes)
        except StorageError:
            raise  # no space: the rest would fail alike
        except PixelwiseError as error:
            return _Written(job, error)

    def _enter(self, written: "_Written", outcome: Outcome) -> int:
        """Enter an image; give 1, or 0 for one that failed."""
        if isinstance(written.line, PixelwiseError):
            outcome.failures[str(written.job.path)] = _reason(written.job.path, written.line)
            return 0
        self.journal.add(written.job, written.line, written.bands)
        outcome.notes.update(written.notes)
        return 1


@dataclass(frozen=True)
class _Written:
    """An image whose pictures are written, with its line of the journal; or why there are none."""

    job: Job
    line: bytes | PixelwiseError
    bands: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def _read(job: Job) -> tuple[Job, Image | PixelwiseError]:
    try:
        return job, read_image(job.path)
    except PixelwiseError as error:
        return job, error


def _weight(opened: tuple[Job, Any]) -> int:
    image = opened[1]
    return image.size[0] * image.size[1] if isinstance(image, Image) else 1


def _reason(path: Path, error: PixelwiseError) -> str:
    return str(error).removeprefix(f"{path}: ")
