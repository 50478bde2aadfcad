"""The photo that may lie inside a labelme file, as base64; it is taken where no picture lies beside the file."""

import base64
import binascii
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pixelwise.core.arrays import Size
from pixelwise.core.errors import DataError
from pixelwise.core.image import Image, max_pixels, read_image, read_size
from pixelwise.formats.json_file import decode
from pixelwise.formats.labelme.file import opened


@dataclass(frozen=True)
class EmbeddedPhoto:
    """The photo in a labelme file."""

    path: Path

    def read(self) -> Image:
        """Read the photo."""
        with self._unpacked() as file:
            return read_image(file)

    def size(self) -> Size:
        """Read (H, W) from the photo's header."""
        with self._unpacked() as file:
            return read_size(file)

    @contextmanager
    def _unpacked(self) -> Iterator[Path]:
        """Give the photo as a file, so that it is read by the rules of every other picture."""
        try:
            text = decode(opened(self.path).image_data, str)
            if len(text) > 8 * max_pixels():
                raise DataError(f"the photo in it takes {len(text):,} characters")
            data = base64.b64decode(text, validate=True)
        except (DataError, binascii.Error, ValueError) as error:
            raise DataError(f"{self.path}: imageData: expected a photo in base64, but {error}") from None
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "photo"
            file.write_bytes(data)
            try:
                yield file
            except DataError as error:
                raise type(error)(str(error).replace(str(file), f"{self.path}: imageData")) from None
