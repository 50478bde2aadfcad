"""The photo that may lie inside a labelme file, as base64; it is taken where no picture lies beside the file."""

import base64
import binascii
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pixelwise.core.arrays import IntArray, Size
from pixelwise.core.errors import DataError
from pixelwise.core.image import Image, max_pixels, read_image, read_size
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Salvaged, stored_values
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.json_file import decode
from pixelwise.formats.labelme_file import opened
from pixelwise.formats.objects import ObjectTruth


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


@dataclass(frozen=True, eq=False)
class EmbeddedTruth:
    """The truth of a photo that lies in its label file."""

    truth: ObjectTruth
    photo: EmbeddedPhoto

    def read(self, labels: LabelSet, size: Size) -> tuple[Segmentation, ...]:
        """Read the objects."""
        return self.truth.read(labels, size)

    def salvage(self, labels: LabelSet, size: Size) -> Salvaged:
        """Read the objects that are good."""
        return self.truth.salvage(labels, size)

    def raw(self) -> list[IntArray]:
        """Paint the objects on the photo's grid."""
        return [stored_values(one) for one in self.truth.read(self.truth.own, self.photo.size())]
