"""A runtime in a process and an environment of its own, which answers over a pipe."""

import io
import struct
import subprocess
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from pixelwise.core.arrays import AnyArray
from pixelwise.core.errors import CheckpointError, OptionError
from pixelwise.core.resources import usable_cores
from pixelwise.export.environment import APART, Environment, quiet


class ApartSession:
    """A model that a program of ``pixelwise.export.apart`` has opened; the process ends with this object.

    Raises:
        CheckpointError: the model cannot be opened.
    """

    def __init__(self, environment: Environment, runtime: str, path: Path) -> None:
        command = [str(environment.made()), str(APART / "answer.py"), runtime, str(path.resolve()), str(usable_cores())]
        self._path, self._alone = path, threading.Lock()
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=quiet()
        )
        weakref.finalize(self, _end, self._process)
        self._answer()

    def __call__(self, images: AnyArray) -> Sequence[AnyArray]:
        """Run the graph."""
        written = io.BytesIO()
        np.save(written, images)
        with self._alone:
            given: Any = self._process.stdin
            try:
                given.write(struct.pack("<Q", written.tell()) + written.getbuffer())
                given.flush()
            except BrokenPipeError:
                raise CheckpointError(f"{self._path}: the process that ran it has ended; load it again") from None
            content = self._answer()
        with np.load(io.BytesIO(content), allow_pickle=False) as found:
            return [found[f"arr_{row}"] for row in range(len(found.files))]

    def _answer(self) -> bytes:
        answers: Any = self._process.stdout
        head = answers.read(9)
        is_good, length = struct.unpack("<BQ", head) if len(head) == 9 else (0, 0)
        content = _exactly(answers, length)
        if not is_good:
            said = content.decode("utf-8", "replace").strip() or "the process ended without a word"
            raise CheckpointError(f"{self._path}: cannot be run: {said.splitlines()[0][:300]}")
        return content


def only_as_made(path: Path, device: str, precision: str, own: str) -> None:
    """Refuse what a file for one device and precision cannot do.

    Raises:
        OptionError: another one is wanted.
    """
    if device not in ("auto", "cpu") or precision not in ("auto", own):
        raise OptionError(f"{path}: runs on the CPU in {own}, as it was exported; the run folder itself runs elsewhere, too")


def _exactly(stream: IO[bytes], length: int) -> bytes:
    content = stream.read(length)
    return content if len(content) == length else b""


def _end(process: "subprocess.Popen[bytes]") -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    process.terminate()
    process.wait()
