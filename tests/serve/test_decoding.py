"""Images are decoded in processes of their own: the same pixels, and nothing a file does reaches the server."""

import io
import os
import signal
import struct
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.image import GREY
from pixelwise.serve.decoding import Decoders
from pixelwise.serve.kinds import checked, kind_of, size_of
from pixelwise.serve.refusal import Refusal

MOST = 10_000


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    found = Decoders(1, MOST, seconds=5.0)
    found.start()
    yield found
    found.close()


def saved(pixels: np.ndarray, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


def colours(height: int = 20, width: int = 30) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def status_of(decoders: Decoders, content: bytes) -> tuple[int, str]:
    with pytest.raises(Refusal) as refused:
        decoders.decode(content)
    return refused.value.status, refused.value.code


def png_of(height: int, width: int) -> bytes:
    """Make the start of a PNG that claims to be so large."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP", "PPM"])
def test_pixels_come_through_unchanged(decoders: Decoders, form: str) -> None:
    image = decoders.decode(saved(colours(), form))
    assert (image.pixels == colours()).all()


def test_sixteen_bits_and_grey_stay_what_they_are(decoders: Decoders) -> None:
    deep = np.arange(600, dtype=np.uint16).reshape(20, 30) * 100
    image = decoders.decode(saved(deep, "PNG"))
    assert (image.bands, image.pixels.dtype) == (GREY, np.uint16)
    assert (image.pixels[:, :, 0] == deep).all()


def test_a_turned_photograph_comes_upright(decoders: Decoders) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    assert decoders.decode(saved(colours(20, 30), "JPEG", exif=exif)).size == (30, 20)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", (415, "empty_image")),
        (b"hello, this is text", (415, "not_an_image")),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", (415, "not_an_image")),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", (415, "not_an_image")),
        (png_of(1000, 1000), (413, "too_many_pixels")),
        (png_of(10, 10), (422, "not_decodable")),
        (saved(colours(), "JPEG")[:200], (422, "not_decodable")),
        (saved(colours(200, 300), "TIFF"), (413, "too_many_pixels")),
        (b"II*\0" + bytes(100), (422, "not_decodable")),
    ],
)
def test_what_is_no_image_is_refused(decoders: Decoders, content: bytes, status: tuple[int, str]) -> None:
    assert status_of(decoders, content) == status


def test_a_refusal_names_no_place_of_this_machine(decoders: Decoders) -> None:
    with pytest.raises(Refusal) as refused:
        decoders.decode(saved(colours(), "PNG")[:100])
    assert "/" not in refused.value.message


def test_a_process_that_was_killed_comes_back_and_its_image_is_decoded(decoders: Decoders) -> None:
    before = decoders.numbers
    os.kill(before[0], signal.SIGKILL)
    assert decoders.decode(saved(colours(), "PNG")).size == (20, 30)
    assert decoders.numbers
    assert decoders.numbers != before


def test_more_threads_than_processes_all_get_their_own_image(decoders: Decoders) -> None:
    files = [saved(np.full((4, 4, 3), level, np.uint8), "PNG") for level in range(20)]
    with ThreadPoolExecutor(5) as pool:
        assert [int(one.pixels[0, 0, 0]) for one in pool.map(decoders.decode, files)] == list(range(20))


def test_after_the_end_images_are_refused() -> None:
    closed = Decoders(1, MOST)
    closed.close()
    assert status_of(closed, saved(colours(), "PNG")) == (503, "stopping")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP"])
def test_the_size_is_known_from_the_first_bytes(form: str) -> None:
    assert size_of(saved(colours(7, 9), form)) == (7, 9)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WebP", "PPM"])
def test_every_kind_that_is_taken_is_known(form: str) -> None:
    assert kind_of(saved(colours(), form)) == form


def test_a_bomb_is_refused_by_its_header() -> None:
    with pytest.raises(Refusal, match="2147483647 x 2147483647"):
        checked(png_of(2**31 - 1, 2**31 - 1), MOST)
