"""Images in one by one, segmentations out one by one: ``for segmentation in predictor.stream(images)``."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

from pixelwise.core.arrays import AnyArray
from pixelwise.core.batches import stream as batched
from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError, PixelwiseError
from pixelwise.core.image import Image, as_image, read_image
from pixelwise.core.pipeline import ahead
from pixelwise.core.predictor import PLAIN, Predictor, Request, is_around
from pixelwise.core.resources import usable_cores
from pixelwise.core.segmentation import Segmentation

Picture: TypeAlias = Image | AnyArray | str | Path
AHEAD = 2**26  # pixels of images that are decoded and wait: a fifth of a gigabyte of 8-bit colours
_READERS = 4


@runtime_checkable
class Streamer(Protocol):
    """A predictor that takes a stream in its own way, as one that follows objects from frame to frame."""

    def stream(self, images: Iterable[Picture], request: Request = PLAIN, batch: int = 8) -> Iterator[Segmentation]:
        """Segment images as they come, in order."""


@runtime_checkable
class Following(Streamer, Protocol):
    """A predictor whose result for an image depends on those before it; ``follows`` is True."""

    follows: bool


class Streaming(ABC):
    """What a predictor of Pixelwise gains besides being called."""

    @property
    @abstractmethod
    def card(self) -> Card:
        """What this predictor is."""

    @abstractmethod
    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        """Segment each image; they may differ in size."""

    def stream(self, images: Iterable[Picture], request: Request = PLAIN, batch: int = 8) -> Iterator[Segmentation]:
        """Segment images as they come, in order and in bounded memory: see ``pixelwise.stream``."""
        return streamed(self, images, request, batch)


def stream(predictor: Predictor, images: Iterable[Picture], request: Request = PLAIN, batch: int = 8) -> Iterator[Segmentation]:
    """Segment images as they come, in order and in bounded memory, by any predictor; one of another project will do.

    Images of one size are segmented together as soon as there are ``batch`` of them, and files are decoded ahead; with
    ``batch=1`` each image is segmented before the next one is taken, as a camera wants it.

    Args:
        images: images, arrays (H, W) or (H, W, C), or paths of files; any number of them.

    Raises:
        PixelwiseError: an image cannot be read or segmented; what came before it has been given.
        OptionError: the request has prompts, which belong to images known beforehand, or does not fit the predictor.
    """
    return (
        predictor.stream(images, request, batch)
        if isinstance(predictor, Streamer)
        else streamed(predictor, images, request, batch)
    )


def streamed(predictor: Predictor, images: Iterable[Picture], request: Request, batch: int) -> Iterator[Segmentation]:
    """Segment a stream by calling ``predictor``, in batches.

    Raises:
        PixelwiseError: as ``stream``.
    """
    refuse_following(predictor)
    if request.prompts:
        raise OptionError(
            "prompts say places in images known beforehand, and a stream has any number; call the predictor itself"
        )
    threads = 0 if batch == 1 else min(_READERS, usable_cores())
    opened = ahead(
        images, _opened, weigh=lambda image: image.size[0] * image.size[1], threads=threads, most=AHEAD, count=4 * batch
    )
    for _, _, found in batched(predictor, ((None, image) for image in opened), batch, request):
        if isinstance(found, PixelwiseError):
            raise found
        yield found


def refuse_following(predictor: Predictor) -> None:
    """Refuse to call a predictor batch by batch that must see the frames of a film in one go.

    Raises:
        OptionError: it is one, or one is inside it, where each batch would be a film of its own to it.
    """
    if is_around(predictor, Following):
        raise OptionError(
            f"'{predictor.card.name}' is followed from frame to frame, which works on a film alone: put Tracked or Smoothed "
            f"outermost, as in Tracked(Refined(predictor, 'split')), and call its stream, or predict a video"
        )


def _opened(picture: Picture) -> Image:
    return read_image(Path(picture)) if isinstance(picture, str | Path) else as_image(picture)
