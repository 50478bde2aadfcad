"""The objects of one image of ADE20K, of the release of 2017 (bands of pictures) and of 2020 (JSON and a picture an object)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Raw

from pixelwise.core.arrays import IntArray, Size
from pixelwise.core.errors import DataError, MissingFile, PixelwiseError, UnreadableFile
from pixelwise.core.image import read_ids
from pixelwise.core.runs import Runs, encode
from pixelwise.formats.exports import objects_in, take
from pixelwise.formats.json_file import decode, decoded
from pixelwise.formats.numbered import masks_of
from pixelwise.formats.objects import Drawn
from pixelwise.formats.shapes import Coded, Polygons, Shape, points_of

_MOST_BYTES = 2**26
_WHAT = "an annotation of ADE20K"
_SAID = ("occluded", "crop", "depth_ordering_rank", "raw_name")


@dataclass(frozen=True)
class Row:
    """A line of ``_atr.txt``: number, level (0 for whole objects), class, and what else it says."""

    number: int
    level: int
    name: str
    attributes: Mapping[str, Any]

    @property
    def where(self) -> str:
        """Name the line in messages."""
        return f"{'object' if not self.level else f'part of level {self.level}'} {self.number:03}"


def rows_of(path: Path) -> list[Row | str]:
    """Read ``_atr.txt``: number # level # occluded # class # raw name # "attributes", a line an object.

    What is wrong with a line is a sentence in its place.

    Raises:
        UnreadableFile: the file cannot be read, or is larger than any such file.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UnreadableFile(f"{path}: {path.stat().st_size:,} bytes; at most {_MOST_BYTES:,} are read as its objects")
        text = _utf8(path.read_bytes()).decode("utf-8-sig")
    except OSError as error:
        raise UnreadableFile(f"{path}: cannot be read: {error.strerror or error}") from None
    return [_row(line, place) for place, line in enumerate(text.splitlines(), start=1) if line.strip()]


def _utf8(text: bytes) -> bytes:
    """Give a text in UTF-8; the releases have some in Latin-1, in which any bytes are a text."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1").encode()
    return text


def _row(line: str, place: int) -> Row | str:
    words = [word.strip() for word in line.split("#")]
    if len(words) < 5 or not all(_is_small(word) for word in words[:3]) or not words[3]:
        return f"line {place}: expected number # level # occluded # class # name, found {line.strip()[:60]!r}"
    said: dict[str, Any] = {"part_level": int(words[1]), "occluded": words[2] != "0", "raw_name": words[4]}
    if len(words) > 5 and (more := words[5].strip('"')):
        said["attributes"] = more
    return Row(int(words[0]), int(words[1]), words[3], said)


def _is_small(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) < 7


@dataclass(frozen=True)
class Objects2017:
    """The objects of an image and their parts; ``parts`` are pictures by level."""

    path: Path
    objects: Path
    parts: tuple[tuple[int, Path], ...]

    def stated(self) -> Size | None:
        """Give none: the pictures are of the image's size, or wrong."""
        return None

    def drawn(self, size: Size) -> Sequence[Drawn | str]:
        """List the objects, then the parts of each level, in the order of the text."""
        rows = rows_of(self.path)
        found: list[Drawn | str] = [row for row in rows if isinstance(row, str)]
        levels = dict([(0, self.objects), *sorted(self.parts)])
        good = [row for row in rows if isinstance(row, Row)]
        for level in sorted({*levels, *(row.level for row in good)}):
            of_level = [row for row in good if row.level == level]
            if level not in levels:
                wanted = f"{self.objects.stem.removesuffix('_seg')}_parts_{level}.png"
                found += [f"{row.where}: there is no {wanted} that shows it" for row in of_level]
                continue
            try:
                found += _shown(levels[level], of_level, size)
            except (DataError, MissingFile) as error:
                if not level:
                    raise
                found.append(str(error))
        return found


def _shown(picture: Path, rows: Sequence[Row], size: Size) -> list[Drawn | str]:
    """Give the rows of a level the masks that the blue band of their picture shows."""
    stored, is_rgb = read_ids(picture)
    if stored.shape != size:
        shape = f"{stored.shape[0]} x {stored.shape[1]}"
        raise DataError(f"{picture}: expected a picture of its image's size {size[0]} x {size[1]}, found {shape}")
    blue: IntArray = (stored & 255) if is_rgb else stored
    masks, numbers = masks_of(blue)
    stated = [row.number for row in rows]
    if not set(numbers) <= set(stated) and len(numbers) <= len(stated):
        numbers = sorted(stated)[: len(numbers)]  # spread for the eye: the k-th value is the k-th object
    shown: dict[int, Runs] = dict(zip(numbers, masks, strict=True))
    empty = encode(np.zeros(size, bool))  # what lies wholly behind others
    found: list[Drawn | str] = [
        Drawn(row.name, Coded(shown.pop(row.number, empty)), row.where, id=row.number, attributes=row.attributes)
        for row in rows
    ]
    return found + [f"{picture.name} shows the number {number}, which no line describes" for number in shown]


