"""Segment a stream of images, each with what a person pointed at in it."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from pixelwise.core.batches import stream
from pixelwise.core.errors import PixelwiseError
from pixelwise.core.image import Image
from pixelwise.core.predictor import Predictor, Request
from pixelwise.core.prompt import Prompts
from pixelwise.core.segmentation import Segmentation
from pixelwise.predict.inputs import Job

UNPROMPTED = "none of the prompts are for this image, so it was segmented without"


def prompted_stream(
    predictor: Predictor, items: Iterable[tuple[Job, Image]], batch: int, request: Request, prompts: Prompts
) -> Iterator[tuple[Job, Image, Segmentation | PixelwiseError]]:
    """Segment images as ``stream`` does; with prompts one by one, as each has its own, and those that do not fit are its error.

    What is segmented without any, as none are for it, says so in its notes.

    Raises:
        OptionError: the predictor takes no prompts, or the request does not fit it.
    """
    if not prompts:
        yield from stream(predictor, items, batch, request)
        return
    predictor((), replace(request, prompts=(prompts.everywhere,)))  # no image yet: what is wrong now is wrong for all
    for job, image in items:
        try:
            own = prompts.of(job.path)
            made = predictor([image], replace(request, prompts=(own,)))[0]
            found: Segmentation | PixelwiseError = made if own else replace(made, notes=(*made.notes, UNPROMPTED))
        except PixelwiseError as error:
            found = error
        yield job, image, found
