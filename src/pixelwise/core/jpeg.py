"""Read the size of a plain JPEG from its first bytes: a tenth of the time that opening it as an image takes.

COCO's 118,000 photographs are asked for their size more often than for their pixels. Whatever is not plain (an Exif block,
which may turn the image; a rare coding; a damaged header) is left to the image library.
"""

import os
from pathlib import Path

from pixelwise.core.arrays import Size

_HEAD = 2**14  # bytes; the frame header stands within the first kilobyte, unless a long profile or preview comes before it
_FRAMES = (0xC0, 0xC1, 0xC2)  # baseline, extended and progressive, with Huffman codes
_WITHOUT_LENGTH = (0x01, *range(0xD0, 0xDA), 0xFF)


def plain_size(path: Path) -> Size | None:
    """Give (H, W) of a JPEG of 8 bits without an Exif block; None for all else, and where the file cannot be read."""
    try:
        file = os.open(path, os.O_RDONLY)
        try:
            head = os.read(file, _HEAD)
        finally:
            os.close(file)
    except OSError:
        return None
    return size_in(head)


def size_in(head: bytes) -> Size | None:
    """Give (H, W) of a plain JPEG that begins with ``head``; None for all else."""
    if not head.startswith(b"\xff\xd8\xff"):
        return None
    place = 2  # of a segment: 0xFF, a marker, and the length of what follows with its own two bytes
    while place + 10 <= len(head) and head[place] == 0xFF:
        marker, length = head[place + 1], int.from_bytes(head[place + 2 : place + 4])
        if marker in _FRAMES:
            bits, bands = head[place + 4], head[place + 9]
            height, width = int.from_bytes(head[place + 5 : place + 7]), int.from_bytes(head[place + 7 : place + 9])
            return (height, width) if bits == 8 and bands in (1, 3, 4) and height and width else None
        if marker in _WITHOUT_LENGTH or length < 2 or head[place + 4 : place + 8] == b"Exif":
            return None
        place += 2 + length
    return None
