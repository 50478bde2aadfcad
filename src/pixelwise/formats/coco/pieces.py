"""Pieces of a label file that stay on the disk until they are asked for: where they lie, and how they are read."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from msgspec import Raw, UnsetType

from pixelwise.core.arrays import BoolArray, IntArray
from pixelwise.core.errors import MissingFile, UnreadableFile

_MOST_BETWEEN = 4  # white space between a key and its value that is passed over, the colon included


def _table(letters: bytes) -> BoolArray:
    """Tell of each byte whether it is one of ``letters``."""
    found = np.zeros(256, bool)
    found[np.frombuffer(letters, np.uint8)] = True
    return found


_BETWEEN = _table(b": \t\r\n")
_AFTER = _table(b",} \t\r\n")  # what may follow a value in an object


def stamp_of(state: os.stat_result) -> tuple[int, int]:
    """Give what changes when a file does: its size and its time."""
    return state.st_size, state.st_mtime_ns


def places_of(pieces: Sequence[Raw | UnsetType], base: int) -> IntArray:
    """Give the first byte and the length (A, 2) of pieces of a decoded text, which were not copied out of it.

    ``base`` is the address of the file's first byte; a piece that is not there has the length 0.
    """
    found = np.zeros((len(pieces), 2), np.int64)
    for row, piece in enumerate(pieces):
        if not isinstance(piece, UnsetType):
            there = np.frombuffer(piece, np.uint8)
            found[row] = there.__array_interface__["data"][0] - base, there.size
    return found


def places_after(key: bytes, pieces: Sequence[Raw | UnsetType], text: bytes, first: int) -> IntArray:
    """Give the places as ``places_of``, of pieces that are in the order of a text and stand behind one key.

    Of a million pieces the addresses take as long to ask for as all else. So the key is looked for instead, from the end of
    one piece to the next; where it is not followed by them, as where it stands in somebody's remarks, the addresses decide.

    Args:
        key: the key, in quotation marks.
        pieces: what stands behind it.
        text: the decoded text.
        first: where that begins in the file.
    """
    found = np.zeros((len(pieces), 2), np.int64)
    kinds = set(map(type, pieces))
    if Raw not in kinds:
        return found
    whole = pieces if len(kinds) == 1 else [b"" if isinstance(piece, UnsetType) else piece for piece in pieces]
    lengths = np.fromiter(map(len, whole), np.int64, len(pieces))  # type: ignore[arg-type]
    there = np.flatnonzero(lengths)
    values = np.frombuffer(text, np.uint8)
    starts = _behind(key, text, lengths[there])
    for _ in range(_MOST_BETWEEN):
        starts += _BETWEEN[values.take(starts, mode="clip")]
    ends = starts + lengths[there]
    if starts[0] < len(key) or ends.max() >= len(text) or not _AFTER[values[ends]].all():
        return places_of(pieces, values.ctypes.data - first)
    found[there, 0], found[there, 1] = starts + first, lengths[there]
    return found


def _behind(key: bytes, text: bytes, lengths: IntArray) -> IntArray:
    """Find a key again and again, each time behind the value of some length that follows it."""
    found, at, find, wide = [], 0, text.find, len(key)
    for length in lengths.tolist():
        at = find(key, at) + wide  # where it is not found, what follows is no value's end
        found.append(at)
        at += length
    return np.array(found, np.int64)


def read_pieces(path: Path, stamp: tuple[int, int], places: IntArray) -> list[bytes]:
    """Read pieces (K, 2) of a file, by first byte and length.

    Raises:
        MissingFile, UnreadableFile: it is gone, or has changed since its ``stamp`` was taken.
    """
    if not len(places):
        return []
    try:
        with open(path, "rb") as file:
            if stamp_of(os.fstat(file.fileno())) != stamp:
                raise UnreadableFile(f"{path}: the file has changed since it was read; read the data set again")
            found = []
            for first, length in places.tolist():
                file.seek(first)
                found.append(file.read(length))
            return found
    except FileNotFoundError:
        raise MissingFile(f"{path}: expected the annotations that were there before, found nothing") from None
    except OSError as error:
        raise UnreadableFile(f"{path}: cannot be read: {error.strerror or error}") from None
