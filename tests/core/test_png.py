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
from pixelwise.core.png import encode_ids

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
