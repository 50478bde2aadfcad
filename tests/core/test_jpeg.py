"""The size of a plain JPEG: what the image library says, or nothing."""

import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.errors import TooLarge
from pixelwise.core.image import read_size
from pixelwise.core.jpeg import plain_size


def coded(mode: str = "RGB", size: tuple[int, int] = (37, 21), **options: object) -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), np.uint8)
    file = io.BytesIO()
    PIL.Image.fromarray(noise).convert(mode).save(file, "JPEG", **options)
    return file.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"comment": "a" * 900}, {"icc_profile": b"p" * 3000}])
def test_height_and_width_are_those_of_the_frame(tmp_path: Path, mode: str, options: dict[str, object]) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(coded(mode, **options))
    assert plain_size(path) == (21, 37) == read_size(path)


def test_an_image_that_exif_turns_is_left_to_the_library(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "a.jpg"
    path.write_bytes(coded(exif=exif))
    assert plain_size(path) is None
    assert read_size(path) == (37, 21)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n" + bytes(40), b"\xff\xd8\xff\xe0\0\1" + bytes(40)])
def test_what_is_no_plain_jpeg_gives_nothing(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    assert plain_size(path) is None
    assert plain_size(tmp_path / "gone.jpg") is None
    assert plain_size(tmp_path) is None


def test_damaged_headers_never_give_another_size_than_the_library(tmp_path: Path) -> None:
    rng, whole, path = np.random.default_rng(1), coded(), tmp_path / "a.jpg"
    for _ in range(300):
        data = bytearray(whole[: int(rng.integers(3, len(whole)))] if rng.random() < 0.3 else whole)
        for place in rng.integers(2, min(len(data), 700), 3).tolist():
            data[place] = int(rng.integers(256))
        path.write_bytes(data)
        size = plain_size(path)
        try:
            with PIL.Image.open(path) as image:
                known = image.size[::-1]
        except Exception:  # the library refuses it when it is opened as an image
            continue
        assert size in (None, known)


def test_a_jpeg_that_claims_too_many_pixels_is_refused(tmp_path: Path) -> None:
    data = bytearray(coded())
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = b"\xff\xff\xff\xff"
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    with pytest.raises(TooLarge, match="65535 x 65535"):
        read_size(path)
