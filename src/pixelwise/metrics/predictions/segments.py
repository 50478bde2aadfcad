"""The segments that ``pixelwise predict`` writes for objects: run lengths with classes and scores, in ``segments.json``."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np

from pixelwise.core.errors import DataError, MissingFile, SizeMismatch, UnreadableFile
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import OverlappingMasks
from pixelwise.core.runs import from_text
from pixelwise.core.sample import Sample
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.metrics.predictions.pairing import keys_of

_MOST_BYTES = 2**31


class _Head(msgspec.Struct):
    file: str
    size: tuple[int, int]
    segments: msgspec.Raw


class _RunLengths(msgspec.Struct):
    size: tuple[int, int]
    counts: str


class _Segment(msgspec.Struct):
    class_id: int
    run_lengths: _RunLengths
    score: float | None = None


@dataclass(frozen=True)
class StoredSegments:
    """Segments of one kind, an entry an image; an image's are decoded when they are asked for."""

    path: Path
    kind: Kind
    labels: LabelSet
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The folder."""
        return str(self.path.parent)

    @cached_property
    def _entries(self) -> dict[str, _Head]:
        if not self.path.is_file():
            raise MissingFile(f"{self.path}: expected the segments that were predicted, found none; predict again")
        if self.path.stat().st_size > _MOST_BYTES:
            raise DataError(f"{self.path}: expected at most {_MOST_BYTES:,} bytes; predict fewer images into one folder")
        try:
            found = msgspec.json.decode(self.path.read_bytes(), type=list[_Head])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise UnreadableFile(f"{self.path}: expected a list of images with their segments, but {error}") from None
        return dict(zip(keys_of([one.file for one in found]), found, strict=True))

    @property
    def keys(self) -> Collection[str]:
        """The paths of the images, without their endings."""
        return self._entries.keys()

    def read(self, key: str, sample: Sample) -> Segmentation:
        """Read what was predicted for a sample.

        Raises:
            UnreadableFile: its entry is damaged.
            SizeMismatch: it is of another size than the image.
            DataError: a class, a score or run lengths are impossible.
        """
        entry = self._entries[key]
        where = f"{self.path}: {Path(entry.file).name}"
        if entry.size != sample.size:  # before anything is decoded at a size that only this file states
            raise SizeMismatch(f"{where}: the prediction is {entry.size}, the image {sample.size} (height, width)")
        try:
            segments = msgspec.json.decode(entry.segments, type=list[_Segment])
            runs = [from_text(one.run_lengths.counts.encode(), entry.size) for one in segments]
            scores = [one.score for one in segments]
            return Segmentation(
                self.kind,
                OverlappingMasks(tuple(runs), entry.size),
                np.array([one.class_id for one in segments], np.int64),
                self.labels,
                None if None in scores else np.array(scores, np.float64),
            )
        except msgspec.MsgspecError as error:
            raise UnreadableFile(f"{where}: expected segments with class_id and run_lengths, but {error}") from None
        except DataError as error:
            raise DataError(f"{where}: {error}") from None
