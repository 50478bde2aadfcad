"""What a server writes down: one line of JSON an event, or plain text on a terminal.

A line about a request has its id, route, model, status, sizes and times. It never has pixels, names of files, what stood in
the address behind the ``?``, or tokens: nothing a client sent is written but an id of safe form.
"""

import json
import logging
import math
import re
import secrets
import sys
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TextIO

from pixelwise.core.arrays import Size

LOGGER = logging.getLogger("pixelwise.serve")
REQUEST_ID = b"x-request-id"
_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")  # a file may be named so, and a line of a log cannot be forged
_OURS = ("pixelwise.serve", "uvicorn", "uvicorn.error")
_SHORT = ("route", "model", "version", "status", "code")  # what a line on a terminal begins with


@dataclass
class Noted:
    """What becomes known of one request while it is answered; whoever learns something writes it here.

    Attributes:
        request_id: of the client if its form is safe, else made here.
        client: the name of the token that it showed, as the file of tokens has it.
        model, version: that answered.
        code: of the refusal, if it was refused.
        size: (H, W) of the image.
        batch: images in the call that it was predicted in.
        seconds: spent in each stage.
    """

    request_id: str
    client: str = ""
    model: str = ""
    version: str = ""
    code: str = ""
    size: Size | None = None
    batch: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


_CURRENT: ContextVar[Noted | None] = ContextVar("noted", default=None)


def noted() -> Noted | None:
    """Give what is noted of the request under way in this task; None outside of one."""
    return _CURRENT.get()


def begin(stated: str | None) -> Noted:
    """Begin to note a request in this task; ``stated`` is the id that the client gave, if it did."""
    one = Noted(request_id(stated))
    _CURRENT.set(one)
    return one


def request_id(stated: str | None) -> str:
    """Take a client's id of 1 to 64 letters, digits, ``-`` and ``_``, the first no sign; else make one.

    >>> request_id("order-17"), len(request_id("../etc")), len(request_id(None))
    ('order-17', 24, 24)
    """
    return stated if stated is not None and _SAFE_ID.fullmatch(stated) else secrets.token_hex(12)


def event(level: int, name: str, fields: Mapping[str, Any] | None = None, error: BaseException | None = None) -> None:
    """Write one event; ``error`` adds its trace, which belongs in the log and never in an answer."""
    LOGGER.log(level, name, extra={"fields": dict(fields or {})}, exc_info=error)


def set_up(stream: TextIO | None = None, as_json: bool | None = None, level: int = logging.INFO) -> None:
    """Write the server's lines, and those of uvicorn, to ``stream`` (standard error).

    Args:
        as_json: None for JSON unless the stream is a terminal.
    """
    stream = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines() if (not stream.isatty() if as_json is None else as_json) else PlainLines())
    for name in _OURS:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = ([handler] if name != "uvicorn.error" else []), name == "uvicorn.error"
        logger.setLevel(level)
    logging.getLogger("uvicorn.access").disabled = True  # it would write whole addresses, and we write a line a request


class JsonLines(logging.Formatter):
    """One JSON object a line: ``time``, ``level``, ``event``, then the event's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record; line breaks within it are escaped, so a line is always one event."""
        line = {"time": _stamp(record.created), "level": record.levelname.lower(), "event": record.getMessage()}
        line |= {name: _plain(value) for name, value in _fields(record).items()}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, allow_nan=False)


class PlainLines(logging.Formatter):
    """One line for people: the time, the event, its fields; a trace follows it."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        fields = _fields(record)
        first = [str(fields.pop(name)) for name in _SHORT if fields.get(name)]
        words = [time.strftime("%H:%M:%S", time.localtime(record.created)), record.levelname.lower(), record.getMessage()]
        rest = [f"{name}={_plain(value)}" for name, value in fields.items()]
        text = "".join(letter if letter.isprintable() else " " for letter in " ".join([*words, *first, *rest]))
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return dict(getattr(record, "fields", {}))


def _stamp(seconds: float) -> str:
    """Write a moment as ISO 8601 in UTC, with milliseconds."""
    whole = math.floor(seconds)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{int((seconds - whole) * 1000):03d}Z"


def _plain(value: Any) -> Any:
    """Give a value that JSON has: numbers are rounded to what can be read, those that are not finite become words."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else str(value)
    return value
