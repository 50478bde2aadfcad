"""A model in a process of its own that is told how many images of what size to segment, and says how long that took."""

import multiprocessing
import os
import time
from multiprocessing.connection import Connection
from typing import Protocol

from pixelwise.core.arrays import Size
from pixelwise.core.errors import OutOfTime, PixelwiseError, first_line

_PATIENCE = 600.0  # seconds for one answer: a runtime may compile a network for minutes


class Timer(Protocol):
    """A model that can be timed."""

    def time(self, batch: int, size: Size) -> float:
        """Segment ``batch`` images of a size; give the seconds that took."""

    def close(self) -> None:
        """Let go of the model."""


class TimedElsewhere(PixelwiseError):
    """Report what went wrong in the process of a model, in its own words."""


class ProcessTimer:
    """A model in a process of its own, on as many cores as it is to have threads."""

    def __init__(self, source: str, precision: str, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, end = context.Pipe()
        self._process = context.Process(target=_serve, args=(end, source, precision, threads), daemon=True)
        self._process.start()
        end.close()
        try:
            self._answer()
        except PixelwiseError:
            self.close()
            raise

    def time(self, batch: int, size: Size) -> float:
        """Segment ``batch`` images of a size; give the seconds that took.

        Raises:
            TimedElsewhere: the model could not, or its process ended.
            OutOfTime: it did not answer for ten minutes.
        """
        try:
            self._pipe.send((batch, size))
        except OSError:
            raise TimedElsewhere(self._ended()) from None
        return self._answer()

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _answer(self) -> float:
        if not self._pipe.poll(_PATIENCE):
            raise OutOfTime(f"the model did not answer within {_PATIENCE:.0f} seconds")
        try:
            found = self._pipe.recv()
        except (EOFError, OSError):
            raise TimedElsewhere(self._ended()) from None
        if isinstance(found, str):
            raise TimedElsewhere(found)
        return float(found)

    def _ended(self) -> str:
        self._process.join(5)
        return f"its process ended with exit code {self._process.exitcode}"


def open_timer(source: str, precision: str, threads: int) -> Timer:
    """Open a model in a process of its own.

    Raises:
        TimedElsewhere: it cannot be loaded.
    """
    return ProcessTimer(source, precision, threads)


def _serve(pipe: Connection, source: str, precision: str, threads: int) -> None:
    """Load a model and answer until the other end is closed: seconds, or in words what went wrong."""
    keep_to(threads)
    try:
        predictor = _loaded(source, precision)
    except Exception as error:  # a runtime raises anything; the other process says it
        pipe.send(_told(error))
        return
    pipe.send(0.0)
    images: dict[tuple[int, Size], list] = {}  # type: ignore[type-arg]
    while True:
        try:
            batch, size = pipe.recv()
        except EOFError:
            return
        try:
            if (batch, size) not in images:
                images[batch, size] = drawn(batch, size, predictor.card.bands)
            began = time.perf_counter()
            predictor(images[batch, size])
            pipe.send(time.perf_counter() - began)
        except Exception as error:
            pipe.send(_told(error))


def keep_to(threads: int) -> None:
    """Keep this process to so many cores, where the system can; each runtime then takes as many threads by itself."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def _loaded(source: str, precision: str):  # type: ignore[no-untyped-def]
    from pixelwise.load import load

    return load(source, precision=precision) if precision else load(source)


def drawn(batch: int, size: Size, bands: tuple[str, ...]) -> list:  # type: ignore[type-arg]
    """Draw scenes of a size; where a model wants other bands than colours, noise in those."""
    import numpy as np

    from pixelwise.core.image import GREY, RGB, Image
    from pixelwise.scenes import scenes

    if bands in (RGB, GREY) and min(size) >= 32:
        return [sample.image for sample in scenes(batch, size)]
    rng = np.random.default_rng(0)
    return [Image(rng.integers(0, 256, (*size, len(bands))).astype(np.uint8), bands) for _ in range(batch)]


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, PixelwiseError) else f"{type(error).__name__}: {first_line(error)}"
