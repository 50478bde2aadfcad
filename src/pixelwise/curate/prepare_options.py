"""The options of ``prepare``, and how they are written on a command line and in a map file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pixelwise.core.arrays import Size
from pixelwise.core.errors import OptionError
from pixelwise.curate.map_file import is_map_file, pairs_of, put, read_map

VOID_NAME = "void"  # what pixels are merged into that shall not count
_LONGEST = 65535


@dataclass(frozen=True)
class PrepareOptions:
    """What to make of a data set.

    Attributes:
        classes: names, after merging, of the classes to keep; all if empty. What is left out counts as background.
        merge: old class name -> new one, or ``void`` (not of objects) for pixels that shall not count.
        min_area: objects of fewer pixels, as written, are left out and counted; crowds stay.
        size: resize images to this (height, width).
        max_side: reduce images whose longer side is longer.
        tile: cut images into tiles of this (height, width), after resizing.
        overlap: pixels that neighbouring tiles share at least.
        binary: two classes, background and foreground: all that is not background.
        copy: copy photos instead of linking them.
    """

    classes: tuple[str, ...] = ()
    merge: Mapping[str, str] = field(default_factory=dict)
    min_area: int = 0
    size: Size | None = None
    max_side: int | None = None
    tile: Size | None = None
    overlap: int = 0
    binary: bool = False
    copy: bool = False

    def __post_init__(self) -> None:
        for name, pair in (("size", self.size), ("tile", self.tile)):
            if pair is not None and not all(0 < side <= _LONGEST for side in pair):
                raise OptionError(f"{name}: expected a height and a width from 1 to {_LONGEST}, got {pair}")
        if self.max_side is not None and not 0 < self.max_side <= _LONGEST:
            raise OptionError(f"max_side: expected pixels from 1 to {_LONGEST}, got {self.max_side}")
        if self.size is not None and self.max_side is not None:
            raise OptionError("size and max_side both say how large images become; give one of them")
        if self.min_area < 0 or self.overlap < 0:
            raise OptionError("min_area and overlap: expected a number from 0 up")
        if self.overlap and self.tile is None:
            raise OptionError(f"overlap {self.overlap}: only tiles overlap; say how large they are (tile)")
        if self.tile is not None and self.overlap >= min(self.tile):
            raise OptionError(f"overlap {self.overlap}: expected less than the tile's shorter side, {min(self.tile)}")

    @property
    def changes_images(self) -> bool:
        """Tell whether images are cut or resized."""
        return self.size is not None or self.max_side is not None or self.tile is not None

    @property
    def changes(self) -> bool:
        """Tell whether anything of a sample becomes other than it is."""
        return self.changes_images or bool(self.classes or self.merge or self.min_area or self.binary)


def merge_of(text: str) -> dict[str, str]:
    """Read ``car=vehicle,truck=vehicle``, or the name of a TOML or JSON file with such pairs or with lists.

    In a file, ``vehicle = ["car", "truck"]`` says the same as two pairs; a table ``merge`` around them may be there or not.

    >>> merge_of("car=vehicle, truck=vehicle")
    {'car': 'vehicle', 'truck': 'vehicle'}

    Raises:
        OptionError: an entry cannot be read, or says something else than another.
        MissingFile, UnreadableFile: the file is not there, or broken.
    """
    if is_map_file(text):
        data = read_map(Path(text), "--merge")
        return pairs_of(data["merge"] if isinstance(data.get("merge"), dict) else data, f"--merge {text}")
    found: dict[str, str] = {}
    for part in text.split(","):
        old, equals, new = (one.strip() for one in part.partition("="))
        if not (old and equals and new):
            raise OptionError(f"--merge {text}: expected old=new,… or a .toml or .json file, found '{part.strip()}'")
        put(found, old, new, f"--merge {text}")
    return found
