"""Write a prepared set: the files of a sample in one go, from one look at its truth."""

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import msgspec
import numpy as np

from pixelwise.core.errors import DataError, PixelwiseError, StorageError
from pixelwise.core.files import make_folder, read_json, replacing, write_json, write_text
from pixelwise.core.idmaps import lookup
from pixelwise.core.labels import LabelSet
from pixelwise.core.png import encode_ids
from pixelwise.core.sample import Dataset, ImageFile, Sample
from pixelwise.core.segmentation import PAINTED, Kind, Segmentation
from pixelwise.formats.losses import tell_class_map
from pixelwise.formats.output import require_names, store_image
from pixelwise.formats.prepared.parts import FORMAT, MARKER, PARTS, SAMPLES, SEGMENTS
from pixelwise.formats.writing import Writing, Written, drop, staged

Pieces: TypeAlias = Callable[[Sample], Iterable[Sample]]


@dataclass(frozen=True)
class Preparing:
    """What else is asked of a prepared set.

    Attributes:
        copy: store images as copies; else as hard links where the file system allows. A link is the same file under a second
            name: who changes one in place changes both.
        pieces: gives what is stored for a sample: itself, changed, or its tiles; None stores samples as they are. It must
            pickle, and the names it gives must differ.
        labels, kind: of the pieces; None where they are those of the data set.
        about: what ``prepared.json`` says of the source and the options.
    """

    copy: bool = False
    pieces: Pieces | None = None
    labels: LabelSet | None = None
    kind: Kind | None = None
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _One:
    """Writes the pieces of one sample."""

    kind: Kind
    copy: bool
    pieces: Pieces | None

    def __call__(self, sample: Sample, folder: Path) -> tuple[list[dict[str, Any]], int]:
        """Write into ``folder``; give an entry a piece, and how many segments they hold."""
        entries = [self._piece(one, folder) for one in ((sample,) if self.pieces is None else self.pieces(sample))]
        return entries, sum(entry["segments"] or 0 for entry in entries)

    def _piece(self, sample: Sample, folder: Path) -> dict[str, Any]:
        truths = sample.truths
        if _clean(sample.name) != sample.name:
            raise DataError(f"{_clean(sample.name)}: its name is not UTF-8, which JSON cannot hold; rename the image")
        if len(truths) > 1:
            raise DataError(
                f"{sample.name}: it has {len(truths)} truths, and a prepared set holds one an image: the others would be lost"
            )
        line = _write_truth(truths[0], sample.name, self.kind, folder) if truths else ""
        if sample.truth_source is None:
            _ = sample.size  # an image that cannot be read is told now, not in training
        return {
            "name": sample.name,
            "image": _store(sample, folder / "images", self.copy),
            "segments": len(truths[0]) if truths else None,
            "meta": _plain(sample.meta),
            "line": line,
        }


def write(dataset: Dataset, path: Path, writing: Writing | None = None, preparing: Preparing | None = None) -> Written:
    """Write a data set; probabilities are not kept.

    Raises:
        DataError: a sample has several truths, a name cannot be a file's, or an image cannot be stored.
        PlaceTaken: the folder holds something else.
        StorageError: it cannot be written.
    """
    preparing = preparing or Preparing()
    require_names(dataset)
    kind = preparing.kind or dataset.kind
    with staged(Path(path), _is_own, _is_ours, writing) as stage:
        for name in ("images", *PARTS[kind]):
            if name != "segments":
                make_folder(stage.folder / name)
        entries = stage.each(dataset, _One(kind, preparing.copy, preparing.pieces))
        images = _write_samples(stage.folder, entries, "segments" in PARTS[kind])
        _write_lists(stage.folder, dataset, images)
        write_json(stage.folder / MARKER, _marker(dataset, kind, preparing))
    return replace(stage.written, images=sum(map(len, images)))


def _marker(dataset: Dataset, kind: Kind, preparing: Preparing) -> dict[str, Any]:
    labels = preparing.labels or dataset.labels
    painted = labels.with_background() if kind == "instance" else labels
    has_classes = "semantic" in PARTS[kind]
    return {
        "format": FORMAT,
        "name": dataset.name,
        "kind": kind,
        "labels": labels.to_json(),
        "semantic": painted.to_json() if has_classes else None,
        "void": painted.void if has_classes else None,
        "rule": PAINTED if kind == "instance" else "",
        **preparing.about,
    }


def _write_samples(folder: Path, entries: Iterator[list[dict[str, Any]] | None], has_segments: bool) -> list[list[str]]:
    """Write the samples and their segments one a line; give the images of each source sample."""
    images: list[list[str]] = []
    names: set[str] = set()
    place = 0
    with contextlib.ExitStack() as stack:
        samples = _opened(stack, folder / SAMPLES)
        segments = _opened(stack, folder / SEGMENTS) if has_segments else None
        samples.write(b"[")
        for pieces in entries:
            for one in pieces or ():
                if one["name"].casefold() in names:
                    raise DataError(f"two samples would be called '{one['name']}'; rename one of their sources")
                line = one.pop("line").encode()
                if segments is not None and line:
                    segments.write(line + b"\n")
                    one["at"] = place, len(line)
                    place += len(line) + 1
                samples.write((b",\n" if names else b"\n") + msgspec.json.encode(one))
                names.add(one["name"].casefold())
            images.append([one["image"] for one in pieces or ()])
        samples.write(b"\n]\n")
    return images


