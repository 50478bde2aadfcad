"""Find the frames of MOTS and where their objects are: PNGs, or lines of a text file a video."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from pixelwise.core.arrays import Size
from pixelwise.core.errors import DataError, MissingFile, UnreadableFile
from pixelwise.core.image import read_ids
from pixelwise.core.sample import LostLabels
from pixelwise.formats.folder import Listing, natural
from pixelwise.formats.mapillary.find import find_vistas
from pixelwise.formats.names import split_of

LAYOUTS = (
    "MOTS: images/<video>/000001.jpg (image_02/) + instances/<video>/000001.png (labels.txt)",
    "KITTI MOTS: training/image_02/<video>/000001.png + instances/<video>/000001.png, or instances_txt/<video>.txt",
    "MOTS: <video>/img1/000001.jpg + <video>/gt/gt.txt, or images/<video>/ + instances_txt/<video>.txt",
)
_IMAGES, _MAPS, _TEXTS = ("images", "image_02"), "instances", "instances_txt"
_NAMES = "labels.txt"
_LOOKED_AT = 8  # maps that are opened before a folder is claimed
_MOST_BYTES = 2**29
_MOST_LINES = 2**20  # of one video, which has some ten thousand
_MOST_NAMES = 2**20
_TOLD = 5  # lines in a message


@dataclass(frozen=True)
class Frame:
    """A frame, and the file of its objects: a map of its own, or a text of the video; ``names`` is the file of the classes."""

    image: PurePosixPath
    sequence: str
    map: PurePosixPath | None = None
    text: PurePosixPath | None = None
    names: PurePosixPath | None = None


@dataclass(frozen=True)
class Found:
    """The frames, whether lines of text hold their objects, and what was noticed.

    ``alone`` are texts without any picture, and their videos: which frames there are is for their lines to say.
    """

    frames: tuple[Frame, ...] = ()
    lines: bool = False
    notes: tuple[str, ...] = ()
    alone: tuple[tuple[PurePosixPath, str], ...] = ()


def find_frames(listing: Listing) -> Found:
    """List the frames of all videos; none where no file of objects is of MOTS."""
    if find_vistas(listing) is not None:  # its maps are called the same
        return Found()
    frames = _with_maps(listing) or _maps_alone(listing)
    maps = [frame for frame in frames if frame.map is not None]
    if any(_is_of_mots(listing.root, frame) for frame in maps[:_LOOKED_AT]):
        notes: list[str] = []
        if bare := len(frames) - len(maps):
            notes.append(f"{listing.root}: {bare} frames have no map in {_MAPS}/; read without a truth")
        if lost := sorted(_maps(listing) - {frame.map for frame in maps if frame.map is not None}, key=natural):
            notes.append(LostLabels(f"{listing.root}: {len(lost)} maps (such as {lost[0]}) have no frame; left out"))
        return Found(tuple(frames), False, tuple(notes))
    frames = _with_texts(listing)
    texts = list(dict.fromkeys(frame.text for frame in frames if frame.text is not None))
    if any(_holds_lines(listing.root / one) for one in texts[:_LOOKED_AT]):
        return Found(tuple(frames), True)
    alone = () if listing.pictures else tuple(_alone(listing))
    return Found(lines=True, alone=alone) if any(_holds_lines(listing.root / one) for one, _ in alone[:_LOOKED_AT]) else Found()


def _alone(listing: Listing) -> Iterator[tuple[PurePosixPath, str]]:
    """List texts by the names that those of MOTS have, and their videos."""
    for one in listing.texts:
        if one.parts[-2:] == ("gt", "gt.txt"):
            yield one, (listing.root.resolve() / one).parent.parent.name
        elif one.suffix.lower() == ".txt" and (listing.root.resolve() / one).parent.name == _TEXTS:
            yield one, one.stem


def frames_of(text: PurePosixPath, sequence: str, numbers: Iterable[int]) -> Iterator[Frame]:
    """List the frames of a video that is not there, by the numbers of its lines and the names that they would have."""
    above = text.parent.parent
    folder = above / "img1" if text.name == "gt.txt" else above / _IMAGES[0] / sequence
    for number in sorted(numbers):
        yield Frame(folder / f"{number:06}.jpg", sequence, None, text)


def _with_maps(listing: Listing) -> list[Frame]:
    """Pair ``<above>/images/<video>/a.jpg`` with ``<above>/instances/<video>/a.png``, with or without videos."""
    there = _maps(listing)
    names = {one.parent: one for one in listing.texts if one.name == _NAMES}
    frames = []
    for picture in listing.pictures if there else ():
        at = next((at for at in range(len(picture.parts) - 1) if picture.parts[at] in _IMAGES), None)
        if at is None:
            continue
        above, inner = PurePosixPath(*picture.parts[:at]), picture.parts[at + 1 : -1]
        files = (PurePosixPath(one, _MAPS, *inner, f"{picture.stem}.png") for one in _bases(above))
        file = next((one for one in files if one in there), None)
        folders = (*(one / _MAPS for one in _bases(above)), above, above.parent)
        named = next((names[one] for one in folders if one in names), None)
        frames.append(Frame(picture, "/".join(inner) or above.as_posix(), file, None, named))
    return sorted(frames, key=lambda one: natural(one.image))


def _maps_alone(listing: Listing) -> list[Frame]:
    """List the maps where all pictures are maps in a folder that names its classes, as CVAT exports them without images."""
    named = {one.parent: one for one in listing.texts if one.name == _NAMES and one.parent.name == _MAPS}
    frames = []
    for one in listing.pictures:
        folder = next((above for above in one.parents if above in named), None)
        if folder is None:
            return []
        inner = one.relative_to(folder)
        image = folder.parent / _IMAGES[0] / inner.with_suffix(".jpg")
        frames.append(Frame(image, "/".join(inner.parts[:-1]) or folder.parent.as_posix(), one, None, named[folder]))
    return frames


def _bases(above: PurePosixPath) -> tuple[PurePosixPath, ...]:
    """List the folders that may hold the labels of images in ``above``: KITTI's archives have those of training/ beside it."""
    return (above, above.parent) if split_of(above.name) == "train" else (above,)


