"""The truth of one image of a panoptic file: a PNG whose colours are numbers of segments, and what the JSON says of each.

The number of a pixel is red + 256 green + 65536 blue; 0 is void. A PNG of one band, which other tools write, holds the numbers
themselves, unless the JSON knows only those that the same grey would have as a colour.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Raw

from pixelwise.core.arrays import IntArray, Size
from pixelwise.core.errors import DataError, MissingFile, SizeMismatch
from pixelwise.core.image import read_image, read_size
from pixelwise.core.labels import VOID, LabelSet
from pixelwise.core.masks import DisjointMasks, smallest_dtype
from pixelwise.core.sample import Salvaged, stored_values
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.formats.coco.numbers import as_areas, as_boxes, as_numbers, as_sides, stated_or
from pixelwise.formats.coco_panoptic.file import PanopticFile
from pixelwise.formats.json_file import decode
from pixelwise.formats.masks import mismatch

_GREY = 1 + 256 + 65536  # the number of a grey pixel, for each step of its grey
_LISTED = 5


class _Segment(msgspec.Struct, gc=False):
    id: int
    category_id: int | float
    area: int | float | str | None = None
    bbox: list[float | str | None] | None = None
    iscrowd: int | bool | float | None = None
    attributes: dict[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class PanopticTruth:
    """The segments of one image.

    Attributes:
        file: the panoptic file; all its truths share it.
        row: of the annotation in it.
        png, image: where they are.
        missing: what is wrong where the PNG is not there; ``png`` is then where it was expected.
        labels, classes: the data set's label set, and the class of each of the file's categories in it.
        kind: of what the file holds.
    """

    file: PanopticFile
    row: int
    png: Path
    image: Path
    missing: str
    labels: LabelSet
    classes: IntArray
    kind: Kind = "panoptic"

    def read(self, labels: LabelSet, size: Size) -> tuple[Segmentation, ...]:
        """Read the segments under ``labels``, joined by name; those of other classes are left out.

        Raises:
            SizeMismatch: the PNG has another size than the picture.
            DataError: a segment is wrong; the message names the file and the segment, and counts further ones.
            MissingFile, UnreadableFile: the PNG is not there or broken, or the JSON has changed since it was read.
        """
        truths, problems = self.salvage(labels, size)
        if problems:
            more = f" ({len(problems) - 1} more segments of this image are wrong)" if problems[1:] else ""
            raise DataError(problems[0] + more)
        return truths

    def salvage(self, labels: LabelSet, size: Size) -> Salvaged:
        """Read the segments that are good, and say of each other one what is wrong; its pixels become void.

        Raises:
            SizeMismatch, DataError, MissingFile, UnreadableFile: the image's labels cannot be used at all.
        """
        problems: list[str] = []
        segments = self._segments(problems)
        runs = _runs_of(self._numbers(size, [one.id for one in segments]))
        present = set(np.unique(runs.numbers).tolist())
        rows: dict[float, int] = {one.id: row for row, one in enumerate(self.file.info.categories)}
        table = np.append(self.labels.map_to(labels), VOID)[self.classes]
        kept: list[tuple[_Segment, int]] = []
        for one in segments:
            if (category := rows.get(one.category_id, -1)) < 0:
                problems.append(f"{self._named(one.id)}: category {one.category_id} is none of the file's; add or correct it")
            elif one.id not in present:
                problems.append(f"{self._named(one.id)}: no pixel of {self.png} has this number; export both again")
            elif table[category] != VOID:
                kept.append((one, int(table[category])))
        strange = sorted(present - {0, *(one.id for one in segments)})
        problems += [
            f"{self.png}: {runs.count(number)} pixels have the number {number}, which {self.file.path} does not describe; they "
            f"are void here"
            for number in strange[:_LISTED]
        ]
        masks = DisjointMasks(runs.placed([one.id for one, _ in kept], size), len(kept))
        return (_segmentation(self.kind, masks, kept, labels),), tuple(problems)

    def raw(self) -> list[IntArray]:
        """Paint the segments as a map (H, W) of category ids."""
        return [stored_values(one) for one in self.read(self.labels, read_size(self.image))]

    def stated(self) -> Size | None:
        """Give (H, W) as the PNG has it, which is the image's."""
        return None if self.missing else read_size(self.png)

    def count(self) -> int:
        """Count the segments."""
        return len(self._segments([]))

    def _segments(self, problems: list[str]) -> list[_Segment]:
        """Read what the JSON says of the image's segments; what is wrong with one goes to ``problems``."""
        text = self.file.described(self.row)
        try:
            parts = decode(text, list[Raw])
        except DataError as error:
            raise DataError(f"{self.file.path}: the segments of image {self._image_id()}: {error}; export it again") from None
        found: dict[int, _Segment] = {}
        for number, part in enumerate(parts, start=1):
            try:
                one = decode(part, _Segment)
            except DataError as error:
                problems.append(f"{self._named(f'number {number}')}: {error}")
                continue
            if not 0 < one.id < 2**24:
                problems.append(f"{self._named(one.id)}: expected a number from 1 to {2**24 - 1}; 0 stands for void")
            elif one.id in found:
                problems.append(f"{self._named(one.id)}: described twice; the first description is used")
            else:
                found[one.id] = one
        return list(found.values())

    def _image_id(self) -> int | str:
        return self.file.info.image_ids[int(self.file.rows[self.row])]

    def _named(self, segment: int | str) -> str:
        return f"{self.file.path}: segment {segment} of image {self._image_id()} ({self.image.name})"

    def _numbers(self, size: Size, described: Sequence[int]) -> IntArray:
        """Read the numbers (H, W) of the PNG's pixels."""
        if self.missing:
            raise MissingFile(self.missing)
        own = read_size(self.png)  # before the pixels are decoded
        if own != size:
            raise SizeMismatch(mismatch(self.png, self.image, own, size))
        pixels = read_image(self.png).pixels
        if pixels.shape[2] == 1:
            grey = pixels[:, :, 0].astype(np.int64)
            values, known = np.unique(grey), np.array(described, np.int64)
            return grey if np.isin(values, known).sum() >= np.isin(values * _GREY, known).sum() else grey * _GREY
        if pixels.dtype != np.uint8 or pixels.shape[2] != 3:
            raise DataError(f"{self.png}: expected colours of 8 bits, found {pixels.shape[2]} bands of {pixels.dtype}")
        wide = pixels.astype(np.int32)
        return np.asarray(wide[:, :, 0] | wide[:, :, 1] << 8 | wide[:, :, 2] << 16)


