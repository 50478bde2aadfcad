"""Images that wish a server ill: cut and bent ones, bombs, films, what is no image. A name always stands for the same bytes."""

import functools
import io
import itertools
import random
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import PIL.Image

FORMS = {
    "png": ("PNG", "RGB", {}),
    "png16": ("PNG", "I;16", {}),
    "palette": ("PNG", "P", {}),
    "jpeg": ("JPEG", "RGB", {}),
    "progressive": ("JPEG", "RGB", {"progressive": True}),
    "cmyk": ("JPEG", "CMYK", {}),
    "webp": ("WEBP", "RGB", {}),
    "lossless": ("WEBP", "RGBA", {"lossless": True}),
    "gif": ("GIF", "P", {}),
    "bmp": ("BMP", "RGB", {}),
    "tiff": ("TIFF", "RGB", {}),
    "lzw": ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    "ppm": ("PPM", "RGB", {}),
    "jp2": ("JPEG2000", "RGB", {}),
}


@dataclass(frozen=True)
class Upload:
    """One request: POST of ``body`` to ``path``."""

    name: str
    body: bytes
    kind: str = "application/octet-stream"
    path: str = "/v1/predict"
    headers: dict[str, str] = field(default_factory=dict)


@functools.cache
def good(form: str = "png", side: int = 24) -> bytes:
    """Encode a small picture."""
    kind, mode, options = FORMS[form]
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    deep = PIL.Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 257)
    stream = io.BytesIO()
    (deep if mode == "I;16" else PIL.Image.fromarray(pixels).convert(mode)).save(stream, kind, **options)
    return stream.getvalue()


