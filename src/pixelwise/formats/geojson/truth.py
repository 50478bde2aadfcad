"""The features of a GeoJSON file on one picture."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.core.arrays import BoolArray, Size
from pixelwise.core.errors import DataError, UnreadableFile
from pixelwise.core.runs import encode
from pixelwise.formats.geojson.file import MARK, Area, areas_of, attributes_of, class_of, features_of, number_of
from pixelwise.formats.geojson.place import Place, clipped
from pixelwise.formats.json_file import decode
from pixelwise.formats.objects import Drawn
from pixelwise.formats.shapes import Coded, Polygons, Shape, Union

_MARGIN = 8  # pixels beyond the picture's sides that outlines on the earth keep


@dataclass(frozen=True)
class Features:
    """The features over one picture.

    Attributes:
        path: the file.
        crs: the reference system of its coordinates.
        place: where the picture lies; None where coordinates are pixels.
        wrong: why none of that is known, in a sentence: then there is nothing to draw.
    """

    path: Path
    crs: str
    place: Place | None
    wrong: str = ""

    def stated(self) -> Size | None:
        """Give nothing: GeoJSON does not say how large a picture is."""
        return None

    def drawn(self, size: Size) -> Sequence[Drawn | str]:
        """List the features in the file's order; those that lie beyond the picture are left out.

        Raises:
            MissingExtra: coordinates must be converted, and rasterio is not installed.
            DataError: the file cannot be read.
        """
        if self.wrong:
            raise UnreadableFile(self.wrong)
        found: list[Drawn | str] = []
        none = encode(np.zeros(size, bool))
        features, is_ours = self._features()
        for number, raw in enumerate(features, start=1):
            where = f"feature {number}"
            try:
                feature = decode(raw, dict[str, Any])
                areas = areas_of(feature.get("geometry"))
                if areas is None and not (is_ours and feature.get("geometry") is None):
                    continue  # points and lines are told of once, when the file is read
                parts = [part for area in areas or () if (part := self._on_picture(area, size)) is not None]
                if not parts and areas:
                    continue
            except DataError as error:
                found.append(f"{where}: {error}")
                continue
            found.append(_drawn(feature, where, _shape(parts) if parts else Coded(none), is_ours))
        return found

    def inside(self, size: Size) -> BoolArray:
        """Tell of each feature whether some of it may lie in the picture; so may those that are broken or have no area."""
        return np.array(list(self._inside(size)), bool)

    def _inside(self, size: Size) -> Iterator[bool]:
        for raw in self._features()[0]:
            try:
                areas = areas_of(decode(raw, dict[str, Any]).get("geometry"))
                yield not areas or any(self._on_picture(area, size) is not None for area in areas)
            except DataError:
                yield True

    def _features(self) -> tuple[list[Any], bool]:
        features, rest = features_of(self.path)
        return list(features), MARK in rest

    def _on_picture(self, area: Area, size: Size) -> Area | None:
        """Give a polygon in pixels; one on the earth is cut off a little beyond the picture, None if nothing is left."""
        if self.place is None:
            return area
        sides = (-_MARGIN, -_MARGIN, size[1] + _MARGIN, size[0] + _MARGIN)
        outer, *holes = (clipped(self.place.pixels(ring, self.crs), sides) for ring in (area[0], *area[1]))
        if len(outer) < 3 or (outer.max(axis=0) <= 0).any() or (outer.min(axis=0) >= (size[1], size[0])).any():
            return None
        return outer, tuple(hole for hole in holes if len(hole) >= 3)


def _shape(parts: Sequence[Area]) -> Shape:
    shapes = tuple(Polygons((outer,), holes) for outer, holes in parts)
    return shapes[0] if len(shapes) == 1 else Union(shapes)


def _drawn(feature: dict[str, Any], where: str, shape: Shape, is_ours: bool) -> Drawn:
    properties = feature.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    return Drawn(
        class_of(properties),
        shape,
        where,
        is_ours and properties.get("crowd") is True,
        id=number_of(properties.get("source_id") if is_ours else feature.get("id")),
        track=number_of(properties.get("track_id")) if is_ours else None,
        attributes=attributes_of(properties, is_ours),
    )
