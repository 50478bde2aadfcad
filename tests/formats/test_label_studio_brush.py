"""The run lengths of Label Studio's brush: streams written by hand, both ways, and broken ones."""

import numpy as np
import pytest

from pixelwise.core.errors import DataError
from pixelwise.formats.label_studio.brush import Brush, pack, unpacked

HEADER = "00000000000000000000000000001000" + "00111" + "0000" + "0001" + "0010" + "0011"  # 8 words of 8 bits; four sizes


def bits(text: str) -> bytes:
    """Put bits into bytes, the last filled with zeros."""
    text = text.replace(" ", "")
    return bytes(int(text[start : start + 8].ljust(8, "0"), 2) for start in range(0, len(text), 8))


def test_a_brush_stroke_packed_by_hand_is_unpacked() -> None:
    repeated = "1 01 11 11111111"  # four times 255: the pixel is set
    raw = "0 01 11 00001111 00001111 00001111 00000000"  # four words one by one: alpha is 0
    assert unpacked(bits(HEADER + repeated + raw), (1, 2)).tolist() == [[True, False]]
    assert unpacked(bits(HEADER + raw + repeated), (2, 1)).tolist() == [[False], [True]]


def test_a_brush_stroke_is_packed_as_the_description_says() -> None:
    sizes = "0010 0011 0111 1111"  # 3, 4, 8 and 16 bits, less one each
    head = "00000000000000000000000000001100 00111" + sizes
    assert pack(np.array([[True, True, False]])) == bits(head + "1 00 111 11111111" + "1 00 011 00000000")


def test_masks_survive_brush_strokes_bit_for_bit() -> None:
    rng = np.random.default_rng(0)
    large = np.zeros((300, 400), bool)
    large[1:, 5:] = True
    for mask in (large, ~large, np.ones((1, 1), bool), *(rng.random((13, 7)) > share for share in np.linspace(0, 1, 30))):
        assert np.array_equal(unpacked(pack(mask), mask.shape), mask)


@pytest.mark.parametrize(
    ("packed", "words"),
    [
        (b"", "cut off"),
        (bits(HEADER), "cut off"),
        (bits(HEADER + "1 01 11 11111111"), "cut off"),
        (bits(HEADER + "1 11 1111 11111111"), "behind the end"),
        (bits("1" * 32 + HEADER[32:] + "1 01 11 11111111"), "4294967295 values"),
        (bits(HEADER[:32] + "01111" + HEADER[37:]), "words of 16 bits"),
    ],
)
def test_a_broken_brush_stroke_is_an_error_of_ours(packed: bytes, words: str) -> None:
    with pytest.raises(DataError, match=words):
        Brush(packed).runs((1, 2))
