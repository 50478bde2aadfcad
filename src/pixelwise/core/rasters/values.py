"""From the numbers a raster stores to pixels, by the rules of ``core.image``, and to where there are none.

A palette becomes RGB, white-is-zero is turned round, one bit becomes 0 and 255, and an alpha band is dropped, as in
``read_image``: a model sees in a window what it saw in training. Alpha of 0 means no data here, as it does in orthophotos.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixelwise.core.arrays import AnyArray, BoolArray
from pixelwise.core.errors import DataError, UnreadableFile
from pixelwise.core.image import GREY, RGB, Image

_DEPTHS = (1, 8, 16, 32, 64)


@dataclass(frozen=True)
class Coding:
    """How the numbers of a raster are meant.

    Attributes:
        count: of the stored bands, alpha included.
        alpha: whether the last band is one.
        palette: (K, 3) uint8, the colours of the only band's numbers.
        inverted: whether 0 is white.
        bits: of a number.
        nodata: of each stored band, the number that means no data.
    """

    count: int
    alpha: bool = False
    palette: AnyArray | None = None
    inverted: bool = False
    bits: int = 8
    nodata: tuple[float | None, ...] = ()

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands that pixels get."""
        colours = self.count - self.alpha
        if self.palette is not None or colours == 3:
            return RGB
        return GREY if colours == 1 else tuple(f"band {index + 1}" for index in range(colours))


def check_coding(path: Path, coding: Coding, dtype: str) -> None:
    """Refuse what is no picture.

    Raises:
        DataError: there are no bands, or the numbers have an odd depth or are complex.
    """
    if coding.count - coding.alpha < 1:
        raise DataError(f"{path}: expected a raster of at least one band, found 0; name one of its parts, or export it again")
    if coding.bits not in _DEPTHS or np.dtype(dtype).kind not in "uifb":
        what = f"{coding.bits} bits" if coding.bits not in _DEPTHS else f"{dtype} numbers"
        raise DataError(
            f"{path}: expected bands of 8, 16 or 32 bits or floats, found {what}; convert it, as with "
            f"gdal_translate -ot UInt16 -scale"
        )


def valid_in(stored: AnyArray, coding: Coding) -> BoolArray | None:
    """Mark the pixels (h, w) of stored numbers (h, w, C) that hold data; None where all do.

    A pixel holds none where every band that states a number for no data has it, where alpha is 0, or where a band is NaN.
    """
    valid: BoolArray | None = None
    stated = [(band, value) for band, value in enumerate(coding.nodata) if value is not None and not np.isnan(value)]
    if stated:
        valid = np.zeros(stored.shape[:2], bool)
        for band, value in stated:
            valid |= stored[:, :, band] != value
    if stored.dtype.kind == "f":
        finite = np.asarray(np.isfinite(stored).all(axis=2))
        valid = finite if valid is None else valid & finite
    if coding.alpha:
        seen = np.asarray(stored[:, :, -1] != 0)
        valid = seen if valid is None else valid & seen
    return None if valid is None or bool(valid.all()) else valid


def pixels_of(path: Path, stored: AnyArray, coding: Coding) -> Image:
    """Turn stored numbers (h, w, C) into pixels; where floats or signed numbers hold no data, 0 is put.

    Left as it is, a -9999 or NaN would reach the pixels around it through a network.

    Raises:
        DataError: whole numbers do not fit 16 bits.
    """
    valid = valid_in(stored, coding) if stored.dtype.kind in "fi" else None
    pixels = stored[:, :, :-1] if coding.alpha else stored
    if valid is not None:
        pixels = np.where(valid[:, :, None], pixels, 0)
    if coding.palette is not None:
        return Image(coding.palette[np.minimum(pixels[:, :, 0], len(coding.palette) - 1)], RGB)
    if pixels.dtype == bool or coding.bits == 1:
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    if coding.inverted and pixels.dtype.kind == "u":
        pixels = np.iinfo(pixels.dtype).max - pixels
    if pixels.dtype.kind == "f":
        pixels = pixels.astype(np.float32, copy=False)
    elif pixels.dtype not in (np.uint8, np.uint16):
        if pixels.size and (pixels.min() < 0 or pixels.max() > 65535):
            raise DataError(
                f"{path}: values {pixels.min()}..{pixels.max()} of {pixels.dtype} do not fit 16 bits; save it as 8 or 16 "
                f"bits or as floats"
            )
        pixels = pixels.astype(np.uint16)
    return Image(np.ascontiguousarray(pixels), coding.bands)


def damaged(path: Path, rows: slice, columns: slice, error: BaseException) -> UnreadableFile:
    """Say which part of a file cannot be read."""
    where = f"rows {rows.start}..{rows.stop - 1}, columns {columns.start}..{columns.stop - 1}"
    return UnreadableFile(f"{path}: {where} are damaged or missing ({error}); copy or export it again")
