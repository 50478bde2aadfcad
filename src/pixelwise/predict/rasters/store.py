"""The ids of a raster in the making: raw rows in a file, and a line of a ledger for each block that is there.

A block's ids are on the disk before its line is, so whatever ends a run, the blocks of the ledger are whole; a line that was
cut off does not count. A store of another stamp, that is of another predictor, file or tiling, is begun anew.
"""

import json
import os
import shutil
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from pixelwise.core.arrays import IntArray, Size
from pixelwise.core.errors import StorageError
from pixelwise.core.files import make_folder

Box = tuple[int, int, int, int]  # top, left, bottom, right


class Store:
    """A raw id raster (H, W) in ``folder``, written by blocks; a context that closes its files.

    Attributes:
        done: what was told of each finished block, by its box.
    """

    def __init__(self, folder: Path, size: Size, dtype: np.dtype[Any], stamp: str, again: bool = False) -> None:
        """Find the store, or begin it where there is none of this stamp, or ``again``.

        Raises:
            StorageError: the disk has no room for the rest of it, or cannot be written.
        """
        self.folder = folder
        self.size = size
        self.dtype = np.dtype(dtype)
        self.done: dict[Box, Mapping[str, Any]] = {}
        self._raw, self._ledger = folder / "ids.raw", folder / "ledger.jsonl"
        head = {"stamp": stamp, "size": list(size), "dtype": self.dtype.name}
        lines = _whole_lines(self._ledger)
        if self._raw.is_file() and lines and lines[0] == head and not again:
            self.done = {tuple(line["block"]): line for line in lines[1:]}  # type: ignore[misc]
        else:
            shutil.rmtree(folder, ignore_errors=True)
        self._head = head
        make_folder(folder)
        self._check_room()

    def __enter__(self) -> "Store":
        """Open the files.

        Raises:
            StorageError: they cannot be written.
        """
        try:
            self._raw.touch()
            self._rows: FileIO = open(self._raw, "r+b", buffering=0)
            self._rows.truncate(self.size[0] * self.size[1] * self.dtype.itemsize)
            self._lines: BinaryIO = open(self._ledger, "wb")
            for line in (self._head, *self.done.values()):  # without a line that was cut off
                self._lines.write(json.dumps(line).encode() + b"\n")
            _to_disk(self._lines)
        except OSError as error:
            raise _explained(self._raw, error) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._rows.close()
        self._lines.close()

    @property
    def raw(self) -> Path:
        """The file of ids, row by row, in the machine's own byte order."""
        return self._raw

    def put(self, top: int, left: int, ids: IntArray) -> None:
        """Write ids (h, w) to their place; they count once ``finish`` tells of a block with them.

        Raises:
            StorageError: no space is left.
        """
        width, item = self.size[1], self.dtype.itemsize
        ids = np.ascontiguousarray(ids, self.dtype)
        try:
            if ids.shape[1] == width:
                self._write(top * width * item, memoryview(ids).cast("B"))
            else:
                for row, line in enumerate(ids, start=top):
                    self._write((row * width + left) * item, memoryview(line).cast("B"))
        except OSError as error:
            raise _explained(self._raw, error) from error

    def finish(self, box: Box, told: Mapping[str, Any]) -> None:
        """Tell that a block is there, once its ids are on the disk.

        Raises:
            StorageError: no space is left.
        """
        line = {"block": list(box), **told}
        try:
            os.fsync(self._rows.fileno())
            self._lines.write(json.dumps(line).encode() + b"\n")
            _to_disk(self._lines)
        except OSError as error:
            raise _explained(self._raw, error) from error
        self.done[box] = line

    def rows(self, first: int, last: int) -> IntArray:
        """Read the ids of rows ``first`` to below ``last``."""
        width = self.size[1]
        self._rows.seek(first * width * self.dtype.itemsize)
        ids: IntArray = np.empty((last - first, width), self.dtype)
        view = memoryview(ids).cast("B")
        while view:
            count = self._rows.readinto(view)
            if not count:
                raise StorageError(f"{self._raw}: ends too early; start again with --again")
            view = view[count:]
        return ids

    def drop(self) -> None:
        """Remove the store: what it held is elsewhere now."""
        self.__exit__()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write(self, place: int, data: memoryview) -> None:
        self._rows.seek(place)
        while data:
            data = data[self._rows.write(data) :]

    def _check_room(self) -> None:
        pixels = self.size[0] * self.size[1]
        left = pixels - sum((bottom - top) * (right - after) for top, after, bottom, right in self.done)
        needed = left * self.dtype.itemsize + pixels * self.dtype.itemsize // 4  # ids deflate to a tenth, mostly
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise StorageError(
                f"{self.folder.parent}: the results of {self.size[1]} x {self.size[0]} pixels need about {_amount(needed)} "
                f"while they are made, and the disk has {_amount(free)} left; free some or choose another --out"
            )


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    found = []
    for line in path.read_bytes().split(b"\n")[:-1]:
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    return found


def _to_disk(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())


def _explained(path: Path, error: OSError) -> StorageError:
    return StorageError(f"{path}: cannot be written: {error.strerror}; free some space, and the same command goes on")


def _amount(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
