"""Segment files and folders, and write id maps, overlays, measurements and what failed.

Written for each image: ``<stem>.png`` (class ids of semantic segmentations, segment ids of the others, with a colour table)
and ``<stem>_overlay.jpg``; once: ``segments.json``, ``segments.csv``, ``labels.json`` (what the ids stand for) and
``failures.json``. Every file is whole or not there, and no input is ever written over. A run that is stopped, by whatever,
goes on where it was when it is started again.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.core.arrays import IntArray
from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError, PixelwiseError, StorageError
from pixelwise.core.files import locked, make_folder, write_json
from pixelwise.core.image import Image, read_image, write_ids, write_image
from pixelwise.core.labels import VOID, LabelSet, colour_of, foreground_of
from pixelwise.core.predictor import Predictor, Request
from pixelwise.core.prompt import Prompts
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.predictor import Method
from pixelwise.predict.fingerprint import fingerprint
from pixelwise.predict.inputs import Job, find_images, jobs_of
from pixelwise.predict.journal import Journal, count_segments
from pixelwise.predict.limited import Limited
from pixelwise.predict.measure import measure
from pixelwise.predict.prompted import prompted_stream

NO_PROMPTS = Prompts()
_LONGEST_JPEG = 65_500
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
    request = Request(threshold=threshold)
    images, missing = find_images([inputs] if isinstance(inputs, str | Path) else list(inputs), out)
    make_folder(out)
    with locked(out):
        pointed = [prompts.to_json()] if prompts else []
        settings = json.dumps([_WRITER, fingerprint(predictor), threshold, binary, *pointed])
        jobs = jobs_of(images, out, overlay, hashlib.sha256(settings.encode()).hexdigest())
        journal = Journal(out, jobs, again)
        _write_labels(card, out, binary)
        failures = [(str(path), reason) for path, reason in missing]
        segments = count_segments(out) if journal.is_complete else 0
        notes: Counter[str] = Counter()
        if not journal.is_complete:
            done = _Done(progress, len(jobs))
            limited = Limited(predictor, time_limit, done.within)
            with journal:
                at_once = batch if time_limit is None else 1  # a batch that fails is tried again image by image
                _segment(limited, request, prompts, jobs, journal, failures, notes, binary, at_once, done)
            segments = journal.segments
        write_json(out / "failures.json", [{"file": file, "error": error} for file, error in failures])
    count = len(jobs) + len(missing) - len(failures)
    return Summary(out, count, segments, tuple(failures), len(journal.done), tuple(notes.items()))


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


def _segment(
    predictor: Predictor,
    request: Request,
    prompts: Prompts,
    jobs: Sequence[Job],
    journal: Journal,
    failures: list[tuple[str, str]],
    notes: Counter[str],
    binary: bool,
    batch: int,
    done: _Done,
) -> None:
    """Segment what is not done, and enter each image in the journal once its pictures are written."""
    left = [job for job in jobs if job.stamp not in journal.done]
    written, failed = len(jobs) - len(left), len(failures)
    for job, image, found in prompted_stream(predictor, _opened(left, failures), batch, request, prompts):
        try:
            if isinstance(found, PixelwiseError):
                raise found
            names = _write_pictures(journal.folder, job, image, found, binary)
            entry = {"file": str(job.path), **names, "size": list(image.size), "kind": found.kind}
            told = {"notes": list(found.notes)} if found.notes else {}
            journal.add(job, {**entry, **told, "segments": list(measure(image, found))}, image.bands)
            notes.update(found.notes)
            written += 1
        except StorageError:
            raise  # no space: the rest would fail alike
        except PixelwiseError as error:
            failures.append((str(job.path), _reason(job.path, error)))
        done.whole(written + len(failures) - failed)


def _write_labels(card: Card, out: Path, binary: bool) -> None:
    """Say what the values of the PNGs stand for, before the first of them is there."""
    stored = _stored_labels(card.labels, binary)
    about = {"model": card.name, "kind": card.kind, "labels": card.labels.to_json(), "stored": stored.to_json()}
    write_json(out / "labels.json", about)


def _check(card: Card, threshold: float | None, binary: bool) -> None:
    if binary and (len(card.labels) > 2 or card.kind == "regions"):
        what = "regions without classes" if card.kind == "regions" else f"{len(card.labels)} classes"
        raise OptionError(f"--binary wants a model of one foreground class; '{card.name}' has {what}")
    if threshold is not None and card.kind == "semantic" and len(card.labels) > 2:
        raise OptionError(f"--threshold wants a model of one foreground class; '{card.name}' has {len(card.labels)} classes")


def _opened(jobs: Sequence[Job], failures: list[tuple[str, str]]) -> Iterator[tuple[Job, Image]]:
    for job in jobs:
        try:
            yield job, read_image(job.path)
        except PixelwiseError as error:
            failures.append((str(job.path), _reason(job.path, error)))


def _reason(path: Path, error: PixelwiseError) -> str:
    return str(error).removeprefix(f"{path}: ")


def _write_pictures(out: Path, job: Job, image: Image, found: Segmentation, binary: bool) -> dict[str, str | None]:
    drawn = job.overlay if job.overlay and 0 < max(found.size) <= _LONGEST_JPEG else None
    ids, colours = _binary(found) if binary else _ids(found)
    write_ids(out / job.mask, ids, colours)
    if drawn is not None:
        from pixelwise.draw.overlay import overlay

        write_image(out / drawn, overlay(image, found))
    return {"mask": job.mask, "overlay": drawn}


def _ids(found: Segmentation) -> tuple[IntArray, IntArray]:
    if found.kind == "semantic":
        return found.class_map(), found.labels.colours
    colours = np.array([(0, 0, 0), *(colour_of(index) for index in range(min(len(found), 255)))], np.uint8)
    return found.panoptic_ids(), colours


def _binary(found: Segmentation) -> tuple[IntArray, None]:
    mask = np.zeros(found.size, np.uint8)
    for index in np.flatnonzero(found.class_ids == foreground_of(found.labels)):
        mask[found.masks.mask(int(index))] = 255
    return mask, None


def _stored_labels(labels: LabelSet, binary: bool) -> LabelSet:
    """Say what the values of the PNGs stand for: the predictor's classes, whatever its training data stored."""
    if not binary:
        return LabelSet(labels.labels, {**{index: index for index in range(len(labels))}, labels.void: VOID})
    foreground = foreground_of(labels)
    other = 1 - foreground if len(labels) == 2 else VOID
    return LabelSet(labels.labels, {0: other, 255: foreground})
