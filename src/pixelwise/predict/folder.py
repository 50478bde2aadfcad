"""Segment files and folders, and write id maps, overlays, measurements and what failed.

Written for each image: ``<stem>.png`` (class ids of semantic segmentations, segment ids of the others, with a colour table)
and ``<stem>_overlay.jpg``; once: ``segments.json``, ``segments.csv``, ``labels.json`` (what the ids stand for) and
``failures.json``. Every file is whole or not there, and no input is ever written over.
"""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from pixelwise.core.arrays import IntArray
from pixelwise.core.batches import stream
from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError, PixelwiseError, StorageError
from pixelwise.core.files import make_folder, replacing, write_json
from pixelwise.core.image import Image, read_image, write_ids, write_image
from pixelwise.core.labels import VOID, LabelSet, colour_of, foreground_of
from pixelwise.core.predictor import Predictor, Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.predict.inputs import find_images, name_results
from pixelwise.predict.measure import measure

_COLUMNS = ("file", "id", "class", "score", "area", "left", "top", "right", "bottom", "x", "y", "perimeter", "mean_colour")
_LONGEST_JPEG = 65_500


@dataclass(frozen=True)
class Summary:
    """What a prediction run did.

    Attributes:
        out: the folder with the results.
        count: how many images were segmented.
        segments: how many segments were found in them.
        failures: the images that were not, and why.
    """

    out: Path
    count: int
    segments: int
    failures: tuple[tuple[str, str], ...]

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values."""
        failures = [{"file": file, "error": error} for file, error in self.failures]
        return {"out": str(self.out), "count": self.count, "segments": self.segments, "failures": failures}

    def __str__(self) -> str:
        """Say it in one line, and one more for each failure."""
        lines = [f"{self.count} images, {self.segments} segments -> {self.out}"]
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
    progress: Callable[[int, int], None] | None = None,
) -> Summary:
    """Segment images and write the results to ``out``; a bad image is listed, and the rest go on.

    Args:
        inputs: image files, folders (with those below them) and patterns such as ``"scans/*.tif"``.
        threshold: for two classes, the foreground probability above which a pixel counts; for instances, the lowest score.
        binary: write the one foreground class as 0 and 255 instead of ids.
        overlay: draw ``<stem>_overlay.jpg`` too (not of images with a side past 65,500 pixels, which JPEG cannot hold).
        batch: how many images of one size are segmented at once.
        progress: called with (images done, images in all).

    Raises:
        MissingFile: there is no image at all.
        OptionError: ``threshold`` or ``binary`` do not fit the predictor, or ``out`` is the folder of the images.
        StorageError: ``out`` cannot be written.
    """
    card, out = predictor.card, Path(out)
    _check(card, threshold, binary)
    request = Request(threshold=threshold)
    images, missing = find_images([inputs] if isinstance(inputs, str | Path) else list(inputs), out)
    make_folder(out)
    failures = [(str(path), reason) for path, reason in missing]
    jobs = list(zip(images, name_results(images, out), strict=True))
    count = segments = 0
    with _Tables(out) as tables:
        for (path, stem), image, found in stream(predictor, _opened(jobs, failures, progress), batch, request):
            try:
                if isinstance(found, PixelwiseError):
                    raise found
                names = _write_pictures(out, stem, image, found, binary, overlay)
            except StorageError:
                raise  # no space: the rest would fail alike
            except PixelwiseError as error:
                failures.append((str(path), _reason(path, error)))
                continue
            segments += tables.add({"file": str(path), **names, "size": list(image.size), "kind": found.kind}, image, found)
            count += 1
    stored = _stored_labels(card.labels, binary)
    write_json(
        out / "labels.json",
        {"model": card.name, "kind": card.kind, "labels": card.labels.to_json(), "stored": stored.to_json()},
    )
    write_json(out / "failures.json", [{"file": file, "error": error} for file, error in failures])
    return Summary(out, count, segments, tuple(failures))


def _check(card: Card, threshold: float | None, binary: bool) -> None:
    if binary and (len(card.labels) > 2 or card.kind == "regions"):
        what = "regions without classes" if card.kind == "regions" else f"{len(card.labels)} classes"
        raise OptionError(f"--binary wants a model of one foreground class; '{card.name}' has {what}")
    if threshold is not None and card.kind == "semantic" and len(card.labels) > 2:
        raise OptionError(f"--threshold wants a model of one foreground class; '{card.name}' has {len(card.labels)} classes")


def _opened(
    jobs: Sequence[tuple[Path, str]], failures: list[tuple[str, str]], progress: Callable[[int, int], None] | None
) -> Iterator[tuple[tuple[Path, str], Image]]:
    for done, (path, stem) in enumerate(jobs, start=1):
        try:
            yield (path, stem), read_image(path)
        except PixelwiseError as error:
            failures.append((str(path), _reason(path, error)))
        if progress is not None:
            progress(done, len(jobs))


def _reason(path: Path, error: PixelwiseError) -> str:
    return str(error).removeprefix(f"{path}: ")


def _write_pictures(
    out: Path, stem: str, image: Image, found: Segmentation, binary: bool, overlay: bool
) -> dict[str, str | None]:
    overlay = overlay and 0 < max(found.size) <= _LONGEST_JPEG
    names: dict[str, str | None] = {"mask": f"{stem}.png", "overlay": f"{stem}_overlay.jpg" if overlay else None}
    ids, colours = _binary(found) if binary else _ids(found)
    write_ids(out / f"{stem}.png", ids, colours)
    if overlay:
        from pixelwise.draw.overlay import overlay as drawn

        write_image(out / f"{stem}_overlay.jpg", drawn(image, found))
    return names


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


class _Tables:
    """Write ``segments.json`` and ``segments.csv`` image by image, so that memory does not grow with their number."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._stack = ExitStack()
        self._json: TextIO
        self._csv: TextIO
        self._count = 0

    def __enter__(self) -> "_Tables":
        with ExitStack() as stack:
            self._json = self._opened(stack, "segments.json")
            self._csv = self._opened(stack, "segments.csv")
            self._json.write("[")
            csv.writer(self._csv, lineterminator="\n").writerow(_COLUMNS)
            self._stack = stack.pop_all()
        return self

    def _opened(self, stack: ExitStack, name: str) -> TextIO:
        temporary = stack.enter_context(replacing(self._out / name))
        return stack.enter_context(open(temporary, "w", encoding="utf-8", newline=""))

    def add(self, entry: dict[str, Any], image: Image, found: Segmentation) -> int:
        """Add one image; return the number of its segments."""
        segments = list(measure(image, found))
        self._json.write(",\n" if self._count else "\n")
        self._json.write(json.dumps({**entry, "segments": segments}, ensure_ascii=False, allow_nan=False))
        rows = csv.writer(self._csv, lineterminator="\n")
        for one in segments:
            centroid, colour = one["centroid"] or ["", ""], " ".join(str(value) for value in one["mean_colour"] or [])
            row = [one["id"], one["class"], one["score"], one["area"], *one["box"], *centroid, one["perimeter"], colour]
            rows.writerow([entry["file"], *row])
        self._count += 1
        return len(segments)

    def __exit__(self, *error: Any) -> None:
        if error[0] is None:
            self._json.write("\n]\n")
        self._stack.__exit__(*error)
