"""TIFFs read by windows without GDAL: only the tiles or strips that a window touches are decoded, with tifffile."""

import io
import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.core import tiff
from pixelwise.core.arrays import AnyArray, BoolArray, Size
from pixelwise.core.errors import MissingExtra, PixelwiseError, UnreadableFile
from pixelwise.core.image import Image
from pixelwise.core.rasters.files import CACHE, Window, meet, pieces_of, within
from pixelwise.core.rasters.place import GeoReference, affine_of
from pixelwise.core.rasters.values import Coding, check_coding, damaged, pixels_of, valid_in

_PLACE_TAGS = (33550, 33922, 34264, 34735, 34736, 34737)  # scale, tie points, matrix, keys, their numbers, their texts
_METRE = 9001


class TiffFile:
    """The first page of a TIFF; a ``RasterFile``. It may be opened where a part of the pixels is cut off."""

    def __init__(self, path: Path) -> None:
        import tifffile  # on first use: most data is JPEG and PNG

        self.path = path
        try:
            self._file = tifffile.TiffFile(path)
        except Exception as error:  # tifffile raises whatever damaged bytes lead to
            raise UnreadableFile(f"{path}: expected a TIFF, but {error}; copy or export it again") from error
        try:
            page: Any = self._file.pages[0]
            self._page = page
            self._coding = _coding_of(self._page)
            check_coding(path, self._coding, str(self._page.dtype or "uint8"))
            self.place = _place_of(self._page)
            self.size: Size = (int(self._page.imagelength), int(self._page.imagewidth))
            self._block: Size = tuple(int(side) for side in self._page.chunks[:2])  # type: ignore[assignment]
        except PixelwiseError:
            self._file.close()
            raise
        except Exception as error:
            self._file.close()
            raise UnreadableFile(f"{path}: the TIFF's header is damaged ({error}); copy or export it again") from error
        self._is_planar = int(self._page.planarconfig) == 2 and self._coding.count > 1
        self._mapped = self._page.asarray(out="memmap") if self._page.is_memmappable else None
        self._kept: OrderedDict[int, AnyArray] = OrderedDict()

    def __enter__(self) -> "TiffFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of its bands."""
        return self._coding.bands

    def read(self, rows: slice, columns: slice) -> Image:
        """Read a window."""
        return pixels_of(self.path, self.stored(rows, columns), self._coding)

    def valid(self, rows: slice, columns: slice) -> BoolArray | None:
        """Mark the pixels of a window that hold data."""
        coding = self._coding
        if not coding.alpha and self._page.dtype.kind != "f" and all(value is None for value in coding.nodata):
            return None
        return valid_in(self.stored(rows, columns), coding)

    def pieces(self, rows: slice, columns: slice) -> Sequence[Window]:
        """List the file's tiles or strips that a window touches."""
        return pieces_of((rows, columns), self._block, self.size)

    def stored(self, rows: slice, columns: slice) -> AnyArray:
        """Read the numbers (h, w, C) of a window as they are stored."""
        if self._mapped is not None:
            whole = np.moveaxis(self._mapped, 0, -1) if self._is_planar else self._mapped
            window = np.array(whole[rows, columns])
            return window if window.ndim == 3 else window[:, :, None]
        count, asked = self._coding.count, (rows, columns)
        stored = np.zeros((rows.stop - rows.start, columns.stop - columns.start, count), self._page.dtype)
        height, width = self._block
        across, down = math.ceil(self.size[1] / width), math.ceil(self.size[0] / height)
        for piece in self.pieces(rows, columns):
            if (part := meet(piece, asked)) is None:
                continue
            index = piece[0].start // height * across + piece[1].start // width
            for plane in range(count) if self._is_planar else (0,):
                bands = slice(plane, plane + 1) if self._is_planar else slice(None)
                decoded = self._piece(index + plane * across * down, *piece)
                stored[within(part, asked)][:, :, bands] = decoded[within(part, piece)]
        return stored

    def _piece(self, index: int, row: slice, column: slice) -> AnyArray:
        """Decode one tile or strip (h, w, C), or take it from those kept."""
        if (known := self._kept.get(index)) is not None:
            self._kept.move_to_end(index)
            return known
        page = self._page
        try:
            offset, length = page.dataoffsets[index], page.databytecounts[index]
            if not length:  # left out of the file: all of it holds no data
                fill = next((value for value in self._coding.nodata if value is not None), 0)
                return np.full((*self._block, 1 if self._is_planar else self._coding.count), fill, page.dtype)
            handle = self._file.filehandle
            handle.seek(offset)
            data = handle.read(length)
            if len(data) < length:
                raise ValueError(f"the file ends {length - len(data):,} bytes too early")
            decoded, _, shape = page.decode(data, index, jpegtables=page.jpegtables)
        except Exception as error:  # codecs raise what they like
            if "imagecodecs" in str(error):
                purpose = f"{self.path}: its compression, {page.compression!r}, by windows"
                raise MissingExtra("rasterio", "geo", purpose) from error
            raise damaged(self.path, row, column, error) from error
        piece: AnyArray = decoded[0, : shape[1], : shape[2]]
        self._kept[index] = piece
        while len(self._kept) > 1 and sum(each.nbytes for each in self._kept.values()) > CACHE:
            self._kept.popitem(last=False)
        return piece


