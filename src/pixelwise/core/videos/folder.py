"""A folder of pictures as a video: in the order of the numbers in their names."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pixelwise.core.errors import PixelwiseError, UnreadableFile
from pixelwise.core.image import SUFFIXES, read_image, read_size
from pixelwise.core.videos.video import About, Frame

_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class FrameFolder:
    """The pictures that lie in a folder, shown at ``rate`` a second; those in folders below it are not of it."""

    path: Path
    rate: float = 25.0

    def __post_init__(self) -> None:
        if not self.pictures():
            raise UnreadableFile(
                f"{self.path}: expected pictures as frames ({' '.join(sorted(SUFFIXES))}) in the folder, found none"
            )

    def pictures(self) -> list[Path]:
        """List the frames in order: ``frame_2`` before ``frame_10``."""
        found = (one for one in self.path.iterdir() if one.suffix.lower() in SUFFIXES and not one.name.startswith("."))
        return sorted((one for one in found if one.is_file()), key=_natural)

    @property
    def about(self) -> About:
        """What the folder says; the size is that of the first picture."""
        pictures = self.pictures()
        return About(read_size(pictures[0]), len(pictures), self.rate, len(pictures) / self.rate, "folder")

    def frames(self) -> Iterator[Frame]:
        """Read picture after picture; one that cannot be read is passed over, and named when the rest are read.

        Raises:
            UnreadableFile: after the last frame, where some could not be read.
        """
        wrong: list[str] = []
        pictures = self.pictures()
        stems = Counter(picture.stem.casefold() for picture in pictures)
        for index, picture in enumerate(pictures):
            try:
                image = read_image(picture)
            except PixelwiseError as error:
                wrong.append(str(error))
                continue
            name = picture.stem if stems[picture.stem.casefold()] == 1 else picture.name
            yield Frame(index, index / self.rate, name, image)
        if wrong:
            raise UnreadableFile(f"{self.path}: {len(wrong)} frames cannot be read and were passed over; the first: {wrong[0]}")


def _natural(path: Path) -> list[tuple[int, int, str]]:
    parts = _DIGITS.split(path.name.casefold())
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts] + [(0, 0, path.name)]
