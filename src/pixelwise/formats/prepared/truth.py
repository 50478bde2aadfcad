"""The truth of one sample of a prepared set, read from its segments and its id maps."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import msgspec
import numpy as np

from pixelwise.core.arrays import AnyArray, IntArray, Size
from pixelwise.core.errors import DataError, PixelwiseError, SizeMismatch, UnreadableFile
from pixelwise.core.idmaps import lookup
from pixelwise.core.image import read_ids, read_size
from pixelwise.core.labels import VOID, LabelSet
from pixelwise.core.masks import DisjointMasks, Masks, OverlappingMasks
from pixelwise.core.runs import Runs, from_text
from pixelwise.core.sample import Salvaged, stored_values
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.formats.json_file import decode
from pixelwise.formats.prepared.parts import SEGMENTS, part_of, refuse_link

_LONGEST = 2**30  # bytes of the line of one image
_Number: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class _RunLengths(msgspec.Struct, gc=False):
    size: tuple[int, int]
    counts: str


class _Segment(msgspec.Struct, gc=False):
    class_id: _Number
    run_lengths: _RunLengths
    crowd: bool = False
    score: float | None = None
    source_id: _Number | None = None
    track_id: _Number | None = None
    stated_area: float | None = None
    stated_box: tuple[float, float, float, float] | None = None
    attributes: dict[str, Any] | None = None


class _Segments(msgspec.Struct, gc=False):
    name: str
    size: tuple[int, int]
    segments: list[_Segment]


@dataclass(frozen=True, eq=False)
class PreparedTruth:
    """The segments of one image.

    Attributes:
        root: the set's folder.
        name: the sample's.
        image: the picture.
        place: first byte and length of its line among the segments.
        own: the label set of the segments' class numbers.
        painted: that of the class map; None where there is none, as of regions.
        kind: of the truth.
    """

    root: Path
    name: str
    image: Path
    place: tuple[int, int]
    own: LabelSet
    painted: LabelSet | None
    kind: Kind

    def read(self, labels: LabelSet, size: Size) -> tuple[Segmentation, ...]:
        """Read the segments under ``labels``, joined by name; those of other classes are left out.

        Raises:
            SizeMismatch: they are of another size than the picture.
            DataError: a file is broken, or a segment is wrong.
        """
        truths, problems = self.salvage(labels, size)
        if problems:
            raise DataError(problems[0] + (f" ({len(problems) - 1} more of this image are wrong)" if problems[1:] else ""))
        return truths

    def salvage(self, labels: LabelSet, size: Size) -> Salvaged:
        """Read the segments that are good, and say of each other one what is wrong.

        Raises:
            SizeMismatch, DataError: the image's labels cannot be used at all.
        """
        found = self._line()
        where = f"{self.root / SEGMENTS}: {self.name}"
        if found.size != size:
            raise SizeMismatch(self._mismatch(where, found.size, size))
        problems: list[str] = []
        if self.kind in ("panoptic", "regions"):
            masks: Masks = self._painted_masks(len(found.segments), size)
            rows = [row for row, one in enumerate(found.segments) if self._has_class(where, row, one, problems)]
        else:
            runs: list[Runs] = []
            rows = [
                row
                for row, one in enumerate(found.segments)
                if self._has_class(where, row, one, problems) and _decode(where, row, one, size, runs, problems)
            ]
            masks = OverlappingMasks(tuple(runs), size)
        if isinstance(masks, DisjointMasks) and len(rows) < len(masks):
            masks = masks.select(np.array(rows, np.int64))
        whole = _segmentation(self.kind, masks, [found.segments[row] for row in rows], self.own)
        return (whole if labels == self.own else _under(whole, labels),), tuple(problems)

    def semantic(self, labels: LabelSet, size: Size) -> tuple[Segmentation, ...]:
        """Read the class map under ``labels``, joined by name.

        Raises:
            DataError: there is none, it is broken, or of another size than the picture.
        """
        if self.painted is None:
            raise DataError(f"{self.root}: {self.kind} truth has no class maps")
        path = part_of(self.root, "semantic", self.name)
        stored = self._ids(path, size)
        classes = self.painted.to_classes(stored, str(path))
        if not self.painted.same_classes(labels):
            table: IntArray = np.full(self.painted.void + 1, labels.void, np.uint8 if labels.void == 255 else np.uint16)
            there = self.painted.map_to(labels)
            table[: len(there)] = np.where(there == VOID, labels.void, there)
            classes = lookup(table, classes)
        return (Segmentation.from_class_map(classes, labels),)

    def raw(self) -> list[IntArray]:
        """Paint the segments as a map (H, W) of class values."""
        return [stored_values(one) for one in self.read(self.own, read_size(self.image))]

    def _line(self) -> _Segments:
        path = self.root / SEGMENTS
        refuse_link(path)
        try:
            with open(path, "rb") as file:
                file.seek(self.place[0])
                found = decode(file.read(min(self.place[1], _LONGEST)), _Segments)
        except OSError as error:
            raise UnreadableFile(f"{path}: cannot be read: {error.strerror or error}; prepare the set again") from None
        except DataError as error:
            raise UnreadableFile(f"{path}: {self.name}: its line is broken ({error}); prepare the set again") from None
        if found.name != self.name:
            raise UnreadableFile(f"{path}: expected the line of {self.name}, found that of {found.name[:80]}; prepare it again")
        return found

    def _ids(self, path: Path, size: Size) -> IntArray:
        refuse_link(path)
        if (stated := read_size(path)) != size:
            raise SizeMismatch(self._mismatch(path, stated, size))
        stored, is_colour = read_ids(path)
        if is_colour:
            raise UnreadableFile(f"{path}: expected numbers of one band, found colours; prepare the set again")
        return stored

    def _painted_masks(self, count: int, size: Size) -> DisjointMasks:
        path = part_of(self.root, "panoptic", self.name)
        try:
            return DisjointMasks(self._ids(path, size), count)
        except PixelwiseError as error:
            raise error if str(path) in str(error) else DataError(f"{path}: {error}") from None

    def _has_class(self, where: str, row: int, one: _Segment, problems: list[str]) -> bool:
        highest = 0 if self.kind == "regions" else len(self.own) - 1
        if 0 <= one.class_id <= highest:
            return True
        problems.append(f"{where}: segment {row + 1}: expected a class from 0 to {highest}, found {one.class_id}")
        return False

    def _mismatch(self, where: object, stated: Size, size: Size) -> str:
        return (
            f"{where}: it is of {stated[0]} x {stated[1]} (height x width), but {self.image} is {size[0]} x {size[1]}; "
            f"prepare the set again"
        )


def _decode(where: str, row: int, one: _Segment, size: Size, runs: list[Runs], problems: list[str]) -> bool:
    """Add the run lengths of a segment, or a problem."""
    try:
        if one.run_lengths.size != size:
            raise DataError(f"its run lengths are of size {list(one.run_lengths.size)}, but the image is {list(size)}")
        if not one.run_lengths.counts.isascii():
            raise DataError("its run lengths hold a character that is not of theirs")
        runs.append(from_text(one.run_lengths.counts.encode(), size))
        return True
    except DataError as error:
        problems.append(f"{where}: segment {row + 1}: {error}")
        return False


def _segmentation(kind: Kind, masks: Masks, segments: Sequence[_Segment], labels: LabelSet) -> Segmentation:
    return Segmentation(
        kind,
        masks,
        np.array([one.class_id for one in segments], np.int64),
        labels,
        scores=_column([one.score for one in segments]),
        crowd=np.array([one.crowd for one in segments], bool) if any(one.crowd for one in segments) else None,
        boxes=_column([one.stated_box for one in segments]),
        areas=_column([one.stated_area for one in segments]),
        source_ids=_column([one.source_id for one in segments]),
        track_ids=_column([one.track_id for one in segments]),
        attributes=tuple(one.attributes or {} for one in segments) if any(one.attributes for one in segments) else (),
    )


def _column(values: Sequence[Any]) -> AnyArray | None:
    """Take one field of all segments; a column is there for all of them or for none."""
    return np.array(values) if values and all(one is not None for one in values) else None


def _under(truth: Segmentation, labels: LabelSet) -> Segmentation:
    """Read a truth under other labels, joined by name."""
    if truth.kind == "regions":
        return replace(truth, labels=labels)
    classes = truth.labels.map_to(labels)[truth.class_ids]
    kept = truth[classes >= 0] if (classes < 0).any() else truth
    return replace(kept, class_ids=classes[classes >= 0], labels=labels)
