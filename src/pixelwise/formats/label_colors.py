"""``label_colors.txt``: the classes of a set in the layout of KITTI or Cityscapes that CVAT or Datumaro wrote, a line a class.

A line is "red green blue name", or a name alone; the number of a line, from 0 on, is that of its class in the maps.
"""

from pathlib import Path

from pixelwise.core.errors import DataError
from pixelwise.core.labels import VOID, Label, LabelSet, colour_of
from pixelwise.formats.folder import Listing

NAME = "label_colors.txt"
_MOST_BYTES = 2**20


def find_label_colors(listing: Listing) -> Path | None:
    """Find the file at the root of a folder."""
    return next((listing.root / one for one in listing.texts if one.name == NAME and len(one.parts) == 1), None)


def read_label_colors(path: Path) -> LabelSet:
    """Read the classes: all are things but ``background``, and 255 is void.

    Raises:
        DataError: it cannot be read, a line has no name, or two lines have one name.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: expected names of classes in UTF-8, but {error}") from None
    found: list[Label] = []
    for line in text.splitlines():
        words = line.split(maxsplit=3)
        if not words or words[0].startswith("#"):
            continue
        is_colour = len(words) == 4 and all(one.isascii() and one.isdigit() and int(one[:4]) < 256 for one in words[:3])
        colour = (int(words[0]), int(words[1]), int(words[2])) if is_colour else colour_of(len(found))
        name = words[3].strip() if is_colour else line.strip()
        found.append(Label(name, name.strip("_").casefold() != "background", colour))
    try:
        return LabelSet(tuple(found), {255: VOID, **{index: index for index in range(len(found))}})
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
