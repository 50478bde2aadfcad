"""Read GeoJSON [1]: feature collections, bare lists of features as QuPath exports them, and single features.

[1] Butler et al., The GeoJSON Format, RFC 7946, 2016.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from pixelwise.core.arrays import FloatArray
from pixelwise.core.errors import DataError, UnreadableFile
from pixelwise.formats.json_file import decode, decoded, keys_of
from pixelwise.formats.shapes import is_number, points_of

MARK = "pixelwise"
CLASS = "object"
LONGITUDE = "EPSG:4326"  # what GeoJSON is in unless it says otherwise
_CLASS_KEYS = ("class", "class_name", "label", "category", "type", "kind")
_QUPATH = frozenset({"objectType", "object_type", "isLocked"})
_AREAS = ("Polygon", "MultiPolygon", "GeometryCollection")
_MOST_FEATURES = 5_000_000

Ring = FloatArray
Area = tuple[Ring, tuple[Ring, ...]]  # an outer ring and the holes in it


class _Geometry(msgspec.Struct):
    """The kind of a geometry; its coordinates are passed over."""

    type: str = ""


class _Light(msgspec.Struct):
    """A feature without its coordinates."""

    properties: dict[str, Any] | None = None
    geometry: _Geometry | None = None


@dataclass(frozen=True)
class Layer:
    """What a GeoJSON file holds, coordinates apart.

    Attributes:
        path: the file.
        crs: the reference system of its coordinates.
        is_pixels: whether they are pixels: in what we and QuPath write.
        names: its classes, in the order they come in.
        colours: of the classes that state one.
        skipped: how many features of which kind have no area.
    """

    path: Path
    crs: str
    is_pixels: bool
    names: tuple[str, ...]
    colours: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)


def is_geojson(path: Path) -> bool:
    """Tell by its keys whether a file is GeoJSON of features."""
    keys = keys_of(path)
    if keys is None:
        return False
    return {"type", "features"} <= keys or {"type", "geometry", "properties"} <= keys


def features_of(path: Path) -> tuple[list[Raw], Mapping[str, Raw]]:
    """Read the features of a file, undecoded, and what else the file states.

    Raises:
        MissingFile: there is none.
        UnreadableFile: it is cut off, no JSON, or no GeoJSON.
    """
    form: Any = dict[str, Raw] | list[Raw]
    found, _, _ = decoded(path, form, "GeoJSON")
    try:
        if isinstance(found, list):
            features, rest = found, {}
        elif "features" in found:
            features, rest = decode(found["features"], list[Raw]), found
        elif "geometry" in found:
            features, rest = [decoded(path, Raw, "GeoJSON")[0]], found
        else:
            raise DataError("it has no features")
    except DataError as error:
        raise UnreadableFile(f"{path}: expected GeoJSON with features, but {error}") from None
    if len(features) > _MOST_FEATURES:
        raise UnreadableFile(f"{path}: {len(features):,} features; at most {_MOST_FEATURES:,} are read; divide the file")
    return features, rest


def read_layer(path: Path) -> Layer:
    """Read what a file holds, coordinates apart; features that are broken are named when their image is read.

    Raises:
        MissingFile, UnreadableFile: as ``features_of``.
    """
    features, rest = features_of(path)
    names: dict[str, None] = {}
    colours: dict[str, tuple[int, int, int]] = {}
    skipped: Counter[str] = Counter()
    is_pixels = MARK in rest
    for raw in features:
        try:
            one = decode(raw, _Light)
        except DataError:
            continue
        kind = "feature without a geometry" if one.geometry is None else one.geometry.type
        if kind not in _AREAS:
            if one.geometry is not None or MARK not in rest:  # in what we wrote, an empty mask has no geometry
                skipped[kind] += 1
            continue
        properties = one.properties or {}
        is_pixels = is_pixels or not _QUPATH.isdisjoint(properties)
        name = class_of(properties)
        names[name] = None
        if (colour := _colour(properties)) is not None:
            colours.setdefault(name, colour)
    return Layer(path, _system(path, rest), is_pixels, tuple(names), colours, skipped)


def _system(path: Path, rest: Mapping[str, Raw]) -> str:
    """Read the reference system, as GeoJSON stated it before it was fixed to longitude and latitude."""
    if "crs" not in rest:
        return LONGITUDE
    try:
        stated = decode(rest["crs"], Any)
    except DataError as error:
        raise UnreadableFile(f"{path}: its crs cannot be read: {error}") from None
    if stated is None:
        return LONGITUDE
    properties = stated.get("properties") if isinstance(stated, dict) else None
    name = str(properties.get("name")) if isinstance(properties, dict) else ""
    if name.endswith("CRS84"):
        return LONGITUDE
    match = re.search(r"EPSG:+(?:[\d.]*:)?(\d{4,6})$", name)
    if match is None:
        raise UnreadableFile(f"{path}: expected a crs such as 'urn:ogc:def:crs:EPSG::32633', found {name!r}; export it in one")
    return f"EPSG:{match[1]}"


def class_of(properties: Mapping[str, Any]) -> str:
    """Tell the class of a feature: QuPath's classification, else the first property that usually holds it.

    >>> class_of({"classification": {"name": "Tumor"}}), class_of({"label": 3}), class_of({"name": "Bob's field"})
    ('Tumor', '3', 'object')
    """
    return _class_and_key(properties)[0]


def _class_and_key(properties: Mapping[str, Any]) -> tuple[str, str]:
    stated = properties.get("classification")
    if isinstance(stated, dict):
        parts = stated.get("names")
        stated = ": ".join(map(str, parts)) if isinstance(parts, list) and parts else stated.get("name")
    for key, value in (("classification", stated), *((key, properties.get(key)) for key in _CLASS_KEYS)):
        if isinstance(value, str) and value.strip():
            return value, key
        if is_number(value):
            return str(value), key
    return CLASS, "classification"


def _colour(properties: Mapping[str, Any]) -> tuple[int, int, int] | None:
    stated = properties.get("classification")
    colour = stated.get("color") if isinstance(stated, dict) else None
    if isinstance(colour, list) and len(colour) == 3 and all(type(one) is int and 0 <= one < 256 for one in colour):
        return colour[0], colour[1], colour[2]
    packed = stated.get("colorRGB") if isinstance(stated, dict) else None
    return (packed >> 16 & 255, packed >> 8 & 255, packed & 255) if type(packed) is int else None


def areas_of(geometry: Any) -> list[Area] | None:
    """Read the polygons of a geometry, each with its holes; None where it has no area by its nature.

    Raises:
        DataError: its coordinates are no rings of points.
    """
    if not isinstance(geometry, dict) or geometry.get("type") not in _AREAS:
        return None
    kind, coordinates = geometry["type"], geometry.get("coordinates")
    if kind == "GeometryCollection":
        parts = geometry.get("geometries")
        if not isinstance(parts, list):
            raise DataError("a GeometryCollection needs a list of geometries")
        inner = [one for one in parts if isinstance(one, dict) and one.get("type") in _AREAS[:2]]
        return [area for one in inner for area in areas_of(one) or ()] if inner else None
    polygons = [coordinates] if kind == "Polygon" else coordinates
    if not isinstance(polygons, list):
        raise DataError(f"a {kind} needs a list of coordinates")
    return [_area(one) for one in polygons]


def _area(rings: Any) -> Area:
    if not isinstance(rings, list) or not rings:
        raise DataError("a polygon has no ring of points")
    outer, *holes = (_ring(one) for one in rings)
    return outer, tuple(holes)


def _ring(points: Any) -> Ring:
    """Take a ring less its last point, which repeats the first."""
    found = points_of(points)
    is_closed = len(found) > 1 and bool((found[0] == found[-1]).all())
    return found[:-1] if is_closed else found


def attributes_of(properties: Mapping[str, Any], is_ours: bool) -> dict[str, Any]:
    """Give what else a feature says: in a file of ours what stood in ``attributes``, else all but the class."""
    if is_ours:
        stated = properties.get("attributes")
        return stated if isinstance(stated, dict) else {}
    told = {"classification", _class_and_key(properties)[1], *_QUPATH}
    return {key: value for key, value in properties.items() if key not in told}


def number_of(value: object) -> int | None:
    """Take a whole number, where there is one."""
    return value if type(value) is int else None
