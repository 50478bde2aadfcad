"""The format ``prepared``: what ``pixelwise data prepare`` makes of labels, whole and ready to be trained on.

``images/``         photos as they were (links or copies, never encoded again), or PNG where they were cut or resized
``semantic/``       a class number a pixel: objects painted by one stated rule, crowds void (255, or 65535 beyond 255 classes)
``panoptic/``       a segment number a pixel, 0 under none; where objects overlap the smaller is on top
``segments.jsonl``  a line an image: every segment with class, crowd mark, area, box and run lengths; overlapping ones are whole
``samples.json``    the samples in order, with the place of their line; ``<split>.txt`` the images of a split
``prepared.json``   kind, labels, the rule, and the options of ``prepare``

Id maps are PNG of one band, 8 bits where the ids fit and else 16, without a colour table: OpenCV would give colours for ids.
Nothing is lost but probabilities: instances, panoptic, multilabel and region truth come back bit for bit, with order, crowd
marks, stated areas and boxes, ids and attributes. Semantic truth is its class map alone.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from pixelwise.core.errors import DataError, MissingFile, PixelwiseError, UnknownLayout, UnreadableFile
from pixelwise.core.labels import VOID, LabelSet
from pixelwise.core.sample import Dataset, ImageFile, LostLabels, Sample, Source
from pixelwise.core.segmentation import KINDS, Kind
from pixelwise.formats.claim import Claim
from pixelwise.formats.json_file import decoded
from pixelwise.formats.masks import MaskFile
from pixelwise.formats.prepared.parts import FORMAT, MARKER, PARTS, SAMPLES, is_prepared, part_of, refuse_link
from pixelwise.formats.prepared.truth import PreparedTruth
from pixelwise.formats.prepared.write import write

__all__ = ["LAYOUTS", "read", "sniff", "write"]

LAYOUTS = ("prepared.json + samples.json + segments.jsonl + images/, semantic/, panoptic/ (made by 'pixelwise data prepare')",)
_TOLD = 20
_LONGEST = 240  # bytes of a name; file systems hold 255
_MOST_BYTES = 2**30  # of a list of images


class _Marker(msgspec.Struct):
    format: str
    kind: str
    labels: dict[str, Any]
    name: str = "data"
    semantic: dict[str, Any] | None = None


Place = Annotated[int, msgspec.Meta(ge=0, le=2**62)]


class _Entry(msgspec.Struct, gc=False):
    name: str
    image: str
    segments: int | None = None  # None for an image without labels
    at: tuple[Place, Place] = (0, 0)
    meta: dict[str, Any] = {}


def sniff(path: Path) -> Claim | None:
    """Tell whether ``path`` is a prepared set, or its ``prepared.json``."""
    root = _root(Path(path))
    if not is_prepared(root):
        return None
    try:
        marker, *_ = decoded(root / MARKER, _Marker, MARKER)
    except PixelwiseError:
        return None
    if not marker.format.startswith(FORMAT.rpartition(" ")[0]):
        return None
    return Claim(f"a set that Pixelwise prepared ({marker.kind})", f"{MARKER} says so")


def _root(path: Path) -> Path:
    return path.parent if path.name == MARKER and path.is_file() else path


def read(path: Path, labels: LabelSet | None = None) -> Dataset:
    """Read a prepared set: the richest truth it holds; ``Dataset.semantic`` of it reads the class maps that are there.

    Raises:
        MissingFile: there is nothing at ``path``.
        UnknownLayout: it is no prepared set, or of a later version.
        UnreadableFile, DataError: ``prepared.json`` or ``samples.json`` is broken.
    """
    root = _root(Path(path))
    if not root.exists():
        raise MissingFile(f"{root}: expected a prepared data set, found nothing there; check the path")
    if not is_prepared(root):
        raise UnknownLayout(f"{root}: expected a prepared data set, found no {MARKER}; make one with 'pixelwise data prepare'")
    marker, *_ = decoded(root / MARKER, _Marker, MARKER)
    if marker.format != FORMAT:
        raise UnknownLayout(f"{root / MARKER}: expected '{FORMAT}', found '{marker.format[:40]}'; prepare the set again")
    kind = _kind(root, marker.kind)
    own = _labels(root, marker.labels)
    painted = None if marker.semantic is None else _stored(_labels(root, marker.semantic))
    if kind == "semantic":
        own = _stored(own)
    notes: list[str] = []
    samples = list(_samples(root, kind, own, painted, labels or own, notes))
    if not samples:
        raise DataError(f"{root}: not one of its images is there; prepare the set again")
    return Dataset(samples, labels or own, kind, _splits(root, samples, notes), marker.name, notes)


def _kind(root: Path, stated: str) -> Kind:
    for kind in KINDS:
        if kind == stated:
            return kind
    raise DataError(f"{root / MARKER}: expected a kind of {', '.join(KINDS)}, found '{stated[:40]}'")


def _labels(root: Path, stated: Mapping[str, Any]) -> LabelSet:
    try:
        return LabelSet.from_json(stated)
    except DataError as error:
        raise UnreadableFile(f"{root / MARKER}: {error}; prepare the set again") from None


def _stored(labels: LabelSet) -> LabelSet:
    """Map the values of our class maps, which are class numbers."""
    return labels.with_values({**{index: index for index in range(len(labels))}, labels.void: VOID})


def _samples(
    root: Path, kind: Kind, own: LabelSet, painted: LabelSet | None, labels: LabelSet, notes: list[str]
) -> Iterator[Sample]:
    refuse_link(root / SAMPLES)
    entries, *_ = decoded(root / SAMPLES, list[_Entry], SAMPLES)
    there = _files(root / "images")
    seen: set[str] = set()
    missing = 0
    for entry in entries:
        _require_plain(root, entry)
        if entry.name.casefold() in seen:
            raise DataError(f"{root / SAMPLES}: two samples are called '{entry.name[:80]}'; prepare the set again")
        seen.add(entry.name.casefold())
        if entry.image not in there:
            missing += 1
            if missing <= _TOLD:
                told = f"{entry.image}: {SAMPLES} names it, but there is no such image in {root / 'images'}; left out"
                notes.append(told if entry.segments is None else LostLabels(told))
            continue
        image = root / "images" / entry.image
        meta = entry.meta
        if entry.segments is None:
            yield Sample(entry.name, ImageFile(image), None, labels, Source(image), meta)
        elif kind == "semantic":
            refuse_link(mask := part_of(root, "semantic", entry.name))
            yield Sample(entry.name, ImageFile(image), MaskFile(mask, image, root), labels, Source(image, (mask,), "id"), meta)
        else:
            truth = PreparedTruth(root, entry.name, image, entry.at, own, painted, kind)
            files = tuple(part_of(root, part, entry.name) for part in PARTS[kind])
            yield Sample(entry.name, ImageFile(image), truth, labels, Source(image, files, "json"), meta)
    if missing > _TOLD:
        notes.append(LostLabels(f"{root}: {missing - _TOLD} more images that {SAMPLES} names are not there; left out"))


def _require_plain(root: Path, entry: _Entry) -> None:
    """Refuse names that lead anywhere but into the set's own folders."""
    for name in (entry.name, entry.image):
        if (
            name in ("", ".", "..")
            or len(name.encode("utf-8", "surrogatepass")) > _LONGEST
            or any(sign in name for sign in "/\\\0")
        ):
            raise DataError(f"{root / SAMPLES}: expected plain file names, found '{name[:80]}'; prepare the set again")


