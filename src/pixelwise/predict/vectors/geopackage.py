"""Write polygons as a GeoPackage [1]: one table in an SQLite file, in the raster's own reference system.

The file has no spatial index, which is an extension; programs that want one make it when they open the file.

[1] OGC 12-128r18, GeoPackage Encoding Standard 1.3.
"""

import sqlite3
import struct
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pixelwise.core.arrays import FloatArray
from pixelwise.core.errors import StorageError
from pixelwise.core.rasters.place import GeoReference

if TYPE_CHECKING:
    from pixelwise.predict.vectors.vectors import Feature

TABLE = "segments"
_AT_ONCE = 1000  # rows
_OWN = 100_000  # the number of a reference system that has none of its own
_WGS84 = (
    'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,AUTHORITY["EPSG","7030"]],'
    'AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,AUTHORITY["EPSG","8901"]],'
    'UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],AUTHORITY["EPSG","4326"]]'
)
_TABLES = """
PRAGMA application_id = 1196444487;
PRAGMA user_version = 10300;
CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER PRIMARY KEY, organization TEXT NOT NULL,
  organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE,
  description TEXT DEFAULT '', last_change DATETIME NOT NULL, min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE,
  srs_id INTEGER, CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL, geometry_type_name TEXT NOT NULL,
  srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL,
  CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name),
  CONSTRAINT uk_gc_table_name UNIQUE (table_name), CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES
  gpkg_contents(table_name), CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id));
"""
_COLUMNS = {
    "id": "INTEGER",
    "class": "TEXT",
    "class_id": "INTEGER",
    "score": "DOUBLE",
    "area": "INTEGER",
    "area_m2": "DOUBLE",
    "iou": "DOUBLE",
}


def write_geopackage(path: Path, features: "Iterable[Feature]", place: GeoReference, together: bool) -> int:
    """Write features to ``path`` and give how many there are; multipolygons where they are ``together``.

    Raises:
        StorageError: the file cannot be written.
    """
    path.unlink(missing_ok=True)
    try:
        file = sqlite3.connect(path, isolation_level=None)
        try:
            return _fill(file, features, place, together)
        finally:
            file.close()
    except sqlite3.Error as error:
        raise StorageError(f"{path}: cannot be written: {error}; free some space, and start again") from error


def _fill(file: sqlite3.Connection, features: "Iterable[Feature]", place: GeoReference, together: bool) -> int:
    file.executescript("PRAGMA journal_mode = OFF;" + _TABLES)  # the file is renamed when it is whole, or thrown away
    number = _add_systems(file, place)
    columns = ", ".join(f'"{name}" {kind}' for name, kind in _COLUMNS.items())
    file.execute(f"CREATE TABLE {TABLE} (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, geom BLOB, {columns})")
    insert = f"INSERT INTO {TABLE} (geom, {', '.join(map(_quoted, _COLUMNS))}) VALUES (?{', ?' * len(_COLUMNS)})"
    bounds, count = [np.inf, np.inf, -np.inf, -np.inf], 0
    rest = iter(features)
    while some := list(islice(rest, _AT_ONCE)):
        file.execute("BEGIN")
        for feature in some:
            polygons = [[place.to_map(ring.astype(np.float64)) for ring in rings] for rings in feature.polygons]
            box = _bounds(polygons)
            bounds = [*map(min, bounds[:2], box[:2]), *map(max, bounds[2:], box[2:])]
            file.execute(insert, (_geometry(polygons, box, number, together), *map(feature.properties.get, _COLUMNS)))
        file.execute("COMMIT")
        count += len(some)
    _describe(file, number, bounds if count else None, place, together)
    return count


def _quoted(name: str) -> str:
    return f'"{name}"'


def _add_systems(file: sqlite3.Connection, place: GeoReference) -> int:
    """Enter the reference systems that every file has, and the raster's own; give the number of the latter."""
    known: list[tuple[Any, ...]] = [
        ("Undefined Cartesian SRS", -1, "NONE", -1, "undefined", "undefined cartesian coordinate reference system"),
        ("Undefined geographic SRS", 0, "NONE", 0, "undefined", "undefined geographic coordinate reference system"),
        ("WGS 84", 4326, "EPSG", 4326, _WGS84, "longitude and latitude in degrees"),
    ]
    number = -1
    if place.is_placed and place.crs:
        number = place.epsg or _OWN
        text = place.crs if place.crs[:5] != "EPSG:" else "undefined"
        if number != 4326:
            known.append((f"EPSG:{number}" if place.epsg else "of the raster", number, *_owner(place), text, None))
    file.executemany("INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, ?)", known)
    return number


def _owner(place: GeoReference) -> tuple[str, int]:
    return ("EPSG", place.epsg) if place.epsg else ("NONE", _OWN)


def _describe(
    file: sqlite3.Connection, number: int, bounds: Sequence[float] | None, place: GeoReference, together: bool
) -> None:
    about = "" if place.is_placed else "in pixels of a raster that states no place: columns to the right, rows down"
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    box = [None] * 4 if bounds is None else [float(value) for value in bounds]
    file.execute(
        "INSERT INTO gpkg_contents VALUES (?, 'features', ?, ?, ?, ?, ?, ?, ?, ?)", (TABLE, TABLE, about, now, *box, number)
    )
    kind = "MULTIPOLYGON" if together else "POLYGON"
    file.execute("INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', ?, ?, 0, 0)", (TABLE, kind, number))


def _bounds(polygons: Sequence[Sequence[FloatArray]]) -> list[float]:
    corners = np.concatenate([rings[0] for rings in polygons])
    return [*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist()]


def _geometry(polygons: Sequence[Sequence[FloatArray]], box: Sequence[float], number: int, together: bool) -> bytes:
    """Encode as the standard's blob: its header with the bounds, and well-known binary."""
    left, bottom, right, top = box
    header = b"GP" + struct.pack("<BBi4d", 0, 0b0000_0011, number, left, right, bottom, top)
    parts = [_polygon(rings) for rings in polygons]
    return header + (struct.pack("<BII", 1, 6, len(parts)) + b"".join(parts) if together else parts[0])


def _polygon(rings: Sequence[FloatArray]) -> bytes:
    coded = [struct.pack("<BII", 1, 3, len(rings))]
    for ring in rings:
        closed = np.concatenate([ring, ring[:1]])
        coded += [struct.pack("<I", len(closed)), closed.astype("<f8").tobytes()]
    return b"".join(coded)
