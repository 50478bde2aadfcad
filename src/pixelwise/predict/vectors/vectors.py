"""Write the regions of an id raster as polygons: GeoPackage, in the raster's own reference system, or GeoJSON.

GeoJSON is in longitude and latitude, as RFC 7946 wants it. Of a raster without a place both are in its pixels, columns to the
right and rows down, and say so. Of class maps every connected region is a polygon; of segments each is one multipolygon.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from pixelwise.core.arrays import IntArray, Size
from pixelwise.core.errors import OptionError
from pixelwise.core.files import replacing
from pixelwise.core.rasters.place import GeoReference
from pixelwise.predict.vectors.geojson import write_geojson
from pixelwise.predict.vectors.geopackage import write_geopackage
from pixelwise.predict.vectors.simplified import simplified
from pixelwise.predict.vectors.traced import Region, Rows, regions

VectorFormat: TypeAlias = Literal["gpkg", "geojson"]
FORMATS: tuple[VectorFormat, ...] = get_args(VectorFormat)
Rings = tuple[IntArray, ...]


@dataclass(frozen=True, eq=False)
class Feature:
    """One row of a file of polygons.

    Attributes:
        polygons: of its parts, each an outline and its holes in corners of pixels.
        properties: its other columns.
    """

    polygons: tuple[Rings, ...]
    properties: Mapping[str, Any]


def check_vectors(form: str | None, simplify: float | None) -> VectorFormat | None:
    """Give the format as it is known here, and refuse what cannot be written.

    Raises:
        OptionError: there is no such format, the bound is none, or it comes without a format.
    """
    if form is not None and form not in FORMATS:
        raise OptionError(f"--vectors {form}: expected one of {', '.join(FORMATS)}")
    if simplify is not None and not 0 < simplify <= 1:
        raise OptionError(f"--simplify {simplify}: expected the least intersection over union, above 0 and up to 1, as 0.95")
    if simplify is not None and form is None:
        raise OptionError("--simplify is of polygons: give --vectors gpkg or --vectors geojson with it")
    return next((one for one in FORMATS if one == form), None)


def write_vectors(
    path: Path,
    rows: Rows,
    size: Size,
    place: GeoReference,
    void: int | None,
    columns: Mapping[int, Mapping[str, Any]],
    simplify: float | None = None,
    together: bool = False,
) -> int:
    """Write the regions of an id raster (H, W) to ``path``, whole or not at all; give how many rows it has.

    Args:
        path: ends in ``.gpkg`` or ``.geojson``.
        rows: reads the rows from a first to below a last one.
        void: the id that makes no polygon.
        columns: of each id, what its rows say besides area.
        simplify: the least intersection over union of a polygon with what it stands for; None leaves all corners.
        together: make one row of all regions of an id.

    Raises:
        MissingExtra: GeoJSON of a raster in another reference system than longitude and latitude, without rasterio.
        StorageError: the file cannot be written.
    """
    found = features(regions(rows, size, void), place, columns, simplify, together)
    with replacing(path) as temporary:
        if path.suffix == ".gpkg":
            return write_geopackage(temporary, found, place, together)
        return write_geojson(temporary, found, place, together, path)


def features(
    found: Iterator[Region],
    place: GeoReference,
    columns: Mapping[int, Mapping[str, Any]],
    simplify: float | None,
    together: bool,
) -> Iterator[Feature]:
    """Make rows of regions; what is together is given at the end, by rising id."""
    parts: defaultdict[int, list[tuple[Region, Rings, float]]] = defaultdict(list)
    for region in found:
        rings, iou = (region.rings, 1.0) if simplify is None else simplified(region.rings, region.area, simplify)
        if together:
            parts[region.value].append((region, rings, iou))
        else:
            yield _feature([(region, rings, iou)], place, columns, simplify)
    for _, of_one in sorted(parts.items()):
        yield _feature(of_one, place, columns, simplify)


def _feature(
    parts: list[tuple[Region, Rings, float]],
    place: GeoReference,
    columns: Mapping[int, Mapping[str, Any]],
    simplify: float | None,
) -> Feature:
    value, area = parts[0][0].value, sum(region.area for region, _, _ in parts)
    properties = {"id": value, **columns.get(value, {}), "area": area}
    if place.pixel_area is not None:
        properties["area_m2"] = round(area * place.pixel_area, 4)
    if simplify is not None:
        properties["iou"] = round(min(iou for _, _, iou in parts) - 5e-5, 4)  # a bound, so rounded down
    return Feature(tuple(rings for _, rings, _ in parts), properties)