def _files(folder: Path) -> frozenset[str]:
    """List the files of a folder that lie in it: a link may lead anywhere."""
    if folder.is_symlink():
        raise UnreadableFile(f"{folder}: expected a folder, found a link; copy the set as a whole")
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries if entry.is_file(follow_symlinks=False))
    except OSError as error:
        raise UnreadableFile(f"{folder}: cannot be listed: {error.strerror or error}; prepare the set again") from None


def _splits(root: Path, samples: list[Sample], notes: list[str]) -> Mapping[str, list[int]]:
    rows = {f"images/{sample.source.image.name}": row for row, sample in enumerate(samples) if sample.source.image}
    splits: dict[str, list[int]] = {}
    for file in sorted(root.glob("*.txt")):
        refuse_link(file)
        try:
            if (size := file.stat().st_size) > _MOST_BYTES:
                raise UnreadableFile(f"{file}: expected a list of images, found {size:,} bytes; prepare the set again")
            lines = file.read_text("utf-8", "surrogateescape").splitlines()
        except OSError as error:
            raise UnreadableFile(f"{file}: cannot be read: {error.strerror or error}") from None
        if found := [rows[line] for line in lines if line in rows]:
            splits[file.stem] = found
        if strange := [line for line in lines if line and line not in rows]:
            notes.append(f"{file}: {len(strange)} lines name no image of the set, such as {strange[0][:80]}; left out")
    return splits
