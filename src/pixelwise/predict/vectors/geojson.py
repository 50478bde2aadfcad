"""Write polygons as GeoJSON (RFC 7946): longitude and latitude, outlines counterclockwise and holes clockwise.

Polygons over the 180th meridian are not parted there.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np

from pixelwise.core.arrays import FloatArray
from pixelwise.core.errors import DataError, MissingExtra
from pixelwise.core.rasters.place import GeoReference

if TYPE_CHECKING:
    from pixelwise.predict.vectors.vectors import Feature

_AT_ONCE = 2**16  # corners turned to longitude and latitude together: each call costs much
_DIGITS = 9  # of degrees: a tenth of a millimetre


def write_geojson(path: Path, features: "Iterable[Feature]", place: GeoReference, together: bool, named: Path) -> int:
    """Write features to ``path`` and give how many there are; multipolygons where they are ``together``.

    Raises:
        MissingExtra: rasterio is needed to find longitude and latitude; ``named`` is the file told of.
        DataError: the raster's reference system cannot be converted.
    """
    with open(path, "w", encoding="utf-8") as file:
        return put_geojson(file, features, place, together, str(named))


def put_geojson(file: TextIO, features: "Iterable[Feature]", place: GeoReference, together: bool, where: str) -> int:
    """Write features to an open file, as ``write_geojson`` does; a message begins with ``where``.

    Raises:
        MissingExtra, DataError: as ``write_geojson``.
    """
    convert = _converter(place, where)
    count, held, corners = 0, [], 0
    about = {} if place.is_placed and place.crs else {"coordinates": _unplaced(place)}
    file.write(json.dumps({"type": "FeatureCollection", **about}, ensure_ascii=False)[:-1] + ', "features": [')

    def write_held() -> None:
        nonlocal count
        for line in _lines(held, place, convert, together):
            file.write((",\n" if count else "\n") + line)
            count += 1

    for feature in features:
        held.append(feature)
        corners += sum(len(ring) for rings in feature.polygons for ring in rings)
        if corners >= _AT_ONCE:
            write_held()
            held, corners = [], 0
    write_held()
    file.write("\n]}\n")
    return count


def _unplaced(place: GeoReference) -> str:
    if place.is_placed:
        return "in the units of the raster, which names no reference system"
    return "in pixels of a raster that states no place: columns to the right, rows down"


def _converter(place: GeoReference, where: str) -> Callable[[FloatArray], FloatArray] | None:
    if not (place.is_placed and place.crs) or place.epsg == 4326:
        return None
    try:
        from rasterio.warp import transform
    except ImportError:
        raise MissingExtra("rasterio", "geo", f"{where}: longitude and latitude of a raster in {place.crs}") from None

    def convert(points: FloatArray) -> FloatArray:
        try:
            x, y = transform(place.crs, "EPSG:4326", points[:, 0], points[:, 1])
        except Exception as error:  # GDAL raises errors of its own for systems it does not know
            raise DataError(f"{where}: longitude and latitude cannot be found: {error}; write gpkg instead") from None
        return np.stack([np.asarray(x, np.float64), np.asarray(y, np.float64)], axis=1)

    return convert


def _lines(
    features: "Sequence[Feature]", place: GeoReference, convert: Callable[[FloatArray], FloatArray] | None, together: bool
) -> Iterable[str]:
    rings = [ring for feature in features for polygon in feature.polygons for ring in polygon]
    points = place.to_map(np.concatenate([*rings, np.zeros((0, 2))]).astype(np.float64))
    points = np.round(points if convert is None or not len(points) else convert(points), _DIGITS if place.is_placed else 0)
    found = iter(np.split(points, np.cumsum([len(ring) for ring in rings])[:-1]))
    for feature in features:
        polygons = [[_closed(next(found), index == 0) for index in range(len(polygon))] for polygon in feature.polygons]
        geometry = {"type": "MultiPolygon", "coordinates": polygons} if together else _one(polygons)
        yield json.dumps({"type": "Feature", "geometry": geometry, "properties": dict(feature.properties)}, ensure_ascii=False)


def _one(polygons: list[list[list[list[float]]]]) -> dict[str, object]:
    return {"type": "Polygon", "coordinates": polygons[0]}


def _closed(ring: FloatArray, is_outer: bool) -> list[list[float]]:
    """Close a ring, and turn it so that an outline runs counterclockwise."""
    x, y = ring[:, 0] - ring[0, 0], ring[:, 1] - ring[0, 1]
    is_counterclockwise = float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) > 0
    turned = ring if is_counterclockwise == is_outer else ring[::-1]
    closed: list[list[float]] = np.concatenate([turned, turned[:1]]).tolist()
    return closed
