"""Encode id maps as PNG, ten times as fast as image libraries do.

Id maps are long runs of equal bytes: prediction from neighbours (PNG's filters) gains nothing on them, and Intel's deflate at
its first level makes them about as small as zlib does. Colours of an 8-bit map are a table; the ids stay what they are.
"""

import struct
import zlib

import numpy as np
from isal import isal_zlib

from pixelwise.core.arrays import IntArray
from pixelwise.core.errors import DataError

_GREY, _TABLE = 0, 3


def encode_ids(ids: IntArray, colours: IntArray | None = None) -> bytes:
    """Encode ids (H, W), uint8 or uint16; ``colours`` (K, 3) are those of the ids 0..K-1 of an 8-bit map, the rest is black.

    >>> encode_ids(np.zeros((2, 3), np.uint8))[1:4]
    b'PNG'

    Raises:
        DataError: the map has no pixels, which a PNG cannot say.
    """
    height, width = ids.shape
    if not ids.size:
        raise DataError(f"a PNG needs pixels, got an id map of {height} x {width}")
    deep = ids.dtype == np.uint16
    rows = np.zeros((height, 1 + width * (1 + deep)), np.uint8)  # each row begins with its filter: none
    rows[:, 1:] = ids.astype(">u2").view(np.uint8).reshape(height, -1) if deep else ids
    table = b"" if colours is None or deep else np.asarray(colours, np.uint8)[:256].tobytes().ljust(768, b"\0")
    header = struct.pack(">IIBBBBB", width, height, 16 if deep else 8, _TABLE if table else _GREY, 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n", _chunk(b"IHDR", header), _chunk(b"PLTE", table) if table else b""]
    return b"".join([*parts, _chunk(b"IDAT", isal_zlib.compress(rows, 1)), _chunk(b"IEND", b"")])


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
