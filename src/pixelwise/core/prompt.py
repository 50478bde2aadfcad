"""What a person points at: points, boxes, scribbles and polygons; the same type for GrabCut and promptable networks.

In a JSON file an object is written as its fields that are not empty::

    {"points": [[x, y], [x, y, false]], "box": [left, top, right, bottom], "polygon": [[x, y], ...],
     "scribbles": [{"line": [[x, y], ...], "inside": true}], "class_id": 2}

A file holds a list of objects, which are meant in every image, or a list for each image by its name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.core.arrays import BoolArray, IntArray, Size
from pixelwise.core.errors import DataError, OptionError, nearest
from pixelwise.core.files import read_json

_KEYS = ("points", "box", "scribbles", "polygon", "class_id")
_FAR = 2**31  # pixels: beyond any image, and past it coordinates no longer draw


@dataclass(frozen=True)
class Prompt:
    """One object pointed at, in pixels of the image.

    Attributes:
        points: (x, y, inside) each; inside False marks background.
        box: left, top, right, bottom, exclusive.
        scribbles: strokes, each a sequence of (x, y), with whether it is inside.
        polygon: corners (x, y).
        class_id: the class of the object, where known.
    """

    points: tuple[tuple[float, float, bool], ...] = ()
    box: tuple[float, float, float, float] | None = None
    scribbles: tuple[tuple[tuple[tuple[float, float], ...], bool], ...] = ()
    polygon: tuple[tuple[float, float], ...] = ()
    class_id: int | None = None

    def checked(self, size: Size) -> "Prompt":
        """Give the prompt back if all of it lies in an image of (H, W).

        Raises:
            OptionError: something lies outside, or the box is empty.
        """
        height, width = size
        places = [(x, y) for x, y, _ in self.points] + list(self.polygon)
        places += [place for stroke, _ in self.scribbles for place in stroke]
        for x, y in places:
            if not (0 <= x < width and 0 <= y < height):
                raise OptionError(f"the point ({x}, {y}) lies outside the image of {width} x {height} pixels")
        if self.box is not None:
            left, top, right, bottom = self.box
            if not (0 <= left < right <= width and 0 <= top < bottom <= height):
                raise OptionError(f"the box {self.box} is empty or outside the image of {width} x {height} pixels")
        return self

    def scaled(self, size: Size, to: Size) -> "Prompt":
        """Give the prompt as it lies when the image of (H, W) is resized to another (H, W); a box keeps a pixel at least.

        >>> Prompt(points=((3.0, 1.0, True),), box=(0, 0, 4, 2)).scaled((4, 8), (2, 4))
        Prompt(points=((1.25, 0.25, True),), box=(0, 0, 2, 1), scribbles=(), polygon=(), class_id=None)
        """
        if size == to:
            return self
        (height, width), down, across = to, to[0] / size[0], to[1] / size[1]

        def place(x: float, y: float) -> tuple[float, float]:  # places are centres of pixels; sides of boxes lie between them
            return (
                min(max((x + 0.5) * across - 0.5, 0), width - 1),
                min(max((y + 0.5) * down - 0.5, 0), height - 1),
            )

        box = None
        if self.box is not None:
            left, top, right, bottom = self.box
            left, top = min(int(left * across), width - 1), min(int(top * down), height - 1)
            box = (left, top, max(round(right * across), left + 1), max(round(bottom * down), top + 1))
        return Prompt(
            tuple((*place(x, y), inside) for x, y, inside in self.points),
            box,
            tuple((tuple(place(x, y) for x, y in line), inside) for line, inside in self.scribbles),
            tuple(place(x, y) for x, y in self.polygon),
            self.class_id,
        )

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values, without what is empty."""
        plain: dict[str, Any] = {}
        if self.points:
            plain["points"] = [list(point) for point in self.points]
        if self.box is not None:
            plain["box"] = list(self.box)
        if self.scribbles:
            plain["scribbles"] = [
                {"line": [list(place) for place in line], "inside": inside} for line, inside in self.scribbles
            ]
        if self.polygon:
            plain["polygon"] = [list(place) for place in self.polygon]
        if self.class_id is not None:
            plain["class_id"] = self.class_id
        return plain

    @classmethod
    def from_json(cls, plain: Any, where: str = "prompt") -> "Prompt":
        """Read what ``to_json`` wrote; a point without a third value, and a line without ``inside``, is inside.

        >>> Prompt.from_json({"points": [[3, 4]]})
        Prompt(points=((3.0, 4.0, True),), box=None, scribbles=(), polygon=(), class_id=None)

        Raises:
            DataError: it has another form; the message begins with ``where``.
        """
        if not isinstance(plain, dict):
            raise DataError(f'{where}: expected an object such as {{"box": [left, top, right, bottom]}}, got {plain!r}')
        for key in plain:
            if key not in _KEYS:
                raise DataError(f"{where}: a prompt has no '{key}'; {nearest(str(key), _KEYS)}")
        points = tuple(_point(one, f"{where}: points") for one in _listed(plain.get("points"), f"{where}: points"))
        scribbles = tuple(_scribble(one, where) for one in _listed(plain.get("scribbles"), f"{where}: scribbles"))
        polygon = tuple(_place(one, f"{where}: polygon") for one in _listed(plain.get("polygon"), f"{where}: polygon"))
        if polygon and len(polygon) < 3:
            raise DataError(f"{where}: polygon: expected three corners or more, got {len(polygon)}")
        box, class_id = plain.get("box"), plain.get("class_id")
        if class_id is not None and (isinstance(class_id, bool) or not isinstance(class_id, int) or class_id < 0):
            raise DataError(f"{where}: class_id: expected a whole number from 0 up, got {class_id!r}")
        sides = None if box is None else _numbers(box, 4, f"{where}: box", "[left, top, right, bottom]")
        return cls(points, sides, scribbles, polygon, class_id)  # type: ignore[arg-type]

    def markers(self, size: Size, radius: int = 1) -> IntArray:
        """Draw points and scribbles as a marker map (H, W): 0 unknown, 1 background, 2 inside.

        A place is drawn at the nearest pixel of the map, and a scribble of a single place as a point.

        >>> Prompt(points=((2.9, 0.0, True),)).markers((1, 3), radius=0)
        array([[0, 0, 2]], dtype=uint8)
        """
        import cv2

        markers = np.zeros(size, np.uint8)
        for x, y, inside in self.points:
            cv2.circle(markers, _pixels([(x, y)], size)[0].tolist(), radius, 2 if inside else 1, -1)
        for stroke, inside in self.scribbles:
            if len(stroke) == 1:
                cv2.circle(markers, _pixels(stroke, size)[0].tolist(), radius, 2 if inside else 1, -1)
            elif stroke:
                cv2.polylines(markers, [_pixels(stroke, size)], False, 2 if inside else 1, 2 * radius + 1)
        return markers

    def box_mask(self, size: Size) -> BoolArray:
        """Fill the box (H, W); one narrower than a pixel fills a pixel.

        >>> Prompt(box=(1.1, 0, 1.4, 1)).box_mask((1, 3))
        array([[False,  True, False]])
        """
        mask = np.zeros(size, bool)
        if self.box is not None:
            left, top, right, bottom = (round(side) for side in self.box)
            left, top = min(left, size[1] - 1), min(top, size[0] - 1)
            mask[top : max(bottom, top + 1), left : max(right, left + 1)] = True
        return mask

    def polygon_mask(self, size: Size) -> BoolArray:
        """Fill the polygon (H, W), its outline included.

        >>> Prompt(polygon=((0, 0), (2, 0), (2, 2))).polygon_mask((3, 3)).astype(int)
        array([[1, 1, 1],
               [0, 1, 1],
               [0, 0, 1]])
        """
        import cv2

        mask = np.zeros(size, np.uint8)
        if self.polygon:
            cv2.fillPoly(mask, [_pixels(self.polygon, size)], 1)
        return mask.view(bool)


