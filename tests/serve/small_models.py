"""Models that need nothing but NumPy, can be held up and made to fail, and a decoder without processes, for tests."""

import asyncio
import io
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import numpy as np
import PIL.Image

from pixelwise.core.card import Card
from pixelwise.core.image import Image, as_image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN, Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.serve.kinds import checked

T = TypeVar("T")
PATIENCE = 60.0  # seconds until a test that hangs fails; nothing is measured by them


class Halves:
    """Find what is dark and what is bright; note how many images each call had.

    Attributes:
        gate: calls wait until it is open.
        begun: set as soon as a call has begun.
        failing: what the next calls raise.
    """

    def __init__(self, name: str = "halves") -> None:
        self.card = Card(name, "semantic", LabelSet.of(["dark", "bright"]))
        self.calls: list[int] = []
        self.gate, self.begun = threading.Event(), threading.Event()
        self.gate.set()
        self.failing: list[Exception] = []

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        if images:
            self.calls.append(len(images))
            self.begun.set()
            assert self.gate.wait(PATIENCE)
            if self.failing:
                raise self.failing.pop(0)
        level = 128 if request.threshold is None else 255 * request.threshold
        maps = [(image.pixels.max(axis=2) >= level).astype(np.uint8) for image in images]
        return [Segmentation.from_class_map(one, self.card.labels) for one in maps]


class Inside:
    """Stand in for the processes that decode: small images, at once, in the thread that asks."""

    numbers: tuple[int, ...] = ()

    def __init__(self, count: int, max_pixels: int, seconds: float, memory: int) -> None:
        self._max_pixels = max_pixels

    def start(self) -> None:
        pass

    def decode(self, content: bytes) -> Image:
        checked(content, self._max_pixels)
        return as_image(np.asarray(PIL.Image.open(io.BytesIO(content)).convert("RGB")))

    def close(self) -> None:
        pass


def grey(height: int = 4, width: int = 6, level: int = 200) -> Image:
    return Image(np.full((height, width, 3), level, np.uint8))


def png(image: Image) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(image.pixels).save(buffer, "PNG")
    return buffer.getvalue()


def run(what: Awaitable[T]) -> T:
    async def within() -> T:
        async with asyncio.timeout(PATIENCE):
            return await what

    return asyncio.run(within())


async def until(happens: Callable[[], bool]) -> None:
    while not happens():
        await asyncio.sleep(0.001)
