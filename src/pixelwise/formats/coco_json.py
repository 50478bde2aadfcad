"""Decode large JSON files of a known form straight from the disk, also those that Python wrote with NaN in them."""

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np

from pixelwise.core.arrays import ByteArray
from pixelwise.core.errors import MissingFile, UnreadableFile

MOST_BYTES = 4 * 2**30
_STRING_OR_NAN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\bNaN\b|-?\bInfinity\b')

_T = TypeVar("_T")


def decoded(path: Path, form: type[_T]) -> tuple[_T, ByteArray, int]:
    """Decode a file into ``form``; give also the bytes that were decoded, and how many at the file's start were not.

    Raises:
        MissingFile: there is none.
        UnreadableFile: it is empty, cut off, too large, no JSON, or not of COCO's form.
    """
    data, skipped = _mapped(path)
    try:
        return msgspec.json.decode(data.data, type=form), data, skipped
    except msgspec.ValidationError as error:
        raise UnreadableFile(f"{path}: expected COCO (images, annotations, categories), but {_plain(error)}") from None
    except (msgspec.DecodeError, RecursionError) as error:
        text = _without_nan(data.tobytes())
        if text is None:
            raise UnreadableFile(f"{path}: expected JSON, but {_plain(error)}; copy or export the file again") from None
    data = np.frombuffer(text, np.uint8)
    try:
        return msgspec.json.decode(text, type=form), data, skipped
    except (msgspec.DecodeError, RecursionError) as error:
        raise UnreadableFile(f"{path}: expected COCO annotations as JSON, but {_plain(error)}") from None


def _plain(error: Exception) -> str:
    """Word an error of the decoder in the middle of a sentence, the place first."""
    what, _, where = str(error).partition(" - at ")
    place = where.strip("`").removeprefix("$.")
    return f"{f'in {place}: ' if place and place != '$' else ''}{what[:1].lower()}{what[1:]}"


def _mapped(path: Path) -> tuple[ByteArray, int]:
    """Map a file, less the mark that some editors put before UTF-8."""
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise UnreadableFile(f"{path}: expected a COCO file, found a folder")
        if not size:
            raise UnreadableFile(f"{path}: expected COCO annotations, found an empty file (0 bytes); copy it again")
        if size > MOST_BYTES:
            raise UnreadableFile(f"{path}: {size:,} bytes; at most {MOST_BYTES:,} are read as COCO; divide the file")
        data: ByteArray = np.memmap(path, np.uint8, "r")
    except FileNotFoundError:
        raise MissingFile(f"{path}: expected a COCO file, found nothing there; check the path") from None
    except OSError as error:
        raise UnreadableFile(f"{path}: cannot be read: {error.strerror or error}") from None
    skipped = 3 if data[:3].tobytes() == b"\xef\xbb\xbf" else 0
    return data[skipped:], skipped


def _without_nan(text: bytes) -> bytes | None:
    """Put an empty string where NaN or Infinity stand, which Python writes and JSON does not know; None if none do.

    The length stays, so that places in the file do.
    """
    found = 0

    def emptied(match: re.Match[bytes]) -> bytes:
        nonlocal found
        if match[0][:1] == b'"':
            return match[0]
        found += 1
        return b'""'.ljust(len(match[0]))  # null is longer than NaN; outlines are read from the file itself

    cleaned = _STRING_OR_NAN.sub(emptied, text)
    return cleaned if found else None


@contextmanager
def without_collector() -> Iterator[None]:
    """Keep the garbage collector from walking over millions of new objects again and again: a third of the time is left."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
