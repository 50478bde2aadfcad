"""Find the images of ADE20K, their ``_seg.png`` and what describes them: ``_atr.txt`` (2017) or a JSON file (2020)."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pixelwise.formats.folder import Listing

LAYOUTS = (
    "ADE20K (2017): a.jpg + a_seg.png + a_atr.txt (a_parts_1.png …) in one folder",
    "ADE20K (2020): a.jpg + a_seg.png + a.json (a/instance_000_a.png …) in one folder",
)
_PARTS = re.compile(r"^(?P<stem>.+)_parts_(?P<level>\d{1,2})$")


@dataclass(frozen=True)
class Annotated:
    """An image with its files; ``parts`` are by level, ``masks`` the pictures of its objects by name."""

    image: PurePosixPath
    objects: PurePosixPath
    text: PurePosixPath
    parts: tuple[tuple[int, PurePosixPath], ...]
    masks: tuple[tuple[str, PurePosixPath], ...]

    @property
    def is_2020(self) -> bool:
        """Tell whether it is of the later release."""
        return self.text.suffix.lower() == ".json"


def lost_of(listing: Listing, found: Sequence[Annotated]) -> list[PurePosixPath]:
    """List the pictures of objects that lack their image or their text."""
    used = {one.objects for one in found}
    return [one for one in listing.pictures if _is_objects(one) and one not in used]


def find_annotated(listing: Listing) -> list[Annotated]:
    """List the images that have both a ``_seg.png`` and a text that describes it."""
    objects = {one.with_name(one.stem.removesuffix("_seg")): one for one in listing.pictures if _is_objects(one)}
    if not objects:
        return []
    texts = {one.with_suffix(""): one for one in listing.texts if one.suffix.lower() == ".json"}
    texts |= {one.with_name(one.stem.removesuffix("_atr")): one for one in listing.texts if one.stem.endswith("_atr")}
    parts: dict[PurePosixPath, list[tuple[int, PurePosixPath]]] = defaultdict(list)
    masks: dict[PurePosixPath, list[tuple[str, PurePosixPath]]] = defaultdict(list)
    for one in listing.pictures:
        if match := _PARTS.match(one.stem):
            parts[one.with_name(match["stem"])].append((int(match["level"]), one))
        elif one.parent in objects:
            masks[one.parent].append((one.name, one))
    found = []
    for image in listing.pictures:
        key = image.with_suffix("")
        if key in objects and key in texts and image != objects[key]:
            found.append(Annotated(image, objects[key], texts[key], tuple(parts[key]), tuple(masks[key])))
    return found


def _is_objects(picture: PurePosixPath) -> bool:
    return picture.stem.endswith("_seg") and picture.stem != "_seg" and picture.suffix.lower() == ".png"
