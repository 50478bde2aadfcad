"""Run models: calls in threads, images of equal size and equal wishes together, and errors as refusals.

As many calls run at once as there are workers; whenever one is free, it takes what the queue gives. So batches grow while all
are busy, and an image that comes alone is run at once. Models' runtimes let go of Python's lock while they compute.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pixelwise.core.errors import DataError, OptionError, OutOfTime, PixelwiseError, TooLarge
from pixelwise.core.image import Image
from pixelwise.methods.effort import effort
from pixelwise.serve import logs
from pixelwise.serve.limits import weight
from pixelwise.serve.models import Served
from pixelwise.serve.queue import Queue, Waiting
from pixelwise.serve.refusal import Refusal
from pixelwise.serve.telemetry import Telemetry, class_shares
from pixelwise.serve.ways import Predicted
from pixelwise.serve.wishes import Wishes


@dataclass(frozen=True, eq=False)
class Done:
    """One image's result: what was found, the seconds it waited and its call took, and the images in that call."""

    predicted: Predicted
    waited: float
    seconds: float
    batch: int


@dataclass(frozen=True, eq=False)
class _Work:
    served: Served
    image: Image
    wishes: Wishes
    deadline: float
    result: "asyncio.Future[Done]"


class Batcher:
    """The threads that run models, and the queue before them; belongs to one event loop."""

    def __init__(self, workers: int, batch: int, wait: float, telemetry: Telemetry | None = None) -> None:
        """State how many calls run at once; the rest is as in ``Queue``."""
        self.queue: Queue[_Work] = Queue(batch, wait)
        self.workers = self._free = workers
        self._telemetry = telemetry
        self._pool = ThreadPoolExecutor(workers, "model")
        self._later: asyncio.TimerHandle | None = None
        self._is_open = True

    @property
    def expected_wait(self) -> float:
        """Estimate the seconds until what waits and runs now is done, by the speed of the latest calls."""
        return self.queue.seconds_of_work() / self.workers

    async def predict(self, served: Served, image: Image, wishes: Wishes, deadline: float) -> Done:
        """Run a model on one image as soon as its turn comes; cancelled, it waits no longer.

        Args:
            deadline: on the event loop's clock.

        Raises:
            Refusal: the model cannot do it (413, 422), it takes too long (504), or it fails (500).
        """
        loop = asyncio.get_running_loop()
        work = _Work(served, image, wishes, deadline, loop.create_future())
        group = (image.size, image.bands, image.pixels.dtype.name, wishes.way)
        waiting = Waiting(_lane(served), group, weight(image), loop.time(), work)
        self.queue.add(waiting)
        try:
            self._go_on()
            return await work.result
        finally:
            if self.queue.remove(waiting):
                self._told()

    def coming(self, served: Served, change: int) -> None:
        """Note that images are on their way to a model, or that one of them will not come."""
        self.queue.lane(_lane(served)).coming += change
        if change < 0:
            self._go_on()

    def close(self) -> None:
        """Let calls under way end, and start no more."""
        if self._later is not None:
            self._later.cancel()
        self._is_open, self._free = False, 0
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _go_on(self) -> None:
        """Start what can be started now, and come back when a wait is over."""
        loop = asyncio.get_running_loop()
        if self._later is not None:
            self._later.cancel()
            self._later = None
        while self._free:
            turn = self.queue.turn(loop.time())
            if turn.images:
                self._start(loop, turn.images)
                continue
            if turn.at is not None:
                self._later = loop.call_at(turn.at, self._go_on)
            break
        self._told()

    def _start(self, loop: asyncio.AbstractEventLoop, images: tuple[Waiting[_Work], ...]) -> None:
        self._free -= 1
        began = loop.time()
        seconds = max(one.work.deadline for one in images) - began
        running = loop.run_in_executor(self._pool, _run, [one.work for one in images], seconds, self._telemetry)

        def finished(done: "asyncio.Future[tuple[list[Predicted | Refusal], float]]") -> None:
            self._free += 1
            if done.cancelled():  # the pool was closed before it began
                found: list[Predicted | Refusal] = [Refusal(503, "stopping", "the server is stopping; ask again")] * len(images)
                spent = 0.0
            else:
                found, spent = done.result()
            self.queue.finished(images, spent)
            for one, each in zip(images, found, strict=True):
                if one.work.result.done():  # nobody waits for it any longer
                    continue
                if isinstance(each, Refusal):
                    one.work.result.set_exception(each)
                else:
                    one.work.result.set_result(Done(each, began - one.arrived, spent, len(images)))
            if self._is_open:
                self._go_on()

        running.add_done_callback(finished)

    def _told(self) -> None:
        if self._telemetry is not None:
            self._telemetry.observe_queue(len(self.queue), self.queue.pixels)


def _lane(served: Served) -> tuple[str, str]:
    return served.name, served.version


def _run(works: Sequence[_Work], seconds: float, telemetry: Telemetry | None) -> tuple[list[Predicted | Refusal], float]:
    """Run one call in a thread; where it fails for several images, each is tried alone, as one may have spoilt it."""
    began = time.perf_counter()
    found: list[Predicted | Refusal]
    try:
        found = [*_called(works, seconds)]
    except Exception as error:  # a model may raise anything, and the server goes on
        left = seconds - (time.perf_counter() - began)
        found = [refusal_of(error)] if len(works) == 1 else [_run([work], left, None)[0][0] for work in works]
    spent = time.perf_counter() - began
    if telemetry is not None:
        telemetry.observe_batch(len(works), sum(weight(work.image) for work in works), spent)
        for work, each in zip(works, found, strict=True):
            if not isinstance(each, Refusal):
                telemetry.observe_areas(work.served.name, class_shares(each.segmentation))
    return found, spent


def _called(works: Sequence[_Work], seconds: float) -> list[Predicted]:
    if seconds <= 0:
        raise OutOfTime("its time is over")
    first = works[0]
    with effort(seconds):
        found = first.wishes.way.run(
            first.served.predictor, [work.image for work in works], [work.wishes.prompts for work in works]
        )
    if len(found) != len(works) or any(
        each.segmentation.size != work.image.size for each, work in zip(found, works, strict=True)
    ):
        raise RuntimeError(f"'{first.served.name}' did not give one segmentation of each image's size")
    return found


def refusal_of(error: Exception) -> Refusal:
    """Say what an error of a model means to who asked; one that nobody meant is logged, and told without its text."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, OutOfTime):
        return Refusal(504, "out_of_time", "the model did not finish in the time that a request has; send a smaller image")
    if isinstance(error, TooLarge | MemoryError):
        sentence = "the image does not fit the memory that the model has; send a smaller one, or ask for tiles"
        return Refusal(413, "too_large_for_model", sentence)
    if isinstance(error, OptionError | DataError):
        return Refusal(422, "not_for_this_model", str(error))
    logs.event(logging.ERROR, "model_failed", {"kind": type(error).__name__}, error)
    kind = "refused" if isinstance(error, PixelwiseError) else "failed"
    return Refusal(500, "model_failed", f"the model {kind} unexpectedly; the server's log says why")
