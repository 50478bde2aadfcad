"""One file of CVAT's XML 1.1: what it says of itself, of its images and of its tracks.

A file is read through once. Of an image its place in the file is kept, not its shapes, so that a file of gigabytes costs
little; it may not change meanwhile, and each later look checks its size and time.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from pixelwise.core.arrays import Size
from pixelwise.core.errors import DataError, MissingFile, UnreadableFile
from pixelwise.core.labels import Colour
from pixelwise.formats.cvat.shapes import AREAS, FLAT, attributes_of, drawn, stacked
from pixelwise.formats.json_file import decode
from pixelwise.formats.objects import Drawn
from pixelwise.formats.xml_file import element_at, elements, placed, root_tag

MARK = "pixelwise"  # an element of <meta>: what a file of ours says of itself, as JSON
_HEAD = 65536
_MARKS = (b"<image ", b"<track ", b"<meta>", b"<version>1.")
_NO_AREA = frozenset({"points", "polyline", "cuboid", "cuboid_3d", "skeleton", "tag"})  # types of labels

Stamp = tuple[int, int]


@dataclass(frozen=True)
class CvatImage:
    """An image: what the file calls it, its subset, its size if stated, its number, and the byte where its element begins."""

    name: str
    subset: str
    size: Size | None
    id: int | None
    begin: int
    tags: tuple[str, ...] = ()


@dataclass
class CvatFile:
    """A file.

    Attributes:
        path, stamp: where it is; its size and time when it was read.
        images: of the dialect for images, in the file's order.
        labels: those that may have an area, with their colours where the file states them.
        names: how often each label is used by a shape that has an area.
        skipped: how many shapes have none, by kind.
        frames: those on which tracks have an area, for the dialect for video.
        tasks: that tracks belong to.
        title: what the task is called.
        first, last: the frames that the task is about, where stated.
        size: (H, W) of the video's frames, where stated.
        about: what a file of ours says of itself.
    """

    path: Path
    stamp: Stamp
    images: list[CvatImage] = field(default_factory=list)
    labels: dict[str, Colour | None] = field(default_factory=dict)
    names: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    frames: set[int] = field(default_factory=set)
    tasks: set[str] = field(default_factory=set)
    tracks: int = 0
    title: str = ""
    first: int | None = None
    last: int | None = None
    size: Size | None = None
    about: Mapping[str, Any] = field(default_factory=dict)


def is_cvat(path: Path) -> str | None:
    """Tell a file of CVAT by its outermost elements, and which dialect it is."""
    if path.suffix.lower() != ".xml" or root_tag(path) != "annotations":
        return None
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return None
    if not any(mark in head for mark in _MARKS):
        return None
    is_video = b"<track " in head or (b"<mode>interpolation" in head and b"<image " not in head)
    return "CVAT XML 1.1 for video" if is_video else "CVAT XML 1.1 for images"


def stamp_of(path: Path) -> Stamp:
    """Give a file's size and time.

    Raises:
        MissingFile, UnreadableFile: there is none, or it cannot be looked at.
    """
    try:
        state = path.stat()
    except FileNotFoundError:
        raise MissingFile(f"{path}: expected the annotations that were there before, found nothing") from None
    except OSError as error:
        raise UnreadableFile(f"{path}: cannot be read: {error.strerror or error}") from None
    return state.st_size, state.st_mtime_ns


def survey(path: Path) -> CvatFile:
    """Read a file through.

    Raises:
        MissingFile, UnreadableFile: there is none, or it is broken.
    """
    found = CvatFile(path, stamp_of(path))
    for element, begin in placed(path, frozenset({"meta", "image", "track"})):
        if element.tag == "meta":
            _add_meta(found, element)
        elif element.tag == "image":
            _add_image(found, element, begin)
        else:
            _add_track(found, element)
    return found


def _add_meta(found: CvatFile, meta: Element) -> None:
    for label in meta.iter("label"):
        name = _text(label, "name")
        if name and not _text(label, "parent") and _text(label, "type") not in _NO_AREA:
            found.labels.setdefault(name, _colour(_text(label, "color")))
    job = next((one for tag in ("task", "job", "project") if (one := meta.find(tag)) is not None), meta)
    found.title = _text(job, "name")
    found.first, found.last = _count(_text(job, "start_frame")), _count(_text(job, "stop_frame"))
    found.size = _size(_text(job, "original_size/height"), _text(job, "original_size/width"))
    try:
        found.about = decode(_text(meta, MARK).encode(), dict[str, Any]) if meta.find(MARK) is not None else {}
    except (DataError, UnicodeEncodeError):
        found.about = {}


def _add_image(found: CvatFile, image: Element, begin: int) -> None:
    tags = tuple(one.get("label", "") for one in image.iterfind("tag"))
    size = _size(image.get("height", ""), image.get("width", ""))
    number = _count(image.get("id", ""))
    found.images.append(CvatImage(image.get("name", ""), image.get("subset", ""), size, number, begin, tags))
    for shape in image:
        if shape.tag in AREAS and shape.get("label"):
            found.names[shape.get("label", "")] += 1
        elif shape.tag in FLAT and shape.tag != "tag":
            found.skipped[shape.tag] += 1


def _add_track(found: CvatFile, track: Element) -> None:
    found.tracks += 1
    found.tasks.add(track.get("task_id", ""))
    has_area = False
    for shape in track:
        if shape.tag in AREAS:
            has_area = True
            frame = _count(shape.get("frame", ""))
            if frame is not None and shape.get("outside") != "1":
                found.frames.add(frame)
    if has_area and track.get("label"):
        found.names[track.get("label", "")] += 1
    elif not has_area and len(track):
        found.skipped[f"track of {track[0].tag}"] += 1


def _text(element: Element, place: str) -> str:
    return (element.findtext(place) or "").strip()


def _count(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None


def _size(height: str, width: str) -> Size | None:
    sides = _count(height), _count(width)
    return None if sides[0] is None or sides[1] is None else (sides[0], sides[1])


def _colour(text: str) -> Colour | None:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        return None
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


@dataclass(frozen=True)
class CvatDrawing:
    """What is drawn on one image of a file."""

    path: Path
    image: CvatImage
    stamp: Stamp

    def stated(self) -> Size | None:
        """Give the size that the file states."""
        return self.image.size

    def drawn(self, size: Size) -> list[Drawn | str]:
        """List the shapes that have an area, the nearest last."""
        if stamp_of(self.path) != self.stamp:
            raise UnreadableFile(f"{self.path}: the file has changed since it was read; read the data set again")
        shapes = [one for one in element_at(self.path, self.image.begin) if one.tag in AREAS]
        return stacked(
            (drawn(one.tag, one.attrib, attributes_of(one), f"{self.image.name}: {one.tag} {row}"), one.attrib)
            for row, one in enumerate(shapes, start=1)
        )


def tracks_of(path: Path) -> list[Element]:
    """Read all tracks of a file.

    Raises:
        MissingFile, UnreadableFile: there is none, or it is broken.
    """
    return list(elements(path, frozenset({"track"})))
