"""Masks that label files carry inside as PNG, written in base64."""

import base64
import binascii
import io
import warnings
from typing import Literal, TypeAlias

import numpy as np
import PIL.Image

from pixelwise.core.arrays import BoolArray, Size
from pixelwise.core.errors import DataError

Marks: TypeAlias = Literal["alpha", "colour"]
_ALPHA = ("RGBA", "LA", "PA", "La", "RGBa")


def from_base64(text: str) -> bytes:
    """Take bytes out of base64, which may have line breaks, or the start of a data URL in front.

    >>> from_base64("data:image/png;base64,aGk=")
    b'hi'

    Raises:
        DataError: it is none.
    """
    head, comma, tail = text.partition(",")
    bare = tail if comma and head.startswith("data:") else text
    try:
        return base64.b64decode("".join(bare.split()), validate=True)
    except (binascii.Error, ValueError):
        raise DataError("expected a picture in base64, found a character that is not of it, or an end too early") from None


def mask_of_png(data: bytes, marks: Marks, size: Size) -> BoolArray:
    """Take a mask (h, w) out of a PNG.

    Args:
        data: the bytes of the PNG.
        marks: ``alpha``: True where it is not transparent, if it has transparency; else, and with ``colour``, True where it is
            not black (nor transparent).
        size: (H, W) of the image; the mask may be smaller.

    Raises:
        DataError: it is no PNG, a damaged one, or larger than the image.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = PIL.Image.open(io.BytesIO(data), formats=("PNG",))
        if image.height > size[0] or image.width > size[1]:
            raise DataError(f"its mask is {[image.height, image.width]}, but the image is {list(size)} (height, width)")
        image.load()
        return _mask(image, marks)
    except DataError:
        raise
    except Exception as error:  # Pillow raises whatever damaged bytes lead to
        raise DataError(f"expected a mask as PNG, but it is truncated or damaged ({error})") from None


def _mask(image: PIL.Image.Image, marks: Marks) -> BoolArray:
    if image.mode in _ALPHA or "transparency" in image.info:
        whole = np.asarray(image.convert("RGBA"))
        opaque = whole[:, :, 3] > 0
        return np.asarray(opaque if marks == "alpha" else opaque & whole[:, :, :3].any(axis=2))
    if image.mode == "P":
        image = image.convert("RGB")
    values: BoolArray = np.asarray(image) != 0
    return values if values.ndim == 2 else np.asarray(values.any(axis=2))


def png_of_mask(mask: BoolArray, *, transparent: bool = False) -> bytes:
    """Write a mask (h, w) as PNG of one bit: white on black, or on nothing where it is ``transparent``.

    >>> mask_of_png(png_of_mask(np.array([[True, False]])), "colour", (1, 2)).tolist()
    [[True, False]]
    """
    buffer = io.BytesIO()
    if transparent:
        height, width = mask.shape
        picture = PIL.Image.frombytes("P", (width, height), np.ascontiguousarray(mask, np.uint8).tobytes())
        picture.putpalette([0, 0, 0, 255, 255, 255])
        picture.save(buffer, format="PNG", bits=1, transparency=0)
    else:
        PIL.Image.fromarray(np.ascontiguousarray(mask, bool)).save(buffer, format="PNG")
    return buffer.getvalue()
