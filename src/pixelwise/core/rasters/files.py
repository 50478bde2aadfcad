"""Open a picture file of any size for reading by windows: GeoTIFF, COG, plain and big TIFF, PNG, JPEG.

With rasterio (the extra ``geo``) all that GDAL reads is read by windows. Without it TIFFs are, by their own tiles or strips,
as far as tifffile has the codec. Other pictures are decoded once, as long as they are below ``max_pixels()``; larger ones
take rasterio. What is held is a cache of ``CACHE`` bytes of decoded blocks, the windows given out, and all of a picture that
was decoded once.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import numpy as np

from pixelwise.core import tiff
from pixelwise.core.arrays import BoolArray, Size
from pixelwise.core.errors import MissingExtra, MissingFile, TooLarge, UnreadableFile
from pixelwise.core.image import Image, read_image
from pixelwise.core.rasters.place import GeoReference

CACHE = 2**27  # bytes of decoded blocks that are kept: a row of tiles of a wide raster, so that strips are decoded once

Window = tuple[slice, slice]


class RasterFile(AbstractContextManager["RasterFile"], Protocol):
    """A ``Raster`` in a file, with its place; a context that closes the file."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def size(self) -> Size:
        """Height and width, as stored."""

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of its bands."""

    @property
    def place(self) -> GeoReference:
        """Where it lies."""

    def read(self, rows: slice, columns: slice) -> Image:
        """Read a window that lies inside.

        Raises:
            UnreadableFile: a part of it is damaged.
            DataError: its numbers are those of no picture.
        """

    def valid(self, rows: slice, columns: slice) -> BoolArray | None:
        """Mark the pixels of a window that hold data; None where all do.

        Raises:
            UnreadableFile: a part of it is damaged.
        """

    def pieces(self, rows: slice, columns: slice) -> Sequence[Window]:
        """List the file's own blocks, whole, that a window touches: what is damaged is damaged by the block."""


class PictureFile:
    """A picture decoded once; a ``RasterFile``."""

    def __init__(self, path: Path, image: Image, place: GeoReference) -> None:
        self.path = path
        self.place = place
        self._image = image

    def __enter__(self) -> "PictureFile":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    @property
    def size(self) -> Size:
        """Height and width, upright."""
        return self._image.size

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of its bands."""
        return self._image.bands

    def read(self, rows: slice, columns: slice) -> Image:
        """Give a view of a window."""
        return Image(self._image.pixels[rows, columns], self._image.bands)

    def valid(self, rows: slice, columns: slice) -> BoolArray | None:
        """Mark what is finite: a picture has no other sign for no data."""
        pixels = self._image.pixels[rows, columns]
        if pixels.dtype.kind != "f" or np.isfinite(pixels).all():
            return None
        return np.asarray(np.isfinite(pixels).all(axis=2))

    def pieces(self, rows: slice, columns: slice) -> Sequence[Window]:
        """Give all of it: it was decoded whole."""
        return [(slice(0, self.size[0]), slice(0, self.size[1]))]


def open_raster(path: Path | str) -> RasterFile:
    """Open a file for reading by windows.

    A TIFF that is to be turned (by its orientation tag) and lies nowhere is decoded once, as a picture is.

    Raises:
        MissingFile: there is none.
        UnreadableFile: it is empty or no picture.
        DataError: it has no bands, or bands of a depth that is not read.
        TooLarge: it cannot be read by windows, and is too large to be decoded whole.
        MissingExtra: only rasterio could read it by windows.
    """
    path = _checked(Path(path))
    if has_gdal():
        from pixelwise.core.rasters.gdal import GdalFile, gdal_place

        if tiff.is_tiff(path) and not _is_turned(path):
            return GdalFile(path)
        try:
            return PictureFile(path, read_image(path), gdal_place(path))
        except TooLarge:
            return GdalFile(path)
    if tiff.is_tiff(path) and not _is_turned(path):
        from pixelwise.core.rasters.tiff import TiffFile

        return TiffFile(path)
    try:
        return PictureFile(path, read_image(path), GeoReference())
    except TooLarge as error:
        raise MissingExtra("rasterio", "geo", f"{error}; reading it by windows") from None


def is_placed(path: Path) -> bool:
    """Tell, from its tags alone, whether a file is a TIFF that states its place on the earth."""
    import tifffile  # on first use: most data is JPEG and PNG

    try:
        if not tiff.is_tiff(path):
            return False
        with tifffile.TiffFile(path) as file:
            tags = file.pages[0].tags  # type: ignore[union-attr]
            return any(code in tags for code in (33922, 34264))  # tie points, or the whole map
    except Exception:  # a damaged TIFF raises anything; it is named when it is read
        return False


def has_gdal() -> bool:
    """Tell whether rasterio is installed."""
    try:
        import rasterio  # noqa: F401
    except ImportError:
        return False
    return True


def pieces_of(window: Window, block: Size, size: Size) -> list[Window]:
    """List the blocks of a grid over (H, W) that a window touches; those at the end are smaller.

    >>> pieces_of((slice(3, 5), slice(0, 2)), (4, 4), (6, 3))
    [(slice(0, 4, None), slice(0, 3, None)), (slice(4, 6, None), slice(0, 3, None))]
    """
    rows, columns = (
        [slice(start, min(start + length, end)) for start in range(side.start // length * length, side.stop, length)]
        for side, length, end in zip(window, block, size, strict=True)
    )
    return [(row, column) for row in rows for column in columns]


def meet(one: Window, other: Window) -> Window | None:
    """Give what two windows share; None for nothing.

    >>> meet((slice(0, 4), slice(0, 4)), (slice(2, 9), slice(1, 3)))
    (slice(2, 4, None), slice(1, 3, None))
    """
    rows, columns = (slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(one, other, strict=True))
    return (rows, columns) if rows.start < rows.stop and columns.start < columns.stop else None


def within(part: Window, whole: Window) -> Window:
    """Give a part's place in a window that holds it.

    >>> within((slice(2, 4), slice(1, 3)), (slice(2, 9), slice(1, 3)))
    (slice(0, 2, None), slice(0, 2, None))
    """
    rows, columns = (slice(a.start - b.start, a.stop - b.start) for a, b in zip(part, whole, strict=True))
    return rows, columns


def _is_turned(path: Path) -> bool:
    try:
        header = tiff.read_header(path)
    except UnreadableFile:  # what a part of the file still gives is seen when it is opened
        return False
    return header.orientation in range(2, 9)


def _checked(path: Path) -> Path:
    if path.is_dir():
        raise UnreadableFile(f"{path}: expected a raster, found a folder")
    if not path.exists():
        raise MissingFile(f"{path}: expected a raster, found nothing there")
    if path.stat().st_size == 0:
        raise UnreadableFile(f"{path}: expected a raster, found an empty file (0 bytes); copy it again")
    return path
