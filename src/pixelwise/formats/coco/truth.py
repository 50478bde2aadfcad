"""The truth of one image in a COCO file: its outlines become run lengths when they are asked for, and not before."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray, Size
from pixelwise.core.errors import DataError, SizeMismatch
from pixelwise.core.image import read_size
from pixelwise.core.labels import VOID, LabelSet
from pixelwise.core.masks import OverlappingMasks
from pixelwise.core.polygons import rasterise
from pixelwise.core.runs import Runs, from_counts, from_text
from pixelwise.core.sample import Salvaged, stored_values
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.formats.coco.file import CocoFile
from pixelwise.formats.coco.numbers import stated_or
from pixelwise.formats.json_file import decode

_NUMBERS = {int, float}
_ONE_RUN = 7  # characters at most of the text of a mask without a pixel; to measure every mask would take longer


@dataclass(frozen=True, eq=False)
class CocoTruth:
    """The annotations of one image.

    Attributes:
        file: the COCO file; all its truths share it.
        row: of the image in it.
        image: the picture.
        labels, classes: the data set's label set, and the class of each of the file's categories in it.
        kind: of what the file holds.
    """

    file: CocoFile
    row: int
    image: Path
    labels: LabelSet
    classes: IntArray
    kind: Kind = "instance"

    @property
    def path(self) -> Path:
        """The COCO file's path."""
        return self.file.path

    def read(self, labels: LabelSet, size: Size) -> tuple[Segmentation, ...]:
        """Read the annotations under ``labels``, joined by name; those of other classes are left out.

        Raises:
            SizeMismatch: the file states another size than the picture has.
            DataError: an annotation is wrong; the message names the file and the annotation, and counts further ones.
            UnreadableFile: the file changed since it was read.
        """
        truths, problems = self.salvage(labels, size)
        if problems:
            more = f" ({len(problems) - 1} more annotations of this image are wrong)" if problems[1:] else ""
            raise DataError(problems[0] + more)
        return truths

    def salvage(self, labels: LabelSet, size: Size) -> Salvaged:
        """Read the annotations that are good, and say of each other one what is wrong.

        Raises:
            SizeMismatch, UnreadableFile: as ``read``.
        """
        self._require_size(size)
        columns = self.file.rows
        rows = np.arange(columns.starts[self.row], columns.starts[self.row + 1])
        strange = rows[columns.categories[rows] < 0]
        problems = [self._unknown(int(row)) for row in strange]
        rows = rows[columns.categories[rows] >= 0]
        table = self.classes if labels == self.labels else np.append(self.labels.map_to(labels), VOID)[self.classes]
        rows = rows[table[columns.categories[rows]] >= 0]
        runs = []
        kept = []
        for row, text in zip(rows.tolist(), self.file.pieces(columns.outlines[rows]), strict=True):
            try:
                runs.append(self._runs(row, text, size))
                kept.append(row)
            except DataError as error:
                problems.append(str(error))
        rows = np.array(kept, np.int64)
        classes = table[columns.categories[rows]]
        return (self._segmentation(rows, OverlappingMasks(tuple(runs), size), classes, labels),), tuple(problems)

    def _segmentation(self, rows: IntArray, masks: OverlappingMasks, classes: IntArray, labels: LabelSet) -> Segmentation:
        columns, attributes = self.file.rows, self._attributes(rows)
        ids = columns.ids[rows]
        try:
            return Segmentation(
                self.kind,
                masks,
                classes,
                labels,
                None if columns.scores is None else np.nan_to_num(columns.scores[rows], nan=1.0).clip(0, 1),
                crowd=columns.crowd[rows] if columns.crowd[rows].any() else None,
                boxes=stated_or(columns.boxes[rows], masks.boxes),
                areas=stated_or(columns.areas[rows], masks.areas),
                source_ids=ids if (ids >= 0).any() else None,
                attributes=attributes,
            )
        except DataError as error:  # in a file of ours that says so, and to which another tool added objects
            raise DataError(
                f"{self.path}: {self._image_named()}: its annotations are no {self.kind} truth: {error}; mend them, or take "
                f"'kind' out of the file's info to read it as instances"
            ) from None

    def raw(self) -> list[IntArray]:
        """Paint the annotations as a map (H, W) of category ids, by the rule of ``Segmentation.semantic``."""
        return [stored_values(one) for one in self.read(self.labels, read_size(self.image))]

    def stated(self) -> Size | None:
        """Give (H, W) of the image as the file states it."""
        height, width = (int(side) for side in self.file.sizes[self.row])
        return (height, width) if height and width else None

    def count(self) -> int:
        """Count the annotations."""
        starts = self.file.rows.starts
        return int(starts[self.row + 1] - starts[self.row])

    def _require_size(self, size: Size) -> None:
        height, width = (int(side) for side in self.file.sizes[self.row])
        if (height or size[0], width or size[1]) == size:
            return
        turned = " (turned by 90 degrees: does the image carry an EXIF orientation?)" if (width, height) == size else ""
        raise SizeMismatch(
            f"{self.path}: image {self.file.image_ids[self.row]} is stated as {height} x {width} (height x width), but "
            f"{self.image} is {size[0]} x {size[1]}{turned}; its outlines would not fit: put the picture there "
            f"that was annotated"
        )

    def _unknown(self, row: int) -> str:
        known = ", ".join(f"{one.id} {one.name}" for one in self.file.categories[:8])
        return (
            f"{self._named(row)}: category {self.file.unknown[row]} is none of the file's "
            f"({known}{' …' if len(self.file.categories) > 8 else ''}); add it to the file's categories, or correct the id"
        )

    def _named(self, row: int) -> str:
        """Name an annotation, by its id or else by its number among the image's."""
        number = int(self.file.rows.ids[row])
        name = f"annotation {number}" if number >= 0 else f"annotation number {row - self.file.rows.starts[self.row] + 1}"
        return f"{self.path}: {name} of {self._image_named()}"

    def _image_named(self) -> str:
        return f"image {self.file.image_ids[self.row]} ({self.file.image_names[self.row]})"

    def _runs(self, row: int, text: bytes, size: Size) -> Runs:
        try:
            outline = msgspec.json.decode(text) if text else None
            runs = runs_of(outline, size)
            if isinstance(outline, list) and len(runs.counts) <= _ONE_RUN and not runs.area:
                _refuse_outside(outline, size)
            return runs
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise DataError(f"{self._named(row)}: its outline holds what is no number, such as NaN; draw it again") from None
        except DataError as error:
            raise DataError(f"{self._named(row)}: {error}") from None

    def _attributes(self, rows: IntArray) -> tuple[dict[str, Any], ...]:
        places = self.file.rows.attributes[rows]
        if not places[:, 1].any():
            return ()
        found = [_mapping(text) for text in self.file.pieces(places)]
        return tuple(found) if any(found) else ()


