"""Measure what a call takes: processor time, which a busy machine does not stretch, and memory at its peak where it is told."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Measured(Generic[T]):
    """What a call gave and took.

    Attributes:
        value: what it gave.
        seconds: of processor time, over all threads.
        memory: in bytes above what was held before; None where the system does not tell.
    """

    value: T
    seconds: float
    memory: int | None


def measured(call: Callable[[], T]) -> Measured[T]:
    """Call, and measure it."""
    before = _start()
    began = time.process_time()
    value = call()
    seconds = time.process_time() - began
    peak = _read("VmHWM")
    return Measured(value, seconds, None if before is None or peak is None else max(0, peak - before))


def _start() -> int | None:
    """Let Linux forget the peak so far, and give what is held now; None elsewhere, or where that is not allowed."""
    try:
        _CLEAR.write_text("5")  # see proc(5)
    except OSError:
        return None
    return _read("VmRSS")


def _read(name: str) -> int | None:
    try:
        found = re.search(rf"^{name}:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)
    except OSError:
        return None
    return None if found is None else 1024 * int(found[1])
