"""Segments as GeoJSON, a multipolygon each, along the sides of pixels.

An image that says where on the earth it lies (a GeoTIFF) gives longitude and latitude, by RFC 7946. Else coordinates are
columns and rows of pixels, from 0, 0 at the top left, and a member ``coordinates`` says so.
"""

import io

from pixelwise.core.rasters.place import GeoReference
from pixelwise.predict.vectors.geojson import put_geojson
from pixelwise.predict.vectors.vectors import Feature
from pixelwise.serve.answered import Answered
from pixelwise.serve.answers.outlines import named, polygons
from pixelwise.serve.wishes import Wishes

MEDIA_TYPE = "application/geo+json"


def write(answered: Answered, wishes: Wishes) -> bytes:
    """Write the answer.

    Raises:
        MissingExtra: rasterio is needed to find longitude and latitude.
        DataError: the image's reference system cannot be converted.
    """
    found, place = answered.segmentation, answered.place or GeoReference()
    areas, about = found.masks.areas().tolist(), named(found)
    rows = zip(about, areas, polygons(found), strict=True)
    file = io.StringIO()
    features = (Feature(tuple(parts), {**one, "area": area, **_on_earth(place, area)}) for one, area, parts in rows)
    put_geojson(file, features, place, together=True, where="the image")
    return file.getvalue().encode()


def _on_earth(place: GeoReference, area: int) -> dict[str, float]:
    return {} if place.pixel_area is None else {"area_m2": round(area * place.pixel_area, 4)}
