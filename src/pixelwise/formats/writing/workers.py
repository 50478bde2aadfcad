"""Spread samples over processes and gather what each gives, line by line, as soon as it is there.

Processes are started afresh (``spawn``), never forked: a fork would copy locks that threads hold. A process asks for work when
it has none, so a slow one delays nobody, and is given more at once where samples are quick. Samples go through one pickler a
process that remembers what it has sent, so what they share (a file's columns, a label set) is sent and held once.
"""

import contextlib
import io
import multiprocessing
import pickle
import signal
import time
import traceback
from collections.abc import Callable, Generator, Iterable
from itertools import islice
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import cv2

from pixelwise.core.errors import PixelwiseError, StorageError
from pixelwise.core.sample import Sample

Job = Callable[[int, Sample], bytes]  # writes the sample of a row and gives its line; must pickle

_TURN = 0.05  # seconds of work that a process is given at a time
_MOST = 32


def spread(job: Job, samples: Iterable[tuple[int, Sample]], count: int) -> Generator[tuple[int, bytes], None, None]:
    """Do ``job`` for every sample in ``count`` processes; give rows and lines in the order they get done.

    Raises:
        PixelwiseError: as ``job`` does.
        StorageError: a process ended without a word.
    """
    left = iter(samples)
    lanes: list[_Lane] = []
    try:
        for _ in range(count):
            lanes.append(_Lane(job))
        busy = {lane.connection: lane for lane in lanes}
        while busy:
            for connection in wait(list(busy)):
                lane = busy[connection]  # type: ignore[index]
                what, value = lane.receive()
                if what == "line":
                    yield value
                elif what == "error":
                    raise value
                elif block := list(islice(left, value)):
                    lane.send(block)
                else:
                    lane.send(None)
                    del busy[lane.connection]
    except BaseException:
        for lane in lanes:
            lane.process.terminate()
        raise
    finally:
        for lane in lanes:
            lane.end()


class _Lane:
    """A process, and the way to it."""

    def __init__(self, job: Job) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()  # so that the end of either process is seen by the other
        self._buffer = io.BytesIO()
        self._pickler = pickle.Pickler(self._buffer, protocol=5)
        self.send(job)

    def send(self, value: object) -> None:
        """Send a value; the process waits for one whenever this is called, so neither can block the other."""
        self._buffer.seek(0)
        self._buffer.truncate()
        self._pickler.dump(value)
        with contextlib.suppress(BrokenPipeError):  # it has ended: ``receive`` says so
            self.connection.send_bytes(self._buffer.getvalue())

    def receive(self) -> tuple[str, Any]:
        try:
            found: tuple[str, Any] = self.connection.recv()
        except (EOFError, OSError):
            self.process.join(5)
            raise StorageError(
                f"a process that wrote the data set ended without a word (exit code {self.process.exitcode}), as when memory "
                f"runs out; what is done is kept: start again, with fewer --workers"
            ) from None
        return found

    def end(self) -> None:
        self.connection.close()
        self.process.join(10)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()


def _serve(connection: "Connection[Any, Any]") -> None:
    """Work in a process of its own until there is nothing left, or nobody to work for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the first process's to answer
    cv2.setNumThreads(1)  # processes are many enough
    buffer = io.BytesIO()
    unpickler = pickle.Unpickler(buffer)  # noqa: S301  (of the process that started this one)

    def take() -> Any:
        buffer.seek(0)
        buffer.truncate()
        buffer.write(connection.recv_bytes())
        buffer.seek(0)
        return unpickler.load()

    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the first process was killed
        try:
            job: Job = take()
            connection.send(("idle", 1))
            while (block := take()) is not None:
                begun = time.monotonic()
                for row, sample in block:
                    connection.send(("line", (row, job(row, sample))))
                each = (time.monotonic() - begun) / len(block)
                connection.send(("idle", int(min(max(_TURN / max(each, 1e-6), 1), _MOST))))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise
        except Exception as error:
            connection.send(("error", _sendable(error)))


def _sendable(error: Exception) -> Exception:
    """Give an error as it can be sent, with the way to it where it is none of ours."""
    if not isinstance(error, PixelwiseError):
        error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  (its own bytes)
    except Exception:  # whatever an error's own pickling raises
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