def place_in(content: bytes) -> GeoReference | None:
    """Read where the first page of a TIFF lies; None of what is no TIFF, says nothing of that, or is not stored upright.

    Raises:
        UnreadableFile: its header is damaged.
    """
    if content[:4] not in tiff.MAGIC:
        return None
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            page: Any = file.pages[0]
            place = _place_of(page)
            return place if place.is_placed and int(page.tags.valueof(274, 1)) == 1 else None
    except Exception as error:  # tifffile raises whatever damaged bytes lead to
        raise UnreadableFile(f"the TIFF's header is damaged ({error}); export the image again") from error


def _coding_of(page: Any) -> Coding:
    count = int(page.samplesperpixel)
    alpha = count > 1 and tuple(map(int, page.extrasamples))[-1:] in ((1,), (2,))
    palette = None
    if int(page.photometric) == tiff.PALETTE and page.colormap is not None:
        palette = (np.asarray(page.colormap).T // 257).astype(np.uint8)
    text = getattr(page.tags.get(42113), "value", None)  # GDAL's tag for no data
    try:
        nodata = None if text is None else float(str(text).strip("\0 "))
    except ValueError:
        nodata = None
    inverted = int(page.photometric) == tiff.WHITE_IS_ZERO
    return Coding(count, alpha, palette, inverted, int(page.bitspersample), (nodata,) * count)


def _place_of(page: Any) -> GeoReference:
    stated: Mapping[str, Any] = {key: value for key, value in dict(page.geotiff_tags or {}).items() if value is not None}
    affine = affine_of(stated)
    numbers = [int(stated[key]) for key in ("ProjectedCSTypeGeoKey", "GeographicTypeGeoKey") if key in stated]
    epsg = numbers[0] if numbers and numbers[0] not in (0, 32767) else None
    metres = 1.0 if int(stated.get("ProjLinearUnitsGeoKey", 0)) == _METRE else None
    points: tuple[tuple[float, float, float, float, float], ...] = ()
    if affine is None and (ties := stated.get("ModelTiepoint")) is not None:
        rows = np.asarray(ties, np.float64).reshape(-1, 6)
        points = tuple((one[0], one[1], one[3], one[4], one[5]) for one in rows.tolist())
    tags = tuple((one.code, one.dtype, one.count, one.value) for one in page.tags if one.code in _PLACE_TAGS)
    return GeoReference(affine, f"EPSG:{epsg}" if epsg else "", epsg, metres, points, tags)
