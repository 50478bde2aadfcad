"""Run a predictor over a stream of images in bounded memory, batched by equal size, results in the order of the stream.

Images of different sizes are never padded together. Images of one size are segmented as soon as they fill a batch; where sizes
vary, a window of images is read ahead, and when it is full the size that has waited longest goes first.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from pixelwise.core.arrays import Size
from pixelwise.core.errors import OptionError, PixelwiseError
from pixelwise.core.image import Image
from pixelwise.core.predictor import PLAIN, Predictor, Request
from pixelwise.core.segmentation import Segmentation

T = TypeVar("T")
WINDOW = 4  # batches read ahead, so that a few sizes in turn still fill their batches
MAX_PIXELS = 2**25  # of one batch and of one window: large images go one at a time; probabilities count a pixel a class


def stream(
    predictor: Predictor, items: Iterable[tuple[T, Image]], batch: int = 8, request: Request = PLAIN
) -> Iterator[tuple[T, Image, Segmentation | PixelwiseError]]:
    """Segment images that come each with a key; an image that cannot be segmented gives its error instead.

    Raises:
        OptionError: ``batch`` is not positive, or the request does not fit the predictor.
    """
    if batch < 1:
        raise OptionError(f"the batch must hold at least 1 image, got {batch}")
    window = _Window[T](predictor, batch, request)
    for item in items:
        window.add(item)
        yield from window.given()
        while window.is_full:
            window.run_oldest()
            yield from window.given()
    while len(window):
        window.run_oldest()
        yield from window.given()


class _Window(Generic[T]):
    """The images that were read and not given back yet, by their places in the stream."""

    def __init__(self, predictor: Predictor, batch: int, request: Request) -> None:
        self._predictor, self._batch, self._request = predictor, batch, request
        self._most = MAX_PIXELS // max(1, len(predictor.card.labels)) if request.probabilities else MAX_PIXELS
        self._held: dict[int, tuple[T, Image]] = {}
        self._found: dict[int, Segmentation | PixelwiseError] = {}
        self._waiting: dict[tuple[Size, int, str], list[int]] = {}  # the places of each size that are not segmented yet
        self._pixels = self._first = self._next = 0

    def __len__(self) -> int:
        return len(self._held)

    @property
    def is_full(self) -> bool:
        """Tell whether something must be given back before more is read."""
        return len(self._held) >= WINDOW * self._batch or (len(self._held) > 0 and self._pixels >= self._most)

    def add(self, item: tuple[T, Image]) -> None:
        """Take an image; segment those of its size if they fill a batch now."""
        key = _key(item[1])
        places = self._waiting.setdefault(key, [])
        places.append(self._next)
        self._held[self._next] = item
        self._next += 1
        self._pixels += _pixels(item[1])
        if len(places) >= min(self._batch, self._most // max(_pixels(item[1]), 1)):
            self._run(key)

    def run_oldest(self) -> None:
        """Segment the first image that is not given back, and those of its size with it."""
        self._run(_key(self._held[self._first][1]))

    def given(self) -> Iterator[tuple[T, Image, Segmentation | PixelwiseError]]:
        """Give back what is segmented, as far as the order allows."""
        while self._first in self._found:
            key, image = self._held.pop(self._first)
            found = self._found.pop(self._first)
            self._first += 1
            self._pixels -= _pixels(image)
            yield key, image, found

    def _run(self, key: tuple[Size, int, str]) -> None:
        places = self._waiting.pop(key)
        images = [self._held[place][1] for place in places]
        self._found.update(zip(places, _segment(self._predictor, images, self._request), strict=True))


def _segment(predictor: Predictor, images: Sequence[Image], request: Request) -> list[Segmentation | PixelwiseError]:
    """Segment a batch; where that fails, image by image, so that one bad image spoils no other."""
    try:
        return list(predictor(images, request))
    except OptionError:
        raise  # the request is wrong for every image
    except PixelwiseError as error:
        if len(images) == 1:
            return [error]
        return [one for image in images for one in _segment(predictor, [image], request)]


def _key(image: Image) -> tuple[Size, int, str]:
    return image.size, image.pixels.shape[2], image.pixels.dtype.name


def _pixels(image: Image) -> int:
    return image.size[0] * image.size[1]
