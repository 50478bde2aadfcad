"""The regions of VIA's images as objects, and which of their attributes names the class.

Coordinates are pixels. A circle is cx, cy, r; an ellipse has two radii and ``theta``, in radians, clockwise. Polylines and
points have no area. VIA has no word for classes: each annotator makes attributes up. The rule: the attribute called ``class``,
``label``, ``name`` or ``type`` (the first of these that is filled in anywhere), else the only one that is; where there is none,
or none can be chosen, all regions are ``object``. A checkbox with one box ticked names that one.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise.core.arrays import Size
from pixelwise.core.errors import DataError
from pixelwise.formats.json_file import decode
from pixelwise.formats.objects import Drawn, joined
from pixelwise.formats.shapes import Box, Ellipse, Polygons, Shape, is_number, points_of
from pixelwise.formats.via.file import ViaImage

CLASS, OBJECT, CROWD = "class", "object", "crowd"  # the attributes that ``write`` uses
NAMELESS = "object"
_NAMES = ("class", "label", "name", "type")
_FLAT = frozenset({"polyline", "point"})
_NUMBERS = {
    "rect": ("x", "y", "width", "height"),
    "circle": ("cx", "cy", "r"),
    "ellipse": ("cx", "cy", "rx", "ry"),
}


@dataclass(frozen=True)
class Rule:
    """The attribute that names the class (None: there is none), and whether ours join regions to objects and mark crowds."""

    attribute: str | None
    is_ours: bool = False


def regions_of(image: ViaImage) -> list[Any]:
    """Decode the regions of an image."""
    return decode(image.regions, list[Any])


def kind_of(region: Any) -> str:
    """Give the name of a region's shape; empty where it has none."""
    shape = region.get("shape_attributes") if isinstance(region, dict) else None
    name = shape.get("name") if isinstance(shape, dict) else None
    return name if isinstance(name, str) else ""


def has_area(kind: str) -> bool:
    """Tell whether shapes of this name have an area; unknown ones count as such, so that they are not passed over."""
    return kind not in _FLAT


def attributes_of(region: Any) -> Mapping[str, Any]:
    """Give a region's attributes."""
    found = region.get("region_attributes") if isinstance(region, dict) else None
    return found if isinstance(found, dict) else {}


def filled(regions: Iterable[Any]) -> Counter[str]:
    """Count the attributes that say something, over regions that have an area."""
    return Counter(
        key
        for region in regions
        if has_area(kind_of(region))
        for key, value in attributes_of(region).items()
        if value not in ("", None, {})
    )


def choose(counts: Mapping[str, int]) -> tuple[str | None, str]:
    """Choose the attribute that names the class; give also a sentence where that was not plain.

    >>> choose({"colour": 4, "Type": 5})
    ('Type', '')
    >>> choose({"animal": 9})
    ('animal', '')
    >>> choose({})
    (None, "no region has an attribute: all are of one class, 'object'")
    """
    for name in _NAMES:
        for key in counts:
            if key.casefold() == name:
                return key, ""
    if len(counts) == 1:
        return next(iter(counts)), ""
    if not counts:
        return None, f"no region has an attribute: all are of one class, '{NAMELESS}'"
    return None, (
        f"regions have the attributes {', '.join(sorted(counts))}, and none is called {', '.join(_NAMES)}: all are of one "
        f"class, '{NAMELESS}'; rename the attribute that names the class"
    )


def name_of(region: Any, attribute: str | None) -> str:
    """Name a region's class.

    Raises:
        DataError: it names none, or several.
    """
    if attribute is None:
        return NAMELESS
    value = attributes_of(region).get(attribute)
    if isinstance(value, dict):  # a checkbox
        ticked = [key for key, is_ticked in value.items() if is_ticked is True or is_ticked == "true"]
        if len(ticked) != 1:
            raise DataError(f"expected one value of '{attribute}', which names the class, found {len(ticked)}; tick one")
        return str(ticked[0])
    name = str(value).strip() if isinstance(value, str) or is_number(value) else ""
    if not name:
        raise DataError(f"its '{attribute}', which names the class, is not filled in; fill it in")
    return name


@dataclass(frozen=True)
class ViaDrawing:
    """What is drawn on one image."""

    path: Path
    image: ViaImage
    rule: Rule

    def stated(self) -> Size | None:
        """VIA states no sizes."""
        return None

    def drawn(self, size: Size) -> list[Drawn | str]:
        """List the objects, in the order of their first regions."""
        if self.image.problem:
            raise DataError(f"{self.path}: {self.image.name}: {self.image.problem}; export the file again")
        groups: dict[object, list[Drawn | str]] = {}
        for number, region in enumerate(regions_of(self.image)):
            if not has_area(kind_of(region)):
                continue
            joint = attributes_of(region).get(OBJECT) if self.rule.is_ours else None
            key = ("region", number) if joint in (None, "") else ("object", str(joint))
            groups.setdefault(key, []).append(self._drawn(number, region))
        return [joined(parts) for parts in groups.values()]

    def _drawn(self, number: int, region: Any) -> Drawn | str:
        where = f"{self.image.name}: region {number}"
        kept = {self.rule.attribute, OBJECT, CROWD} if self.rule.is_ours else {self.rule.attribute}
        said = attributes_of(region)
        try:
            crowd = self.rule.is_ours and said.get(CROWD) == "1"
            attributes = {key: value for key, value in said.items() if key not in kept}
            return Drawn(name_of(region, self.rule.attribute), _shape(region), where, crowd, attributes=attributes)
        except DataError as error:
            return f"{where}: {error}"


def _shape(region: Any) -> Shape:
    shape = region.get("shape_attributes") if isinstance(region, dict) else None
    if not isinstance(shape, dict):
        raise DataError("expected a region with shape_attributes, found none")
    kind = shape.get("name")
    if kind in ("polygon", "polyline"):
        return Polygons((_corners(shape),))
    if not isinstance(kind, str) or kind not in _NUMBERS:
        raise DataError(f"expected a polygon, {', '.join(_NUMBERS)}, found {str(kind)[:40]!r}")
    numbers = [shape.get(key) for key in _NUMBERS[kind]]
    if not all(is_number(one) for one in numbers):
        raise DataError(f"a {kind} has the numbers {', '.join(_NUMBERS[kind])}, found {str(numbers)[:60]}")
    try:
        values = [float(one) for one in numbers if one is not None]
        theta = float(shape.get("theta") or 0) if is_number(shape.get("theta") or 0) else math.nan
    except OverflowError:
        raise DataError(f"a {kind} has a number beyond all numbers") from None
    if kind == "rect":
        return Box(values[0], values[1], values[0] + values[2], values[1] + values[3])
    if kind == "circle":
        return Ellipse(values[0], values[1], values[2], values[2])
    return Ellipse(values[0], values[1], values[2], values[3], math.degrees(theta))


def _corners(shape: Mapping[str, Any]) -> Any:
    xs, ys = shape.get("all_points_x"), shape.get("all_points_y")
    if not isinstance(xs, list) or not isinstance(ys, list) or len(xs) != len(ys):
        raise DataError("a polygon has as many all_points_x as all_points_y, found other")
    return points_of(list(zip(xs, ys, strict=True)))