def truncated() -> Iterator[Upload]:
    """Cut each kind of image at places all along it, the first bytes densely."""
    for form in FORMS:
        whole = good(form)
        places = sorted({1, 2, 4, 8, 12, 16, 24, 33, *(len(whole) * part // 16 for part in range(1, 16)), len(whole) - 1})
        yield from (Upload(f"{form} cut at {place}", whole[:place], "image/png") for place in places if place < len(whole))


def bent() -> Iterator[Upload]:
    """Change bytes of each kind of image, and exchange parts of them."""
    for form in FORMS:
        rng = random.Random(form)
        whole = good(form)
        for number in range(18):
            changed = bytearray(whole)
            for _ in range(1 + number % 6):
                span = min(len(changed), 64) if number % 2 else len(changed)  # heads are where sizes stand
                changed[rng.randrange(span)] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
            yield Upload(f"{form} bent {number}", bytes(changed))
        middle = len(whole) // 2
        yield Upload(f"{form} twice its first half", whole[:middle] * 2)
        yield Upload(f"{form} with its middle left out", whole[: middle // 2] + whole[-middle // 2 :])


def png(width: int, height: int, data: bytes, *extra: tuple[bytes, bytes], depth: int = 8, colour: int = 0) -> bytes:
    """Write a PNG that states any size, whatever its data is."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)),
        *extra,
        (b"IDAT", data),
        (b"IEND", b""),
    ]
    parts = (struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@functools.cache
def zeros(size: int) -> bytes:
    """Deflate ``size`` zero bytes without holding them."""
    squeeze, block = zlib.compressobj(9), bytes(2**20)
    parts = [squeeze.compress(block) for _ in range(size >> 20)]
    return b"".join(parts) + squeeze.compress(bytes(size & (2**20 - 1))) + squeeze.flush()


def tiff(width: int, height: int, *tags: tuple[int, int, int, int], next_page: int = 0) -> bytes:
    """Write the head of a TIFF that states any size."""
    rows = sorted(
        [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8), *tags]
    )
    table = b"".join(struct.pack("<HHII", *row) for row in rows)
    return b"II*\0" + struct.pack("<IH", 8, len(rows)) + table + struct.pack("<I", next_page) + bytes(64)


def bombs() -> Iterator[Upload]:
    """State or unpack to far more than was sent."""
    sizes = (40_000, 65_535, 2**20, 2**31 - 1, 2**32 - 1)
    for width, height in itertools.chain(((side, side) for side in sizes), ((1, 2**31 - 1), (2**31 - 1, 1), (0, 5), (5, 0))):
        yield Upload(f"png of {width} x {height}", png(width, height, zlib.compress(b"\0" * 100)))
        yield Upload(f"tiff of {width} x {height}", tiff(width, height))
        yield Upload(f"ppm of {width} x {height}", b"P6\n%d %d\n255\n" % (width, height) + bytes(64))
        signed = struct.pack("<II", width, height)
        yield Upload(
            f"bmp of {width} x {height}",
            b"BM"
            + struct.pack("<IHHI", 200, 0, 0, 54)
            + struct.pack("<I", 40)
            + signed
            + struct.pack("<HHIIIIII", 1, 24, 0, 0, 0, 0, 0, 0)
            + bytes(64),
        )
    for width, height in ((65_535, 65_535), (65_535, 1), (0, 0), (40_000, 40_000)):
        frame = struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00"
        changed = good("jpeg")
        start = changed.index(b"\xff\xc0")
        stated = changed[: start + 4] + frame[:5] + changed[start + 9 :]
        yield Upload(f"jpeg of {width} x {height}", stated, "image/jpeg")
        yield Upload(
            f"gif of {width} x {height}", b"GIF89a" + struct.pack("<HH", width, height) + good("gif")[10:], "image/gif"
        )
    yield Upload("png of 9,000 x 9,000 zeros", png(9000, 9000, zeros(9000 * 9001)))
    yield Upload("png whose data go on", png(8, 8, zeros(2**26)))
    for kind, start in ((b"zTXt", b"key\0\0"), (b"iCCP", b"key\0\0"), (b"iTXt", b"key\0\1\0\0\0")):
        yield Upload(f"png with a packed {kind.decode()}", png(8, 8, zlib.compress(bytes(72)), (kind, start + zeros(2**26))))
    yield Upload("png of ten thousand parts", png(8, 8, zlib.compress(bytes(72)), *[(b"tEXt", b"a\0b")] * 10_000))
    yield Upload("png with a part of 2 GB stated", good()[:33] + struct.pack(">I", 2**31 - 1) + b"IDAT" + good()[41:])
    yield Upload("tiff whose pages go in circles", tiff(8, 8, next_page=8))
    for tag, count in itertools.product((273, 279, 320, 700, 34675, 34665), (2**28, 2**32 - 1)):
        yield Upload(f"tiff with {count} values of {tag}", tiff(8, 8, (tag, 4, count, 8)))
    yield Upload("tiff in tiles of a gigapixel", tiff(8, 8, (322, 4, 1, 2**15), (323, 4, 1, 2**15), (324, 4, 1, 8)))
    canvas = struct.pack("<I", 2**24 - 1)[:3] * 2
    yield Upload(
        "webp of 16 megapixels square", b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<II", 10, 0) + canvas
    )


def strangers() -> Iterator[Upload]:
    """Send what is no image, and what is an image and something else, under several content types."""
    page = b"<!doctype html><script>alert(document.cookie)</script>"
    entity = b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>'
    packed = b"PK\x03\x04" + bytes(26) + b"../../evil.sh"
    found = {
        "nothing": b"",
        "a byte": b"\0",
        "spaces": b" " * 1000,
        "text": b"hello " * 100,
        "html": page,
        "xml": entity,
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
        "json": b'{"a": 1}',
        "pdf": b"%PDF-1.7\n%%EOF",
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n",
        "zip": packed,
        "gzip": b"\x1f\x8b\x08" + bytes(20),
        "elf": b"\x7fELF" + bytes(60),
        "script": b"#!/bin/sh\nrm -rf /\n",
        "pickle": b"\x80\x04\x95\x1d\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x02id\x94\x85\x94R\x94.",
        "objects": b"\x93NUMPY\x01\0v\0{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(128) + b"\x80\x04N.",
        "video": b"\0\0\0\x20ftypisom" + bytes(40),
        "icon": b"\0\0\1\0\1\0" + bytes(40),
        "photoshop": b"8BPS\0\1" + bytes(40),
        "dicom": bytes(128) + b"DICM",
        "fits": b"SIMPLE  =                    T".ljust(2880),
        "hdf": b"\x89HDF\r\n\x1a\n" + bytes(40),
        "random": random.Random(0).randbytes(5000),
        "png and zip": good() + packed,
        "jpeg and html": good("jpeg") + page,
        "gif and script": b"GIF89a/*" + good("gif")[8:] + b"*/=1;alert(1)",
        "png after html": page + good(),
        "jpeg with a page in it": good("jpeg")[:2] + b"\xff\xfe" + struct.pack(">H", len(page) + 2) + page + good("jpeg")[2:],
        "two pngs": good() * 2,
        "png and pdf": good() + b"%PDF-1.7\n%%EOF",
        "starts of all": b"\x89PNG\r\n\x1a\n\xff\xd8\xffGIF89a",
    }
    for name, body in found.items():
        for kind in ("image/png", "application/octet-stream", "text/html", "application/json", "multipart/form-data"):
            yield Upload(f"{name} as {kind}", body, kind)


def animated() -> Iterator[Upload]:
    """Send films where a picture is expected."""
    frames = [PIL.Image.fromarray(np.full((8, 8), shade, np.uint8)) for shade in range(200)]
    for form, kind in (("GIF", "image/gif"), ("WEBP", "image/webp"), ("PNG", "image/apng"), ("TIFF", "image/tiff")):
        for count in (2, 200):
            stream = io.BytesIO()
            frames[0].save(stream, form, save_all=True, append_images=frames[1:count])
            yield Upload(f"{form} of {count} frames", stream.getvalue(), kind)
            yield Upload(f"{form} of {count} frames, cut", stream.getvalue()[:-20], kind)
