"""A raster file of which damaged blocks are read as 0 and remembered, so that the rest of it can be worked on."""

from collections.abc import Sequence

import numpy as np

from pixelwise.core.arrays import BoolArray, Size
from pixelwise.core.errors import UnreadableFile
from pixelwise.core.image import Image
from pixelwise.core.rasters.files import RasterFile, Window, meet, within
from pixelwise.core.rasters.values import damaged

Box = tuple[int, int, int, int]  # top, left, bottom, right


class Salvaged:
    """What can be read of a raster file; a ``Raster``.

    Attributes:
        lost: the boxes of the blocks found damaged so far, and why.
    """

    def __init__(self, file: RasterFile) -> None:
        self.file = file
        self.lost: dict[Box, str] = {}

    @property
    def size(self) -> Size:
        """Height and width."""
        return self.file.size

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of its bands."""
        return self.file.bands

    def lost_in(self, rows: slice, columns: slice) -> list[Box]:
        """List the damaged blocks found so far that a window touches, from top to bottom."""
        return sorted(box for box in self.lost if meet(_window(box), (rows, columns)) is not None)

    def read(self, rows: slice, columns: slice) -> Image:
        """Read a window; what is damaged is 0."""
        if not self.lost_in(rows, columns):
            try:
                return self.file.read(rows, columns)
            except UnreadableFile:
                pass
        parts = [(part, image) for part, image in self._parts(rows, columns) if image is not None]
        shape = (rows.stop - rows.start, columns.stop - columns.start, len(self.bands))
        pixels = np.zeros(shape, parts[0][1].pixels.dtype if parts else np.uint8)
        for part, image in parts:
            pixels[part] = image.pixels
        return Image(pixels, self.bands)

    def valid(self, rows: slice, columns: slice) -> BoolArray | None:
        """Mark the pixels of a window that hold data and can be read; None where all do."""
        if not self.lost_in(rows, columns):
            try:
                return self.file.valid(rows, columns)
            except UnreadableFile:
                pass
        valid = np.zeros((rows.stop - rows.start, columns.stop - columns.start), bool)
        for part, image in self._parts(rows, columns):
            if image is not None:
                seen = self.file.valid(*_placed(part, rows, columns))
                valid[part] = True if seen is None else seen
        return valid

    def _parts(self, rows: slice, columns: slice) -> Sequence[tuple[Window, Image | None]]:
        """Read a window block by block: each part's place in the window, and None for what is damaged."""
        found: list[tuple[Window, Image | None]] = []
        for piece in self.file.pieces(rows, columns):
            if (part := meet(piece, (rows, columns))) is None:
                continue
            box, image = (piece[0].start, piece[1].start, piece[0].stop, piece[1].stop), None
            if box not in self.lost:
                try:
                    image = self.file.read(*part)
                except UnreadableFile as error:
                    self.lost[box] = str(damaged(self.file.path, *piece, error.__cause__ or error))
            found.append((within(part, (rows, columns)), image))
        return found


def _window(box: Box) -> Window:
    return slice(box[0], box[2]), slice(box[1], box[3])


def _placed(part: Window, rows: slice, columns: slice) -> Window:
    return (
        slice(part[0].start + rows.start, part[0].stop + rows.start),
        slice(part[1].start + columns.start, part[1].stop + columns.start),
    )
