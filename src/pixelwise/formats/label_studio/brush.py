"""The run lengths that Label Studio keeps brush strokes in, both ways.

They are a stream of bits, the highest of each byte first, that packs the bytes of an RGBA picture row by row [1]:

- 32 bits: how many words follow in all; 5 bits: the size of a word in bits, less 1; four times 4 bits: the four sizes, less 1,
  in which the length of a run may be stated;
- then runs until all words are there: 1 bit that tells a repeated word from words one by one; 2 bits that choose one of the
  four sizes; the length of the run, less 1, in that many bits; then the word to repeat, or as many words as the run is long.

A word is a byte, and the mask is where the fourth of each four, alpha, is not 0.

[1] The algorithm of rle-pack (thi.ng/umbrella), which Label Studio's editor uses.
"""

from dataclasses import dataclass

import numpy as np

from pixelwise.core.arrays import BoolArray, ByteArray, Size
from pixelwise.core.errors import DataError
from pixelwise.core.runs import Runs, encode

_SIZES = (3, 4, 8, 16)  # bits that state the length of a run, as Label Studio's own converter writes them
_WORD = 8
_CHANNELS = 4


@dataclass(frozen=True, eq=False)
class Brush:
    """A brush stroke as a file holds it."""

    packed: bytes

    def runs(self, size: Size) -> Runs:
        """Unpack it.

        Raises:
            DataError: it is cut off, or of another size than the image.
        """
        return encode(unpacked(self.packed, size))


def unpacked(packed: bytes, size: Size) -> BoolArray:
    """Unpack the mask (H, W) of a brush stroke.

    >>> unpacked(pack(np.array([[True, False]])), (1, 2)).tolist()
    [[True, False]]

    Raises:
        DataError: the stream is cut off, or of another size.
    """
    bits = _Bits(packed)
    count, word = bits.take(32), bits.take(5) + 1
    sizes = [bits.take(4) + 1 for _ in range(4)]
    if word != _WORD:
        raise DataError(f"its brush run lengths have words of {word} bits; expected the {_WORD} of a channel of a picture")
    if count != _CHANNELS * size[0] * size[1]:
        raise DataError(
            f"its brush run lengths hold {count} values, but the image is {list(size)} (height, width), which are "
            f"{_CHANNELS} x {size[0] * size[1]}"
        )
    words = np.zeros(count, np.uint8)
    place = 0
    while place < count:
        repeats = bits.take(1)
        length = bits.take(sizes[bits.take(2)]) + 1
        if length > count - place:
            raise DataError("its brush run lengths go on behind the end of the image")
        if repeats:
            words[place : place + length] = bits.take(_WORD)
        else:
            words[place : place + length] = bits.words(length)
        place += length
    return np.asarray(words[_CHANNELS - 1 :: _CHANNELS].reshape(size) > 0)


class _Bits:
    """Reads numbers of a few bits, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def take(self, bits: int) -> int:
        """Take a number of up to 32 bits."""
        end = self._place + bits
        if end > 8 * len(self._data):
            raise DataError("its brush run lengths are cut off")
        first, last = self._place >> 3, (end + 7) >> 3
        self._place = end
        return int.from_bytes(self._data[first:last], "big") >> (8 * last - end) & ((1 << bits) - 1)

    def words(self, count: int) -> ByteArray:
        """Take several bytes, which may begin in the middle of one."""
        end = self._place + _WORD * count
        if end > 8 * len(self._data):
            raise DataError("its brush run lengths are cut off")
        there = np.unpackbits(np.frombuffer(self._data, np.uint8)[self._place >> 3 : (end + 7) >> 3])
        start = self._place & 7
        self._place = end
        return np.packbits(there[start : start + _WORD * count])


def pack(mask: BoolArray) -> bytes:
    """Pack a mask (H, W) as a brush stroke: white where it is True, and transparent black elsewhere."""
    flat = np.asarray(mask, bool).ravel()
    header = [format(_CHANNELS * flat.size, "032b"), format(_WORD - 1, "05b"), *(format(one - 1, "04b") for one in _SIZES)]
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.concatenate([[0], edges]) if flat.size else edges
    lengths = _CHANNELS * np.diff([*starts.tolist(), flat.size])
    text = "".join(header + [_run(int(length), bool(flat[start])) for start, length in zip(starts, lengths, strict=True)])
    return np.packbits(np.frombuffer(text.encode(), np.uint8) - ord("0")).tobytes()


def _run(length: int, is_set: bool) -> str:
    """Write a run of one word as text of bits; a long one in pieces."""
    word = "1" * _WORD if is_set else "0" * _WORD
    most = 1 << _SIZES[-1]
    whole, rest = divmod(length, most)
    pieces = [most] * whole + [rest] * bool(rest)
    return "".join(_piece(one, word) for one in pieces)


def _piece(length: int, word: str) -> str:
    chosen = next(index for index, bits in enumerate(_SIZES) if length <= 1 << bits)
    return f"1{chosen:02b}{length - 1:0{_SIZES[chosen]}b}{word}"
