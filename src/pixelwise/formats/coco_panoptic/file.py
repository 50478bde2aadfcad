"""One panoptic file as columns: which PNG is of which image, and where in the file its segments are described."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Raw

from pixelwise.core.arrays import IntArray
from pixelwise.formats.coco.file import CocoFile, read_info
from pixelwise.formats.coco.notes import strays
from pixelwise.formats.coco.numbers import rows_of
from pixelwise.formats.coco.pieces import places_of, read_pieces
from pixelwise.formats.json_file import decoded, without_collector

_WHAT = "COCO panoptic (images, categories, annotations with segments_info)"


class _Annotation(msgspec.Struct, gc=False):
    image_id: int | float | str
    segments_info: Raw
    file_name: str = ""


class _File(msgspec.Struct, gc=False):
    annotations: list[_Annotation]


@dataclass(frozen=True, eq=False)
class PanopticFile:
    """A panoptic file.

    Attributes:
        info: its images and categories.
        rows: (A,) the image of each annotation, by its row in ``info``.
        pngs: the name of each annotation's PNG; empty where none is stated.
        segments: (A, 2) first byte and length of each annotation's segments in the file.
        notes: what is wrong with it, but does not stop it from being read.
    """

    info: CocoFile
    rows: IntArray
    pngs: tuple[str, ...]
    segments: IntArray
    notes: tuple[str, ...]

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.info.path

    @property
    def about(self) -> Mapping[str, Any]:
        """What a file of ours says of itself."""
        return self.info.about

    def described(self, row: int) -> bytes:
        """Read the segments of an annotation, as JSON.

        Raises:
            MissingFile, UnreadableFile: the file is gone, or has changed since it was read.
        """
        return read_pieces(self.path, self.info.stamp, self.segments[row : row + 1])[0]


def read_bare(path: Path) -> PanopticFile:
    """Read a list of images without labels.

    Raises:
        MissingFile, UnreadableFile, DataError: as ``read_panoptic``.
    """
    info = read_info(path)
    return PanopticFile(info, np.zeros(0, np.int64), (), np.zeros((0, 2), np.int64), info.notes)


def read_panoptic(path: Path) -> PanopticFile:
    """Read a panoptic file.

    Raises:
        MissingFile: there is none.
        UnreadableFile: it is empty, cut off, too large, no JSON, or not of the form.
        DataError: two images or two categories have one id.
    """
    path = Path(path)
    info = read_info(path)
    with without_collector():
        found, data, skipped = decoded(path, _File, _WHAT)
        image_rows: dict[object, int] = {image: row for row, image in enumerate(info.image_ids)}
        homes = rows_of(np.array([one.image_id for one in found.annotations], object), image_rows)
        kept = [found.annotations[row] for row in np.flatnonzero(homes >= 0)]
        places = places_of([one.segments_info for one in kept], data.ctypes.data - skipped)
    lost = [found.annotations[row] for row in np.flatnonzero(homes < 0)]
    notes = strays(path, path, [(one.file_name or "without a PNG", one.image_id) for one in lost])
    return PanopticFile(info, homes[homes >= 0], tuple(one.file_name for one in kept), places, (*info.notes, *notes))
