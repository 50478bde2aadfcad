"""Give a predictor the frames of a film in order, be it one that remembers or one that sees each frame by itself."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from pixelwise.core.batches import stream
from pixelwise.core.errors import PixelwiseError
from pixelwise.core.image import Image, as_image, read_image
from pixelwise.core.predictor import PLAIN, Predictor, Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.core.streaming import Following, Picture, refuse_following


def streamed(
    predictor: Predictor, frames: Iterable[Picture], request: Request = PLAIN, batch: int = 8
) -> Iterator[tuple[Image, Segmentation]]:
    """Segment frames in order, each with its image; ``batch`` at once where the predictor sees each by itself.

    With ``batch=1`` nothing is read ahead, as a live film wants it.

    Raises:
        PixelwiseError: a frame cannot be segmented.
        OptionError: what remembers lies inside of what does not, which would call it batch by batch.
    """
    if isinstance(predictor, Following):
        kept: list[Image] = []

        def noted() -> Iterator[Image]:
            for frame in frames:
                kept.append(opened(frame))
                yield kept[-1]

        for found in predictor.stream(noted(), request, batch):
            yield kept.pop(0), found
        return
    refuse_following(predictor)
    for _, image, found in stream(predictor, ((None, opened(frame)) for frame in frames), batch, request):
        if isinstance(found, PixelwiseError):
            raise found
        yield image, found


def opened(frame: Picture) -> Image:
    """Give a frame as an image: read from its file where it is a path."""
    return read_image(Path(frame)) if isinstance(frame, str | Path) else as_image(frame)