@dataclass(frozen=True, eq=False)
class _Runs:
    """Runs of equal pixels, row by row: their numbers and lengths; far fewer than there are pixels."""

    numbers: IntArray
    lengths: IntArray

    def count(self, number: int) -> int:
        """Count the pixels that have a number."""
        return int(self.lengths[self.numbers == number].sum())

    def placed(self, wanted: Sequence[int], size: Size) -> IntArray:
        """Give an id map (H, W): k + 1 where the number is the k-th of those ``wanted``, else 0."""
        dtype = smallest_dtype(len(wanted))
        if not wanted:
            return np.zeros(size, dtype)
        order = np.argsort(wanted)
        ascending = np.asarray(wanted, np.int64)[order]
        place = np.searchsorted(ascending, self.numbers).clip(max=len(wanted) - 1)
        rows = np.where(ascending[place] == self.numbers, order[place] + 1, 0).astype(dtype)
        return np.repeat(rows, self.lengths).reshape(size)


def _runs_of(numbers: IntArray) -> _Runs:
    flat = numbers.ravel()
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    return _Runs(flat[starts], np.diff(np.append(starts, flat.size)))


def _segmentation(kind: Kind, masks: DisjointMasks, kept: Sequence[tuple[_Segment, int]], labels: LabelSet) -> Segmentation:
    segments = [one for one, _ in kept]
    crowd = np.array([bool(one.iscrowd) for one in segments], bool)
    return Segmentation(
        kind,
        masks,
        np.array([index for _, index in kept], np.int64),
        labels,
        crowd=crowd if crowd.any() else None,
        boxes=stated_or(as_boxes(as_sides([one.bbox for one in segments])), masks.boxes),
        areas=stated_or(as_areas(as_numbers([one.area for one in segments])), masks.areas),
        source_ids=np.array([one.id for one in segments], np.int64),
        attributes=tuple(one.attributes or {} for one in segments) if any(one.attributes for one in segments) else (),
    )
