"""The rows of YOLO label files: a class number, then an outline, a box or an oriented box, in fractions of the image's sides.

``class x y x y x y …`` is an outline of at least three points; ``class x y width height`` a box by its centre, with a sixth
number its confidence. Rows of DOTA's form, eight coordinates in pixels, a name and a mark, are oriented boxes.

One outline can hold several parts, and holes. Converters walk from one part to the next and back along the very same line, and
such a doubled line encloses nothing: by the even-odd rule, with which outlines are filled here, it vanishes, parts add up, and
a hole inside a part is cut out. So nothing has to be taken apart.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.core.arrays import FloatArray, Size
from pixelwise.core.errors import DataError, MissingFile, UnreadableFile
from pixelwise.formats.objects import Drawn
from pixelwise.formats.shapes import Polygons

_MOST_BYTES = 2**24  # four million numbers, for one image
_FAR = 2.0  # sides that a fraction may lie beyond the image: more is pixels taken for fractions


@dataclass(frozen=True, eq=False)
class Row:
    """A row: its line, its class (a number, or a name), and one of an outline (P, 2), a box or corners in pixels."""

    line: int
    number: int = -1
    name: str = ""
    outline: FloatArray | None = None
    box: tuple[float, float, float, float] | None = None
    corners: FloatArray | None = None
    position: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


def read_rows(path: Path, has_keypoints: bool = False, has_positions: bool = False) -> list[Row | str]:
    """Read a label file; what is wrong with a row is a sentence in its place.

    Args:
        path: the file.
        has_keypoints: rows are boxes, and then points of a pose, which are left out.
        has_positions: rows begin with the place of the object among all of the image, as in our files of crowds.

    Raises:
        MissingFile, UnreadableFile: it is not there, too large, or no text.
    """
    rows: list[Row | str] = []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        try:
            rows.append(_row(number, words, has_keypoints, has_positions))
        except DataError as error:
            rows.append(f"line {number}: {error}")
    return rows


def _text(path: Path) -> str:
    try:
        if (size := path.stat().st_size) > _MOST_BYTES:
            raise UnreadableFile(f"{path}: {size:,} bytes; at most {_MOST_BYTES:,} are read as YOLO labels")
        return path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise MissingFile(f"{path}: expected YOLO labels, found nothing there; check the path") from None
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"{path}: expected YOLO labels as text, but {error}; copy or export it again") from None
    except OSError as error:
        raise UnreadableFile(f"{path}: cannot be read: {error.strerror or error}") from None


def _row(line: int, words: Sequence[str], has_keypoints: bool, has_positions: bool) -> Row:
    if len(words) == 10 and not _is_number(words[8]):
        corners = np.array(_numbers(words[:8])).reshape(-1, 2)
        return Row(line, name=words[8], corners=corners, extra={"difficult": words[9] == "1"})
    numbers = _numbers(words)
    position = None
    if has_positions:
        position, numbers = int(numbers[0]), numbers[1:]
    if not numbers or not numbers[0].is_integer() or not 0 <= numbers[0] < 2**31:
        raise DataError(f"it begins with {words[0]}; expected a class number from 0 up")
    number, places = int(numbers[0]), numbers[1:]
    if far := [place for place in places if not -_FAR <= place <= 1 + _FAR]:
        raise DataError(f"a coordinate is {far[0]:g}; expected fractions of the image's width and height, from 0 to 1")
    if len(places) in (4, 5) or (has_keypoints and len(places) > 5):
        extra = {"confidence": places[4]} if len(places) == 5 else {}
        return Row(line, number, box=(places[0], places[1], places[2], places[3]), position=position, extra=extra)
    if len(places) < 6 or len(places) % 2:
        raise DataError(f"it has {len(places)} numbers after the class; expected x and y of at least three points, or a box")
    return Row(line, number, outline=np.array(places).reshape(-1, 2), position=position)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _numbers(words: Sequence[str]) -> list[float]:
    try:
        found = [float(word) for word in words]
    except ValueError as error:
        raise DataError(f"{str(error)[:80]}; expected numbers") from None
    if not all(math.isfinite(one) for one in found):
        raise DataError("it holds NaN or Infinity; expected numbers")
    return found


@dataclass(frozen=True, eq=False)
class LabelText:
    """The outlines of one image in a label file; ``crowds`` is our own file of those that stand for groups.

    Where ``missing`` is set there is no label file, which to YOLO means an image without objects.
    """

    path: Path
    names: Mapping[int, str]
    has_keypoints: bool = False
    crowds: Path | None = None
    missing: bool = False

    def stated(self) -> Size | None:
        """Give nothing: the files state no size."""
        return None

    def drawn(self, size: Size) -> Sequence[Drawn | str]:
        """List the outlines, in the order of the rows."""
        rows = [] if self.missing else read_rows(self.path, self.has_keypoints)
        found = [self._drawn(row, size) for row in rows]
        for row in [] if self.crowds is None else read_rows(self.crowds, has_positions=True):
            one = self._drawn(row, size, crowd=True)
            position = len(found) if isinstance(row, str) or row.position is None else row.position
            found.insert(max(0, position), one)
        return found

    def _drawn(self, row: Row | str, size: Size, crowd: bool = False) -> Drawn | str:
        if isinstance(row, str):
            return f"{row} (of {self.crowds})" if crowd else row
        where = f"line {row.line}" + (f" of {self.crowds}" if crowd else "")
        if row.number not in self.names:
            known = ", ".join(f"{number} {name}" for number, name in list(self.names.items())[:8])
            return f"{where}: the class {row.number} is none of the set's ({known}); add it to 'names'"
        if row.outline is None:
            return f"{where}: a box, which is no mask; outline the object, or take the row out"
        return Drawn(self.names[row.number], Polygons((row.outline * (size[1], size[0]),)), where, crowd)