def _opened(stack: contextlib.ExitStack, path: Path) -> BinaryIO:
    return stack.enter_context(open(stack.enter_context(replacing(path)), "wb"))


def _write_lists(folder: Path, dataset: Dataset, images: Sequence[Sequence[str]]) -> None:
    for name, rows in dataset.splits.items():
        write_text(folder / f"{name}.txt", "".join(f"images/{image}\n" for row in rows for image in images[row]))


def _write_truth(truth: Segmentation, name: str, kind: Kind, folder: Path) -> str:
    """Write the id maps of one image; give the line of its segments, empty where they have none."""
    parts = PARTS[kind]
    if truth.kind != kind:
        raise DataError(f"{name}: its truth is {truth.kind}, in a data set that is {kind}")
    if truth.probabilities is not None:
        drop(f"{name}: its probabilities, of which a prepared set holds none")
    ids = truth.panoptic_ids() if "panoptic" in parts or "semantic" in parts else None
    if ids is not None and "semantic" in parts:
        _put(f"{folder}/semantic/{name}.png", encode_ids(lookup(truth.painting()[1], ids)))
    if ids is not None and "panoptic" in parts:
        if len(truth) > 65535:
            raise DataError(f"{name}: a PNG holds 65535 segments, and it has {len(truth)}; some would be lost")
        _put(f"{folder}/panoptic/{name}.png", encode_ids(ids))
    if "segments" in parts:
        return msgspec.json.encode({"name": name, **_segments(truth)}).decode()
    tell_class_map(name, truth)
    return ""


def _segments(truth: Segmentation) -> dict[str, Any]:
    """List the segments, named as in the ``segments.json`` of predictions."""
    areas, boxes = truth.masks.areas().tolist(), truth.masks.boxes().tolist()
    names, crowd, classes = truth.names, truth.is_crowd.tolist(), truth.class_ids.tolist()
    size = list(truth.size)
    stated = {
        "score": truth.scores,
        "source_id": truth.source_ids,
        "track_id": truth.track_ids,
        "stated_area": truth.areas,
        "stated_box": truth.boxes,
    }
    columns = {key: value.tolist() for key, value in stated.items() if value is not None}
    found = []
    for row, runs in enumerate(truth.masks.run_lengths()):
        one = {
            "id": row + 1,
            "class": names[row],
            "class_id": classes[row],
            "crowd": crowd[row],
            "area": areas[row],
            "box": boxes[row],
            "run_lengths": {"size": size, "counts": runs.counts.decode("ascii")},
        }
        for key, values in columns.items():
            one[key] = values[row]
        if truth.attributes and truth.attributes[row]:
            one["attributes"] = _plain(truth.attributes[row])
        found.append(one)
    return {"size": size, "segments": found}


def _plain(value: Any) -> Any:
    """Give a value as JSON has it: NumPy's numbers as numbers, tuples as lists, what JSON does not know as text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist())
    return value if value is None or isinstance(value, bool | int | float) else _clean(str(value))


def _clean(text: str) -> str:
    """Write out what JSON cannot hold: bytes of file names that are not UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _store(sample: Sample, folder: Path, copy: bool) -> str:
    """Link or copy the image's file, or write its pixels where it has none of its own; give its name."""
    if not isinstance(sample.pixels, ImageFile):
        return store_image(sample, folder)
    source = sample.pixels.path
    name = sample.name + source.suffix.lower()
    target = folder / name
    try:
        if source.is_symlink():
            source = source.resolve()
        if copy or not _linked(source, target):
            target.unlink(missing_ok=True)  # it may be a link from before: writing into it would change the original
            _copy(source, target)
    except OSError as error:
        raise StorageError(f"{source}: cannot be stored in {folder.parent}: {error.strerror or error}") from None
    return name


def _linked(source: Path, target: Path) -> bool:
    """Give a file a second name, if the file system can."""
    try:
        os.link(source, target)
    except FileExistsError:  # of this very sample, when a process was killed
        target.unlink()
        os.link(source, target)
    except OSError as error:
        if error.errno in (errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS):
            return False
        raise
    return True


def _copy(source: Path, target: Path) -> None:
    """Copy a file; file systems that can share blocks between files (Btrfs, XFS) do so."""
    if not hasattr(os, "copy_file_range"):
        shutil.copyfile(source, target)
        return
    with open(source, "rb") as origin, open(target, "wb") as copied:
        left = os.fstat(origin.fileno()).st_size
        try:
            while left > 0 and (done := os.copy_file_range(origin.fileno(), copied.fileno(), left)):
                left -= done
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
                raise
            left = -1
    if left:
        shutil.copyfile(source, target)


def _put(path: str, data: bytes) -> None:
    """Write a file of a stage: it counts once the journal says so, so it needs no temporary name."""
    try:
        with open(path, "wb") as file:
            file.write(data)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}; free some space and start again") from None


def _is_own(name: str) -> bool:
    return name in ("images", "semantic", "panoptic", MARKER, SAMPLES, SEGMENTS) or name.endswith(".txt")


def _is_ours(folder: Path) -> bool:
    try:
        data = read_json(folder / MARKER)
    except PixelwiseError:
        return False
    return isinstance(data, Mapping) and str(data.get("format", "")).startswith(FORMAT.rpartition(" ")[0])
