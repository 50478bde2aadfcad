"""The labels of a data row as Labelbox's files hold them, of all three kinds.

The first export has ``Label.objects``; the export of today ``projects``, each with ``labels``; what is imported is one object
or one answer an item.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Raw

from pixelwise.core.arrays import FloatArray, Size
from pixelwise.core.errors import DataError, UnreadableFile
from pixelwise.formats.exports import Item, is_null, number_in, objects_in, once, take
from pixelwise.formats.exports.note import KEY, drawn_fields
from pixelwise.formats.exports.png import from_base64, mask_of_png
from pixelwise.formats.json_file import decode
from pixelwise.formats.objects import Drawn
from pixelwise.formats.shapes import Bitmap, Box, Polygons, Shape

Fields = dict[str, Raw]
_AREAS = ("polygon", "bbox", "bounding_box", "mask", "composite_mask", "geometry")
_LINES = ("point", "line")
_DEEPEST = 16  # questions inside answers inside questions …


@dataclass(frozen=True)
class Label:
    """What one person said of an image: objects, and answers to questions about it."""

    objects: list[Raw]
    answers: list[Any]

    def fields(self) -> list[Fields]:
        """Decode the objects for a first look, as ``objects_in`` does."""
        return objects_in(self.objects)


@dataclass(frozen=True)
class Thing:
    """What an object is: its class, the key of its shape, and whether that has an area."""

    name: str
    kind: str
    has_area: bool


def thing_of(one: Mapping[str, Raw]) -> Thing | None:
    """Tell what an object is; None for what is none, such as an answer, a relationship or a metric."""
    name = next((text for key in ("title", "name", "value", "schemaId") if (text := take(one, key, str, ""))), "")
    for key in _AREAS:
        if key in one:
            return Thing(name, key, True)
    for key in _LINES:
        if key in one:
            return Thing(name, key, False)
    return Thing(name, "mask", True) if "instanceURI" in one else None


def medium_of(fields: Fields) -> str:
    """Name what an item labels, if that is no image: ``texts``, ``documents``, ``videos`` …; empty for an image."""
    about = take(fields, "media_attributes", dict[str, Any], {})
    medium = f"{about.get('asset_type', '')} {about.get('mime_type', '')}".casefold()
    for word, name in (("video", "videos"), ("pdf", "documents"), ("text", "texts"), ("audio", "sounds"), ("html", "texts")):
        if word in medium:
            return name
    if take(fields, "Labeled Data", str, "").lstrip().startswith("{"):
        return "tiled maps"
    if take(fields, "Label", list[Raw], []):
        return "videos"
    for each in (fields, *(one for label in _stated(fields) for one in label.fields())):
        if name := _medium_of_object(each):
            return name
    return ""


def _medium_of_object(one: Mapping[str, Raw]) -> str:
    if {"metricValue", "messageEvaluationTask", "relationship"} & one.keys():
        return "metrics, conversations or relationships"
    if {"frames", "segments", "keyframes"} & one.keys():
        return "videos"
    if "page" in one or "textSelections" in one:
        return "documents"
    if "location" in one or "location" in take(one, "data", Fields, {}):
        return "texts"
    return ""


def labels_of(fields: Fields) -> list[Label]:
    """List the labels of an item, of whichever kind it is.

    Raises:
        DataError: its projects, labels or objects are not where they should be.
    """
    return list(_labels(fields))


def _stated(fields: Fields) -> list[Label]:
    try:
        return labels_of(fields)
    except DataError:
        return []


def _labels(fields: Fields) -> Iterator[Label]:
    if "dataRow" in fields:
        yield Label([Raw(msgspec.json.encode(fields))], [] if thing_of(fields) else [_question(fields)])
    elif "projects" in fields:
        for project in decode(fields["projects"], dict[str, Fields]).values():
            for one in decode(project["labels"], list[Fields]) if "labels" in project else ():
                yield _label(decode(one["annotations"], Fields) if "annotations" in one else {})
    else:
        label = take(fields, "Label", Fields, {})
        if "objects" in label or "classifications" in label:
            yield _label(label)
        elif label:
            yield Label(list(_by_class(label)), [])


def _label(fields: Fields) -> Label:
    is_there = "objects" in fields and not is_null(fields["objects"])
    return Label(decode(fields["objects"], list[Raw]) if is_there else [], take(fields, "classifications", list[Any], []))


def _by_class(label: Fields) -> Iterator[Raw]:
    """Give the objects of the oldest exports, which list them under the names of their classes."""
    for name in label:
        for one in objects_in(take(label, name, list[Raw], [])):
            yield Raw(msgspec.json.encode({"title": name, **one}))


def _question(fields: Fields) -> dict[str, Any]:
    return {key: take(fields, key, Any, None) for key in ("name", "schemaId", "answer") if key in fields}


def answers_of(stated: object, depth: int = 0) -> dict[str, Any]:
    """Give the answers to questions, by the questions' names; those inside an answer are joined with them.

    >>> answers_of([{"title": "wet", "answer": {"title": "yes"}}, {"name": "how", "answers": [{"name": "a"}, {"name": "b"}]}])
    {'wet': 'yes', 'how': ['a', 'b']}
    """
    found: dict[str, Any] = {}
    if depth > _DEEPEST or not isinstance(stated, list):
        return found
    for one in stated:
        if isinstance(one, list):
            found |= answers_of(one, depth + 1)
        if not isinstance(one, dict) or not (name := _name(one)):
            continue
        keys = ("answer", "answers", "radio_answer", "checklist_answers", "text_answer")
        answer = next((one[key] for key in keys if key in one), None)
        found[name] = [_said(each) for each in answer] if isinstance(answer, list) else _said(answer)
        for each in answer if isinstance(answer, list) else [answer]:
            if isinstance(each, dict):
                found |= answers_of(each.get("classifications"), depth + 1)
        found |= answers_of(one.get("classifications"), depth + 1)
    return found


def _name(one: Mapping[str, Any]) -> str:
    return next((text for key in ("title", "name", "value", "schemaId") if isinstance(text := one.get(key), str) and text), "")


def _said(answer: object) -> object:
    if not isinstance(answer, dict):
        return answer
    return _name(answer) or answer.get("content")


@once
def _opened(item: Item) -> list[Label]:
    """List the labels of an item."""
    return labels_of(item.decoded(Fields))


@dataclass(frozen=True, eq=False)
class RowDrawing:
    """What one person drew on the image of a data row: labels, by item and number within it."""

    path: Path
    labels: tuple[tuple[Item, int], ...]

    def _objects(self) -> Iterator[Raw]:
        for item, number in self.labels:
            try:
                stated = _opened(item)
            except UnreadableFile:
                raise
            except DataError as error:
                raise DataError(f"{self.path}: the item at byte {item.place[0]}: expected objects, but {error}") from None
            yield from stated[number].objects if number < len(stated) else ()

    def stated(self) -> Size | None:
        """Give (H, W) as the first item states it."""
        for item, _ in self.labels[:1]:
            fields = item.decoded(Fields)
            for key in ("media_attributes", "Media Attributes"):
                about = take(fields, key, dict[str, Any], {})
                height, width = about.get("height"), about.get("width")
                if isinstance(height, int) and isinstance(width, int):
                    return height, width
        return None

    def drawn(self, size: Size) -> Sequence[Drawn | str]:
        """List the objects with an area."""
        found: list[Drawn | str] = []
        for number, raw in enumerate(self._objects(), start=1):
            try:
                one = decode(raw, Fields)
            except DataError as error:
                found.append(f"object number {number}: expected an object, but {error}")
                continue
            thing = thing_of(one)
            if thing is not None and thing.has_area:
                found.append(_drawn(one, thing, number, size))
        return found


def _drawn(one: Mapping[str, Raw], thing: Thing, number: int, size: Size) -> Drawn | str:
    identity = next((text for key in ("featureId", "feature_id", "uuid") if (text := take(one, key, str, ""))), "")
    where = f"object {identity or f'number {number}'}"
    try:
        shape = _shape(one, thing.kind, size)
    except DataError as error:
        return f"{where}: {error}"
    attributes = answers_of(take(one, "classifications", list[Any], []))
    return Drawn(thing.name, shape, where, **drawn_fields(take(one, KEY, Any, None), attributes))


def _shape(one: Mapping[str, Raw], kind: str, size: Size) -> Shape:
    if kind in ("polygon", "geometry"):
        return Polygons((_points(take(one, kind, Any, None)),))
    if kind in ("bbox", "bounding_box"):
        box = take(one, kind, dict[str, Any], {})
        left, top = number_in(box, "left"), number_in(box, "top")
        return Box(left, top, left + number_in(box, "width"), top + number_in(box, "height"))
    mask = take(one, kind, dict[str, Any], {})
    if not isinstance(png := mask.get("png"), str):
        raise DataError("its mask lies behind an address and is not downloaded; export polygons, or put it in the file as PNG")
    found = mask_of_png(from_base64(png), "colour", size)
    if found.shape != size:
        raise DataError(f"its mask is {list(found.shape)}, but the image is {list(size)} (height, width)")
    return Bitmap(found)


def _points(stated: object) -> FloatArray:
    if not isinstance(stated, list) or not all(isinstance(one, dict) for one in stated):
        raise DataError("expected a polygon as a list of points with x and y, found something else")
    return np.array([(number_in(one, "x"), number_in(one, "y")) for one in stated], np.float64).reshape(-1, 2)
