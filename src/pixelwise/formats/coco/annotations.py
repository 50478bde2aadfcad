"""The annotations of a COCO file as columns in the file's order, decoded some hundred at a time.

Decoded at once, a million of them are gigabytes of new objects, and most of the time goes to laying out that memory. Decoded
in parts that fit a processor's cache, the same memory serves every part, and the text is looked at while it is at hand.
"""

import contextlib
import re
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from io import RawIOBase
from itertools import repeat
from pathlib import Path
from typing import NamedTuple, TypeAlias

import msgspec
import numpy as np
from msgspec import UNSET, Raw, UnsetType

from pixelwise.core.arrays import AnyArray, BoolArray, ByteArray, FloatArray, IntArray
from pixelwise.core.errors import UnreadableFile
from pixelwise.formats.coco.numbers import as_numbers, as_sides, flags, is_flag, is_whole, strange_text
from pixelwise.formats.coco.pieces import places_after, places_of
from pixelwise.formats.json_file import ended_at

_MARKED = "pixelwise: the annotations"
MARK = f'[{{"image_id":"{_MARKED}"}}]'.encode()  # a list of one annotation, whose image is no image's id
WHAT = "COCO (images, annotations, categories)"
_PART = 2**18  # bytes of text decoded at a time
_MOST = 2**26  # bytes of one annotation; beyond, the file is decoded as a whole
_LIST = re.compile(rb'"annotations"\s*:\s*(?=\[)')
_BETWEEN = re.compile(rb"\}\s*,\s*\{")
_GAPS = 4
_EMPTY = re.compile(rb"[\s\[\]]*|null")
_EMPTY_BYTES = 64


Places: TypeAlias = Callable[[bytes, Sequence[Raw | UnsetType]], IntArray]


class Annotation(msgspec.Struct, gc=False):
    """One annotation, or one result; what stays on the disk is left undecoded."""

    image_id: int | float | str
    category_id: int | float | str | None = None  # Make Sense leaves it out where no label was chosen
    id: int | float | str | None = None
    segmentation: Raw | UnsetType = UNSET
    iscrowd: int | bool | float | str | None = None  # Label Studio's import files have "false"
    area: float | str | None = None  # a string where NaN was
    bbox: list[float | str | None] | None = None
    attributes: Raw | UnsetType = UNSET
    score: float | int | str | None = None


@dataclass(frozen=True, eq=False)
class Stated:
    """A annotations in the file's order.

    Attributes:
        images, categories, ids: (A,) as the file states them: of whole numbers, or else of objects.
        crowd, areas, outlines, attributes, scores: as ``Columns`` has them.
        boxes: (A, 4) left, top, width, height; nan where four numbers are not stated.
    """

    images: AnyArray
    categories: AnyArray
    ids: AnyArray
    crowd: BoolArray
    areas: FloatArray
    boxes: FloatArray
    outlines: IntArray
    attributes: IntArray
    scores: FloatArray

    def __len__(self) -> int:
        return len(self.images)


def stated_by(annotations: Sequence[Annotation], places: Places, path: Path, first: int = 0) -> Stated:
    """Take the columns of annotations.

    ``places`` finds where the pieces behind a key lie in the file; ``first`` is the number of the first annotation, to name
    one in messages.

    Raises:
        UnreadableFile: a text stands where a number should be.
    """
    columns = zip(*map(msgspec.structs.astuple, annotations), strict=True) if annotations else repeat(())
    of = dict(zip(Annotation.__struct_fields__, columns, strict=False))
    categories, marks = _column(of["category_id"]), _column(of["iscrowd"])
    for key, column, is_good in (("category_id", categories, is_whole), ("iscrowd", marks, is_flag)):
        if column.dtype == object:
            _refuse_words(path, key, of[key], is_good, first)
    return Stated(
        images=_column(of["image_id"]),
        categories=categories,
        ids=_column(of["id"]),
        crowd=flags(of["iscrowd"]) if marks.dtype == object else marks != 0,
        areas=as_numbers(of["area"]),
        boxes=as_sides(of["bbox"]),
        outlines=_outlines(of["segmentation"], places),
        attributes=places(b'"attributes"', of["attributes"]),
        scores=as_numbers(of["score"]),
    )


def by_address(data: ByteArray, skipped: int) -> Places:
    """Find pieces of a text that was decoded as a whole by their addresses; the file has ``skipped`` bytes before it."""
    base = data.ctypes.data - skipped
    return lambda _, pieces: places_of(pieces, base)


def _refuse_words(path: Path, key: str, stated: Sequence[object], is_good: Callable[[str], bool], first: int) -> None:
    if (found := strange_text(stated, is_good)) is not None:
        raise UnreadableFile(
            f"{path}: expected {WHAT}, but in annotations[{first + found[0]}].{key}: expected a number, found {found[1][:40]!r}"
        )


