"""The tracks of CVAT's XML 1.1 for video: where an object is on each frame.

A track lists positions by frame. On a frame that it lists, the object is there, or nowhere if the position is ``outside``.
Between two positions, of which the first is not outside, boxes and ellipses move in a straight line and turn the shorter way,
towards the second even if that is outside, as in CVAT. Polygons do so point by point where both have as many points; CVAT
matches the points of others by a rule of its own, and here these, like masks, stay as they are until the next position. After
the last position an object stays to the end of the task.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from pixelwise.core.arrays import Size
from pixelwise.core.errors import DataError, UnreadableFile
from pixelwise.formats.cvat.file import Stamp, stamp_of, tracks_of
from pixelwise.formats.cvat.shapes import AREAS, NUMBERS, attributes_of, corners, drawn, number, stacked
from pixelwise.formats.objects import Drawn


@dataclass(frozen=True)
class Position:
    """Where an object is on one frame: an element's tag, its XML attributes and those that the annotator filled in."""

    frame: int
    tag: str
    said: Mapping[str, str]
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_outside(self) -> bool:
        """Tell whether the object is not to be seen from this frame on."""
        return self.said.get("outside") == "1"


@dataclass(frozen=True)
class Track:
    """One object, with its positions in the order of frames."""

    id: int | None
    name: str
    said: Mapping[str, str]
    positions: tuple[Position, ...]

    def at(self, frame: int) -> Position | None:
        """Find where the object is on a frame; None where it is nowhere.

        Raises:
            DataError: a position between which it moves is broken.
        """
        row = bisect_right(self.positions, frame, key=lambda one: one.frame) - 1
        if row < 0 or self.positions[row].is_outside:
            return None
        here = self.positions[row]
        if here.frame == frame or row + 1 == len(self.positions):
            return here
        return between(here, self.positions[row + 1], frame)


def between(one: Position, other: Position, frame: int) -> Position:
    """Move from one position towards another, as the rule above says.

    >>> one = Position(0, "box", {"xtl": "0", "ytl": "0", "xbr": "4", "ybr": "4"})
    >>> other = Position(10, "box", {"xtl": "10", "ytl": "0", "xbr": "14", "ybr": "4"})
    >>> between(one, other, 5).said["xtl"]
    '5.0'
    """
    if one.tag != other.tag:
        return one
    share = (frame - one.frame) / (other.frame - one.frame)
    said = dict(one.said)
    if one.tag in NUMBERS:
        for key in NUMBERS[one.tag]:
            start = number(one.said, key)
            said[key] = repr(start + (number(other.said, key) - start) * share)
        turns = [number(each.said, "rotation") if each.said.get("rotation") else 0.0 for each in (one, other)]
        shorter = (turns[1] - turns[0] + 180) % 360 - 180
        said["rotation"] = repr(turns[0] + shorter * share)
    elif one.tag == "polygon":
        outline, next_outline = corners(one.said.get("points", "")), corners(other.said.get("points", ""))
        if len(outline) != len(next_outline):
            return one
        moved = outline + (next_outline - outline) * share
        said["points"] = ";".join(f"{x!r},{y!r}" for x, y in moved.tolist())
    return Position(frame, one.tag, said, one.attributes)


@lru_cache(maxsize=2)  # all frames of a video are asked for one after the other
def read_tracks(path: Path, stamp: Stamp) -> tuple[Track, ...]:
    """Read the tracks that have an area.

    Raises:
        MissingFile, UnreadableFile: the file is gone, broken, or has changed since ``stamp`` was taken.
    """
    if stamp_of(path) != stamp:
        raise UnreadableFile(f"{path}: the file has changed since it was read; read the data set again")
    found = []
    for row, element in enumerate(tracks_of(path)):
        positions = []
        for one in element:
            frame = one.get("frame", "")
            if one.tag in AREAS and frame.isascii() and frame.isdecimal() and len(frame) < 16:
                positions.append(Position(int(frame), one.tag, dict(one.attrib), attributes_of(one)))
        if positions:
            stated = element.get("id", "")
            track = int(stated) if stated.isascii() and stated.isdecimal() and len(stated) < 16 else row
            ordered = {one.frame: one for one in positions}
            found.append(
                Track(track, element.get("label", ""), dict(element.attrib), tuple(ordered[frame] for frame in sorted(ordered)))
            )
    return tuple(found)


@dataclass(frozen=True)
class FrameDrawing:
    """What is to be seen on one frame of a video."""

    path: Path
    frame: int
    size: Size | None
    stamp: Stamp

    def stated(self) -> Size | None:
        """Give the size that the file states for its frames."""
        return self.size

    def drawn(self, size: Size) -> list[Drawn | str]:
        """List the objects on the frame, the nearest last."""
        return stacked(self._objects())

    def _objects(self) -> Iterator[tuple[Drawn | str, Mapping[str, str]]]:
        for track in read_tracks(self.path, self.stamp):
            where = f"frame {self.frame}: track {track.id}"
            try:
                here = track.at(self.frame)
            except DataError as error:
                yield f"{where}: {error}", {}
                continue
            if here is not None:
                said = {**here.said, "label": track.name, "group_id": track.said.get("group_id", "")}
                yield drawn(here.tag, said, here.attributes, where, track.id), said