def _mapping(text: bytes) -> dict[str, Any]:
    try:
        return decode(text, dict[str, Any]) if text else {}
    except DataError:  # what is wrong with remarks spoils no mask
        return {}


def _refuse_outside(outline: Sequence[Any], size: Size) -> None:
    """Refuse polygons of which no part reaches into an image (H, W); what is merely too thin for a pixel is there.

    Raises:
        DataError: they lie wholly outside.
    """
    parts = outline if isinstance(outline[0], list) else [outline]
    columns, rows = ([part[first::2] for part in parts] for first in (0, 1))
    if all(_is_beyond(x, size[1]) or _is_beyond(y, size[0]) for x, y in zip(columns, rows, strict=True)):
        spans = [f"{min(map(min, each)):g} to {max(map(max, each)):g}" for each in (columns, rows)]
        raise DataError(
            f"its outline lies wholly outside the image of {list(size)} (height, width): x from {spans[0]}, y from {spans[1]}; "
            f"move it, or put the picture there that was annotated"
        )


def _is_beyond(places: Sequence[float], side: int) -> bool:
    """Tell whether places lie before 0 or behind ``side``, and not merely on that border."""
    return min(places) < 0 >= max(places) or max(places) > side <= min(places)


def runs_of(outline: object, size: Size) -> Runs:
    """Turn an outline as COCO files hold it into run lengths: polygons, a list of counts, or compressed counts.

    >>> runs_of([[0, 0, 2, 0, 2, 1, 0, 1]], (2, 3)).area, runs_of({"size": [2, 3], "counts": [1, 3, 2]}, (2, 3)).area
    (2, 3)

    Raises:
        DataError: it is none of these, or does not fit an image (H, W) of ``size``.
    """
    if isinstance(outline, dict):
        return _from_runs(outline, size)
    if not isinstance(outline, list) or not outline:
        raise DataError("it has no outline (a box alone is no mask); draw one, or export the set with polygons or masks")
    if not isinstance(outline[0], list):  # one polygon, not in a list of its own, as some tools write it
        outline = [outline]
    return rasterise([_polygon(part) for part in outline], size)


def _polygon(part: object) -> FloatArray:
    if not isinstance(part, list) or not set(map(type, part)) <= _NUMBERS:  # bool is neither; a set is quicker than a loop
        raise DataError("expected a polygon as a list of numbers x, y, x, y …, found something else in it")
    if len(part) % 2:
        raise DataError(f"a polygon has {len(part)} coordinates, an odd number; each point needs an x and a y")
    if len(part) < 6:
        raise DataError(f"a polygon has {len(part) // 2} points; expected at least 3")
    try:
        return np.array(part, np.float64).reshape(-1, 2)
    except OverflowError:
        raise DataError("a polygon has a coordinate beyond all numbers") from None


def _from_runs(outline: dict[str, Any], size: Size) -> Runs:
    stated, counts = outline.get("size"), outline.get("counts")
    if not isinstance(stated, list) or tuple(stated) != size:
        raise DataError(f"its run lengths are of size {_short(stated)}, but the image is {list(size)} (height, width)")
    if isinstance(counts, str):
        if not counts.isascii():
            raise DataError("its compressed run lengths hold a character that is not of theirs")
        return from_text(counts.encode(), size)
    if not isinstance(counts, list) or not all(isinstance(one, int) and not isinstance(one, bool) for one in counts):
        raise DataError(f"expected counts as a list of whole numbers or as text, found {_short(counts)}")
    return from_counts(counts, size)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
