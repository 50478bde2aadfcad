"""Segment files and folders, and write id maps, overlays, measurements and what failed.

Written for each image: ``<stem>.png`` (class ids of semantic segmentations, segment ids of the others, with a colour table)
and ``<stem>_overlay.jpg``; once: ``segments.json``, ``segments.csv``, ``labels.json`` (what the ids stand for) and
``failures.json``. Of an ``Uncertain``, also ``<stem>_uncertainty.png`` and ``look_first.csv`` (``predict.assessed``). Every
file is whole or not there, and no input is ever written over. A run that is stopped, by whatever, goes on where it was when it
is started again.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.files import locked, make_folder, write_json
from pixelwise.core.predictor import Predictor, Request
from pixelwise.core.prompt import Prompts
from pixelwise.core.streaming import refuse_following
from pixelwise.methods.predictor import Method
from pixelwise.predict.assessed import LIST, Assessed, write_list
from pixelwise.predict.fingerprint import fingerprint
from pixelwise.predict.folder_work import FolderWork
from pixelwise.predict.inputs import Job, find_images, jobs_of
from pixelwise.predict.journal import Journal, count_segments
from pixelwise.predict.limited import Limited
from pixelwise.predict.pictures import stored_labels
from pixelwise.predict.uncertainty import Uncertain

NO_PROMPTS = Prompts()
_WRITER = "results 1"  # results of another form than this program's are made again


@dataclass(frozen=True)
class Summary:
    """What a prediction run did.

    Attributes:
        out: the folder with the results.
        count: how many of the images have results there now.
        segments: how many segments were found in them.
        failures: the images that have none, and why.
        kept: how many of ``count`` were done by an earlier run and are as they were.
        notes: what the predictor said of how it worked, each once, with the number of images of which it holds.
    """

    out: Path
    count: int
    segments: int
    failures: tuple[tuple[str, str], ...]
    kept: int = 0
    notes: tuple[tuple[str, int], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values."""
        failures = [{"file": file, "error": error} for file, error in self.failures]
        return {
            "out": str(self.out),
            "count": self.count,
            "segments": self.segments,
            "kept": self.kept,
            "failures": failures,
            "notes": [{"note": note, "images": images} for note, images in self.notes],
        }

    def __str__(self) -> str:
        """Say it in one line, and one more for each failure."""
        kept = f" ({self.kept} of them done before)" if self.kept else ""
        lines = [f"{self.count} images{kept}, {self.segments} segments -> {self.out}"]
        return "\n".join([*lines, *(f"failed: {file}: {error}" for file, error in self.failures)])


