"""Read the human segmentations of a BSDS500 file: a small part of MATLAB's level 5 MAT format [1], with bounds.

A file holds a cell array ``groundTruth``; each cell is a structure with ``Segmentation``, a matrix of region numbers, and
``Boundaries``, which follow from it and are passed over. SciPy's reader would do, but it recurses as deep and allocates as much
as a damaged file asks it to.

[1] The MathWorks, MAT-File Format (level 5).
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from pixelwise.core.arrays import IntArray, Size
from pixelwise.core.errors import DataError, MissingFile, UnreadableFile

_MOST_BYTES = 2**29  # of a file, and of what one variable unpacks to
_MOST_PARTS = 4096  # of one array or file: truths, fields, variables
_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_CELL, _STRUCT, _NUMBERS = 1, 2, range(6, 16)  # array classes: double, single and the integers
_COMPLEX = 0x0800
_NAME = "groundTruth"
_FIELD = "Segmentation"


@dataclass(frozen=True)
class _Array:
    """A matrix element: its class, its dimensions, its name, and the elements after those."""

    kind: int
    size: tuple[int, ...]
    name: str
    parts: tuple[tuple[int, memoryview], ...]
    order: str


def has_truths(path: Path) -> bool:
    """Tell whether a file is a MAT file with a variable ``groundTruth``, from its first bytes."""
    try:
        with open(path, "rb") as file:
            start = file.read(_HEADER + 4096)
        order = _order(path, start)
        tag, length = struct.unpack_from(f"{order}II", start, _HEADER)
        body = start[_HEADER + 8 :]
        if tag == _COMPRESSED:
            body = zlib.decompressobj().decompress(body, 512)[8:]
        elif tag != _MATRIX:
            return False
        return length > 0 and _NAME.encode() in body[:96]
    except (OSError, DataError, struct.error, zlib.error):
        return False


def read_truths(path: Path, size: Size | None) -> list[IntArray]:
    """Read all segmentations (H, W) of a file, by whoever drew them; each must be of ``size`` if one is given.

    Raises:
        MissingFile: there is none.
        UnreadableFile: it is cut off, damaged, of another version, holds no segmentations, or is too large.
        DataError: a segmentation has another size, or numbers that are no regions.
    """
    data = _bytes_of(path)
    order = _order(path, data)
    try:
        for array in _variables(path, data, order):
            if array.name == _NAME and array.kind == _CELL:
                return [_segmentation(path, cell, number, size) for number, cell in enumerate(_cells(array), start=1)]
    except (struct.error, zlib.error, IndexError, KeyError, ValueError, OverflowError, UnicodeDecodeError) as error:
        if isinstance(error, DataError):
            raise
        raise UnreadableFile(f"{path}: the MAT file is cut off or damaged ({error}); copy it again") from None
    raise UnreadableFile(f"{path}: expected a cell array '{_NAME}' as in BSDS500, found none; is it another MAT file?")


def _bytes_of(path: Path) -> bytes:
    try:
        if (length := path.stat().st_size) > _MOST_BYTES:
            raise UnreadableFile(f"{path}: {length:,} bytes; at most {_MOST_BYTES:,} are read as a MAT file")
        return path.read_bytes()
    except FileNotFoundError:
        raise MissingFile(f"{path}: expected a MAT file, found nothing there; check the path") from None
    except OSError as error:
        raise UnreadableFile(f"{path}: cannot be read: {error.strerror or error}") from None


def _order(path: Path, data: bytes) -> str:
    """Check the header; give the byte order."""
    if not data:
        raise UnreadableFile(f"{path}: expected a MAT file, found an empty file (0 bytes); copy it again")
    if data.startswith((b"\x89HDF", b"MATLAB 7.3")) or data[512:516] == b"\x89HDF":
        raise UnreadableFile(f"{path}: a MAT file of version 7.3 (HDF5), which is not read; save it in MATLAB with '-v7'")
    mark = data[_HEADER - 2 : _HEADER]
    if mark not in (b"IM", b"MI"):
        raise UnreadableFile(f"{path}: expected a MAT file of level 5, found something else; save it in MATLAB with '-v7'")
    return "<" if mark == b"IM" else ">"


def _variables(path: Path, data: bytes, order: str) -> Iterator[_Array]:
    """Give the file's variables, unpacked one after the other."""
    for tag, body in _elements(memoryview(data)[_HEADER:], order):
        if tag == _COMPRESSED:
            unpacker = zlib.decompressobj()
            unpacked = unpacker.decompress(body, _MOST_BYTES)
            if unpacker.unconsumed_tail:
                raise UnreadableFile(f"{path}: a variable unpacks to more than {_MOST_BYTES:,} bytes; it is not read")
            if not unpacker.eof:
                raise ValueError("its compressed data ends too early")
            tag, body = next(_elements(memoryview(unpacked), order), (0, memoryview(b"")))
        if tag == _MATRIX:
            yield _array(body, order)


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Divide data into elements: a type and its bytes. Those of up to four bytes have both in one word."""
    at = count = 0
    while at < len(data):
        count += 1
        if count > _MOST_PARTS:
            raise ValueError(f"more than {_MOST_PARTS} parts")
        tag, length = struct.unpack_from(f"{order}II", data, at)
        if tag >> 16:
            tag, length, start, step = tag & 0xFFFF, tag >> 16, at + 4, 8
            if length > 4:
                raise ValueError("a short element is longer than four bytes")
        else:
            start, step = at + 8, 8 + length + (-length % 8 if tag != _COMPRESSED else 0)
        if start + length > len(data):
            raise ValueError(f"an element would end at byte {start + length:,} of {len(data):,}")
        yield tag, data[start : start + length]
        at += step


def _array(body: memoryview, order: str) -> _Array:
    """Read the parts that all arrays begin with."""
    if not len(body):
        return _Array(0, (0, 0), "", (), order)  # an empty cell
    parts = _elements(body, order)
    flags, dimensions, name = (part for _, part in islice(parts, 3))
    word = struct.unpack_from(f"{order}I", flags)[0]
    if word & _COMPLEX:
        raise ValueError("an array of complex numbers")
    size = tuple(np.frombuffer(dimensions, f"{order}i4").tolist())
    return _Array(word & 0xFF, size, bytes(name).decode("ascii"), tuple(parts), order)


def _cells(array: _Array) -> list[_Array]:
    return [_array(body, array.order) for tag, body in array.parts if tag == _MATRIX]


def _segmentation(path: Path, cell: _Array, number: int, size: Size | None) -> IntArray:
    """Read the field ``Segmentation`` of a structure."""
    where = f"{path}: segmentation {number}"
    if cell.kind != _STRUCT:
        raise UnreadableFile(f"{where}: expected a structure with '{_FIELD}', found something else")
    width = struct.unpack_from(f"{cell.order}i", cell.parts[0][1])[0]
    names = bytes(cell.parts[1][1])
    if width < 1 or len(names) > width * _MOST_PARTS:
        raise ValueError("its field names have no length, or are too many")
    fields = [names[at : at + width].split(b"\0")[0].decode("ascii") for at in range(0, len(names), width)]
    if _FIELD not in fields:
        raise UnreadableFile(f"{where}: expected a field '{_FIELD}', found {', '.join(fields) or 'none'}")
    array = _array(cell.parts[2 + fields.index(_FIELD)][1], cell.order)
    if array.kind not in _NUMBERS or len(array.size) != 2:
        raise UnreadableFile(f"{where}: expected a matrix of region numbers, found something else")
    if size is not None and array.size != size:
        raise DataError(
            f"{where}: it is {array.size[0]} x {array.size[1]} (height x width), but its image is {size[0]} x {size[1]}; "
            f"put the picture there that was segmented"
        )
    return _regions(where, array)


def _regions(where: str, array: _Array) -> IntArray:
    """Read region numbers (H, W), which MATLAB keeps column by column."""
    tag, body = array.parts[0]
    stored = np.frombuffer(body, f"{array.order}{_TYPES[tag]}")
    if stored.size != array.size[0] * array.size[1]:
        raise ValueError(f"a matrix of {array.size[0]} x {array.size[1]} has {stored.size} numbers")
    if stored.size and not (np.isfinite(stored).all() and (stored == np.rint(stored)).all() and stored.min() >= 0):
        raise DataError(f"{where}: expected region numbers from 0 up, found others")
    if stored.size and stored.max() >= 2**32:
        raise DataError(f"{where}: a region number is {stored.max():g}; at most 32 bits are read")
    whole = stored.astype(np.uint16 if not stored.size or stored.max() < 2**16 else np.uint32)
    return np.ascontiguousarray(whole.reshape(array.size, order="F"))
