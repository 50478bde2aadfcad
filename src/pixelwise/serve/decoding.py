"""Decode images in processes of their own, so that an image made to break a decoder breaks nothing else.

A process keeps to limits of memory and time and is started anew when it dies. Bytes and pixels pass through memory that both
sides hold as files (``memfd_create``), without a pipe between: at 512 x 512 the way there and back costs a fraction of the
decoding itself.
"""

import contextlib
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

import numpy as np

from pixelwise.core.image import Image
from pixelwise.serve.kinds import checked, refuse_if_large
from pixelwise.serve.refusal import Refusal

_KEPT = 2**24  # bytes that a process's inbox and outbox may hold on to between two images
_PATIENCE = 3  # times the processor time that may pass on the clock: the machine does other things, too
_START_SECONDS = 60.0
_ALONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class _Died(Exception):
    """The process ended before it answered."""


class _Room:
    """A nameless file in memory, or a temporary one where the system has none such."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        if hasattr(os, "memfd_create"):
            self.number = os.memfd_create("pixelwise")
            self.path = f"/proc/self/fd/{self.number}"
        else:
            self._file = tempfile.NamedTemporaryFile()  # noqa: SIM115 - it is closed with the process
            self.number, self.path = self._file.fileno(), self._file.name

    def write(self, content: bytes) -> None:
        os.ftruncate(self.number, len(content))
        view, done = memoryview(content), 0
        while done < len(content):
            done += os.pwrite(self.number, view[done:], done)

    def read_into(self, pixels: np.ndarray[Any, Any]) -> None:
        view, done = pixels.data.cast("B"), 0
        while done < len(view):
            count = os.preadv(self.number, [view[done:]], done)
            if not count:
                raise _Died("its outbox is shorter than it said")
            done += count

    def shrink(self) -> None:
        if os.fstat(self.number).st_size > _KEPT:
            os.ftruncate(self.number, 0)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        else:
            os.close(self.number)


class _Process:
    """One process that decodes; one thread at a time may use it."""

    def __init__(self, max_pixels: int, memory: int) -> None:
        self._max_pixels = max_pixels
        self._inbox, self._outbox = _Room(), _Room()
        ours, theirs = socket.socketpair()
        parents = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
        stated = {"PYTHONPATH": os.pathsep.join(parents), "PIXELWISE_MAX_PIXELS": str(max_pixels)}
        numbers = theirs.fileno(), self._inbox.number, self._outbox.number
        words = [str(numbers[0]), self._inbox.path, str(numbers[2]), str(memory)]
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pixelwise.serve.decoder", *words],
                pass_fds=numbers,
                env=os.environ | _ALONE | stated,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # libraries warn there of every damaged image
                start_new_session=True,  # a Ctrl-C on the terminal is the server's to act on
            )
        self._control = Connection(ours.detach())
        self._is_ready = False

    @property
    def number(self) -> int:
        return self._process.pid

    def wait_until_ready(self) -> None:
        """Wait for the first word of the process.

        Raises:
            _Died: it ended.
            TimeoutError: it says nothing for a minute.
        """
        if not self._is_ready:
            self._answer(_START_SECONDS)
            self._is_ready = True

    def decode(self, content: bytes, seconds: float) -> Image:
        self.wait_until_ready()
        self._inbox.write(content)
        try:
            self._control.send_bytes(json.dumps({"seconds": seconds}).encode())
        except OSError as error:
            raise _Died(str(error)) from None
        answer = self._answer(_PATIENCE * seconds)
        try:
            if "refused" in answer:
                raise _refusal(answer["refused"], answer["why"])
            refuse_if_large((answer["shape"][0], answer["shape"][1]), self._max_pixels)
            pixels = np.empty(answer["shape"], answer["dtype"])
            if pixels.size:
                self._outbox.read_into(pixels)
            return Image(pixels, tuple(answer["bands"]))
        finally:
            self._inbox.shrink()
            self._outbox.shrink()

    def _answer(self, seconds: float) -> Any:
        try:
            has_come = self._control.poll(seconds)
            answer = self._control.recv_bytes() if has_come else b""
        except (EOFError, OSError):
            raise _Died("it closed its end") from None
        if not has_come:
            raise TimeoutError
        return json.loads(answer)

    def kill(self) -> None:
        """End the process; whoever waits for its answer is told."""
        self._process.kill()

    def close(self) -> int:
        """End the process, give back what was held for it, and give its exit code."""
        self._process.kill()
        code = self._process.wait()
        self._control.close()
        self._inbox.close()
        self._outbox.close()
        return code


class Decoders:
    """Processes that decode images; any number of threads may ask."""

    def __init__(self, count: int, max_pixels: int, seconds: float = 10.0, memory: int = 2**31) -> None:
        """State the limits.

        Args:
            count: of processes.
            max_pixels: of an image.
            seconds: of processor time for an image.
            memory: in bytes, for an image.
        """
        self.count, self.max_pixels, self.seconds, self.memory = count, max_pixels, seconds, memory
        self._idle: queue.SimpleQueue[_Process | None] = queue.SimpleQueue()  # None: one is to be started first
        self._all: set[_Process] = set()
        self._lock = threading.Lock()
        self._is_open = True
        for _ in range(count):
            self._idle.put(None)

    def start(self) -> None:
        """Start all processes now, and wait until they are ready.

        Raises:
            Refusal: 503, a process does not start.
        """
        started = [self._new() for _ in range(self.count) if self._idle.get() is None]
        for process in started:
            try:
                process.wait_until_ready()
            except (_Died, TimeoutError):
                raise Refusal(503, "no_decoder", "the processes that decode images do not start") from None
            finally:
                self._idle.put(process)

    @property
    def numbers(self) -> list[int]:
        """The ids of the processes, as the system has them."""
        with self._lock:
            return sorted(process.number for process in self._all)

    def decode(self, content: bytes) -> Image:
        """Decode an image; wait for a process first if all are at work.

        Raises:
            Refusal: 413, 415 or 422, it is too large, no image, or damaged; 503, processes die that had it before them.
        """
        checked(content, self.max_pixels)
        for _ in range(2):  # a process may have been killed from outside; one that dies twice was killed by the image
            process = self._idle.get()
            try:
                process = process or self._new()
                return process.decode(content, self.seconds)
            except _Died:
                code = self._ended(process)
                process = None
                if code == -signal.SIGXCPU:
                    raise self._too_slow() from None
            except TimeoutError:
                self._ended(process)
                process = None
                raise self._too_slow() from None
            finally:
                self._idle.put(process)
        raise Refusal(503, "decoder_died", "the process that decoded the image died twice; try again", retry_after=1)

    def _too_slow(self) -> Refusal:
        return Refusal(
            422, "decoding_too_slow", f"decoding the image takes more than {self.seconds:g} s; save it in another way"
        )

    def _new(self) -> _Process:
        process = _Process(self.max_pixels, self.memory)
        with self._lock:
            if self._is_open:
                self._all.add(process)
                return process
        process.close()
        raise Refusal(503, "stopping", "the server is stopping; ask another one")

    def _ended(self, process: _Process | None) -> int:
        if process is None:
            return 0
        with self._lock:
            self._all.discard(process)
        return process.close()

    def close(self) -> None:
        """End all processes; images they had before them are answered with a 503."""
        with self._lock:
            self._is_open = False
            for process in self._all:
                process.kill()
        with contextlib.suppress(queue.Empty):
            while True:  # those at work are closed by the threads that wait for them
                self._ended(self._idle.get_nowait())
        for _ in range(self.count):  # who waits for a process shall be told that there is none
            self._idle.put(None)


def _refusal(code: str, why: str) -> Refusal:
    if code == "not_decodable":
        return Refusal(422, code, f"{why}; send another image")
    found = f"the image has {why}, more than this server takes" if code == "too_many_pixels" else why
    return Refusal(413, code, f"{found}; send a smaller one")
