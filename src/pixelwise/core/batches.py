"""Run a predictor over a stream of images in bounded memory, batched by equal size, results in the order of the stream.

Images of different sizes are never padded together: a window of images is read ahead, grouped by size within it, and its
results are given back in order.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

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
    window: list[tuple[T, Image]] = []
    pixels, most = 0, _most_pixels(predictor, request)
    for item in items:
        window.append(item)
        pixels += _pixels(item[1].size)
        if len(window) >= WINDOW * batch or pixels >= most:
            yield from _run(predictor, window, batch, request)
            window, pixels = [], 0
    yield from _run(predictor, window, batch, request)


def _run(
    predictor: Predictor, window: Sequence[tuple[T, Image]], batch: int, request: Request
) -> Iterator[tuple[T, Image, Segmentation | PixelwiseError]]:
    most = _most_pixels(predictor, request)
    places: dict[tuple[Size, int, str], list[int]] = {}
    for place, (_, image) in enumerate(window):
        places.setdefault((image.size, image.pixels.shape[2], image.pixels.dtype.name), []).append(place)
    found: dict[int, Segmentation | PixelwiseError] = {}
    given = 0
    for (size, _, _), rows in places.items():
        step = max(1, min(batch, most // max(_pixels(size), 1)))
        for start in range(0, len(rows), step):
            chunk = rows[start : start + step]
            found.update(zip(chunk, _segment(predictor, [window[row][1] for row in chunk], request), strict=True))
            while given in found:  # as early as the order allows: an interruption loses little, and little is held
                yield *window[given], found.pop(given)
                given += 1


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


def _most_pixels(predictor: Predictor, request: Request) -> int:
    return MAX_PIXELS // max(1, len(predictor.card.labels)) if request.probabilities else MAX_PIXELS


def _pixels(size: Size) -> int:
    return size[0] * size[1]
