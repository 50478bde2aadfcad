"""The format ``mots``: objects followed through videos with their masks, as MOTS [1] stores them; read alone.

A frame's objects are in a PNG of 16 bits, class * 1000 + number, in a folder ``instances`` beside ``images`` or ``image_02``;
or in lines of a text file a video, ``frame id class height width run-lengths``: ``gt/gt.txt`` beside ``img1/``, or
``instances_txt/<video>.txt`` beside the folder of videos; lines, and maps with ``labels.txt``, are read without their pictures
too. In KITTI's archives the labels of ``training/image_02/`` lie beside ``training/``. Class 1 is ``car`` and 2
``pedestrian``, unless ``labels.txt`` beside the PNGs names others, from 1 on. An id is the same object in all frames of a
video, and so its track. Id 10000 marks what is to be ignored, of whatever class: it becomes a crowd of each class, so that
scores ignore it and class maps have void there.
``write`` writes none: ``davis`` holds the same and more.

[1] Voigtlaender et al., MOTS: Multi-Object Tracking and Segmentation, CVPR 2019.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pixelwise.core.arrays import Size
from pixelwise.core.errors import DataError, SizeMismatch, UnknownLayout
from pixelwise.core.image import read_ids
from pixelwise.core.labels import LabelSet
from pixelwise.core.runs import from_text
from pixelwise.core.sample import Dataset, ImageFile, LostLabels, Sample, Source
from pixelwise.formats.absent import labels_alone, sizes_of
from pixelwise.formats.claim import Claim
from pixelwise.formats.folder import list_folder
from pixelwise.formats.mots.find import LAYOUTS, Frame, Line, Lines, class_names, find_frames, frames_of
from pixelwise.formats.names import sample_names
from pixelwise.formats.numbered import masks_of
from pixelwise.formats.objects import Drawing, Drawn, ObjectTruth, things
from pixelwise.formats.shapes import Coded
from pixelwise.formats.splits import find_splits
from pixelwise.formats.writing import Writing, Written

__all__ = ["LAYOUTS", "read", "sniff", "write"]

_STEP = 1000
_IGNORED = 10
_CLASSES = ("car", "pedestrian")


@dataclass(frozen=True)
class FrameMap:
    """The objects of a frame in a PNG; ``names`` are the classes from 1 on."""

    path: Path
    names: tuple[str, ...]

    def stated(self) -> Size | None:
        """Give none: the map is of the picture's size, or wrong."""
        return None

    def drawn(self, size: Size) -> Sequence[Drawn | str]:
        """List the objects by their ids."""
        stored, is_rgb = read_ids(self.path)
        if is_rgb or stored.shape != size:
            shown = "colours" if is_rgb else f"{stored.shape[0]} x {stored.shape[1]} (height x width)"
            raise SizeMismatch(
                f"{self.path}: expected ids of its image's size {size[0]} x {size[1]}, found {shown}; put the frames there "
                f"that were annotated"
            )
        try:
            masks, ids = masks_of(stored)
        except DataError as error:
            raise DataError(f"{self.path}: {error}") from None
        found: list[Drawn | str] = []
        for one, runs in zip(ids, masks, strict=True):
            if one < _STEP:
                found.append(f"id {one}: expected class * {_STEP} + number")
            else:
                found += _drawn(one, one // _STEP, Coded(runs), self.names)
        return found


@dataclass(frozen=True)
class FrameLines:
    """The objects of a frame in lines of text."""

    path: Path
    lines: tuple[Line, ...]
    names: tuple[str, ...]

    def stated(self) -> Size | None:
        """Give none: each line states its own size, and is checked for itself."""
        return None

    def drawn(self, size: Size) -> Sequence[Drawn | str]:
        """List the objects in the file's order."""
        found: list[Drawn | str] = []
        for one in self.lines:
            try:
                found += _drawn(one.id, one.number, Coded(from_text(one.counts, one.size)), self.names)
            except DataError as error:
                found.append(f"line {one.line}: {error}")
        return found


def _drawn(identity: int, number: int, shape: Coded, names: Sequence[str]) -> list[Drawn]:
    """Give an object of the class of a number; what is to be ignored is a crowd of every class."""
    if _is_ignored(number, names):
        return [Drawn(name, shape, f"id {identity}", crowd=True, id=identity) for name in names]
    return [Drawn(_name(number, names), shape, f"id {identity}", id=identity, track=identity)]


def _is_ignored(number: int, names: Sequence[str]) -> bool:
    return number == _IGNORED and len(names) < _IGNORED


def _name(number: int, names: Sequence[str]) -> str:
    return names[number - 1] if 0 < number <= len(names) else f"class {number}"


def sniff(path: Path) -> Claim | None:
    """Tell whether ``path`` is a folder of frames with objects as MOTS stores them."""
    path = Path(path)
    if not path.is_dir():
        return None
    found = find_frames(list_folder(path))
    if found.alone:
        return Claim("MOTS, text files", f"{len(found.alone)} text files hold objects frame by frame; no picture is there")
    if not found.frames:
        return None
    where = "text files" if found.lines else "PNGs of class * 1000 + number"
    return Claim(f"MOTS, {where}", f"{len(found.frames)} frames have their objects in {where}")


def read(path: Path, labels: LabelSet | None = None) -> Dataset:
    """Read a folder, frame by frame; ``labels`` are joined by name.

    Raises:
        MissingFile: there is no such folder.
        UnknownLayout: it holds no frames with objects of MOTS.
        UnreadableFile: a text file is broken.
    """
    listing = list_folder(Path(path))
    found = find_frames(listing)
    if not (found.frames or found.alone):
        raise UnknownLayout(f"{path}: expected MOTS, found {listing.describe()}. Tried: {'; '.join(LAYOUTS)}")
    root = listing.root
    files = [frame.text for frame in found.frames if frame.text is not None] or [text for text, _ in found.alone]
    texts = {file: Lines.of(root / file) for file in dict.fromkeys(files)}
    frames = found.frames or tuple(
        frame for text, sequence in found.alone for frame in frames_of(text, sequence, texts[text].by_frame)
    )
    names = {one: class_names(root / one) for one in dict.fromkeys(frame.names for frame in frames) if one is not None}
    known = [(_CLASSES if frame.names is None else names[frame.names]) for frame in frames]
    notes = [*listing.refused, *(note for text in texts.values() for note in text.notes)]
    drawings = [_drawing(root, frame, texts, each) for frame, each in zip(frames, known, strict=True)]
    own = things(_classes(drawings, known))
    images = [frame.image for frame in frames]
    notes += _lost(root, frames, texts)
    samples = []
    for frame, drawing, name in zip(frames, drawings, sample_names(images), strict=True):
        truth = None if drawing is None else ObjectTruth(drawing, root / frame.image, own)
        source = Source(root / frame.image, () if drawing is None else (drawing.path,), "id" if frame.text is None else "text")
        meta = {"sequence": frame.sequence, "frame": int(stem) if (stem := frame.image.stem).isdecimal() else stem}
        samples.append(Sample(name, ImageFile(root / frame.image), truth, labels or own, source, meta))
    splits, told = find_splits(listing, images)
    told = [*notes, *found.notes, *told]
    dataset = Dataset(samples, labels or own, "instance", splits, root.resolve().name or "data", told)
    if images[0] in set(listing.pictures):
        return dataset
    sizes = sizes_of(root / frame.map for frame in frames if frame.map is not None)
    sizes = sizes or [one.lines[0].size if isinstance(one, FrameLines) else None for one in drawings]
    return labels_alone(dataset, own, listing, sizes)


def _lost(root: Path, frames: Sequence[Frame], texts: Mapping[PurePosixPath, Lines]) -> Iterator[str]:
    """Tell of lines whose frame is not there."""
    for file, text in texts.items():
        there = {int(frame.image.stem[:18]) for frame in frames if frame.text == file}
        if gone := sorted(text.by_frame.keys() - there):
            yield LostLabels(f"{root / file}: {len(gone)} frames (such as {gone[0]}) have lines but no picture; left out")


def _drawing(root: Path, frame: Frame, texts: Mapping[PurePosixPath, Lines], names: tuple[str, ...]) -> Drawing | None:
    if frame.map is not None:
        return FrameMap(root / frame.map, names)
    if frame.text is None:
        return None
    return FrameLines(root / frame.text, texts[frame.text].of_frame(frame.image.stem), names)


def _classes(drawings: Sequence[Drawing | None], known: Sequence[tuple[str, ...]]) -> list[str]:
    """List the classes that are named, and those that lines hold besides."""
    found = dict.fromkeys(name for names in known for name in names)
    for one in drawings:
        if isinstance(one, FrameLines):
            numbers = {line.number for line in one.lines if not _is_ignored(line.number, one.names)}
            found.update((_name(number, one.names), None) for number in sorted(numbers))
    return list(found)


def write(dataset: Dataset, path: Path, writing: Writing | None = None) -> Written:
    """Refuse to write.

    Raises:
        DataError: always.
    """
    raise DataError(f"{path}: mots cannot be written: its benchmarks take results of trackers alone; write davis or id_maps")
