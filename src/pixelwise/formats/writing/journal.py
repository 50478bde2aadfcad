"""The journal of a writing: one line of JSON for each sample that is done, in the order they got done."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from pixelwise.core.errors import StorageError


class Journal:
    """The samples that are done, by row; a line that a crash left unfinished does not count and is cut off."""

    def __init__(self, path: Path) -> None:
        """Take up the journal at ``path``, or begin one."""
        self.path = path
        self._places: dict[int, int] = {}  # row -> first byte of its line
        self._end = 0
        if path.exists():
            self._take_up()

    def __contains__(self, row: int) -> bool:
        return row in self._places

    def __len__(self) -> int:
        return len(self._places)

    def _take_up(self) -> None:
        with open(self.path, "r+b") as file:
            for line in file:
                row = _row_of(line)
                if row is None:
                    break
                self._places[row] = self._end
                self._end += len(line)
            file.truncate(self._end)

    @contextmanager
    def opened(self) -> "Iterator[BinaryIO]":
        """Open the file to add to it."""
        try:
            file = open(self.path, "ab")  # noqa: SIM115  (an error in the block is not one of opening)
        except OSError as error:
            raise self._full(error) from error
        with file:
            yield file

    def add(self, file: BinaryIO, row: int, line: bytes) -> None:
        """Add the line of a row, which outlives this process from now on.

        Raises:
            StorageError: the disk is full.
        """
        try:
            file.write(line)
            file.flush()
        except OSError as error:
            raise self._full(error) from error
        self._places[row] = self._end
        self._end += len(line)

    def _full(self, error: OSError) -> StorageError:
        return StorageError(f"{self.path}: cannot be written: {error.strerror}; free some space and start again")

    def lines(self) -> Iterator[dict[str, Any]]:
        """Give the lines in the order of their rows."""
        return map(_decoded, self._texts())

    def _texts(self) -> Iterator[bytes]:
        if not self._places:
            return
        with open(self.path, "rb") as file:
            at = 0
            for row in sorted(self._places):
                if (place := self._places[row]) != at:
                    file.seek(place)
                line = file.readline()
                at = place + len(line)
                yield line


def line_of(row: int, values: dict[str, Any]) -> bytes:
    """Write one line; names that are not UTF-8 keep their lone surrogates."""
    whole = {"row": row, **values}
    try:
        return msgspec.json.encode(whole) + b"\n"
    except UnicodeEncodeError:
        return json.dumps(whole, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


def _decoded(line: bytes) -> Any:
    try:
        return msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return json.loads(line.decode("utf-8", "surrogatepass"))


def _row_of(line: bytes) -> int | None:
    """Give the row of a whole line; None for one that is not."""
    if not line.endswith(b"\n"):
        return None
    try:
        row = _decoded(line)["row"]
    except (ValueError, KeyError, TypeError):
        return None
    return row if isinstance(row, int) else None
