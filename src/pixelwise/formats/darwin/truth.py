"""The annotations of a Darwin JSON file."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Raw

from pixelwise.core.arrays import FloatArray, Size
from pixelwise.core.errors import DataError, UnreadableFile
from pixelwise.core.idmaps import encode_ids
from pixelwise.core.runs import Runs, encode
from pixelwise.formats.exports import by_name, number_in, take
from pixelwise.formats.exports.note import KEY, drawn_fields
from pixelwise.formats.exports.rings import Rings
from pixelwise.formats.json_file import decode, decoded
from pixelwise.formats.objects import Drawn
from pixelwise.formats.shapes import Box, Coded, Ellipse, Shape

AREAS = ("polygon", "complex_polygon", "mask", "ellipse", "bounding_box")  # a polygon's box is stated beside it
_OTHERS = ("raster_layer", "tag", "keypoint", "line", "skeleton", "cuboid", "eye", "string", "graph", "table", "link")


@dataclass(frozen=True)
class Slot:
    """A picture of an item."""

    name: str
    size: Size | None
    file_name: str
    is_video: bool


def slots_of(fields: Mapping[str, Raw]) -> list[Slot]:
    """List the pictures of an item; a file of version 1.0 has one."""
    image = take(fields, "image", dict[str, Any], {})
    if "item" not in fields:
        return [Slot("", _size(image), "", "frame_count" in image or "frame_urls" in image)]
    item = take(fields, "item", dict[str, Raw], {})
    found = []
    for one in take(item, "slots", list[dict[str, Any]], []):
        sources = one.get("source_files")
        first = sources[0] if isinstance(sources, list) and sources else None
        name = first.get("file_name") if isinstance(first, dict) else None
        frames = one.get("frame_count")
        is_video = one.get("type") == "video" or (isinstance(frames, int) and frames > 1)
        found.append(Slot(str(one.get("slot_name", "")), _size(one), name if isinstance(name, str) else "", is_video))
    return found


def _size(fields: Mapping[str, Any]) -> Size | None:
    height, width = fields.get("height"), fields.get("width")
    return (height, width) if isinstance(height, int) and isinstance(width, int) else None


def kind_of(annotation: Mapping[str, Raw]) -> str:
    """Name what an annotation is: the key under which its shape stands."""
    return next((one for one in (*AREAS, *_OTHERS) if one in annotation), "")


@dataclass(frozen=True, eq=False)
class AnnotationDrawing:
    """What is drawn on the image of one file."""

    path: Path

    def _fields(self) -> dict[str, Raw]:
        return decoded(self.path, dict[str, Raw], "Darwin JSON")[0]

    def stated(self) -> Size | None:
        """Give (H, W) of the first slot as the file states it."""
        slots = slots_of(self._fields())
        return slots[0].size if slots else None

    def drawn(self, size: Size) -> list[Drawn | str]:
        """List the annotations with an area, those of the first slot."""
        fields = self._fields()
        slots = slots_of(fields)
        found: list[Drawn | str] = []
        try:
            raws = decode(fields["annotations"], list[Raw])
        except (KeyError, DataError):
            raise UnreadableFile(f"{self.path}: expected a list of annotations; export the file again") from None
        own: list[tuple[str, dict[str, Raw]]] = []
        for number, raw in enumerate(raws, start=1):
            try:
                one = decode(raw, dict[str, Raw])
            except DataError as error:
                found.append(f"annotation number {number}: expected an object, but {error}")
                continue
            where = take(one, "slot_names", list[str], [])
            if not where or not slots or slots[0].name in where:
                own.append((f"annotation {take(one, 'id', str, '') or f'number {number}'}", one))
        layers, told = _layers(own, size)
        found += told
        return found + [_drawn(where, one, layers) for where, one in own if kind_of(one) in AREAS]


def _layers(annotations: Sequence[tuple[str, dict[str, Raw]]], size: Size) -> tuple[dict[str, Coded | str], list[str]]:
    """Give the mask of every annotation that a raster layer names, or what is wrong with its layer."""
    found: dict[str, Coded | str] = {}
    for where, one in annotations:
        if kind_of(one) != "raster_layer":
            continue
        fields = take(one, "raster_layer", dict[str, Raw], {})
        values = take(fields, "mask_annotation_ids_mapping", dict[str, int], {})
        try:
            masks = _masks(fields, size)
        except DataError as error:
            found |= dict.fromkeys(values, f"its raster layer, {where}: {error}")
            continue
        nothing = encode(np.zeros(size, bool))
        found |= {name: Coded(masks.get(value, nothing)) for name, value in values.items()}
    there = {take(one, "id", str, "") for _, one in annotations}
    return found, [
        f"annotation {name}: a raster layer names it, but it is not in the file" for name in found if name not in there
    ]


def _masks(fields: Mapping[str, Raw], size: Size) -> dict[int, Runs]:
    """Unpack the run lengths of a raster layer (value, count, value, count …, row by row) to a mask for each of its values."""
    try:
        flat = np.array(decode(fields["dense_rle"], list[int]), np.int64)
    except (KeyError, DataError, OverflowError):
        raise DataError("expected 'dense_rle' as a list of whole numbers") from None
    if flat.size % 2 or (flat[1::2] < 0).any():
        raise DataError("expected 'dense_rle' as pairs of a value and a count from 0 up")
    total = sum(flat[1::2].tolist())  # of Python's numbers, which do not overflow
    if total != size[0] * size[1]:
        raise DataError(f"its run lengths add up to {total}; expected {size[0]} x {size[1]} = {size[0] * size[1]}")
    values, rows = np.unique(flat[::2], return_inverse=True)
    layer = np.repeat(rows + 1, flat[1::2]).reshape(size)
    return dict(zip(values.tolist(), encode_ids(layer, len(values)), strict=True))


def _drawn(where: str, one: Mapping[str, Raw], layers: Mapping[str, Coded | str]) -> Drawn | str:
    try:
        kind = kind_of(one)
        shape = _mask(one, layers) if kind == "mask" else _shape(kind, take(one, kind, dict[str, Any], {}))
        box = take(one, "bounding_box", dict[str, Any], {})
        sides = None if kind == "bounding_box" or not box else _sides(box)
    except DataError as error:
        return f"{where}: {error}"
    track = take(take(one, "instance_id", dict[str, Raw], {}), "value", int, -1)
    fields = {"box": sides, "track": track if track >= 0 else None, **drawn_fields(take(one, KEY, Any, None), _attributes(one))}
    return Drawn(take(one, "name", str, ""), shape, where, **fields)


def _mask(one: Mapping[str, Raw], layers: Mapping[str, Coded | str]) -> Coded:
    mask = layers.get(take(one, "id", str, ""))
    if mask is None:
        raise DataError("no raster layer of the file holds the pixels of its mask; export the file again")
    if isinstance(mask, str):
        raise DataError(mask)
    return mask


def _shape(kind: str, fields: Mapping[str, Any]) -> Shape:
    if kind == "bounding_box":
        return Box(*_sides(fields))
    if kind == "ellipse":
        centre, radius = fields.get("center"), fields.get("radius")
        if not isinstance(centre, dict) or not isinstance(radius, dict):
            raise DataError("expected an ellipse of 'center' and 'radius'")
        angle = math.degrees(number_in(fields, "angle")) if "angle" in fields else 0.0
        x, y = number_in(centre, "x"), number_in(centre, "y")
        return Ellipse(x, y, number_in(radius, "x"), number_in(radius, "y"), angle)
    paths = fields.get("paths", fields.get("path"))
    if not isinstance(paths, list) or not paths:
        raise DataError("expected a polygon of 'paths', found none")
    more = fields.get("additional_paths")
    rings = (paths if isinstance(paths[0], list) else [paths]) + (more if isinstance(more, list) else [])
    return Rings(tuple(_ring(one) for one in rings))


def _ring(points: object) -> FloatArray:
    if not isinstance(points, list) or not all(isinstance(one, dict) for one in points):
        raise DataError("expected a path as a list of points with x and y")
    return np.array([(number_in(one, "x"), number_in(one, "y")) for one in points], np.float64).reshape(-1, 2)


def _sides(box: Mapping[str, Any]) -> tuple[float, float, float, float]:
    left, top = number_in(box, "x"), number_in(box, "y")
    return left, top, left + number_in(box, "w"), top + number_in(box, "h")


def _attributes(one: Mapping[str, Raw]) -> dict[str, Any]:
    """Give the attributes of an annotation, which are words, its properties and its text."""
    found: dict[str, Any] = dict.fromkeys(take(one, "attributes", list[str], []), True)
    properties = take(one, "properties", list[dict[str, Any]], [])
    found |= by_name((name, each.get("value")) for each in properties if isinstance(name := each.get("name"), str))
    text = take(one, "text", dict[str, Any], {}).get("text")
    return found if text is None else {**found, "text": text}
