"""Damage pictures and arrays by their structure: chunks of a PNG, headers of NumPy files, whole pictures of another kind."""

import io
import random
import re
import struct
import zipfile
import zlib

import numpy as np
import PIL.Image

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_SIDES = (0, 1, 2, 7, 255, 5000, 65535, 2**31 - 1, 2**31, 2**32 - 1)
_TYPES = ("|u1", "<u2", "<i4", "<i8", ">u2", "<f4", "<f8", "|b1", "|O", "<U9", "|V8", "<c16", "|S4", "<M8[s]", "[('a','<i4')]")
_SHAPES = ("(4, 5)", "()", "(0,)", "(0, 0)", "(1000000000, 1000000000)", "(-1, 4)", "(2, 4, 5)", "(20,)", "(3, 3, 3, 3)")
_CHUNKS = (b"PLTE", b"tRNS", b"IDAT", b"eXIf", b"iCCP", b"zTXt", b"acTL")


def mutated_picture(data: bytes, rng: random.Random) -> bytes:
    """Change a picture: its chunks, its pixels, or what kind of picture it is."""
    if data[:8] != _SIGNATURE or rng.random() < 0.35:
        return _another_picture(data, rng)
    chunks = _chunks(data)
    at, other = rng.randrange(len(chunks)), rng.randrange(len(chunks))
    kind = rng.randrange(7)
    if kind == 0:
        del chunks[at]
    elif kind == 1:
        chunks.insert(other, chunks[at])
    elif kind == 2:
        chunks[at], chunks[other] = chunks[other], chunks[at]
    elif kind in (3, 4) and len(chunks[0][1]) == 13:
        chunks[0] = (chunks[0][0], _header(chunks[0][1], rng))
    elif kind == 5:
        body = bytearray(chunks[at][1] or b"\0")
        body[rng.randrange(len(body))] ^= 1 << rng.randrange(8)
        chunks[at] = (chunks[at][0], bytes(body))
    else:
        chunks[at] = (rng.choice(_CHUNKS), rng.randbytes(rng.randint(0, 40)))
    written = b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )
    return _SIGNATURE + (written if rng.random() < 0.85 else written[: rng.randrange(len(written) + 1)])


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return found or [(b"IEND", b"")]


def _header(body: bytes, rng: random.Random) -> bytes:
    """Change width, height, depth or colour type of a PNG."""
    fields = list(struct.unpack(">IIBBBBB", body))
    at = rng.randrange(5)
    fields[at] = rng.choice(_SIDES) if at < 2 else rng.choice((1, 2, 3, 4, 6, 8, 16, 32, 255)) if at == 2 else rng.randrange(8)
    return struct.pack(">IIBBBBB", *fields)


def _another_picture(data: bytes, rng: random.Random) -> bytes:
    """Give the same picture in another mode or size, or one of random values; what does not decode is cut."""
    try:
        with PIL.Image.open(io.BytesIO(data)) as image:
            image.load()
            pixels = image.copy()
    except Exception:  # damaged before
        return data[: rng.randrange(len(data) + 1)]
    width, height = min(pixels.width, 60), min(pixels.height, 60)
    kind = rng.randrange(5)
    if kind == 0:
        pixels = pixels.convert(rng.choice(("L", "RGB", "RGBA", "1", "LA")))
    elif kind == 1:
        pixels = pixels.resize(rng.choice(((1, 1), (height, width), (width + 1, height), (width, max(height - 1, 1)))), 0)
    elif kind == 2:
        values = np.frombuffer(rng.randbytes(width * height * 2), np.uint16).reshape(height, width)
        pixels = PIL.Image.fromarray(values)
    elif kind == 3:
        values = np.frombuffer(rng.randbytes(width * height * 3), np.uint8).reshape(height, width, 3)
        pixels = PIL.Image.fromarray(values)
    else:
        values = np.full((height, width), rng.choice((0, 1, 2, 7, 128, 254, 255)), np.uint8)
        pixels = PIL.Image.fromarray(values)
    form = "TIFF" if data[:2] in (b"II", b"MM") else rng.choice(("PNG", "PNG", "PNG", "GIF", "BMP", "TIFF"))
    file = io.BytesIO()
    try:
        pixels.save(file, form)
    except (OSError, ValueError):  # a mode that the form does not know
        return data[: rng.randrange(len(data) + 1)]
    return file.getvalue()


def mutated_array(data: bytes, rng: random.Random) -> bytes:
    """Change a NumPy or MATLAB file: header, or one member of an archive."""
    if data[:2] == b"PK":
        return _archive(data, rng)
    if data[:6] == b"\x93NUMPY":
        return _numpy(data, rng)
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        changed[rng.randrange(128, max(len(changed), 129)) % len(changed)] = rng.choice((0, 1, 5, 9, 14, 127, 128, 255))
    return bytes(changed)


def _numpy(data: bytes, rng: random.Random) -> bytes:
    length = int.from_bytes(data[8:10], "little")
    header, body = data[10 : 10 + length], data[10 + length :]
    pattern, words = rng.choice(((rb"'descr': '[^']*'", _TYPES), (rb"'shape': \([^)]*\)", _SHAPES)))
    word = rng.choice(words)
    text = word if word.startswith(("(", "[")) else repr(word)
    key = b"'descr': " if b"descr" in pattern else b"'shape': "
    header = re.sub(pattern, lambda _: key + text.encode(), header, count=1)
    return data[:8] + struct.pack("<H", len(header)) + header + body


def _archive(data: bytes, rng: random.Random) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {one: archive.read(one) for one in archive.namelist()}
    except Exception:  # damaged before
        return data[: rng.randrange(len(data) + 1)]
    if not members:
        return data
    chosen, kind = rng.choice(list(members)), rng.randrange(4)
    if kind == 0:
        del members[chosen]
    elif kind == 1:
        members[rng.choice(("../x.npy", "x.npy", "", "masks.npy"))] = members.pop(chosen)
    elif kind == 2:
        members[chosen] = members[chosen][: rng.randrange(len(members[chosen]) + 1)]
    elif members[chosen][:6] == b"\x93NUMPY":
        members[chosen] = _numpy(members[chosen], rng)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for name, body in members.items():
            archive.writestr(zipfile.ZipInfo(name or "x"), body)
    return file.getvalue()
