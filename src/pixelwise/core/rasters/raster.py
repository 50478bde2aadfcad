"""A picture that is read by windows, so that one too large for memory can be worked on part by part."""

from dataclasses import dataclass
from typing import Protocol

from pixelwise.core.arrays import Size
from pixelwise.core.image import Image


class Raster(Protocol):
    """An (H, W) grid of pixels that need not fit into memory."""

    @property
    def size(self) -> Size:
        """Height and width."""

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of its bands."""

    def read(self, rows: slice, columns: slice) -> Image:
        """Read a window that lies inside, by whole pixels.

        Raises:
            UnreadableFile: that part of the file is damaged.
        """


@dataclass(frozen=True)
class ImageRaster:
    """An image in memory, read by windows that share its pixels."""

    image: Image

    @property
    def size(self) -> Size:
        """Height and width."""
        return self.image.size

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of its bands."""
        return self.image.bands

    def read(self, rows: slice, columns: slice) -> Image:
        """Give a view of a window."""
        return Image(self.image.pixels[rows, columns], self.image.bands)
