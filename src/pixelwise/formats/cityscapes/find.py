"""Find the images of Cityscapes and their labels by their names: ``…_leftImg8bit.png``, ``…_gtFine_labelIds.png``."""

import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import get_args

from pixelwise.formats.cityscapes.truth import Form
from pixelwise.formats.folder import Listing

FORMS: tuple[Form, ...] = get_args(Form)
_IMAGE = re.compile(r"^(?P<core>.+)_leftImg8bit$")
_LABELS = re.compile(r"^(?P<core>.+)_(?P<release>gtFine|gtCoarse)_(?P<form>instanceIds|labelIds|labelTrainIds|polygons)$")
_RELEASES = re.compile(r"^(leftImg8bit|gtFine|gtCoarse)")


@dataclass
class Found:
    """An image: where it is, what it is called, its split, and its labels by release and form."""

    image: PurePosixPath
    core: str
    split: str | None
    labels: dict[tuple[str, str], PurePosixPath] = field(default_factory=dict)

    def of(self, form: str) -> PurePosixPath | None:
        """Give the label file of a form, the fine one rather than the coarse one."""
        return self.labels.get(("gtFine", form), self.labels.get(("gtCoarse", form)))


def find(listing: Listing) -> tuple[list[Found], list[PurePosixPath]]:
    """List the images with their labels; give also labels without an image."""
    found: dict[tuple[tuple[str, ...], str], Found] = {}
    for one in listing.pictures:
        if match := _IMAGE.match(one.stem):
            found.setdefault((_folders(one), match["core"]), Found(one, match["core"], _split(one)))
    lone = []
    for one in (*listing.pictures, *listing.texts):
        match = _LABELS.match(one.stem)
        if match is None or (match["form"] == "polygons") != (one.suffix.lower() == ".json"):
            continue
        image = found.get((_folders(one), match["core"]))
        if image is None:
            lone.append(one)
        else:
            image.labels.setdefault((match["release"], match["form"]), one)
    return list(found.values()), lone


def is_cityscapes(listing: Listing) -> bool:
    """Tell whether some image has labels of Cityscapes' naming."""
    names = {match["core"] for one in listing.pictures if (match := _IMAGE.match(one.stem))}
    if not names:
        return False
    labels = (_LABELS.match(one.stem) for one in (*listing.pictures, *listing.texts))
    return any(match is not None and match["core"] in names for match in labels)


def _folders(one: PurePosixPath) -> tuple[str, ...]:
    """Give the folders that an image and its labels have in common."""
    return tuple(part for part in one.parent.parts if not _RELEASES.match(part))


def _split(one: PurePosixPath) -> str | None:
    """Read the split off ``leftImg8bit/<split>/<city>/``."""
    above = next((index for index, part in enumerate(one.parts) if _RELEASES.match(part)), None)
    return one.parts[above + 1] if above is not None and len(one.parts) - above == 4 else None
