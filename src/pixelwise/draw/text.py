"""Text on pictures: one font, measured and shortened to fit."""

from functools import lru_cache

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from pixelwise.core.arrays import ByteArray

INK, PAPER = (33, 37, 41), (255, 255, 255)


@lru_cache(maxsize=16)
def font(size: int) -> PIL.ImageFont.FreeTypeFont | PIL.ImageFont.ImageFont:
    """Give the font: DejaVu Sans, which matplotlib carries, for its Greek, Cyrillic and many signs; else Pillow's own."""
    import matplotlib

    try:
        return PIL.ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf", size)
    except OSError:  # some distributions leave the fonts out
        return PIL.ImageFont.load_default(size)


def width_of(text: str, size: int) -> int:
    """Measure the width of ``text`` in pixels."""
    return int(np.ceil(font(size).getlength(text)))


def fitted(text: str, width: int, size: int) -> str:
    """Put ``text`` on one line and shorten it with an ellipsis until it is at most ``width`` pixels wide.

    >>> fitted("sky", 200, 12)
    'sky'
    """
    text = " ".join(text.split())
    if width_of(text, size) <= width:
        return text
    kept = text
    while kept and width_of(kept.rstrip() + "…", size) > width:
        kept = kept[:-1]
    return kept.rstrip() + "…" if kept else ""


def caption(text: str, width: int, size: int = 14) -> ByteArray:
    """Write one line of text on a strip (1.9 * size, width, 3)."""
    strip = PIL.Image.new("RGB", (width, round(1.9 * size)), PAPER)
    shown = fitted(text, width - 4, size)
    PIL.ImageDraw.Draw(strip).text((2, strip.height / 2), shown, INK, font(size), anchor="lm")
    return np.asarray(strip)
