"""The format ``cvat``: CVAT's XML 1.1, for images and for video.

Shapes of one label and one ``group_id`` are one object, as in CVAT's own COCO export; ``z_order`` decides who lies on top; the
attribute ``is_crowd`` marks crowds. Subsets are splits. A file lists many images, so one that is broken is refused as a whole;
a wrong shape spoils its own image alone. Frames of a video are pictures that end in their number, as ``frame_000010.png``;
what tracks say of a frame is in ``cvat.video``.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from pixelwise.core.errors import DataError, MissingFile, UnknownLayout
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, ImageFile, LostLabels, Sample, Source
from pixelwise.core.segmentation import KINDS, Kind
from pixelwise.formats.absent import labels_alone
from pixelwise.formats.claim import Claim
from pixelwise.formats.cvat.file import CvatDrawing, CvatFile, CvatImage, is_cvat, survey
from pixelwise.formats.cvat.video import FrameDrawing
from pixelwise.formats.cvat.write import FORM, write
from pixelwise.formats.folder import Listing, files_at, own_files
from pixelwise.formats.names import SPLITS, place_of, sample_names, split_of
from pixelwise.formats.objects import Drawing, ObjectTruth, left_out, things
from pixelwise.formats.pictures import Pictures, attempts, named_twice, not_found, told, unnamed
from pixelwise.formats.splits import ordered
from pixelwise.formats.xml_file import root_tag

__all__ = ["LAYOUTS", "read", "sniff", "write"]

LAYOUTS = (
    "CVAT for images 1.1: annotations.xml + images/ (images/<subset>/)",
    "CVAT for video 1.1: annotations.xml + images/frame_000000.png …",
)
_SUFFIXES = (".xml",)
_LOOKED_INTO = 16  # files of a folder, before it is taken for another format's
_MOST_FRAMES = 100_000  # of one task, an hour
_FILMS = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v"})


@dataclass
class _Work:
    """What reading has found so far, one entry an image."""

    listing: Listing
    index: Pictures
    pictures: list[PurePosixPath] = field(default_factory=list)
    drawings: list[Drawing] = field(default_factory=list)
    meta: list[Mapping[str, Any]] = field(default_factory=list)
    splits: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    missing: list[str] = field(default_factory=list)

    def add(self, picture: PurePosixPath, drawing: Drawing, meta: Mapping[str, Any], split: str | None) -> None:
        if split := split or place_of(picture.parent).split:
            self.splits[split].append(len(self.pictures))
        self.pictures.append(picture)
        self.drawings.append(drawing)
        self.meta.append(meta)


def sniff(path: Path) -> Claim | None:
    """Tell whether ``path`` is an XML file of CVAT, or a folder with some."""
    for file in files_at(Path(path), _SUFFIXES)[:_LOOKED_INTO]:
        if (dialect := is_cvat(file)) is not None:
            return Claim(dialect, f"{file.name} holds annotations with images or tracks")
        if _is_broken(file):
            return Claim("CVAT XML, a broken file", f"{file.name} is called as CVAT calls its file")
    return None


def _is_own(path: Path) -> bool:
    return is_cvat(path) is not None or _is_broken(path)


def _is_broken(path: Path) -> bool:
    """Tell a file that is called as CVAT calls its own, but is no XML: reading says what is wrong with it."""
    return path.name.casefold() == "annotations.xml" and path.is_file() and root_tag(path) is None


def read(path: Path, labels: LabelSet | None = None) -> Dataset:
    """Read an XML file of CVAT, or all of a folder's.

    ``labels`` are joined by name.

    Raises:
        MissingFile: there is nothing at ``path``.
        UnknownLayout: it holds no XML of CVAT.
        UnreadableFile: a file is broken or cut off.
        DataError: the images are in a film, or none is named, or a file holds tracks of several tasks.
    """
    path = Path(path)
    if not path.exists():
        raise MissingFile(f"{path}: expected XML of CVAT, found nothing there; check the path")
    listing, names = own_files(path, _SUFFIXES, _is_own)
    if not names:
        raise UnknownLayout(f"{path}: expected XML of CVAT, found none. Tried: {'; '.join(LAYOUTS)}")
    files = [survey(listing.root / one) for one in names]
    for index in attempts(listing):
        work = _Work(listing, index)
        for file, name in zip(files, names, strict=True):
            _add_images(work, file, name)
            if file.tracks:
                _add_frames(work, file, name)
        if work.pictures or any(_film(work, file) for file in files):
            break
    if not work.pictures:
        raise DataError(_no_picture(work, files[0]))
    return _dataset(work, files, labels, path)


def _add_images(work: _Work, file: CvatFile, name: PurePosixPath) -> None:
    for image in file.images:
        there = _pictures(work.index, image, name)
        if len(there) != 1:
            work.missing.append(not_found(image.name, file.path, there))
            continue
        meta = {key: value for key, value in (("image_id", image.id), ("tags", list(image.tags))) if value not in (None, [])}
        work.add(there[0], CvatDrawing(file.path, image, file.stamp), meta, _split(image.subset, name))


def _pictures(index: Pictures, image: CvatImage, name: PurePosixPath) -> list[PurePosixPath]:
    """Find an image's picture: in a folder of its subset before others; names of frames have no suffix."""

    def rank(one: PurePosixPath) -> bool:
        return image.subset.casefold() not in [part.casefold() for part in one.parent.parts]

    order = rank if image.subset else None
    return index.find(image.name, name, order) or index.of_stem(image.name, name, order)


