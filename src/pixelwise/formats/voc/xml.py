"""What a VOC XML file says of one image: its name, its size, and a box an object.

VOC counts pixels from 1 and includes the last one, so its box 1, 2, 3, 4 is (0, 1, 3, 4) here. Some tools count from 0: where a
file has a box that begins at 0, its boxes are taken as they are. Roboflow adds polygons.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import numpy as np

from pixelwise.core.arrays import FloatArray, Size
from pixelwise.core.errors import DataError
from pixelwise.formats.boxed import Boxed
from pixelwise.formats.xml_file import elements, root_tag

_MOST_BYTES = 16 * 2**20
CROWD = "crowd"  # an element of our own
FLAGS = ("truncated", "difficult", "occluded", CROWD)
_FOREIGN = frozenset({"pt", "segm", "sourceImage", "imagesize"})  # LabelMe's XML has the same outermost element


@dataclass(frozen=True)
class Page:
    """One XML file."""

    filename: str
    size: Size | None
    objects: tuple[Boxed, ...]
    order: tuple[tuple[int, int], ...] = ()  # class and number of each segment, where Pixelwise wrote the file
    problems: tuple[str, ...] = ()


def is_voc_xml(path: Path) -> bool:
    """Tell a VOC XML file by its elements; of one that is cut off, those that are whole count."""
    if root_tag(path) != "annotation":
        return False
    tags = {"object", "size", "segmented", "filename", *_FOREIGN}
    seen: set[str] = set()
    try:
        for element in elements(path, frozenset(tags), _MOST_BYTES):
            seen.add(element.tag)
            seen.update(child.tag for child in element.iter())
    except DataError:
        pass
    return not seen & _FOREIGN and bool(seen & {"bndbox", "size", "segmented"})


def read_page(path: Path) -> Page:
    """Read a file.

    Raises:
        MissingFile, UnreadableFile: as ``elements``.
    """
    name, size = "", None
    order: tuple[tuple[int, int], ...] = ()
    objects: list[Boxed] = []
    problems: list[str] = []
    for element in elements(path, frozenset({"filename", "size", "object", "order"}), _MOST_BYTES):
        if element.tag == "filename":
            name = name or (element.text or "").strip()
        elif element.tag == "size":
            size = _size(element)
        elif element.tag == "order":
            order = _order(element.text or "")
        else:
            try:
                objects.append(_boxed(element))
            except ValueError as error:
                problems.append(f"object {len(objects) + len(problems) + 1}: {error}")
    if any(one.box is not None and min(one.box[:2]) <= -1 for one in objects):
        objects = [
            replace(one, box=None if one.box is None else (one.box[0] + 1, one.box[1] + 1, *one.box[2:])) for one in objects
        ]
    return Page(name, size, tuple(objects), order, tuple(problems))


def _order(text: str) -> tuple[tuple[int, int], ...]:
    pairs = [word.partition(":")[::2] for word in text.split()]
    if not all(one.isascii() and one.isdecimal() and len(one) < 9 for pair in pairs for one in pair):
        return ()
    return tuple((int(index), int(number)) for index, number in pairs)


def _size(element: Element) -> Size | None:
    try:
        height, width = (int(float(element.findtext(side, ""))) for side in ("height", "width"))
    except (ValueError, OverflowError):
        return None
    return (height, width) if height > 0 and width > 0 else None  # tools that do not know the size write 0


def _boxed(element: Element) -> Boxed:
    name = (element.findtext("name") or "").strip()
    if not name:
        raise ValueError("it has no name")
    attributes: dict[str, Any] = {}
    for flag in FLAGS:
        if (text := (element.findtext(flag) or "").strip()) in ("0", "1"):
            attributes[flag] = text == "1"
    if pose := (element.findtext("pose") or "").strip():
        attributes["pose"] = pose
    place = element.find("bndbox")
    drawn = element.find("polygon")
    outline = None if drawn is None else _outline(drawn)
    return Boxed(name, None if place is None else _box(place), attributes, outline)


def _box(place: Element) -> tuple[float, float, float, float]:
    texts = [place.findtext(side, "").strip() for side in ("xmin", "ymin", "xmax", "ymax")]
    try:
        left, top, right, bottom = (float(text) for text in texts)
    except ValueError:
        raise ValueError(f"its box is {', '.join(texts)}; expected four numbers") from None
    if not all(abs(side) < 1e9 for side in (left, top, right, bottom)):  # NaN too
        raise ValueError(f"its box is {', '.join(texts)}; expected four numbers of pixels")
    return left - 1, top - 1, right, bottom


def _outline(drawn: Element) -> FloatArray:
    """Read ``x1``, ``y1``, ``x2``, ``y2`` … as points."""
    texts = {child.tag: child.text or "" for child in drawn}
    try:
        numbers = [float(texts[f"{axis}{place}"]) for place in range(1, len(texts) // 2 + 1) for axis in "xy"]
    except (ValueError, KeyError):
        raise ValueError("expected its polygon as numbers x1, y1, x2, y2 …, found something else") from None
    return np.array(numbers, np.float64).reshape(-1, 2)


def written_name(name: str) -> str:
    """Give a class name as it comes back from XML: without spaces around it, and with ``?`` for what XML cannot hold."""
    return "".join("?" if one < " " or "\ud800" <= one <= "\udfff" or one in "\ufffe\uffff" else one for one in name).strip()


def page_text(filename: str, size: Size, bands: int, objects: Sequence[Boxed], order: Sequence[tuple[int, int]] = ()) -> str:
    """Write a file; ``order`` is the class and the number of each segment."""
    root = Element("annotation")
    SubElement(root, "filename").text = written_name(filename)
    place = SubElement(root, "size")
    for key, value in (("width", size[1]), ("height", size[0]), ("depth", bands)):
        SubElement(place, key).text = str(value)
    SubElement(root, "segmented").text = "1"
    for one in objects:
        entry = SubElement(root, "object")
        SubElement(entry, "name").text = written_name(one.name)
        SubElement(entry, "pose").text = str(one.attributes.get("pose", "Unspecified"))
        for flag in FLAGS:
            if flag in ("truncated", "difficult") or flag in one.attributes:
                SubElement(entry, flag).text = str(int(bool(one.attributes.get(flag, False))))
        if one.box is not None:
            left, top, right, bottom = one.box
            sides = SubElement(entry, "bndbox")
            for key, side in (("xmin", left + 1), ("ymin", top + 1), ("xmax", right), ("ymax", bottom)):
                SubElement(sides, key).text = str(int(side)) if float(side).is_integer() else repr(float(side))
    if order:
        SubElement(root, "order").text = " ".join(f"{index}:{number}" for index, number in order)
    indent(root)
    return tostring(root, encoding="unicode") + "\n"
