"""Where the pixels of a raster lie on the earth."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pixelwise.core.arrays import FloatArray

Affine = tuple[float, float, float, float, float, float]
IDENTITY: Affine = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@dataclass(frozen=True)
class GeoReference:
    """A raster's place: a map from pixels, and the reference system of what that map gives.

    Attributes:
        affine: (a, b, c, d, e, f): the corner of column and row is at x = a column + b row + c, y = d column + e row + f;
            None where the file states none.
        crs: the reference system as well-known text, or as ``EPSG:32633`` where only its number is known; empty for none.
        epsg: its number, where it has one.
        metres: how long a unit of the system is; None where its units are degrees or not known.
        points: ground control points (column, row, x, y, z), where the file has those instead of a map.
        tags: the TIFF tags that say so, as (code, type, count, value): to be copied where GDAL is not there to write them.
    """

    affine: Affine | None = None
    crs: str = ""
    epsg: int | None = None
    metres: float | None = None
    points: tuple[tuple[float, float, float, float, float], ...] = ()
    tags: tuple[tuple[int, Any, int, Any], ...] = ()

    @property
    def is_placed(self) -> bool:
        """Whether the file says where it lies."""
        return self.affine is not None or bool(self.points)

    @property
    def pixel_area(self) -> float | None:
        """The square metres of a pixel; None where they differ over the raster or are not known."""
        if self.affine is None or self.metres is None:
            return None
        a, b, _, d, e, _ = self.affine
        return abs(a * e - b * d) * self.metres**2

    def fitted(self) -> Affine:
        """Give the map; from control points the affine one that fits them best, and without either the pixels themselves.

        >>> points = ((0.0, 0.0, 10.0, 50.0, 0.0), (2.0, 0.0, 14.0, 50.0, 0.0), (0.0, 2.0, 10.0, 46.0, 0.0))
        >>> [round(value, 6) for value in GeoReference(points=points).fitted()]
        [2.0, 0.0, 10.0, 0.0, -2.0, 50.0]
        """
        if self.affine is not None:
            return self.affine
        if len(self.points) < 3:
            return IDENTITY
        known = np.array(self.points, np.float64)
        corners = np.column_stack([known[:, :2], np.ones(len(known))])
        (a, b, c), (d, e, f) = (np.linalg.lstsq(corners, known[:, axis], rcond=None)[0].tolist() for axis in (2, 3))
        return a, b, c, d, e, f

    def to_map(self, corners: FloatArray) -> FloatArray:
        """Turn corners of pixels (P, 2), column and row, into x and y.

        >>> GeoReference((2.0, 0.0, 10.0, 0.0, -2.0, 50.0)).to_map(np.array([[1.0, 1.0]])).tolist()
        [[12.0, 48.0]]
        """
        a, b, c, d, e, f = self.fitted()
        return np.asarray(np.asarray(corners, np.float64) @ np.array([[a, d], [b, e]]) + np.array([c, f]), np.float64)


def affine_of(tags: Mapping[str, Any]) -> Affine | None:
    """Read the map of a GeoTIFF's tags, by their names: the matrix, or scale and tie point.

    It is moved by half a pixel where those mean the middle of pixels.
    """
    if (matrix := tags.get("ModelTransformation")) is not None:
        a, b, _, c, d, e, _, f = (float(one) for one in np.asarray(matrix, np.float64).ravel()[:8])
    elif "ModelPixelScale" in tags and "ModelTiepoint" in tags:
        across, down = (float(one) for one in np.asarray(tags["ModelPixelScale"], np.float64).ravel()[:2])
        column, row, _, x, y, _ = (float(one) for one in np.asarray(tags["ModelTiepoint"], np.float64).ravel()[:6])
        a, b, c, d, e, f = across, 0.0, x - column * across, 0.0, -down, y + row * down
    else:
        return None
    if int(tags.get("GTRasterTypeGeoKey", 1)) == 2:
        c, f = c - (a + b) / 2, f - (d + e) / 2
    return a, b, c, d, e, f