def _split(subset: str, name: PurePosixPath) -> str | None:
    if subset and subset.casefold() != "default":  # CVAT's word for none
        return SPLITS.get(subset.casefold(), subset)
    return split_of(name.stem) or place_of(name.parent).split


def _add_frames(work: _Work, file: CvatFile, name: PurePosixPath) -> None:
    """Add the pictures that are frames of the file's video."""
    if len(file.tasks) > 1:
        raise DataError(
            f"{file.path}: its tracks are of {len(file.tasks)} tasks, whose frames share numbers; export them one by one"
        )
    first, last = file.first or 0, file.last
    frames: dict[int, PurePosixPath] = {}
    near = [one for one in work.listing.pictures if one.is_relative_to(name.parent)] or work.listing.pictures
    if work.index.are_absent:
        near = _named_frames(file)
    for picture in near:
        found = re.search(r"(\d{1,15})$", picture.stem)
        if found is None or not found[1].isascii():
            continue
        frame = int(found[1])
        if frame in frames:
            work.missing.append(f"{picture}: {frames[frame]} is frame {frame} of {file.path} too; {picture} is left out")
        elif frame >= first and (last is None or frame <= last):
            frames[frame] = picture
    for frame, picture in sorted(frames.items()):
        meta = {"sequence": file.title or name.stem, "frame": frame}
        work.add(picture, FrameDrawing(file.path, frame, file.size, file.stamp), meta, _split("", name))
    if gone := sorted(file.frames - frames.keys()):
        shown = ", ".join(map(str, gone[:8])) + (" …" if len(gone) > 8 else "")
        work.missing.append(LostLabels(f"{file.path}: {len(gone)} frames have labels but no picture ({shown}); left out"))


def _named_frames(file: CvatFile) -> list[PurePosixPath]:
    """Name the frames of a task as CVAT's export names them; those with key frames alone where it states no sensible end."""
    shown, first, last = sorted(file.frames), file.first or 0, file.last
    numbers = shown if last is None or last - first >= _MOST_FRAMES else range(first, last + 1)
    return [PurePosixPath(f"frame_{frame:06d}.png") for frame in numbers]


def _film(work: _Work, file: CvatFile) -> PurePosixPath | None:
    """Find the film that the frames of a file are in."""
    films = (one for one in work.listing.others if one.suffix.lower() in _FILMS)
    return next(films, None) if file.tracks else None


def _no_picture(work: _Work, file: CvatFile) -> str:
    if (film := _film(work, file)) is not None:
        return (
            f"{file.path}: its frames are in {film}, and films are not read as data sets; save the frames beside it as "
            f"images/frame_000000.png … (CVAT: export with 'save images'; ffmpeg -i FILM -start_number 0 images/frame_%06d.png)"
        )
    first = f" ({work.missing[0]})" if work.missing else ""
    return f"{file.path}: not one of the images it names is in {work.listing.root}{first}; put the images there"


def _dataset(work: _Work, files: Sequence[CvatFile], labels: LabelSet | None, path: Path) -> Dataset:
    root = work.listing.root
    own, kind = _labels(files), _kind(files)
    samples = []
    names = sample_names(work.pictures)
    for picture, name, drawing, meta in zip(work.pictures, names, work.drawings, work.meta, strict=True):
        truth = ObjectTruth(drawing, root / picture, own, kind)
        source = Source(root / picture, (drawing.path,), "xml")
        samples.append(Sample(name, ImageFile(root / picture), truth, labels or own, source, meta))
    notes = [*work.listing.refused, *_notes(work, files, path)]
    dataset = Dataset(samples, labels or own, kind, ordered(work.splits), root.resolve().name or "data", notes)
    return labels_alone(dataset, own, work.listing) if work.index.are_absent else dataset


def _kind(files: Sequence[CvatFile]) -> Kind:
    stated = [one.about.get("kind") if one.about.get("format") == FORM else "instance" for one in files]
    kinds: set[Kind] = {next((kind for kind in KINDS if kind == one), "instance") for one in stated}
    if len(kinds) > 1:
        raise DataError(
            f"{files[0].path}: expected files of one kind, found {' and '.join(sorted(kinds))}; read them one by one"
        )
    return kinds.pop()


def _labels(files: Sequence[CvatFile]) -> LabelSet:
    """Take the classes: of ours as the file states them, else the labels of the files in their order, in their colours."""
    for one in files:
        if one.about.get("format") != FORM:
            continue
        try:
            return LabelSet.from_json(one.about.get("labels") or {})
        except DataError as error:
            raise DataError(f"{one.path}: {error}; write the data set again") from None
    names = [name for one in files for name in one.labels]
    used: Counter[str] = sum((one.names for one in files), Counter())
    colours = {name: colour for one in files for name, colour in one.labels.items() if colour is not None}
    return things([*names, *sorted(used)], colours)


def _notes(work: _Work, files: Sequence[CvatFile], path: Path) -> Iterator[str]:
    yield from told(work.missing, path)
    for file in files:
        yield from left_out(file.path, file.skipped)
    yield from named_twice(work.pictures, path)
    if path.is_dir():  # who gives one file means its images alone
        yield from unnamed(work.listing, work.pictures)
