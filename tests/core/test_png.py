"""Id maps as PNG: other readers get the very ids."""

import io

import cv2
import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pixelwise.core.arrays import IntArray
from pixelwise.core.errors import DataError
from pixelwise.core.png import encode_colours, encode_ids, encode_photo

maps = hnp.arrays(st.sampled_from([np.uint8, np.uint16]), hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))


@given(maps)
def test_pillow_and_opencv_read_the_ids(ids: IntArray) -> None:
    data = encode_ids(ids)
    assert np.array(PIL.Image.open(io.BytesIO(data))).astype(int).tolist() == ids.tolist()
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED).tolist() == ids.tolist()


def test_colours_are_a_table_and_the_ids_stay() -> None:
    picture = PIL.Image.open(io.BytesIO(encode_ids(np.array([[1, 0, 2]], np.uint8), np.array([[1, 2, 3], [4, 5, 6]]))))
    assert picture.mode == "P"
    assert np.array(picture).tolist() == [[1, 0, 2]]
    assert np.array(picture.convert("RGB")).tolist() == [[[4, 5, 6], [1, 2, 3], [0, 0, 0]]]


def test_16_bits_have_no_colours() -> None:
    assert PIL.Image.open(io.BytesIO(encode_ids(np.array([[300]], np.uint16), np.array([[1, 2, 3]])))).mode == "I;16"


def test_a_map_without_pixels_is_refused() -> None:
    with pytest.raises(DataError, match="0 x 3"):
        encode_ids(np.zeros((0, 3), np.uint8))


@pytest.mark.parametrize("bands", [1, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (20, 31)])
def test_opencv_reads_photographs_bit_for_bit(bands: int, dtype: type[np.unsignedinteger], size: tuple[int, int]) -> None:  # type: ignore[type-arg]
    pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (*size, bands), dtype, endpoint=True)
    read = cv2.imdecode(np.frombuffer(encode_photo(pixels), np.uint8), cv2.IMREAD_UNCHANGED).reshape(*size, bands)
    assert read.dtype == dtype
    assert (read[:, :, [0] if bands == 1 else [2, 1, 0, 3][:bands]] == pixels).all()


def test_pillow_reads_colours_with_opacity() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 6, 4), np.uint8)
    picture = PIL.Image.open(io.BytesIO(encode_colours(pixels)))
    assert picture.mode == "RGBA"
    assert (np.array(picture) == pixels).all()


def test_texts_are_kept() -> None:
    assert PIL.Image.open(io.BytesIO(encode_photo(np.zeros((2, 2, 1), np.uint8), {"Scale": "1"}))).text == {"Scale": "1"}


def test_pixels_that_no_png_holds_are_refused() -> None:
    for pixels in (np.zeros((0, 3, 3), np.uint8), np.zeros((2, 2, 2), np.uint8), np.zeros((2, 2, 3), np.float32)):
        with pytest.raises(DataError, match="a PNG holds"):
            encode_photo(pixels)