@dataclass(frozen=True)
class Prompts:
    """What is pointed at in several images.

    Attributes:
        everywhere: objects meant in every image.
        by_name: objects of single images, by path, file name or stem.
    """

    everywhere: tuple[Prompt, ...] = ()
    by_name: Mapping[str, tuple[Prompt, ...]] = field(default_factory=dict)

    def of(self, path: Path | str) -> tuple[Prompt, ...]:
        """Give an image's objects: those meant everywhere, and those listed by its path, else its file name, else its stem."""
        path = Path(path)
        own = next(
            (self.by_name[name] for name in (str(path), path.as_posix(), path.name, path.stem) if name in self.by_name), ()
        )
        return self.everywhere + own

    def __bool__(self) -> bool:
        return bool(self.everywhere or any(self.by_name.values()))

    def to_json(self) -> Any:
        """Write as plain JSON values, as ``read_prompts`` reads them, if there are objects of one sort alone."""
        everywhere = [one.to_json() for one in self.everywhere]
        by_name = {name: [one.to_json() for one in listed] for name, listed in self.by_name.items()}
        return [everywhere, by_name] if everywhere and by_name else by_name or everywhere


def objects_of(
    boxes: Sequence[tuple[float, float, float, float]], points: Sequence[tuple[float, float, bool]]
) -> tuple[Prompt, ...]:
    """Make objects of boxes and points (x, y, inside) given one by one: an object for each box and each point inside.

    With a single box, all points belong to its object. Points outside belong to the first object.

    >>> [len(one.points) for one in objects_of([(0, 0, 9, 9)], [(1, 1, True), (8, 8, False)])]
    [2]
    """
    objects = [Prompt(box=box) for box in boxes]
    inner, outer = tuple(one for one in points if one[2]), tuple(one for one in points if not one[2])
    if len(objects) == 1:
        objects = [Prompt(points=inner, box=boxes[0])]
    else:
        objects += [Prompt(points=(one,)) for one in inner]
    if outer:
        objects = objects or [Prompt()]
        objects[0] = Prompt(points=objects[0].points + outer, box=objects[0].box)
    return tuple(objects)


