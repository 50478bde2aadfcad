"""Time models side by side on this machine: by runtime, precision, threads, batch and image size.

Every model runs in a process of its own that may use as many cores as it is to have threads, so that no runtime's own setting
is needed and one that crashes stops no other. All rows of the table are timed in turns, call by call, so that whatever else the
machine does slows all alike; the first calls of each, in which a runtime compiles and fills caches, do not count.

The answer names the fastest among models whose proof holds (``export.evidence``), the network itself in 32 bits, and methods.
"""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from pixelwise.core.arrays import Size
from pixelwise.core.errors import OptionError, PixelwiseError
from pixelwise.core.resources import usable_cores
from pixelwise.export.evidence import proof_of
from pixelwise.jobs.benchmark import Bench, Row
from pixelwise.jobs.timer import Timer, open_timer
from pixelwise.methods import METHODS

_WARM = 2  # calls of each cell that do not count
_LEAST = 5  # calls of each cell that do, however short the time
_RUNTIMES = {
    ".onnx": "onnxruntime",
    ".xml": "openvino",
    ".pte": "executorch",
    ".tflite": "litert",
    ".pt2": "torch.export",
    ".torchscript": "torchscript",
    ".safetensors": "pytorch",
}


@dataclass(frozen=True)
class BenchOptions:
    """What is timed.

    Attributes:
        precisions: of networks as they were trained; an exported file has its own.
        threads: cores each model may use; none for all there are.
        batches: images a call.
        sizes: (H, W) of the images.
        seconds: for all timing, about; loading and warming up come on top.
    """

    precisions: tuple[str, ...] = ("fp32",)
    threads: tuple[int, ...] = ()
    batches: tuple[int, ...] = (1,)
    sizes: tuple[Size, ...] = ((512, 512),)
    seconds: float = 20.0

    def __post_init__(self) -> None:
        if not 0 < self.seconds < math.inf:
            raise OptionError(f"--time: expected seconds above 0, got {self.seconds:g}")
        for name, numbers in (("threads", self.threads), ("batch", self.batches)):
            if any(number < 1 for number in numbers):
                raise OptionError(f"--{name}: expected numbers from 1 up, got {min(numbers)}")
        if any(side < 1 for size in self.sizes for side in size):
            raise OptionError("--size: expected sides of at least 1 pixel")
        cores = usable_cores()
        if any(number > cores for number in self.threads):
            raise OptionError(f"--threads {max(self.threads)}: this process may use {cores} cores")


class Opener(Protocol):
    """What opens a model for timing, in a process of its own or not."""

    def __call__(self, source: str, precision: str, threads: int) -> Timer:
        """Open ``source``; ``precision`` is empty where the file has its own."""


def bench(
    models: Sequence[str],
    options: BenchOptions | None = None,
    *,
    opener: Opener = open_timer,
    clock: Callable[[], float] = time.monotonic,
    progress: Callable[[int, int], None] | None = None,
) -> Bench:
    """Time models in turns.

    Args:
        models: what ``pixelwise.load`` takes.
        opener: opens a model; one in its own process if not given.
        progress: called with (seconds of timing, in all).

    Raises:
        OptionError: there is no model, or one stands twice among them.
    """
    options = options or BenchOptions()
    if not models:
        raise OptionError("no model is given to be timed")
    if len(set(models)) < len(models):
        raise OptionError("a model stands twice among those to be timed; name each once")
    with ExitStack() as stack:
        cells = [cell for source in models for cell in _cells(source, options, opener, stack)]
        _warm(cells)
        _time([cell for cell in cells if not cell.row.problem], options.seconds, clock, progress)
        return Bench(tuple(cell.done() for cell in cells))


class _Cell:
    """One row of the table while it is timed."""

    def __init__(self, row: Row, timer: Timer | None) -> None:
        self.row = row
        self.timer = timer
        self.seconds: list[float] = []

    def call(self) -> None:
        """Time one call; what goes wrong becomes the row's problem."""
        assert self.timer is not None
        try:
            self.seconds.append(self.timer.time(self.row.batch, self.row.size))
        except PixelwiseError as error:
            self.row = replace(self.row, problem=str(error))

    def done(self) -> Row:
        """Give the row with its figures."""
        return self.row if self.row.problem else replace(self.row, seconds=tuple(self.seconds))


def _cells(source: str, options: BenchOptions, opener: Opener, stack: ExitStack) -> Iterable[_Cell]:
    runtime, proof = runtime_of(source), _proof(source)
    precisions = options.precisions if runtime == "pytorch" else (_precision(source),)
    for precision in precisions:
        for threads in options.threads or (usable_cores(),):
            timer, problem = None, ""
            try:
                timer = opener(source, precision if runtime == "pytorch" else "", threads)
                stack.callback(timer.close)
            except PixelwiseError as error:
                problem = str(error)
            judged = proof if runtime != "pytorch" else "the model itself" if precision == "fp32" else "none"
            for size in options.sizes:
                for batch in options.batches:
                    yield _Cell(Row(source, runtime, precision, threads, batch, size, judged, problem=problem), timer)


def runtime_of(source: str) -> str:
    """Name the runtime of what ``load`` takes, by its name alone.

    >>> runtime_of("otsu"), runtime_of("out/model.onnx"), runtime_of("runs/camvid")
    ('method', 'onnxruntime', 'pytorch')
    """
    if source in METHODS or source.endswith(".toml"):
        return "method"
    if source.startswith(("http://", "https://")):
        return "server"
    path = Path(source)
    if path.is_dir() and (path / "saved_model.pb").is_file():
        return "tensorflow"
    return _RUNTIMES.get(path.suffix.casefold(), "pytorch")


def _proof(source: str) -> str:
    """Say whether an exported file was proved to do what its model does."""
    if runtime_of(source) == "method":
        return "the model itself"
    path = Path(source)
    found = proof_of(path) if path.exists() else None
    return "none" if found is None else "holds" if found.get("holds") is True else "fails"


def _precision(source: str) -> str:
    path = Path(source)
    found = proof_of(path) if path.exists() else None
    return str(found.get("precision", "")) if found else ""


def _warm(cells: Sequence[_Cell]) -> None:
    for cell in cells:
        for _ in range(_WARM):
            if not cell.row.problem:
                cell.call()
        cell.seconds.clear()


def _time(cells: list[_Cell], seconds: float, clock: Callable[[], float], progress: Callable[[int, int], None] | None) -> None:
    """Time round after round; each begins with another cell, so that none always follows the same one."""
    began, turn = clock(), 0
    while cells and (turn < _LEAST or clock() - began < seconds):
        start = turn % len(cells)
        for cell in [*cells[start:], *cells[:start]]:
            cell.call()
        cells = [cell for cell in cells if not cell.row.problem]
        turn += 1
        if progress is not None:
            progress(min(int(clock() - began), int(seconds)), int(seconds))
