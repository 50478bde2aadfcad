"""A server for tests of the page: in a thread, on a port of its own, with models that need nothing but NumPy."""

import asyncio
import socket
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import uvicorn
from small_models import PATIENCE, Halves, Inside

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN, Request
from pixelwise.core.prompt import Prompt
from pixelwise.core.segmentation import Segmentation
from pixelwise.serve import service as serving
from pixelwise.serve.http.app import create_app
from pixelwise.serve.models import Models, Served
from pixelwise.serve.options import ServeOptions
from pixelwise.serve.service import Service
from pixelwise.serve.telemetry import Telemetry


class Plain(Halves):
    """Find halves, and take no prompts."""

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        return super().__call__(images, _unprompted(request))


class Squares:
    """Find two objects at fixed places, the second inside the first."""

    card = Card("squares", "instance", LabelSet.of(["house", "tree"], things=["house", "tree"]))

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        _unprompted(request)
        return [self._of(image.size) for image in images]

    def _of(self, size: tuple[int, int]) -> Segmentation:
        masks = np.zeros((2, *size), bool)
        masks[0, : size[0] // 2, : size[1] // 2] = True
        masks[1, : size[0] // 4, : size[1] // 4] = True
        return Segmentation.from_masks("instance", masks, [0, 1], self.card.labels, scores=np.array([0.9, 0.8]))


class Shares:
    """Take brightness for the probability of a class."""

    card = Card("shares", "semantic", LabelSet.of(["background", "light"]), gives_probabilities=True)

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        _unprompted(request)
        return [self._of(image, request) for image in images]

    def _of(self, image: Image, request: Request) -> Segmentation:
        light = image.pixels.mean(axis=2).astype(np.float32) / 255
        least = 0.5 if request.threshold is None else request.threshold
        found = Segmentation.from_class_map((light >= least).astype(np.uint8), self.card.labels)
        return replace(found, probabilities=np.stack([1 - light, light])) if request.probabilities else found


class Pointed:
    """Find what is in boxes, and note all that is pointed at."""

    card = Card("pointed", "semantic", LabelSet.of(["background", "object"]))

    def __init__(self) -> None:
        self.prompts: list[Prompt] = []

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        if images:
            self.prompts += [prompt for one in request.prompts for prompt in one]
        found = [np.zeros(image.size, bool) for image in images]
        for mask, prompts in zip(found, request.prompts, strict=False):
            for prompt in prompts:
                mask |= prompt.box_mask(mask.shape)
        return [Segmentation.from_class_map(mask.astype(np.uint8), self.card.labels) for mask in found]


class PageServer:
    """A server in a thread."""

    def __init__(self, prefix: str = "", **options: Any) -> None:
        """Start it; ``prefix`` is the part of the path that a proxy in front would take away."""
        self.halves = Plain()
        self.pointed = Pointed()
        models: list[Any] = [self.halves, Squares(), Shares(), self.pointed]
        served = [*(Served(one.card.name, "1", one) for one in models), Served("halves", "2", self.halves)]
        settings = ServeOptions(**{"workers": 1, "decoders": 1, "max_pixels": 40_000, **options})
        decoders, serving.Decoders = serving.Decoders, Inside  # type: ignore[misc, assignment]
        try:
            app: Any = create_app(Service(Models(served), settings, Telemetry()), settings)
        finally:
            serving.Decoders = decoders  # type: ignore[misc]
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{listener.getsockname()[1]}{prefix}/"
        self._server = uvicorn.Server(
            uvicorn.Config(_below(prefix, app) if prefix else app, log_level="error", timeout_graceful_shutdown=1)
        )
        self._thread = threading.Thread(target=lambda: asyncio.run(self._server.serve([listener])))
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            self._thread.join(0.01)

    def stop(self) -> None:
        self.halves.gate.set()
        self._server.should_exit = True
        self._thread.join(PATIENCE)


def _unprompted(request: Request) -> Request:
    if request.prompts:
        raise OptionError("it takes no prompts")
    return request


def _below(prefix: str, app: Any) -> Any:
    async def proxy(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            assert scope["path"].startswith(prefix), scope["path"]  # what is asked for outside would be another server's
            path = scope["path"].removeprefix(prefix)
            scope = {**scope, "path": path, "raw_path": path.encode()}
        await app(scope, receive, send)

    return proxy
