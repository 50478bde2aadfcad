"""The format ``davis``: objects followed through videos, as DAVIS [1] and YouTube-VOS [2] store them.

``JPEGImages/[<size>/]<sequence>/00000.jpg`` goes with ``Annotations/[<size>/]<sequence>/00000.png``, a palette picture of
object numbers: 0 is background, a number is the same object in all frames of its sequence, and so its track. Where a sequence
holds lower numbers, 255 is void, kept as a crowd of the class ``object``; alone it is the one object, as in DAVIS 2016. Frames
have their ``sequence`` and ``frame`` in ``meta``; those without annotation have no truth. Splits are the lists in
``ImageSets``, of sequences or of frames. Classes are those of ``meta.json``, as each split of YouTube-VOS has one; else
``object``.

``write`` makes such folders, with lists in ``ImageSets/2017`` and a ``meta.json``. Of instances, it holds disjoint ones, up to
254 a frame, bit for bit.

[1] Pont-Tuset et al., The 2017 DAVIS Challenge, 2017. [2] Xu et al., YouTube-VOS, ECCV 2018.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.core.arrays import Size
from pixelwise.core.errors import DataError, MissingFile, UnknownLayout, UnreadableFile
from pixelwise.core.image import read_ids, read_size
from pixelwise.core.labels import LabelSet
from pixelwise.core.runs import Runs, encode
from pixelwise.core.sample import Dataset, ImageFile, Sample, Source
from pixelwise.formats.claim import Claim
from pixelwise.formats.davis.find import LAYOUTS, Frame, Videos, find_videos, has_videos
from pixelwise.formats.davis.meta import VOID, ObjectNames, StoredFrame, read_names
from pixelwise.formats.davis.write import write
from pixelwise.formats.folder import list_folder
from pixelwise.formats.numbered import masks_of
from pixelwise.formats.objects import Drawn, ObjectTruth
from pixelwise.formats.shapes import Coded

__all__ = ["LAYOUTS", "read", "sniff", "write"]


@dataclass(frozen=True)
class FrameObjects:
    """The objects of one frame; ``names`` says what its numbers stand for."""

    path: Path
    sequence: str
    names: ObjectNames

    def stated(self) -> Size:
        """Give (H, W) of the annotation."""
        return read_size(self.path)

    def drawn(self, size: Size) -> Sequence[Drawn | str]:
        """List the objects by their numbers; in what we wrote, in the order they were in."""
        stored, is_colour = read_ids(self.path)
        if is_colour:
            raise UnreadableFile(f"{self.path}: expected a palette or grey picture of object numbers, found colours")
        runs, values = masks_of(stored)
        ours = self.names.frames.get(f"{self.sequence}/{self.path.stem}")
        if ours is not None:
            return _in_order(ours, dict(zip(values, runs, strict=True)), self.names, size)
        found: list[Drawn | str] = []
        for value, one in zip(values, runs, strict=True):
            where, known = f"object {value}", self.names.of(self.sequence, value)
            if known is None:
                found.append(f"{where}: meta.json names no such object of '{self.sequence}'; add it there")
            else:
                found.append(Drawn(known[0], Coded(one), where, known[1], id=value, track=value))
        return found


def _in_order(frame: StoredFrame, runs: dict[int, Runs], names: ObjectNames, size: Size) -> list[Drawn | str]:
    """List what we wrote: also objects of which nothing is seen, which a picture cannot show."""
    none = encode(np.zeros(size, bool))
    found: list[Drawn | str] = []
    for number, index, crowd in frame.objects:
        shape = Coded(runs.pop(number, none))
        found.append(Drawn(names.labels.names[index], shape, f"object {number}", crowd, id=number, track=number))
    return [*found, *(f"object {value}: meta.json does not name it; was the picture changed?" for value in runs)]


def sniff(path: Path) -> Claim | None:
    """Tell whether ``path`` is a folder of videos as DAVIS or YouTube-VOS store them."""
    path = Path(path)
    if not path.is_dir():
        return None
    listing = list_folder(path)
    try:
        videos = find_videos(listing)
    except DataError:  # a list that cannot be read: told when the folder is read
        why = "JPEGImages and Annotations hold sequences"
        return Claim("DAVIS, objects followed through videos", why) if has_videos(listing) else None
    count = sum(frame.annotation is not None for frame in videos.frames)
    if not count:
        return None
    dialect = "YouTube-VOS, objects followed through videos" if videos.metas else "DAVIS, objects followed through videos"
    sequences = len({frame.sequence for frame in videos.frames})
    return Claim(dialect, f"JPEGImages and Annotations hold {sequences} sequences of the same names, {count} frames annotated")


def read(path: Path, labels: LabelSet | None = None) -> Dataset:
    """Read a folder of videos, frame by frame; ``labels`` are joined by name.

    Raises:
        MissingFile: there is no such folder.
        UnknownLayout: no sequence of JPEGImages has annotations.
        UnreadableFile: a list or ``meta.json`` is broken.
    """
    listing = list_folder(Path(path))
    root = listing.root
    videos = find_videos(listing)
    if not any(frame.annotation for frame in videos.frames):
        raise UnknownLayout(
            f"{path}: expected videos as DAVIS has them, found {listing.describe()}. Tried: {'; '.join(LAYOUTS)}"
        )
    names = read_names([root / one for one in videos.metas], _voids(root, videos))
    samples = []
    for frame, name in zip(videos.frames, _sample_names(videos.frames, names), strict=True):
        image = root / frame.image
        meta: dict[str, Any] = {"sequence": frame.sequence, "frame": frame.number}
        truth, source = None, Source(image)
        if frame.annotation is not None:
            drawing = FrameObjects(root / frame.annotation, frame.sequence, names)
            truth = ObjectTruth(drawing, image, names.labels)
            source = Source(image, (drawing.path,), "palette")
        samples.append(Sample(name, ImageFile(image), truth, labels or names.labels, source, meta))
    name = root.resolve().name or "data"
    return Dataset(samples, labels or names.labels, "instance", videos.splits, name, [*listing.refused, *videos.notes])


def _voids(root: Path, videos: Videos) -> frozenset[str]:
    """List the sequences in which 255 is void: those whose first annotation holds other numbers."""
    if videos.metas:  # YouTube-VOS and we ourselves have no void
        return frozenset()
    first: dict[str, Frame] = {}
    for frame in videos.frames:
        if frame.annotation is not None:
            first.setdefault(frame.sequence, frame)
    return frozenset(sequence for sequence, frame in first.items() if _has_low_numbers(root, frame))


def _has_low_numbers(root: Path, frame: Frame) -> bool:
    path = root / (frame.annotation or "")
    try:
        if read_size(path) != read_size(root / frame.image):
            return True
        stored, _ = read_ids(path)
    except (DataError, MissingFile):
        return True  # it is named when its own frame is read
    return bool(((stored > 0) & (stored != VOID)).any())


def _sample_names(frames: Sequence[Frame], names: ObjectNames) -> list[str]:
    """Name frames after their sequence and number, or as what we wrote says."""
    found = []
    for one in frames:
        ours = names.frames.get(f"{one.sequence}/{one.image.stem}")
        found.append(ours.name if ours is not None else f"{one.sequence}_{one.image.stem}".replace("/", "_"))
    counts = Counter(name.casefold() for name in found)
    return [one if counts[one.casefold()] == 1 else f"{one}_{row}" for row, one in enumerate(found)]
