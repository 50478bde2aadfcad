"""Words on a picture, each on a small plate, placed only where they fit and hide no other."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import PIL.Image
import PIL.ImageDraw

from pixelwise.core.arrays import ByteArray
from pixelwise.draw.text import INK, PAPER, fitted, font, width_of

_SIZE, _HEIGHT, _PAD = 12, 16, 3
_WIDEST = 230
Colour = tuple[int, int, int]


class Plate(NamedTuple):
    """Words to put with their middle, or their upper left corner, at a place (x, y) in pixels."""

    text: str
    x: int
    y: int
    colour: Colour
    is_centred: bool = False


def width_with_plate(text: str) -> int:
    """Measure how wide a plate with these words is."""
    return min(_WIDEST, width_of(" ".join(text.split()), _SIZE) + 2 * _PAD)


def lettered(picture: ByteArray, plates: Iterable[Plate]) -> ByteArray:
    """Write plates on a picture (H, W, 3), the first first; one that would lie on another is left out."""
    height, width = picture.shape[:2]
    sheet = PIL.Image.fromarray(np.ascontiguousarray(picture))
    pen = PIL.ImageDraw.Draw(sheet)
    taken: list[tuple[int, int, int, int]] = []
    for plate in plates:
        text = fitted(plate.text, min(_WIDEST, width) - 2 * _PAD, _SIZE)
        across = width_of(text, _SIZE) + 2 * _PAD
        left, top = (plate.x - across // 2, plate.y - _HEIGHT // 2) if plate.is_centred else (plate.x, plate.y)
        left, top = max(0, min(left, width - across)), max(0, min(top, height - _HEIGHT))
        box = (left, top, left + across, top + _HEIGHT)
        if not text or height < _HEIGHT or any(_overlap(box, other) for other in taken):
            continue
        taken.append(box)
        pen.rounded_rectangle((left, top, left + across - 1, top + _HEIGHT - 1), 3, fill=plate.colour)
        pen.text((left + _PAD, top + _HEIGHT / 2), text, _ink_on(plate.colour), font(_SIZE), anchor="lm")
    return np.array(sheet)


def _ink_on(colour: Colour) -> Colour:
    """Choose dark or light letters, whichever is read better on a colour."""
    red, green, blue = colour
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else PAPER


def _overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
