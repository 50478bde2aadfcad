"""The key to a picture: a swatch and a name for each class."""

from collections.abc import Collection

import numpy as np
import PIL.Image
import PIL.ImageDraw

from pixelwise.core.arrays import ByteArray
from pixelwise.core.labels import LabelSet
from pixelwise.draw.colours import class_colours
from pixelwise.draw.text import INK, PAPER, fitted, font, width_of

_SIZE, _ROW, _SWATCH, _MARGIN = 14, 24, 16, 8


def legend(labels: LabelSet, classes: Collection[int] | None = None, width: int = 480) -> ByteArray:
    """Draw the key to ``labels``, or to some ``classes`` of them, in as many columns as fit: (H, ``width``, 3) uint8."""
    shown = list(range(len(labels))) if classes is None else sorted(classes)
    names = [labels.names[index] for index in shown]
    widest = max((width_of(name, _SIZE) for name in names), default=0)
    cell = min(width - 2 * _MARGIN, _SWATCH + 6 + widest + 16)
    columns = max(1, (width - 2 * _MARGIN) // max(cell, 1))
    rows = -(-len(shown) // columns)
    picture = PIL.Image.new("RGB", (width, rows * _ROW + 2 * _MARGIN), PAPER)
    pen, colours = PIL.ImageDraw.Draw(picture), class_colours(labels)
    for place, index in enumerate(shown):
        column, row = divmod(place, rows)
        left, top = _MARGIN + column * cell, _MARGIN + row * _ROW + (_ROW - _SWATCH) // 2
        fill = tuple(int(part) for part in colours[index])
        pen.rounded_rectangle((left, top, left + _SWATCH, top + _SWATCH), 3, fill=fill, outline=(120, 120, 120))
        text = fitted(names[place], cell - _SWATCH - 8, _SIZE)
        pen.text((left + _SWATCH + 6, top + _SWATCH / 2), text, INK, font(_SIZE), anchor="lm")
    return np.array(picture)
