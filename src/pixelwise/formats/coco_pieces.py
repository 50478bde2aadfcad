"""Pieces of a label file that stay on the disk until they are asked for: where they lie, and how they are read."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from msgspec import Raw, UnsetType

from pixelwise.core.arrays import ByteArray, IntArray
from pixelwise.core.errors import MissingFile, UnreadableFile

_AFTER = np.frombuffer(b",} \t\r\n", np.uint8)  # what may follow a value in an object


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


def places_after(key: bytes, pieces: Sequence[Raw | UnsetType], data: ByteArray, skipped: int) -> IntArray:
    """Give the places as ``places_of``, of pieces that are in the order of the text and stand behind one key.

    Of a million pieces the addresses take as long to ask for as all else. So the key is looked for instead; where it turns up
    more often than there are pieces, as in somebody's remarks, the addresses decide after all.

    Args:
        key: the key, in quotation marks.
        pieces: what stands behind it.
        data: the decoded text.
        skipped: how many bytes of the file stand before that.
    """
    found = np.zeros((len(pieces), 2), np.int64)
    kinds = set(map(type, pieces))
    if Raw not in kinds:
        return found
    whole = pieces if len(kinds) == 1 else [b"" if isinstance(piece, UnsetType) else piece for piece in pieces]
    lengths = np.fromiter(map(len, whole), np.int64, len(pieces))  # type: ignore[arg-type]
    there = np.flatnonzero(lengths)
    starts = np.array([match.end() for match in re.finditer(re.escape(key) + rb"\s*:\s*", data.data)], np.int64)
    ends = starts + lengths[there] if len(starts) == len(there) else starts
    if len(starts) != len(there) or ends[-1] >= len(data) or not np.isin(data[ends], _AFTER).all():
        return places_of(pieces, data.ctypes.data - skipped)
    found[there, 0], found[there, 1] = starts + skipped, lengths[there]
    return found


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
