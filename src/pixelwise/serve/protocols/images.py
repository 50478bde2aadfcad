"""Take the images of a request, and have them segmented together.

The images of one request go to the service side by side, so that its batches take them as they take those of many clients;
when one of them is refused, the others leave the queue.
"""

import asyncio
import base64
import binascii
import io
from collections.abc import Sequence

import numpy as np

from pixelwise.core.arrays import AnyArray
from pixelwise.core.errors import DataError
from pixelwise.core.image import Image, as_image
from pixelwise.serve.answered import Answered
from pixelwise.serve.models import Served
from pixelwise.serve.options import ServeOptions
from pixelwise.serve.refusal import Refusal
from pixelwise.serve.service import Service
from pixelwise.serve.wishes import Wishes

MOST_IMAGES = 64  # of one request: beyond it, its answer waits for more than a client should
_MOST_HEADER = 4096  # bytes of an .npy file's header; that of an image has about a hundred


async def predict_all(
    service: Service,
    contents: Sequence[bytes | Image],
    wishes: Wishes,
    served: Served,
    request_id: str = "",
) -> list[Answered]:
    """Segment several images by one model.

    Raises:
        Refusal: of the first image that is refused; with several images, the message says which it is.
    """

    async def one(index: int, content: bytes | Image) -> Answered:
        try:
            return await service.predict(content, wishes, served.name, served.version, request_id)
        except Refusal as refusal:
            if len(contents) == 1:
                raise
            message = f"image {index + 1} of {len(contents)}: {refusal.message}"
            raise Refusal(refusal.status, refusal.code, message, refusal.retry_after) from None

    work = [asyncio.ensure_future(one(index, content)) for index, content in enumerate(contents)]
    try:
        return list(await asyncio.gather(*work))
    except BaseException:
        for each in work:
            each.cancel()
        await asyncio.gather(*work, return_exceptions=True)  # let them leave the queue before this request ends
        raise


def counted(count: int) -> int:
    """Give the number of images back if one request may have so many.

    Raises:
        Refusal: there is none (422), or there are too many (413).
    """
    if count < 1:
        raise Refusal(422, "no_image", "expected an image, got none")
    if count > MOST_IMAGES:
        raise Refusal(413, "too_many_images", f"a request has at most {MOST_IMAGES} images, got {count}; send several requests")
    return count


def check_pixels(shape: Sequence[int], options: ServeOptions) -> None:
    """Refuse an array of images, by its shape (N, H, W, C) alone, that is larger than the server takes.

    Raises:
        Refusal: an image has too many pixels, or all together have more than the queue ever holds (413).
    """
    count, height, width = shape[:3]
    if height * width > options.max_pixels:
        raise Refusal(
            413, "too_many_pixels", f"the image has {height * width:,} pixels; this server takes at most {options.max_pixels:,}"
        )
    if count * height * width > options.queue_pixels:
        raise Refusal(
            413,
            "too_many_pixels",
            f"{count} images of {height} x {width} have more pixels than the {options.queue_pixels:,} that this server "
            f"works on at once; send fewer in a request",
        )


def four_axes(shape: Sequence[int], what: str) -> tuple[int, int, int, int]:
    """Take the shape of images (N, H, W, C), or of one without the first axis.

    >>> four_axes([480, 640, 3], "image")
    (1, 480, 640, 3)

    Raises:
        Refusal: it is another (422).
    """
    if len(shape) not in (3, 4) or not all(side > 0 for side in shape):
        raise Refusal(
            422, "wrong_shape", f"{what}: expected a shape [height, width, bands] or [images, height, width, bands], "
            f"got {[int(side) for side in shape]}",
        )  # fmt: skip
    count, height, width, bands = (1, *shape) if len(shape) == 3 else shape
    return counted(count), height, width, bands


def images_of(pixels: AnyArray, served: Served, what: str) -> list[Image]:
    """Take an array (N, H, W, C) or (H, W, C) as images with the bands of the model where their number fits.

    Raises:
        Refusal: it is no image, or has other bands than the model (422).
    """
    bands = served.predictor.card.bands
    stack = pixels.reshape(four_axes(pixels.shape, what))
    try:
        if stack.shape[3] == len(bands):
            return [Image(as_image(one).pixels, bands) for one in stack]
        return [as_image(one).to_bands(bands) for one in stack]
    except DataError as error:
        raise Refusal(422, "not_an_image", f"{what}: {error}") from None


def from_base64(text: object, what: str) -> bytes:
    """Decode base64, as JSON holds a file.

    Raises:
        Refusal: it is none (422).
    """
    if isinstance(text, str):
        text = text.partition(",")[2] if text.startswith("data:") else text
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            pass
    raise Refusal(422, "not_base64", f"{what}: expected an image file in base64, got something else")


def from_npy(body: bytes, options: ServeOptions) -> AnyArray:
    """Read an ``.npy`` file of images (N, H, W, C) or (H, W, C), without pickle; its header is believed only if it fits.

    Raises:
        Refusal: it is no such file, or of a type that no image has (422), or too large (413).
    """
    file = io.BytesIO(body)
    try:
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[
            np.lib.format.read_magic(file)
        ]
        shape, in_columns, dtype = read(file, max_header_size=_MOST_HEADER)
    except (ValueError, KeyError, SyntaxError, TypeError):
        raise Refusal(422, "not_npy", "expected an .npy file of version 1 or 2, as numpy.save writes it") from None
    if dtype.name not in ("uint8", "uint16", "float32"):
        raise Refusal(422, "wrong_type", f"expected pixels of uint8, uint16 or float32, got {dtype.name[:40]}")
    axes = four_axes(shape, "array")
    check_pixels(axes, options)
    stored = memoryview(body)[file.tell() :]
    size = int(np.prod(axes, dtype=object)) * dtype.itemsize
    if len(stored) != size:
        raise Refusal(422, "wrong_length", f"the array's header announces {size:,} bytes, and {len(stored):,} follow it")
    pixels = np.frombuffer(stored, dtype).reshape(shape, order="F" if in_columns else "C")
    return np.ascontiguousarray(pixels, dtype.newbyteorder("="))