def predict(
    predictor: Predictor,
    inputs: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    threshold: float | None = None,
    binary: bool = False,
    overlay: bool = True,
    batch: int = 8,
    again: bool = False,
    prompts: Prompts = NO_PROMPTS,
    time_limit: float | None = None,
    threads: int | None = None,
    progress: Callable[[float, int], None] | None = None,
) -> Summary:
    """Segment images and write the results to ``out``; a bad image is listed, and the rest go on.

    An image whose results are there already is left alone, if the file, the predictor and the options are what they were: a
    predictor is known by its ``fingerprint()``, or by its card where it has none.

    Args:
        inputs: image files, folders (with those below them) and patterns such as ``"scans/*.tif"``.
        threshold: for two classes, the foreground probability above which a pixel counts; for instances, the lowest score.
        binary: write the one foreground class as 0 and 255 instead of ids.
        overlay: draw ``<stem>_overlay.jpg`` too (not of images with a side past 65,500 pixels, which JPEG cannot hold).
        batch: how many images of one size are segmented at once.
        again: segment every image, whatever is there.
        prompts: what is pointed at in the images; images are then segmented one at a time.
        time_limit: seconds for an image; one whose loops take longer is listed as failed. A single pass is not cut short.
        threads: that read ahead of the predictor, and that write behind it; what suits the machine if not given, 0 for none.
        progress: called with (images done, images in all); within an image that takes long, with a part of one.

    Raises:
        MissingFile: there is no image at all.
        OptionError: ``threshold``, ``binary`` or ``time_limit`` do not fit, or ``out`` is the folder of the images.
        StorageError: ``out`` cannot be written.
        RunInUse: another process writes to ``out``.
    """
    if isinstance(predictor, Method) and prompts:
        predictor = predictor.for_strokes()
    card, out = predictor.card, Path(out)
    _check(card, threshold, binary)
    refuse_following(predictor)
    request = Request(threshold=threshold)
    images, missing = find_images(inputs, out)
    make_folder(out)
    with locked(out):
        jobs = stamped_jobs(predictor, images, out, threshold, binary, overlay, prompts)
        journal = Journal(out, jobs, again)
        _write_labels(card, out, binary)
        failures = [(str(path), reason) for path, reason in missing]
        segments = count_segments(out) if journal.is_complete else 0
        notes: Counter[str] = Counter()
        if not journal.is_complete:
            done = _Done(progress, len(jobs))
            assessed = Assessed(predictor) if isinstance(predictor, Uncertain) else None
            limited = Limited(assessed or predictor, time_limit, done.within)
            at_once = batch if time_limit is None else 1  # a batch that fails is tried again image by image
            with journal:
                work = FolderWork(jobs, journal, binary, threads, done.whole, assessed)
                outcome = work.run(limited, at_once, request, prompts)
            segments, notes = journal.segments, outcome.notes
            failures += outcome.failures.items()
        write_json(out / "failures.json", [{"file": file, "error": error} for file, error in failures])
        if isinstance(predictor, Uncertain):
            write_list(out)
        else:
            (out / LIST).unlink(missing_ok=True)  # of an earlier run, whose entries are gone
    count = len(jobs) + len(missing) - len(failures)
    return Summary(out, count, segments, tuple(failures), len(journal.done), tuple(notes.items()))


def stamped_jobs(
    predictor: Predictor,
    images: Sequence[Path],
    out: Path,
    threshold: float | None,
    binary: bool,
    overlay: bool,
    prompts: Prompts,
) -> list[Job]:
    """Name the results of each image, and stamp it with all that they depend on."""
    pointed = [prompts.to_json()] if prompts else []
    settings = json.dumps([_WRITER, fingerprint(predictor), threshold, binary, *pointed])
    maps = isinstance(predictor, Uncertain)
    return jobs_of(images, out, overlay, hashlib.sha256(settings.encode()).hexdigest(), maps)


class _Done:
    """How many images are done, told to whoever asked: whole ones, and a part of the one in work."""

    def __init__(self, progress: Callable[[float, int], None] | None, total: int) -> None:
        self._progress, self._whole, self._total = progress, 0, total

    def whole(self, count: int) -> None:
        self._whole = count
        if self._progress is not None:
            self._progress(count, self._total)

    def within(self, share: float) -> None:
        if self._progress is not None:
            self._progress(min(self._whole + share, self._total), self._total)


def _write_labels(card: Card, out: Path, binary: bool) -> None:
    """Say what the values of the PNGs stand for, before the first of them is there."""
    stored = stored_labels(card.labels, binary)
    about = {"model": card.name, "kind": card.kind, "labels": card.labels.to_json(), "stored": stored.to_json()}
    write_json(out / "labels.json", about)


def _check(card: Card, threshold: float | None, binary: bool) -> None:
    if binary and (len(card.labels) > 2 or card.kind == "regions"):
        what = "regions without classes" if card.kind == "regions" else f"{len(card.labels)} classes"
        raise OptionError(f"--binary wants a model of one foreground class; '{card.name}' has {what}")
    if threshold is not None and card.kind == "semantic" and len(card.labels) > 2:
        raise OptionError(f"--threshold wants a model of one foreground class; '{card.name}' has {len(card.labels)} classes")
