"""Rasters read by windows with rasterio, that is GDAL: any codec, tiling, number of bands and place."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window as Frame

from pixelwise.core.arrays import AnyArray, BoolArray, Size
from pixelwise.core.errors import UnreadableFile
from pixelwise.core.image import Image
from pixelwise.core.rasters.files import CACHE, Window, pieces_of
from pixelwise.core.rasters.place import GeoReference
from pixelwise.core.rasters.values import Coding, check_coding, damaged, pixels_of, valid_in

_BOUND = {"GDAL_CACHEMAX": CACHE // 2**20}  # MB; GDAL would take a twentieth of the memory. What was set first counts


class GdalFile:
    """A file that GDAL reads; a ``RasterFile``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: Any = _opened(path)
        try:
            self.place = _place_of(self._file)
            self._coding = _coding_of(self._file)
            check_coding(path, self._coding, self._file.dtypes[0] if self._file.count else "uint8")
            self.size: Size = (self._file.height, self._file.width)
            self._block: Size = self._file.block_shapes[0]
            flags = self._file.mask_flag_enums[0]
            self._has_mask = MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "GdalFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of its bands."""
        return self._coding.bands

    def read(self, rows: slice, columns: slice) -> Image:
        """Read a window."""
        return pixels_of(self.path, self._stored(rows, columns), self._coding)

    def valid(self, rows: slice, columns: slice) -> BoolArray | None:
        """Mark the pixels of a window that hold data: by what the numbers say, and by the file's mask."""
        coding = self._coding
        valid = None
        if coding.alpha or any(value is not None for value in coding.nodata) or self._file.dtypes[0].startswith("float"):
            valid = valid_in(self._stored(rows, columns), coding)
        if self._has_mask:
            with _reading(self.path, rows, columns):
                seen = self._file.read_masks(1, window=_frame(rows, columns)) > 0
            valid = seen if valid is None else valid & seen
        return None if valid is None or bool(valid.all()) else valid

    def pieces(self, rows: slice, columns: slice) -> Sequence[Window]:
        """List the file's blocks that a window touches."""
        return pieces_of((rows, columns), self._block, self.size)

    def _stored(self, rows: slice, columns: slice) -> AnyArray:
        with _reading(self.path, rows, columns):
            stored = self._file.read(window=_frame(rows, columns))
        return np.moveaxis(stored, 0, -1)


def gdal_place(path: Path) -> GeoReference:
    """Find where a picture lies, as from a world file beside it; nowhere, if GDAL does not open it."""
    try:
        file = _opened(path)
    except UnreadableFile:
        return GeoReference()
    with file:
        return _place_of(file)


def _opened(path: Path) -> Any:
    try:
        with warnings.catch_warnings(), rasterio.Env(**_BOUND):
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            return rasterio.open(path)
    except (RasterioError, OSError) as error:
        raise UnreadableFile(f"{path}: expected a raster, but {error}; copy or export it again") from error


@contextmanager
def _reading(path: Path, rows: slice, columns: slice) -> Iterator[None]:
    try:
        with rasterio.Env(**_BOUND):
            yield
    except Exception as error:  # rasterio wraps GDAL's errors in classes of its own, some of them private
        reason = str(error.__cause__ or error).rpartition(": ")[2] or str(error)
        raise damaged(path, rows, columns, ValueError(reason.rstrip("."))) from error


def _frame(rows: slice, columns: slice) -> Frame:
    return Frame(columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)


def _place_of(file: Any) -> GeoReference:
    points, points_crs = file.gcps
    crs = file.crs or points_crs
    affine = None if file.transform.is_identity else tuple(float(value) for value in file.transform)[:6]
    metres = crs.linear_units_factor[1] if crs is not None and crs.is_projected else None
    return GeoReference(
        affine,  # type: ignore[arg-type]
        crs.to_wkt() if crs is not None else "",
        crs.to_epsg() if crs is not None else None,
        metres,
        tuple((one.col, one.row, one.x, one.y, one.z or 0.0) for one in points),
    )


def _coding_of(file: Any) -> Coding:
    count = file.count
    if not count:
        return Coding(0)
    meanings = file.colorinterp
    palette, inverted = None, file.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES"
    if count == 1 and meanings[0] == ColorInterp.palette and not inverted:  # GDAL also shows white-is-zero as a palette
        table = file.colormap(1)
        palette = np.array([table.get(index, (0, 0, 0))[:3] for index in range(max(table) + 1)], np.uint8)
    bits = int(file.tags(1, ns="IMAGE_STRUCTURE").get("NBITS", np.dtype(file.dtypes[0].replace("complex_", "")).itemsize * 8))
    return Coding(count, count > 1 and meanings[-1] == ColorInterp.alpha, palette, inverted, bits, tuple(file.nodatavals))
