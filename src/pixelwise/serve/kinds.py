"""Tell by its first bytes what kind of image a request holds, and how large: what is wrong is refused before it is decoded."""

import struct

from pixelwise.core.arrays import Size
from pixelwise.core.jpeg import size_in
from pixelwise.core.tiff import MAGIC as TIFF
from pixelwise.serve.refusal import Refusal

HEAD = 2**14  # bytes that are looked at
KINDS = ("JPEG", "PNG", "TIFF", "WebP", "BMP", "GIF", "PPM", "JPEG 2000")
_STARTS = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    **dict.fromkeys(TIFF, "TIFF"),
    b"BM": "BMP",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"\0\0\0\x0cjP  \r\n\x87\n": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    **{b"P%d%c" % (number, space): "PPM" for number in range(1, 7) for space in b" \t\r\n"},
}


def kind_of(content: bytes) -> str | None:
    """Name the kind of image that begins so, one of ``KINDS``; None for all else.

    >>> kind_of(b"GIF89a..."), kind_of(b"<svg/>")
    ('GIF', None)
    """
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WebP"
    return next((kind for start, kind in _STARTS.items() if content.startswith(start)), None)


def size_of(content: bytes) -> Size | None:
    """Read (H, W) as stored where that is a matter of a few bytes; None where a decoder must be asked.

    >>> size_of(b"GIF89a" + bytes([2, 0, 3, 0]))
    (3, 2)
    """
    kind = kind_of(content)
    try:
        if kind == "PNG":
            width, height = struct.unpack_from(">II", content, 16)
        elif kind == "GIF":
            width, height = struct.unpack_from("<HH", content, 6)
        elif kind == "BMP":
            width, height = struct.unpack_from("<ii", content, 18)
        else:
            return size_in(content[:HEAD]) if kind == "JPEG" else None
    except struct.error:  # it ends within its header, which the decoder will say better
        return None
    return abs(height), abs(width)  # a BMP of negative height is stored from the top


def checked(content: bytes, max_pixels: int) -> Size | None:
    """Give the size of an image where a look tells it.

    Raises:
        Refusal: 415, it is no image of a known kind; 413, it has more than ``max_pixels``.
    """
    if not content:
        raise Refusal(415, "empty_image", "expected an image, got no bytes at all; send the image's file as it is")
    if kind_of(content) is None:
        raise Refusal(415, "not_an_image", f"expected an image ({', '.join(KINDS)}), got something else; send the image's file")
    size = size_of(content)
    if size is not None:
        refuse_if_large(size, max_pixels)
    return size


def refuse_if_large(size: Size, max_pixels: int) -> None:
    """Refuse an image that is too large.

    Raises:
        Refusal: 413, it has more than ``max_pixels``.
    """
    height, width = size
    if height * width > max_pixels:
        raise Refusal(
            413,
            "too_many_pixels",
            f"the image has {width} x {height} = {width * height:,} pixels, and this server takes at most {max_pixels:,}; "
            f"send a smaller one, or cut it into tiles",
        )
