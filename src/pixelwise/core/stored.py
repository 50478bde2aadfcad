"""Read masks as they are stored, in the coding of a data set: numbers, or colours packed into numbers."""

from pathlib import Path

import numpy as np
import PIL.Image

from pixelwise.core.arrays import IntArray
from pixelwise.core.errors import DataError
from pixelwise.core.image import read_ids
from pixelwise.core.labels import Encoding

_GREY = 0x010101  # what a step of grey is in a packed colour


def read_values(path: Path, encoding: Encoding) -> IntArray:
    """Read a mask as stored; where the data set is colour-coded, grey and palette masks give their colours too.

    Raises:
        MissingFile, UnreadableFile, TooLarge: as ``read_ids``.
        DataError: the data set is coded by numbers, and this mask by colours.
    """
    stored, is_rgb = read_ids(path)
    if encoding == "id":
        if is_rgb:
            raise DataError(f"{path}: expected a mask of one band, as the label set maps numbers; found RGB colours")
        return stored
    if is_rgb:
        return stored
    if (palette := palette_of(path)) is not None:
        return palette[stored]
    if stored.dtype != np.uint8:
        raise DataError(f"{path}: expected an RGB mask, as the label set maps colours; found {stored.dtype} numbers")
    return stored.astype(np.int32) * _GREY


def palette_of(path: Path) -> IntArray | None:
    """Give the colours (256,) of a palette mask, packed; None for a mask without a palette."""
    with PIL.Image.open(path) as image:
        if image.mode not in ("P", "PA"):
            return None
        flat = image.convert("RGB").getpalette() if image.palette is None else image.palette.getdata()[1]
        mode = image.palette.mode if image.palette is not None else "RGB"
    step = len(mode)
    table = np.zeros((256, 3), np.int64)
    entries = np.frombuffer(bytes(flat or b""), np.uint8)
    entries = entries[: len(entries) // step * step].reshape(-1, step)[:256, :3]
    table[: len(entries)] = entries
    return np.asarray(table[:, 0] << 16 | table[:, 1] << 8 | table[:, 2], np.int32)
