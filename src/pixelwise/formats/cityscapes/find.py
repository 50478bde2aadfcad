"""Find the images of Cityscapes and their labels by their names: ``…_leftImg8bit.png``, ``…_gtFine_labelIds.png``."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import get_args

from pixelwise.formats.cityscapes.truth import Form
from pixelwise.formats.folder import Listing
from pixelwise.formats.names import split_of

FORMS: tuple[Form, ...] = get_args(Form)
_IMAGE = re.compile(r"^(?P<core>.+)_leftImg8bit$")
_LABELS = re.compile(r"^(?P<core>.+)_(?P<release>gtFine|gtCoarse)_(?P<form>instanceIds|labelIds|labelTrainIds|polygons)$")
_COLOURED = re.compile(r"_(gtFine|gtCoarse)_color$")
_RELEASES = re.compile(r"^(imgsFine|leftImg8bit|gtFine|gtCoarse)")  # imgsFine is CVAT's


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
    """List the images with their labels; give also labels without an image.

    Where all pictures are labels, the images are the names that they would have.
    """
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
    if lone and all(_LABELS.match(one.stem) or _COLOURED.search(one.stem) for one in listing.pictures):
        return _of_labels(lone), []
    return list(found.values()), lone


def is_cityscapes(listing: Listing) -> bool:
    """Tell whether some image has labels of Cityscapes' naming."""
    return any(one.labels for one in find(listing)[0])


def _of_labels(labels: Sequence[PurePosixPath]) -> list[Found]:
    """List the images that labels alone are of."""
    found: dict[tuple[tuple[str, ...], str], Found] = {}
    for one in labels:
        if match := _LABELS.match(one.stem):
            image = PurePosixPath("leftImg8bit", *_folders(one), f"{match['core']}_leftImg8bit.png")
            each = found.setdefault((_folders(one), match["core"]), Found(image, match["core"], _split(one)))
            each.labels.setdefault((match["release"], match["form"]), one)
    return list(found.values())


def _folders(one: PurePosixPath) -> tuple[str, ...]:
    """Give the folders that an image and its labels have in common."""
    return tuple(part for part in one.parent.parts if not _RELEASES.match(part))


def _split(one: PurePosixPath) -> str | None:
    """Read the split off ``leftImg8bit/<split>/<city>/``, which may lie in ``leftImg8bit_trainvaltest/``."""
    above = max((index for index, part in enumerate(one.parts[:-1]) if _RELEASES.match(part)), default=None)
    if above is None:
        return None
    inner = one.parts[above + 1 : -1]
    is_split = len(inner) == 2 or (len(inner) == 1 and split_of(inner[0]) is not None)  # CVAT knows no cities
    return inner[0] if is_split else None
