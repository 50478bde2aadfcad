"""Where on the earth a picture lies: the tags of a GeoTIFF, or a world file beside it.

Both are read without any further package. Only where the coordinates of labels are of another reference system than the
picture's, rasterio (the extra ``geo``) is asked to convert them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.core import tiff
from pixelwise.core.arrays import AnyArray, FloatArray
from pixelwise.core.errors import DataError, MissingExtra, UnreadableFile
from pixelwise.core.rasters.place import affine_of

WORLD = frozenset({".tfw", ".tifw", ".tiffw", ".jgw", ".jpgw", ".jpegw", ".pgw", ".pngw", ".wld", ".bpw", ".j2w"})
OTHER = "a system without an EPSG number"
_MOST_BYTES = 4096
_USER_DEFINED = 32767


@dataclass(frozen=True)
class Place:
    """A picture on the earth.

    Attributes:
        path: the picture.
        affine: (a, b, c, d, e, f): the corner of column and row is at x = a column + b row + c, y = d column + e row + f.
        crs: its reference system, ``EPSG:32633``; empty where none is stated, and then it is that of the labels.
    """

    path: Path
    affine: tuple[float, float, float, float, float, float]
    crs: str = ""

    def pixels(self, points: FloatArray, crs: str) -> FloatArray:
        """Turn points (P, 2) x, y of the reference system ``crs`` into columns and rows.

        None of them is finite where the picture's system has no place for any, as for what is across the earth.

        Raises:
            MissingExtra: the system is not the picture's, and rasterio is not installed.
            DataError: the points cannot be converted, or some of them only.
        """
        if self.crs and self.crs != crs:
            points = _converted(points, crs, self)
        a, b, c, d, e, f = self.affine
        with np.errstate(all="ignore"):
            found = np.linalg.solve(np.array([[a, b], [d, e]]), (points - np.array([c, f])).T).T
        if np.isfinite(found).any() and not np.isfinite(found).all():
            raise DataError("a coordinate is beyond all numbers once it is on the picture")
        return np.ascontiguousarray(found)


def find_place(picture: Path, world: Path | None = None) -> Place | None:
    """Find where a picture lies: from ``world``, its world file, else from its tags; None where neither says so.

    Raises:
        UnreadableFile: the world file is broken, or what is stated makes no area.
    """
    place = _from_tags(picture)
    if place is None and world is not None:
        place = Place(picture, _read_world(world))
    if place is None:
        return None
    a, b, _, d, e, _ = place.affine
    if not all(map(math.isfinite, place.affine)) or abs(a * e - b * d) < 1e-300:
        raise UnreadableFile(f"{world or picture}: its pixels have no area on the map: {place.affine}; georeference it again")
    return place


def _read_world(path: Path) -> tuple[float, float, float, float, float, float]:
    """Read a world file: six numbers, of which the last two are the middle of the first pixel."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UnreadableFile(f"{path}: expected a world file of six numbers, found {path.stat().st_size:,} bytes")
        a, d, b, e, x, y = (float(word) for word in path.read_text("ascii").split())
    except (OSError, ValueError) as error:
        raise UnreadableFile(f"{path}: expected a world file of six numbers, but {error}") from None
    return a, b, x - a / 2 - b / 2, d, e, y - d / 2 - e / 2


def _from_tags(picture: Path) -> Place | None:
    import tifffile  # on first use: most data is JPEG and PNG

    try:
        if not tiff.is_tiff(picture):
            return None
        with tifffile.TiffFile(picture) as file:
            page: Any = file.pages[0]
            tags = {key: value for key, value in dict(page.geotiff_tags or {}).items() if value is not None}
        affine = affine_of(tags)
    except Exception:  # a damaged TIFF raises anything; it is named when the picture is read
        return None
    return None if affine is None else Place(picture, affine, _system(tags))


def _system(tags: Mapping[str, Any]) -> str:
    stated = [int(tags[key]) for key in ("ProjectedCSTypeGeoKey", "GeographicTypeGeoKey") if key in tags]
    if not stated:
        return ""
    return OTHER if stated[0] in (0, _USER_DEFINED) else f"EPSG:{stated[0]}"


def _converted(points: AnyArray, crs: str, place: Place) -> FloatArray:
    try:
        import rasterio
        from rasterio.warp import transform
    except ImportError:
        purpose = f"{place.path}: labels in {crs} over a picture in {place.crs}"
        raise MissingExtra("rasterio", extra="geo", purpose=purpose) from None
    try:
        target: Any = place.crs
        if place.crs == OTHER:
            with rasterio.open(place.path) as file:
                target = file.crs
        x, y = transform(crs, target, points[:, 0].tolist(), points[:, 1].tolist())
    except Exception as error:  # GDAL raises errors of its own for systems it does not know
        raise DataError(f"coordinates in {crs} cannot be converted to {place.crs}: {error}") from None
    return np.stack([np.asarray(x, np.float64), np.asarray(y, np.float64)], axis=1)


def clipped(ring: FloatArray, box: tuple[float, float, float, float]) -> FloatArray:
    """Cut a closed ring (P, 2) off at the sides of a box (left, top, right, bottom) [1]; what is inside stays as it is.

    >>> clipped(np.array([[-9.0, 0.0], [3.0, 0.0], [3.0, 2.0], [-9.0, 2.0]]), (-1, -1, 9, 9)).tolist()
    [[-1.0, 0.0], [3.0, 0.0], [3.0, 2.0], [-1.0, 2.0]]

    [1] Sutherland and Hodgman, Reentrant Polygon Clipping, 1974.
    """
    for axis, bound, sign in ((0, box[0], 1), (1, box[1], 1), (0, box[2], -1), (1, box[3], -1)):
        if not len(ring):
            break
        after = np.roll(ring, -1, axis=0)
        inside = (ring[:, axis] - bound) * sign >= 0
        inside_after = np.roll(inside, -1)
        with np.errstate(all="ignore"):
            share = (bound - ring[:, axis]) / (after[:, axis] - ring[:, axis])
            cut = ring + share[:, None] * (after - ring)
        cut[:, axis] = bound
        both = np.stack([ring, cut], axis=1).reshape(-1, 2)
        keep = np.stack([inside, inside != inside_after], axis=1).ravel()
        ring = both[keep]
    return ring