def _column(values: Sequence[object]) -> AnyArray:
    """Take whole numbers as such where all are; else the values as they are."""
    with contextlib.suppress(TypeError, OverflowError):
        return np.frombuffer(array("q", values), np.int64)  # type: ignore[type-var]  # refuses all but whole numbers, which NumPy would round
    found = np.empty(len(values), object)
    found[:] = values
    return found


def _outlines(pieces: Sequence[Raw | UnsetType], places: Places) -> IntArray:
    """Give the places (A, 2) of outlines; ``[]``, ``[[]]`` and ``null``, as box-only tools write them, are none."""
    found = places(b'"segmentation"', pieces)
    for row in np.flatnonzero((found[:, 1] > 0) & (found[:, 1] <= _EMPTY_BYTES)).tolist():
        piece = pieces[row]
        if not isinstance(piece, UnsetType) and _EMPTY.fullmatch(memoryview(piece)):
            found[row] = 0
    return found


class _Part(NamedTuple):
    """Some annotations; the text they were decoded from; where it ends, and where the next part begins, 0 after the last."""

    annotations: list[Annotation]
    text: bytes
    end: int
    next: int


def in_parts(data: ByteArray, skipped: int, path: Path) -> tuple[Stated, bytes] | None:
    """Decode the annotations of a whole file, part by part; give them, and the file's text with ``MARK`` in their place.

    None where that does not work out, as with NaN in the text: the file is then to be decoded as a whole, which also finds the
    words for what is wrong with it.

    Raises:
        UnreadableFile: as ``stated_by``.
    """
    begin = _LIST.search(data.data)
    if begin is None:
        return None
    decoder = msgspec.json.Decoder(list[Annotation])
    parts: list[Stated] = []
    count, at = 0, begin.end() + 1
    with open(path, "rb", buffering=0) as file:  # read, as each page of a mapped file costs a fault when it is first met
        while at:
            part = _next_part(decoder, partial(_read, file, skipped), at)
            if part is None:
                return None
            places = partial(places_after, text=part.text, first=skipped + at - 1)
            parts.append(stated_by(part.annotations, places, path, count))
            count, at, end = count + len(part.annotations), part.next, part.end
            del part, places  # so that the next annotations are laid where these lay: that memory is at hand
    return _joined(parts), b"".join((data.data[: begin.end()], MARK, data.data[end:]))


def is_mark(annotations: Sequence[Annotation]) -> bool:
    """Tell whether annotations are those that ``MARK`` stands for: the list taken out was the one that was looked for."""
    return [one.image_id for one in annotations] == [_MARKED]


def _read(file: RawIOBase, skipped: int, at: int, size: int) -> bytes:
    """Read ``size`` bytes of the text, fewer at its end."""
    file.seek(skipped + at)
    return file.read(size) or b""


def _next_part(decoder: msgspec.json.Decoder[list[Annotation]], read: Callable[[int, int], bytes], at: int) -> _Part | None:
    """Decode some of the annotations from ``at`` on, with a bracket put in front; None if that does not work out.

    A part is cut where one object seems to end and the next to begin. Inside a text or a nested list it may only seem so:
    what is cut off there is no whole JSON, and an earlier cut or a longer part is tried.
    """
    size = _PART
    while size <= _MOST:
        piece = b"[" + read(at, size)
        is_last = len(piece) <= size
        for gap in _last_gaps(piece):
            text = piece[: gap.start() + 1] + b"]"
            if (found := _tried(decoder, text)) is not None:
                return _Part(found, text, at + gap.start(), at + gap.end() - 2)
        text = piece[: _end_of_list(decoder, piece)]
        if (found := _tried(decoder, text)) is not None:
            return _Part(found, text, at - 1 + len(text), 0)
        if is_last:
            return None
        size *= 4
    return None


def _last_gaps(piece: bytes) -> list[re.Match[bytes]]:
    """Find the last few places where an object may end and the next begin, the last one first."""
    for tail in (2**13, len(piece)):
        if found := list(_BETWEEN.finditer(piece, max(0, len(piece) - tail))):
            return found[-_GAPS:][::-1]
    return []


def _tried(decoder: msgspec.json.Decoder[list[Annotation]], text: bytes) -> list[Annotation] | None:
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def _end_of_list(decoder: msgspec.json.Decoder[list[Annotation]], piece: bytes) -> int:
    """Find the end of the list that a text begins with, which is where the decoder meets what does not belong to it."""
    try:
        decoder.decode(piece)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        end = ended_at(error)
        return 0 if end is None else piece.rfind(b"]", 0, end) + 1
    return len(piece)


def _joined(parts: Sequence[Stated]) -> Stated:
    return Stated(**{one.name: np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(Stated)})