def _maps(listing: Listing) -> set[PurePosixPath]:
    return {one for one in listing.pictures if _MAPS in one.parts[:-1] and one.suffix.lower() == ".png"}


def _is_of_mots(root: Path, frame: Frame) -> bool:
    """Tell a map of MOTS: all ids are class * 1000 + number, in 16 bits, and some object is there."""
    assert frame.map is not None
    try:
        stored, is_rgb = read_ids(root / frame.map)
    except (DataError, MissingFile):
        return False
    ids = np.unique(stored)
    ids = ids[ids != 0]
    return not is_rgb and stored.dtype == np.uint16 and bool(ids.size) and int(ids[0]) >= 1000


def _with_texts(listing: Listing) -> list[Frame]:
    """Pair ``<video>/img1/`` with ``<video>/gt/gt.txt``, and ``images/<video>/`` with ``instances_txt/<video>.txt``."""
    texts = {one for one in listing.texts if one.suffix.lower() == ".txt"}
    frames = []
    for picture in listing.pictures:
        folder = picture.parent
        if folder.name == "img1":
            sequence, places = folder.parent.name, [folder.parent / "gt" / "gt.txt"]
        elif folder.parent.name in _IMAGES:
            sequence, places = folder.name, [one / _TEXTS / f"{folder.name}.txt" for one in _bases(folder.parent.parent)]
        else:
            continue
        text = next((one for one in places if one in texts), None)
        if text is not None and picture.stem.isdecimal():
            frames.append(Frame(picture, sequence, None, text))
    return sorted(frames, key=lambda one: natural(one.image))


def _holds_lines(path: Path) -> bool:
    """Tell by its first line whether a text is of MOTS; boxes of MOTChallenge, with commas, are not."""
    try:
        with path.open("rb") as file:
            first = file.readline(2**20)
    except OSError:
        return False
    return _line(first, 1) is not None


@dataclass(frozen=True)
class Line:
    """An object: the frame it is in, its id, its class by number, its size and its compressed run lengths."""

    frame: int
    id: int
    number: int
    size: Size
    counts: bytes
    line: int


def _line(text: bytes, line: int) -> Line | None:
    words = text.split()
    if len(words) != 6 or not all(one.isdigit() and len(one) < 10 for one in words[:5]):
        return None
    frame, identity, number, height, width = (int(one) for one in words[:5])
    return Line(frame, identity, number, (height, width), words[5], line)


@dataclass(frozen=True)
class Lines:
    """The lines of a text, by frame, and what is wrong with others."""

    by_frame: dict[int, tuple[Line, ...]]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, path: Path) -> "Lines":
        """Read a text; lines of another form are told and left out.

        Raises:
            UnreadableFile: it is too large, cannot be read, or has no line that is of MOTS.
        """
        found: dict[int, list[Line]] = defaultdict(list)
        odd: list[int] = []
        try:
            if (size := path.stat().st_size) > _MOST_BYTES:
                raise UnreadableFile(f"{path}: {size:,} bytes; at most {_MOST_BYTES:,} are read as the objects of one video")
            with path.open("rb") as file:
                for number, text in enumerate(file, start=1):
                    if number > _MOST_LINES:
                        raise UnreadableFile(f"{path}: more than {_MOST_LINES:,} lines; divide the video")
                    one = _line(text, number)
                    if one is not None:
                        found[one.frame].append(one)
                    elif text.strip():
                        odd.append(number)
        except OSError as error:
            raise UnreadableFile(f"{path}: cannot be read: {error.strerror or error}") from None
        what = "frame, id, class, height, width and run lengths"
        if odd and not found:
            raise UnreadableFile(f"{path}: expected lines of {what}, found none")
        shown = ", ".join(map(str, odd[:_TOLD])) + (" …" if len(odd) > _TOLD else "")
        notes = (f"{path}: {len(odd)} lines ({shown}) are no lines of {what}; left out",) if odd else ()
        return cls({frame: tuple(lines) for frame, lines in found.items()}, notes)

    def of_frame(self, stem: str) -> tuple[Line, ...]:
        """Give the lines of the frame that a picture is called after."""
        return self.by_frame.get(int(stem[:18]), ())


def class_names(path: Path) -> tuple[str, ...]:
    """Read the names of the classes, a line each, from class 1 on.

    Raises:
        UnreadableFile: the file is no text in UTF-8.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_NAMES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFile(f"{path}: expected names of classes in UTF-8, but {error}") from None
    return tuple(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