def read_prompts(path: Path) -> Prompts:
    """Read a JSON file of prompts: a list of objects, or a list for each image by its name.

    Raises:
        MissingFile, UnreadableFile: there is no such file, or it is not JSON.
        DataError: a prompt has another form; the message says which and what was expected.
    """
    plain = read_json(Path(path))
    if isinstance(plain, list):
        return Prompts(everywhere=_prompts(plain, str(path)))
    if not isinstance(plain, dict):
        raise DataError(f"{path}: expected a list of prompts, or a list for each image by its name, got {plain!r}")
    if plain and set(plain) <= set(_KEYS):
        return Prompts(everywhere=(Prompt.from_json(plain, str(path)),))
    return Prompts(by_name={name: _prompts(listed, f"{path}: {name}") for name, listed in plain.items()})


def _prompts(plain: Any, where: str) -> tuple[Prompt, ...]:
    listed = [plain] if isinstance(plain, dict) else _listed(plain, where)
    return tuple(Prompt.from_json(one, f"{where}: prompt {index + 1}") for index, one in enumerate(listed))


def _pixels(places: Sequence[tuple[float, float]], size: Size) -> IntArray:
    """Give the nearest pixels (P, 2), x first, of a map (H, W)."""
    found: IntArray = np.clip(np.rint(places), 0, (size[1] - 1, size[0] - 1)).astype(np.int32)
    return found


def _listed(value: Any, where: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise DataError(f"{where}: expected a list, got {value!r}")
    return value


def _numbers(value: Any, count: int, where: str, form: str) -> tuple[float, ...]:
    numbers = value if isinstance(value, list) else []
    if len(numbers) != count or not all(
        isinstance(one, int | float) and not isinstance(one, bool) and abs(one) < _FAR for one in numbers
    ):
        raise DataError(f"{where}: expected {form} in pixels, got {value!r}")
    return tuple(float(one) for one in numbers)


def _place(value: Any, where: str) -> tuple[float, float]:
    x, y = _numbers(value, 2, where, "[x, y]")
    return x, y


def _point(value: Any, where: str) -> tuple[float, float, bool]:
    inside = value[2] if isinstance(value, list) and len(value) == 3 else True
    if not isinstance(inside, bool):
        raise DataError(f"{where}: expected [x, y] or [x, y, true or false], got {value!r}")
    return *_place(value[:2] if isinstance(value, list) and len(value) == 3 else value, where), inside


def _scribble(value: Any, where: str) -> tuple[tuple[tuple[float, float], ...], bool]:
    if not isinstance(value, dict) or not set(value) <= {"line", "inside"} or not isinstance(value.get("inside", True), bool):
        raise DataError(f'{where}: scribbles: expected {{"line": [[x, y], ...], "inside": true}}, got {value!r}')
    line = tuple(_place(one, f"{where}: scribbles") for one in _listed(value.get("line"), f"{where}: scribbles"))
    return line, value.get("inside", True)
