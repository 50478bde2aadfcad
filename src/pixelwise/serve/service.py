"""The service without a transport: bytes in, an ``Answered`` out; HTTP, protocols and cloud handlers all call it.

An image goes through admission (a budget of pixels, and of seconds of work), a process that decodes it, the queue and a model's
call. Whoever stops waiting leaves all of these at once; what a deadline passes by is refused, wherever it is.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial

import numpy as np

from pixelwise.core.errors import PixelwiseError
from pixelwise.core.image import Image
from pixelwise.core.rasters.place import GeoReference
from pixelwise.core.rasters.tiff import place_in
from pixelwise.core.resources import usable_cores
from pixelwise.serve import logs
from pixelwise.serve.answered import Answered
from pixelwise.serve.answers.bundle import Bundled, bundled
from pixelwise.serve.batcher import Batcher, Done, refusal_of
from pixelwise.serve.decoding import Decoders
from pixelwise.serve.kept_images import KeptImages, Retention
from pixelwise.serve.kinds import checked, refuse_if_large
from pixelwise.serve.limits import LEAST, Budget, Place, busy, weight
from pixelwise.serve.models import Models, Served, Sharing, batch_of, calls_at_once
from pixelwise.serve.options import ServeOptions
from pixelwise.serve.refusal import Refusal
from pixelwise.serve.telemetry import Telemetry
from pixelwise.serve.wishes import Wishes

__all__ = ["Answered", "Service"]

PLAIN = Wishes()


class Service:
    """Models behind a queue; belongs to the event loop it is started in.

    Attributes:
        models, options, telemetry: as given.
        workers, batch: calls of models at once, and images in one, as given or chosen.
        is_ready: whether requests should be sent here; a server that is about to stop says no, and answers all the same.
    """

    def __init__(self, models: Models, options: ServeOptions, telemetry: Telemetry | None = None) -> None:
        self.models, self.options, self.telemetry = models, options, telemetry
        self.is_ready = False
        self.workers = options.workers or calls_at_once([one.predictor for one in models.all()], usable_cores())
        self.batch = options.batch or batch_of([one.predictor for one in models.all()], options.device)
        self._batcher: Batcher | None = None
        self._budget = Budget(options.queue_pixels)
        self._under_way = 0
        self._idle = asyncio.Event()
        self._kept: KeptImages | None = None
        for one in models.all():
            if isinstance(one.predictor, Sharing):
                one.predictor.share(self.workers)
            if telemetry is not None:
                telemetry.announce(one.name, one.version, one.predictor.card.kind, one.predictor.card.labels.names)

    async def start(self) -> None:
        """Start the processes and threads, run each model once, and be ready; once started, do nothing.

        Raises:
            Refusal: 503, the processes that decode do not start.
            OptionError, StorageError: images are to be kept in a folder that will not do.
        """
        if self._batcher is not None:
            return
        options = self.options
        if options.log_images is not None:
            self._kept = KeptImages(options.log_images, Retention(options.log_share, days=options.log_days))
        self._batcher = Batcher(self.workers, self.batch, options.batch_wait, self.telemetry)
        count = options.decoder_count
        self._decoders = Decoders(count, options.max_pixels, options.decode_seconds, options.decode_bytes)
        self._decoding = ThreadPoolExecutor(count, "decoding")
        self._writing = ThreadPoolExecutor(usable_cores(), "writing")
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._decoding, self._decoders.start)
        for one in self.models.all():
            await loop.run_in_executor(self._writing, _warm_up, one)
        self._idle.set()
        self.is_ready = True

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way."""
        return not self._under_way

    def retire(self) -> None:
        """Be no longer ready, and go on answering: those who send requests shall turn elsewhere first."""
        self.is_ready = False

    async def stop(self) -> None:
        """Be no longer ready, let what is under way finish for the time that ``drain_seconds`` says, and end."""
        self.retire()
        batcher, self._batcher = self._batcher, None  # from now on requests are refused
        if batcher is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self.options.drain_seconds):
                while self._under_way:
                    await self._idle.wait()
        batcher.close()
        self._decoders.close()
        for pool in (self._decoding, self._writing):
            pool.shutdown(wait=False, cancel_futures=True)
        if self._kept is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._kept.close)

    async def predict(
        self,
        content: bytes | Image,
        wishes: Wishes = PLAIN,
        model: str | None = None,
        version: str | None = None,
        request_id: str = "",
    ) -> Answered:
        """Segment an image, given as the bytes of a file or as pixels.

        Raises:
            Refusal: 404, no such model; 413, 415 or 422, the image or the wishes will not do; 429, too much is under way; 503,
                the server is not ready or stops; 504, it took too long; 500, the model failed.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.options.deadline
        if (batcher := self._batcher) is None:
            raise Refusal(503, "not_ready", "the server is starting or stopping; ask again, or another one", retry_after=1)
        served = self.models.named(model, version)
        noted = logs.noted()
        if noted is not None:
            noted.model, noted.version = served.name, served.version
        wishes.check(served.predictor)
        with self._counted():
            try:
                async with asyncio.timeout_at(deadline):
                    answered = await self._answered(batcher, content, wishes, served, deadline)
            except TimeoutError:
                raise self._out_of_time() from None
        if noted is not None:
            noted.size, noted.batch = answered.image.size, answered.batch
            noted.seconds.update(answered.timings)
        if self.telemetry is not None:
            height, width = answered.image.size
            self.telemetry.observe_stages(served.name, served.version, answered.timings, height * width)
        if self._kept is not None:
            self._kept.offer(content, request_id)
        return answered

    async def write(self, answered: Answered, wishes: Wishes) -> Bundled:
        """Write an answer in the forms wished for, in a thread.

        Raises:
            Refusal: a form cannot hold it (422).
        """
        began = time.perf_counter()
        loop = asyncio.get_running_loop()
        with self._counted():
            try:
                found = await loop.run_in_executor(self._writing, bundled, answered, wishes)
            except PixelwiseError as error:
                raise refusal_of(error) from None
        spent = {"encode": time.perf_counter() - began}
        if (noted := logs.noted()) is not None:
            noted.seconds.update(spent)
        if self.telemetry is not None:
            self.telemetry.observe_stages(answered.served.name, answered.served.version, spent)
        return found

    async def _answered(
        self, batcher: Batcher, content: bytes | Image, wishes: Wishes, served: Served, deadline: float
    ) -> Answered:
        began = time.perf_counter()
        if isinstance(content, Image):
            refuse_if_large(content.size, self.options.max_pixels)
            amount = weight(content)
        else:
            size = checked(content, self.options.max_pixels)
            amount = LEAST if size is None else max(size[0] * size[1], LEAST)
        with self._place(batcher, amount) as place:
            image = wishes.named(content if isinstance(content, Image) else await self._decoded(batcher, content, served))
            place.become(weight(image))
            if 0 in image.size:
                raise Refusal(422, "no_pixels", "expected an image with pixels, got one without; send another one")
            wishes.check_size(image.size, served.predictor.card)
            decoded = time.perf_counter() - began
            done: Done = await batcher.predict(served, image, wishes, deadline)
        timings: Mapping[str, float] = {"decode": decoded, "wait": done.waited, "predict": done.seconds}
        kept = wishes.kept(done.predicted.segmentation)
        on_earth = None if isinstance(content, Image) or "geojson" not in wishes.forms else self._placed(content)
        return Answered(kept, served, image, timings, done.batch, done.predicted.uncertainty, on_earth)

    @staticmethod
    def _placed(content: bytes) -> GeoReference | None:
        """Read where an image lies on the earth; its header was read once by a process that decodes, so it is harmless."""
        try:
            return place_in(content)
        except PixelwiseError as error:
            raise refusal_of(error) from None

    async def _decoded(self, batcher: Batcher, content: bytes, served: Served) -> Image:
        batcher.coming(served, +1)
        try:
            decode = partial(self._decoders.decode, content)
            return await asyncio.get_running_loop().run_in_executor(self._decoding, decode)
        finally:
            batcher.coming(served, -1)

    @contextmanager
    def _place(self, batcher: Batcher, amount: int) -> Iterator["Place"]:
        """Admit a request, unless it would wait too long or its pixels do not fit."""
        expected = batcher.expected_wait
        if expected > self.options.queue_seconds:
            raise busy(f"a new request would wait for about {expected:.0f} s", expected - self.options.queue_seconds)
        place = Place(self._budget, expected)
        place.become(amount)
        try:
            yield place
        finally:
            place.leave()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count a request as under way."""
        self._under_way += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    def _out_of_time(self) -> Refusal:
        sentence = f"no answer within {self.options.deadline:g} s; try again when less is asked, or send a smaller image"
        return Refusal(504, "out_of_time", sentence)


def _warm_up(served: Served) -> None:
    """Run a model once on a blank image as large as those it learned from: its first call loads and compiles much."""
    card = served.predictor.card
    crop = card.training.get("crop")
    size = tuple(crop) if isinstance(crop, list | tuple) and len(crop) == 2 else (64, 64)
    with suppress(PixelwiseError):  # some want prompts, or larger images, and say so to who asks
        served.predictor([Image(np.zeros((*size, len(card.bands)), np.uint8), card.bands)])
