"""Read and write NumPy's files without trust: sizes are checked before anything is allocated, and nothing is ever unpickled.

NumPy's own reader allocates what a header claims, and would run code from object arrays if it were let. Here a header is read
first; numbers follow only when their shape is that of the picture.
"""

import ast
import math
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from pixelwise.core.arrays import AnyArray
from pixelwise.core.errors import MissingFile, PixelwiseError, UnreadableFile
from pixelwise.core.files import replacing
from pixelwise.core.masks import Masks

MOST_BYTES = 2**31  # of one array
_MOST_AT_ONCE = 2**30  # of an array that cannot be read layer by layer
_MOST_HEADER = 10_000
_MOST_MEMBERS = 1000
_MAGIC = b"\x93NUMPY"
_PIECE = 2**24


@dataclass(frozen=True)
class Header:
    """What an array says of itself; ``member`` is its name in an ``.npz``, empty in an ``.npy``."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_fortran: bool
    member: str = ""

    @property
    def size(self) -> int:
        """The bytes it takes."""
        return math.prod(self.shape) * self.dtype.itemsize


def headers(path: Path) -> dict[str, Header]:
    """Read the headers of all arrays of a file, by name; that of an ``.npy`` has the name "".

    Raises:
        MissingFile: there is none.
        UnreadableFile: it is cut off, damaged, or holds an array of Python objects (a pickle).
    """
    with _reading(path):
        if not zipfile.is_zipfile(path):
            with open(path, "rb") as file:
                return {"": _header(file, "")}
        with zipfile.ZipFile(path) as archive:
            members = [one for one in archive.infolist() if one.filename.endswith(".npy")]
            if len(members) > _MOST_MEMBERS:
                raise ValueError(f"{len(members)} arrays; at most {_MOST_MEMBERS} are read")
            found = {}
            for one in members:
                with archive.open(one) as file:
                    found[one.filename.removesuffix(".npy")] = _header(file, one.filename)
            return found


def layers(path: Path, header: Header) -> Iterator[AnyArray]:
    """Read an array of two or three axes layer by layer: (H, W) each; never more than one is held, if its order allows.

    Raises:
        UnreadableFile: it is cut off, damaged or too large.
    """
    with _reading(path), _opened(path, header) as file:
        if header.size > MOST_BYTES or (header.is_fortran and header.size > _MOST_AT_ONCE):
            raise ValueError(f"{header.size:,} bytes; at most {MOST_BYTES:,} are read ({_MOST_AT_ONCE:,} in Fortran's order)")
        _header(file, header.member)  # to get past it
        if header.is_fortran:
            whole = _numbers(file, header, math.prod(header.shape)).reshape(header.shape, order="F")
            yield from whole.reshape(-1, *header.shape[-2:])
            return
        layer = header.shape[-2:]
        for _ in range(math.prod(header.shape[:-2])):
            yield _numbers(file, header, math.prod(layer)).reshape(layer)


def vector(path: Path, header: Header) -> AnyArray:
    """Read an array of a row a mask.

    Raises:
        UnreadableFile: it is cut off, damaged or too large.
    """
    with _reading(path), _opened(path, header) as file:
        if header.size > _MOST_AT_ONCE:
            raise ValueError(f"{header.member} has {header.size:,} bytes; at most {_MOST_AT_ONCE:,} are read")
        _header(file, header.member)
        numbers = _numbers(file, header, math.prod(header.shape))
        return numbers.reshape(header.shape, order="F") if header.is_fortran else numbers.reshape(header.shape)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Name the file in whatever damaged bytes lead to: zip files raise errors of many kinds."""
    try:
        yield
    except PixelwiseError:
        raise
    except FileNotFoundError:
        raise MissingFile(f"{path}: expected arrays of NumPy, found nothing there; check the path") from None
    except Exception as error:
        raise UnreadableFile(f"{path}: expected arrays of NumPy, but {error or type(error).__name__}") from None


@contextmanager
def _opened(path: Path, header: Header) -> Iterator[IO[bytes]]:
    if not header.member:
        with open(path, "rb") as file:
            yield file
        return
    with zipfile.ZipFile(path) as archive, archive.open(header.member) as member:
        yield member


def _header(file: IO[bytes], member: str) -> Header:
    start = file.read(8)
    if start[:6] != _MAGIC or len(start) < 8:
        raise ValueError(
            f"{f'{member} ' if member else 'it '}starts with {start!r}: it is none, or was pickled without numpy.save"
        )
    wide = 2 if start[6] == 1 else 4
    length = int.from_bytes(file.read(wide), "little")
    if start[6] not in (1, 2, 3) or length > _MOST_HEADER:
        raise ValueError(f"version {start[6]} with a header of {length:,} bytes is not read")
    text = file.read(length)
    if len(text) != length:
        raise ValueError("the file is cut off in its header; copy it again")
    told = ast.literal_eval(text.decode("latin-1").strip())
    shape, descr, is_fortran = told["shape"], told["descr"], told["fortran_order"]
    if not isinstance(descr, str) or not isinstance(shape, tuple) or not isinstance(is_fortran, bool):
        raise ValueError("it holds a table of named columns, not one array of numbers")
    if not all(type(one) is int and one >= 0 for one in shape) or len(shape) > 8:
        raise ValueError(f"its shape is {shape!r}")
    dtype = np.dtype(descr)
    if dtype.kind == "O":
        raise ValueError("it holds Python objects (a pickle), which may run code and are never read; save plain numbers")
    if dtype.kind not in "biuf":
        raise ValueError(f"it holds {dtype}, no numbers")
    return Header(shape, dtype, is_fortran, member)


def _numbers(file: IO[bytes], header: Header, count: int) -> AnyArray:
    """Read numbers piece by piece, so that a header that claims more than there is costs no memory."""
    wanted = count * header.dtype.itemsize
    pieces: list[bytes] = []
    left = wanted
    while left and (piece := file.read(min(left, _PIECE))):
        pieces.append(piece)
        left -= len(piece)
    if left:
        raise ValueError(f"the file is cut off: {wanted:,} bytes were announced, {wanted - left:,} are there; copy it again")
    return np.frombuffer(b"".join(pieces), header.dtype)


def save(path: Path, arrays: dict[str, AnyArray], stack: Masks | None = None) -> None:
    """Write arrays to an ``.npz``, and ``stack`` as ``masks`` (S, H, W) mask by mask; the bytes depend on nothing else.

    Raises:
        StorageError: it cannot be written.
    """
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        if stack is not None:
            with _member(archive, "masks", (len(stack), *stack.size), np.dtype(bool)) as file:
                for index in range(len(stack)):
                    file.write(np.ascontiguousarray(stack.mask(index)).tobytes())
        for name, array in arrays.items():
            with _member(archive, name, array.shape, array.dtype) as file:
                file.write(np.ascontiguousarray(array).tobytes())


@contextmanager
def _member(archive: zipfile.ZipFile, name: str, shape: Sequence[int], dtype: np.dtype[Any]) -> Iterator[IO[bytes]]:
    info = zipfile.ZipInfo(f"{name}.npy")  # its time is that of no clock
    info.compress_type = zipfile.ZIP_DEFLATED
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": tuple(shape)}
    with archive.open(info, "w", force_zip64=True) as file:
        np.lib.format.write_array_header_1_0(file, header)
        yield file
