"""Equal predictors, as replicas of a network on several devices, that divide the images of a call among them."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.predictor import PLAIN, Predictor, Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.core.streaming import Streaming
from pixelwise.predict.fingerprint import fingerprint


class Divided(Streaming):
    """Equal predictors that share the images of each call among them, in threads; a ``Predictor``.

    Results do not depend on how images are divided, so long as a predictor's results do not depend on what else is in a call.
    Give as many images at once as all of them together should work on.
    """

    def __init__(self, predictors: Sequence[Predictor]) -> None:
        """Take the replicas.

        Raises:
            OptionError: there is none, or they differ.
        """
        if not predictors:
            raise OptionError("expected at least one replica to divide images among")
        if len({fingerprint(replica) for replica in predictors}) > 1:
            raise OptionError("images can be divided among replicas of one predictor alone; these differ, so use an Ensemble")
        self.predictors = tuple(predictors)
        self._threads = ThreadPoolExecutor(len(predictors), "device")

    @property
    def card(self) -> Card:
        """What each replica is."""
        return self.predictors[0].card

    def fingerprint(self) -> str:
        """Sum up one replica: the others give what it gives."""
        return fingerprint(self.predictors[0])

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        """Segment each image, in as many parts as there are replicas.

        Raises:
            PixelwiseError: as a replica does.
        """
        size = max(1, -(-len(images) // len(self.predictors)))
        starts = range(0, len(images), size) or range(1)  # no image at all is still asked of one, which may refuse the request
        parts = [
            self._threads.submit(
                copy_context().run,
                replica,
                images[start : start + size],
                replace(request, prompts=request.prompts[start : start + size]),
            )
            for replica, start in zip(self.predictors, starts, strict=False)
        ]
        return [found for part in parts for found in part.result()]
