"""The regions that people drew in Label Studio, as an exported task holds them.

Coordinates are in percent of the picture's width and height. A region is told in several results of one id where its class, its
answers and its shape come from several controls; here they are one again.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec import Raw

from pixelwise.core.arrays import Size
from pixelwise.core.errors import DataError, UnreadableFile
from pixelwise.formats.exports import Item, is_null, number_in, once, scaled, take
from pixelwise.formats.exports.note import KEY, drawn_fields
from pixelwise.formats.exports.png import from_base64, mask_of_png
from pixelwise.formats.json_file import decode
from pixelwise.formats.label_studio.brush import Brush
from pixelwise.formats.objects import Drawn
from pixelwise.formats.shapes import Bitmap, Box, Ellipse, Polygons, Shape, points_of

Fields = dict[str, Raw]
_SHAPES = ({"points"}, {"rle"}, {"imageDataURL"}, {"radiusX", "radiusY"}, {"x", "y", "width", "height"})
_SHARED = frozenset({"original_width", "original_height", "image_rotation"})
_ANSWERS = frozenset({"choices", "text", "rating", "number", "datetime", "taxonomy"})  # told beside the region's shape again
_GEOMETRY = ("points", "rle", "imageDataURL", "radiusX", "radiusY", "x", "y", "width", "height", "rotation")


@dataclass(frozen=True, eq=False)
class Region:
    """A region: its classes, the result that holds its shape (None for an answer about the image), and its answers."""

    where: str
    kind: str = ""
    control: str = ""
    names: tuple[str, ...] = ()
    shape: Fields | None = None
    value: Mapping[str, Raw] = field(default_factory=dict)
    answers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_area(self) -> bool:
        """Whether it is drawn, and not a point, a line or an answer."""
        return self.shape is not None

    @property
    def classes(self) -> tuple[str, ...]:
        """Its classes; one drawn without a label is of the class that its control is called."""
        return self.names or ((self.control,) if self.control else ())

    @property
    def picture(self) -> str:
        """The image, of those that the task shows, that it is drawn on; empty where that is not said."""
        return take(self.shape or {}, "to_name", str, "")

    def size(self) -> Size | None:
        """Give (H, W) of the picture as the result states it."""
        for fields in (self.shape or {}, self.value):
            height, width = take(fields, "original_height", int, 0), take(fields, "original_width", int, 0)
            if height > 0 and width > 0:
                return height, width
        return None


def truths_of(fields: Fields) -> list[list[Raw]]:
    """Give the results of every truth of an exported task.

    Each annotation that was not cancelled is a truth, in the file's order; one that is marked as the ground truth stands alone.
    An entry of JSON-MIN is one truth.

    Raises:
        DataError: its annotations are no list of objects.
    """
    if "data" not in fields:
        return [list(_entries(fields))]
    key = "annotations" if "annotations" in fields else "completions"
    stated = decode(fields[key], list[Fields]) if key in fields and not is_null(fields[key]) else []
    kept = [one for one in stated if not take(one, "was_cancelled", bool, False)]
    if len(chosen := [one for one in kept if take(one, "ground_truth", bool, False)]) == 1:
        kept = chosen
    return [decode(one["result"], list[Raw]) if "result" in one else [] for one in kept]


def _entries(fields: Fields) -> Iterator[Raw]:
    """Give the regions of an entry of JSON-MIN: lists of objects under the names of the controls."""
    for key in fields:
        yield from drawn_under(fields, key)


def drawn_under(fields: Fields, key: str) -> list[Raw]:
    """Give what an entry of JSON-MIN has drawn with one control; a list without an object in it is of answers or texts."""
    results = take(fields, key, list[Raw], [])
    return results if any(bytes(memoryview(one)[:1]) == b"{" for one in results) else []


def controls_of(fields: Fields) -> list[str]:
    """Name the control of every region that ``truths_of`` gives of an entry of JSON-MIN."""
    return [key for key in fields for _ in drawn_under(fields, key)]


def regions_of(results: Sequence[Raw], controls: Sequence[str] = ()) -> list[Region | str]:
    """Join results to regions, in the order in which they begin; what is no result is a sentence in its place.

    Results of one id are one region. Those of JSON-MIN have none: there a region that two controls tell has one geometry.
    """
    found: dict[object, Region | str] = {}
    told: Counter[tuple[str, object]] = Counter()
    for number, raw in enumerate(results, start=1):
        try:
            fields = decode(raw, Fields)
        except DataError as error:
            found[number] = f"result {number}: expected an object, but {error}"
            continue
        control = controls[number - 1] if number <= len(controls) else take(fields, "from_name", str, "")
        name = take(fields, "id", str, "")
        key: object = name or number
        if controls and not name and (place := _place(fields)):
            told[control, place] += 1
            key = place, told[control, place]  # a region drawn twice with one control is two
        before = found.get(key)
        found[key] = _joined(
            before if isinstance(before, Region) else Region(f"region {name or f'number {number}'}"), fields, control
        )
    return list(found.values())


def _place(fields: Fields) -> tuple[tuple[str, bytes], ...]:
    """Give the geometry of an entry of JSON-MIN, to be compared; empty where it has none."""
    return tuple((key, bytes(memoryview(fields[key]))) for key in _GEOMETRY if key in fields)


def _joined(region: Region, fields: Fields, control: str) -> Region:
    """Add a result to its region."""
    value = take(fields, "value", Fields, {}) if "value" in fields else fields
    names = [name for key in value if key.endswith("labels") for name in take(value, key, list[str], [])]
    kind = take(fields, "type", str, "") or next((key for key in value if key.endswith("labels")), "")
    is_shape = any(keys <= value.keys() for keys in _SHAPES)
    said = {key: raw for key, raw in value.items() if key in _ANSWERS} if is_shape else value
    answers = {control: _answer(said)} if said and control and not names else {}
    return Region(
        region.where,
        region.kind or kind,
        region.control or ("" if answers else control),
        tuple(dict.fromkeys((*region.names, *names))),
        fields if is_shape and region.shape is None else region.shape,
        value if is_shape and region.shape is None else region.value,
        {**region.answers, **answers},
    )


def _answer(value: Mapping[str, Raw]) -> Any:
    """Give what a person chose or wrote: the value alone where it is one, without the geometry that is told again."""
    known = {key: take(value, key, Any, None) for key in value if key not in _SHARED}
    return next(iter(known.values())) if len(known) == 1 else known


def shape_of(region: Region, size: Size) -> Shape:
    """Give the shape of a region on a picture (H, W).

    Raises:
        DataError: its numbers make no sense, or the picture was turned in the editor.
    """
    fields, value = region.shape or {}, region.value
    if turn := take(fields, "image_rotation", float, 0.0) or take(value, "image_rotation", float, 0.0):
        raise DataError(f"it was drawn on the picture turned by {turn:g} degrees, which is not read; turn the picture itself")
    if "rle" in value:
        return _brush(value)
    if "imageDataURL" in value:
        return _bitmap(take(value, "imageDataURL", str, ""), size)
    height, width = size
    if "points" in value:
        return Polygons((scaled(points_of(decode(value["points"], list[Any])), (width / 100, height / 100)),))
    numbers = {key: take(value, key, Any, None) for key in ("x", "y", "width", "height", "radiusX", "radiusY")}
    angle = take(value, "rotation", float, 0.0)
    left, top = number_in(numbers, "x") * width / 100, number_in(numbers, "y") * height / 100
    if "radiusX" in value:
        radii = number_in(numbers, "radiusX") * width / 100, number_in(numbers, "radiusY") * height / 100
        return Ellipse(left, top, *radii, angle)
    right = left + number_in(numbers, "width") * width / 100
    bottom = top + number_in(numbers, "height") * height / 100
    return Box(left, top, right, bottom, angle, (left, top))


def _brush(value: Mapping[str, Raw]) -> Brush:
    if (form := take(value, "format", str, "rle")) != "rle":
        raise DataError(f"expected a brush stroke in the format 'rle', found '{form}'")
    try:
        return Brush(bytes(decode(value["rle"], list[int])))
    except ValueError as error:  # our own DataError is one too
        raise DataError(f"expected the run lengths of a brush as a list of bytes, but {error}") from None


def _bitmap(text: str, size: Size) -> Bitmap:
    mask = mask_of_png(from_base64(text), "alpha", size)
    if mask.shape != size:
        raise DataError(f"its mask is {list(mask.shape)}, but the image is {list(size)} (height, width)")
    return Bitmap(mask)


@once
def _truths(item: Item) -> tuple[list[list[Raw]], list[str]]:
    """Give the results of every truth of an item, and of JSON-MIN the controls that they were drawn with."""
    fields = item.decoded(Fields)
    return truths_of(fields), [] if "data" in fields else controls_of(fields)


@dataclass(frozen=True, eq=False)
class TaskDrawing:
    """What one person drew on the picture of a task: its truth number ``row``."""

    item: Item
    row: int
    task: str

    @property
    def path(self) -> Path:
        """The export."""
        return self.item.path

    def _regions(self) -> list[Region | str]:
        try:
            truths, controls = _truths(self.item)
        except UnreadableFile:
            raise
        except DataError as error:
            raise DataError(f"{self.path}: {self.task}: its annotations are not as expected: {error}") from None
        if self.row >= len(truths):
            raise DataError(f"{self.path}: {self.task}: expected annotation {self.row + 1}, found {len(truths)}")
        return regions_of(truths[self.row], controls)

    def stated(self) -> Size | None:
        """Give (H, W) as the first region states it."""
        sizes = (one.size() for one in self._regions() if isinstance(one, Region) and one.has_area)
        return next((one for one in sizes if one is not None), None)

    def drawn(self, size: Size) -> list[Drawn | str]:
        """List the regions with an area; one of several classes is as many objects."""
        found: list[Drawn | str] = []
        regions = self._regions()
        pictures = {one.picture: None for one in regions if isinstance(one, Region) and one.has_area}
        for region in regions:
            if isinstance(region, str):
                found.append(f"{self.task}, {region}")
            elif region.has_area and len(pictures) > 1:
                found.append(
                    f"{self.task}, {region.where}: it is drawn on '{region.picture}', but the task shows several pictures "
                    f"({', '.join(pictures)}), and the export does not say which is which; make it a task a picture"
                )
            elif region.has_area:
                found += self._objects(region, size)
        return found

    def _objects(self, region: Region, size: Size) -> Iterator[Drawn | str]:
        where = f"{self.task}, {region.where}"
        try:
            shape = shape_of(region, size)
        except DataError as error:
            yield f"{where}: {error}"
            return
        if not region.classes:
            yield f"{where}: it has no label; give it one"
        meta = take(region.shape or {}, "meta", dict[str, Any], {})
        attributes = {**{key: value for key, value in meta.items() if key != KEY}, **region.answers}
        for name in region.classes:
            yield Drawn(name, shape, where, **drawn_fields(meta.get(KEY), attributes))