@dataclass(frozen=True)
class Objects2020:
    """The objects of a JSON file; ``masks`` are the pictures in the folder of its name."""

    path: Path
    masks: tuple[tuple[str, Path], ...] = field(repr=False)

    def names(self) -> set[str]:
        """List the classes that the file names."""
        return {name for one in objects_in(self._objects()) if (name := take(one, "name", str, ""))}

    def stated(self) -> Size | None:
        """Give the size that the file states."""
        size = take(self._annotation(), "imsize", list[Any], [])
        return (size[0], size[1]) if len(size) > 1 and all(isinstance(side, int) for side in size[:2]) else None

    def drawn(self, size: Size) -> Sequence[Drawn | str]:
        """List the objects in the file's order, parts too."""
        masks = dict(self.masks)
        return [_drawn(raw, number, size, masks) for number, raw in enumerate(self._objects(), start=1)]

    def _annotation(self) -> dict[str, Raw]:
        fields = decoded(self.path, dict[str, Raw], _WHAT)[0]
        if "annotation" not in fields:
            raise DataError(f"{self.path}: expected {_WHAT}, found no 'annotation'; copy the file again")
        try:
            return decode(fields["annotation"], dict[str, Raw])
        except DataError as error:
            raise DataError(f"{self.path}: expected {_WHAT}, but {error}") from None

    def _objects(self) -> list[Raw]:
        found = self._annotation().get("object")
        if found is None:
            raise DataError(f"{self.path}: expected {_WHAT}, found no list of objects; copy the file again")
        try:
            return [Raw(_utf8(bytes(memoryview(raw)))) for raw in decode(found, list[Raw])]
        except DataError as error:
            raise DataError(f"{self.path}: expected a list of objects, but {error}") from None


def _drawn(raw: Raw, number: int, size: Size, masks: Mapping[str, Path]) -> Drawn | str:
    where = f"object at place {number}"
    try:
        one = decode(raw, dict[str, Any])
        identity, name = one.get("id"), one.get("name")
        is_id = isinstance(identity, int) and not isinstance(identity, bool)
        where = f"object {identity}" if is_id else where
        if not isinstance(name, str) or not name:
            raise DataError("expected a name")
        shape = _shape(one, size, masks)
    except DataError as error:
        return f"{where}: {error}"
    return Drawn(name, shape, where, id=identity if is_id else None, attributes=_said(one))


def _shape(one: Mapping[str, Any], size: Size, masks: Mapping[str, Path]) -> Shape:
    """Take the picture of an object, else its outline.

    Raises:
        DataError: there is neither, or the picture is broken or of another size.
    """
    named = one.get("instance_mask")
    picture = masks.get(named.rpartition("/")[2]) if isinstance(named, str) else None
    if picture is None:
        outline = one.get("polygon")
        across, down = (outline.get("x"), outline.get("y")) if isinstance(outline, dict) else (None, None)
        if not (isinstance(across, list) and isinstance(down, list) and len(across) == len(down) > 2):
            raise DataError(f"its picture {str(named)[:80]} is not there, and it has no outline")
        return Polygons((points_of(list(zip(across, down, strict=True))),))
    try:
        stored, _ = read_ids(picture)
    except PixelwiseError as error:
        raise DataError(str(error)) from None
    if stored.shape != size:
        raise DataError(f"{picture.name} is {stored.shape[0]} x {stored.shape[1]}, but its image is {size[0]} x {size[1]}")
    return Coded(encode(stored != 0))


def _said(one: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a file says of an object besides its class and its mask."""
    parts = one.get("parts")
    level, above = (parts.get("part_level"), parts.get("ispartof")) if isinstance(parts, dict) else (0, None)
    said: dict[str, Any] = {"part_level": level if isinstance(level, int) else 0}
    if isinstance(above, int):
        said["part_of"] = above
    said |= {key: one[key] for key in _SAID if one.get(key) not in (None, [], "")}
    if one.get("attributes"):
        said["attributes"] = one["attributes"]
    return said
