"""Decode large JSON files of a known form straight from the disk, also those that Python wrote with NaN in them.

A form is a type that msgspec decodes to. ``list[Raw]`` and ``dict[str, Raw]`` leave the parts undecoded where they lie, so that
a file of gigabytes costs little until one of them is asked for.
"""

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from msgspec import Raw

from pixelwise.core.arrays import ByteArray
from pixelwise.core.errors import DataError, MissingFile, PixelwiseError, UnreadableFile

MOST_BYTES = 4 * 2**30
_BLANK = 4096  # bytes in which JSON must begin, for the sake of a quick look
_LINE = 2**24  # bytes of the first line of an NDJSON file that are looked at
_ENDED = re.compile(r"trailing characters \(byte (\d+)\)")
_NAN = re.compile(rb"NaN|Infinity")
_STRING_OR_NAN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\bNaN\b|-?\bInfinity\b')

_T = TypeVar("_T")


def decoded(path: Path, form: type[_T], what: str = "labels") -> tuple[_T, ByteArray, int]:
    """Decode a file into ``form``; give also the bytes that were decoded, and how many at the file's start were not.

    ``what`` names in messages what was expected.

    Raises:
        MissingFile: there is none.
        UnreadableFile: it is empty, cut off, too large, no JSON, or not of that form.
    """
    data, skipped = mapped(path, what)
    try:
        return msgspec.json.decode(data.data, type=form), data, skipped
    except msgspec.ValidationError as error:
        raise UnreadableFile(f"{path}: expected {what}, but {_plain(error)}") from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        text = _without_nan(data.tobytes()) if _NAN.search(data.data) else None  # no copy of a large file that is cut off
        if text is None:
            raise UnreadableFile(f"{path}: expected JSON, but {_plain(error)}; copy or export the file again") from None
    data = np.frombuffer(text, np.uint8)
    try:
        return msgspec.json.decode(text, type=form), data, skipped
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise UnreadableFile(f"{path}: expected {what} as JSON, but {_plain(error)}") from None


def decode(text: bytes | Raw, form: type[_T]) -> _T:
    """Decode one part that was left undecoded; NaN and Infinity become empty strings, which no reader takes for numbers.

    Raises:
        DataError: it is cut off, no JSON or not of that form; the message does not say where.
    """
    data = bytes(memoryview(text))
    try:
        return msgspec.json.decode(data, type=form)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        cleaned = _without_nan(data)
        if cleaned is None:
            raise DataError(_plain(error)) from None
    try:
        return msgspec.json.decode(cleaned, type=form)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise DataError(_plain(error)) from None


_SEEN: ContextVar[dict[Path, frozenset[str] | None] | None] = ContextVar("seen", default=None)


@contextmanager
def remembering_keys() -> Iterator[None]:
    """Look into each file once while the block runs, as when one format after the other asks for its keys."""
    token = _SEEN.set({} if _SEEN.get() is None else _SEEN.get())
    try:
        yield
    finally:
        _SEEN.reset(token)


def keys_of(path: Path) -> frozenset[str] | None:
    r"""Give the keys of the object that a JSON file holds, or of the first of a list of objects, with "[]" among them.

    None for what is no JSON, or holds neither. Nothing is built but the keys. A file of one object a line (NDJSON) is like a
    list, with "\n" among its keys.
    """
    seen = _SEEN.get()
    if seen is None:
        return _keys_of(path)
    if path not in seen:
        seen[path] = _keys_of(path)
    return seen[path]


def _keys_of(path: Path) -> frozenset[str] | None:
    try:
        data, _ = mapped(path, "JSON")
    except PixelwiseError:
        return None
    first = bytes(data[:_BLANK]).lstrip()[:1]
    try:
        if first == b"[":
            item = _first_item(memoryview(_clean(data)))
            return frozenset({"[]"}) if item is None else _keys(item, "[]")
        return _keys(data.data, "")
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        line, _, rest = bytes(data[:_LINE]).partition(b"\n")
        try:
            return _keys(line, "\n") if first == b"{" and rest.lstrip()[:1] in (b"{", b"") else None
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return None


def _first_item(text: memoryview) -> memoryview | None:
    """Give the first item of a list, as which a whole text was found good; None of an empty one. The others cost nothing."""
    begin = bytes(text[:_BLANK]).index(b"[") + 1
    try:
        msgspec.json.decode(text[begin:], type=Raw)
    except msgspec.DecodeError as error:
        end = ended_at(error)
        return None if end is None else text[begin : begin + end]
    return None


def ended_at(error: Exception) -> int | None:
    """Give the place at which a text goes on though its value has ended, if that is what the decoder complains of."""
    ended = _ENDED.search(str(error))
    return int(ended[1]) - 1 if ended else None  # it says how far it has read


def _keys(text: Any, mark: str) -> frozenset[str]:
    found = msgspec.json.decode(_clean(text), type=dict[str, Raw])
    return frozenset(found) | ({mark} if mark else set())


def _clean(text: Any) -> Any:
    """Give a text that is whole JSON, without NaN if it has some; else raise as the decoder does."""
    try:
        msgspec.json.decode(text, type=Raw)
    except msgspec.DecodeError:
        if (cleaned := _without_nan(bytes(text))) is None:
            raise
        msgspec.json.decode(cleaned, type=Raw)
        return cleaned
    return text


def _plain(error: Exception) -> str:
    """Word an error of the decoder in the middle of a sentence, the place first."""
    if isinstance(error, UnicodeDecodeError):
        return f"a text in it is not UTF-8 ({error.reason})"
    what, _, where = str(error).partition(" - at ")
    what = what.removeprefix("JSON is malformed: ")
    place = where.strip("`").removeprefix("$.")
    return f"{f'in {place}: ' if place and place != '$' else ''}{what[:1].lower()}{what[1:]}"


def mapped(path: Path, what: str) -> tuple[ByteArray, int]:
    """Map a file, less the mark that some editors put before UTF-8."""
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise UnreadableFile(f"{path}: expected {what}, found a folder")
        if not size:
            raise UnreadableFile(f"{path}: expected {what}, found an empty file (0 bytes); copy it again")
        if size > MOST_BYTES:
            raise UnreadableFile(f"{path}: {size:,} bytes; at most {MOST_BYTES:,} are read as {what}; divide the file")
        data: ByteArray = np.memmap(path, np.uint8, "r")
    except FileNotFoundError:
        raise MissingFile(f"{path}: expected {what}, found nothing there; check the path") from None
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
