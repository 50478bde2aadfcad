"""Write an id raster as a GeoTIFF that any geographic program opens: colours, place, no data, smaller copies of itself.

With rasterio it is a cloud-optimised GeoTIFF, made by GDAL from the raw ids, window by window. Without, it is a tiled TIFF with
the same content that tifffile writes, and whose place is copied from the source.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np

from pixelwise.core.arrays import IntArray, Size
from pixelwise.core.errors import StorageError
from pixelwise.core.labels import LabelSet
from pixelwise.core.rasters.files import has_gdal
from pixelwise.core.rasters.place import IDENTITY, GeoReference
from pixelwise.predict.rasters.store import Store

_SIDE = 512  # of the tiles in the file
_KINDS = {"uint8": "Byte", "uint16": "UInt16", "uint32": "UInt32"}

Rows = Callable[[int, int], IntArray]


def write_raster(path: Path, store: Store, place: GeoReference, nodata: int, labels: LabelSet | None) -> None:
    """Write what ``store`` holds to ``path``, whole or not at all.

    Args:
        place: of the source.
        nodata: the id that means none.
        labels: of class ids, whose names and colours are kept in the file; None for ids of segments.

    Raises:
        StorageError: it cannot be written.
    """
    temporary = store.folder / "ids.tif"
    temporary.unlink(missing_ok=True)
    try:
        (_by_gdal if has_gdal() else _by_tifffile)(temporary, store, place, nodata, labels)
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    except Exception as error:  # GDAL's errors are of classes of their own
        if isinstance(error, OSError) and not isinstance(error, StorageError) and error.strerror:
            raise StorageError(f"{path}: cannot be written: {error.strerror}; free some space, and start again") from error
        if type(error).__module__.startswith("rasterio"):
            raise StorageError(f"{path}: cannot be written: {error}; free some space, and start again") from error
        raise


def read_rows(path: Path) -> tuple[Size, Rows, Callable[[], None]]:
    """Open an id raster that ``write_raster`` wrote: its size, what reads rows of it, and what closes it."""
    if has_gdal():
        import rasterio
        from rasterio.windows import Window

        file = rasterio.open(path)
        return (
            (file.height, file.width),
            lambda first, last: file.read(1, window=Window(0, first, file.width, last - first)),
            file.close,
        )
    from pixelwise.core.rasters.tiff import TiffFile

    tiff = TiffFile(path)
    across = slice(0, tiff.size[1])
    return tiff.size, lambda first, last: tiff.stored(slice(first, last), across)[:, :, 0], lambda: tiff.__exit__()


def _by_gdal(path: Path, store: Store, place: GeoReference, nodata: int, labels: LabelSet | None) -> None:
    import rasterio
    import rasterio.shutil

    described = store.folder / "ids.vrt"
    described.write_text(_described(store, place, nodata, labels), "utf-8")
    with rasterio.Env(GDAL_CACHEMAX=128, GDAL_PAM_ENABLED=False):
        rasterio.shutil.copy(
            described,
            path,
            driver="COG",
            compress="DEFLATE",
            overview_resampling="NEAREST",
            blocksize=_SIDE,
            bigtiff="IF_SAFER",
        )


def _described(store: Store, place: GeoReference, nodata: int, labels: LabelSet | None) -> str:
    """Describe the raw ids in GDAL's own words, so that it reads them by windows."""
    height, width = store.size
    item = store.dtype.itemsize
    crs = escape(place.crs)
    where = f"<SRS>{crs}</SRS>" if crs and not place.points else ""
    if place.affine is not None:
        a, b, c, d, e, f = place.affine
        where += f"<GeoTransform>{c!r}, {a!r}, {b!r}, {f!r}, {d!r}, {e!r}</GeoTransform>"
    elif place.points:
        points = "".join(
            f'<GCP Id="{index}" Pixel="{column!r}" Line="{row!r}" X="{x!r}" Y="{y!r}" Z="{z!r}"/>'
            for index, (column, row, x, y, z) in enumerate(place.points, start=1)
        )
        where += f'<GCPList Projection="{escape(place.crs, {chr(34): "&quot;"})}">{points}</GCPList>'
    notes = colours = ""
    if labels is not None:
        notes = f'<Metadata><MDI key="classes">{escape(json.dumps(list(labels.names)))}</MDI></Metadata>'
    if labels is not None and item == 1:
        table = "".join(f'<Entry c1="{r}" c2="{g}" c3="{b}" c4="255"/>' for r, g, b in labels.colours.tolist())
        colours = f"<ColorInterp>Palette</ColorInterp><ColorTable>{table}</ColorTable>"
    order = "LSB" if sys.byteorder == "little" else "MSB"
    return (
        f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}">{where}{notes}'
        f'<VRTRasterBand dataType="{_KINDS[store.dtype.name]}" band="1" subClass="VRTRawRasterBand">'
        f"<NoDataValue>{nodata}</NoDataValue>{colours}"
        f'<SourceFilename relativeToVRT="1">{store.raw.name}</SourceFilename><ImageOffset>0</ImageOffset>'
        f"<PixelOffset>{item}</PixelOffset><LineOffset>{item * width}</LineOffset><ByteOrder>{order}</ByteOrder>"
        f"</VRTRasterBand></VRTDataset>"
    )


def _by_tifffile(path: Path, store: Store, place: GeoReference, nodata: int, labels: LabelSet | None) -> None:
    import tifffile

    colours: dict[str, Any] = {"photometric": "minisblack"}
    if labels is not None and store.dtype.itemsize == 1:
        table = np.zeros((3, 256), np.uint16)
        table[:, : len(labels)] = labels.colours.T.astype(np.uint16) * 257
        colours = {"photometric": "palette", "colormap": table}
    text = str(nodata)
    tags = [(42113, "s", len(text) + 1, text, True), *((*tag, True) for tag in place.tags)]
    if not place.tags and place.affine not in (None, IDENTITY):
        a, b, c, d, e, f = place.affine  # type: ignore[misc]
        tags.append((34264, "d", 16, (a, b, 0.0, c, d, e, 0.0, f, *(0.0,) * 7, 1.0), True))
    is_big = store.size[0] * store.size[1] * store.dtype.itemsize > 2**31
    with tifffile.TiffWriter(path, bigtiff=is_big) as file:
        step = 1
        while True:
            size = tuple(-(-side // step) for side in store.size)
            file.write(
                _tiles(store, step),
                shape=size,
                dtype=store.dtype,
                tile=(_SIDE, _SIDE),
                compression="zlib",
                subfiletype=int(step > 1),
                extratags=tags if step == 1 else [],
                metadata=None,
                **colours,
            )
            if max(size) <= _SIDE:
                return
            step *= 2


def _tiles(store: Store, step: int) -> Iterator[IntArray]:
    """Give the tiles of every ``step``-th pixel, row by row of tiles, filled up at the ends."""
    height = store.size[0]
    for top in range(0, -(-height // step), _SIDE):
        last = min((top + _SIDE) * step, height)
        rows = np.stack([store.rows(row, row + 1)[0, ::step] for row in range(top * step, last, step)])
        for left in range(0, rows.shape[1], _SIDE):
            part = rows[:, left : left + _SIDE]
            yield np.pad(part, ((0, _SIDE - part.shape[0]), (0, _SIDE - part.shape[1])))
