"""A predictor whose work on each image has a time limit, and tells how far it is."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.predictor import PLAIN, Predictor, Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.core.streaming import Streaming
from pixelwise.methods.effort import effort
from pixelwise.predict.fingerprint import fingerprint

_APART = 0.2  # seconds between two shares that are told: loops call thousands of times


class Limited(Streaming):
    """Segments images one by one, each within so many seconds; a ``Predictor``.

    Methods look at the clock between the rounds of their loops; a single pass of a network or of a library's function is not
    cut short.
    """

    def __init__(self, predictor: Predictor, seconds: float | None, tell: Callable[[float], None] | None = None) -> None:
        """Limit ``predictor``.

        Args:
            predictor: works as it does.
            seconds: for an image; None for no limit.
            tell: called with the share of the image in work that is done, now and then.

        Raises:
            OptionError: the seconds are not above 0.
        """
        if seconds is not None and not seconds > 0:
            raise OptionError(f"the time limit must be above 0 s, got {seconds}")
        self.predictor = predictor
        self.seconds = seconds
        self._tell, self._told = tell, 0.0

    @property
    def card(self) -> Card:
        """What the predictor is."""
        return self.predictor.card

    def fingerprint(self) -> str:
        """Sum up the predictor: what is finished within the time does not depend on it."""
        return fingerprint(self.predictor)

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        """Segment each image.

        Raises:
            OutOfTime: one took longer.
        """
        if self.seconds is None or len(images) < 2:
            return self._limited(images, request)
        return [
            self._limited([image], replace(request, prompts=request.prompts[row : row + 1]))[0]
            for row, image in enumerate(images)
        ]

    def _limited(self, images: Sequence[Image], request: Request) -> list[Segmentation]:
        with effort(self.seconds, None if self._tell is None else self._now_and_then):
            return self.predictor(images, request)

    def _now_and_then(self, share: float) -> None:
        now = time.monotonic()
        if self._tell is not None and now - self._told >= _APART:
            self._told = now
            self._tell(share)
