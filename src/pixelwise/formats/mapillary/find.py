"""Find the images of Mapillary Vistas, their labels of the newest version, and the config that names the classes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, TypeAlias, get_args

from msgspec import Raw

from pixelwise.core.errors import PixelwiseError
from pixelwise.core.sample import LostLabels
from pixelwise.formats.folder import Listing, natural
from pixelwise.formats.json_file import decoded, keys_of

LAYOUTS = (
    "Mapillary Vistas: training/images/ + training/v2.0/instances/ (labels/, polygons/), config_v2.0.json",
    "Mapillary Vistas 1.1: training/images/ + training/instances/ (labels/), config.json",
)
Form: TypeAlias = Literal["instances", "labels", "polygons"]
_FORMS: tuple[Form, ...] = get_args(Form)  # the fuller before the poorer; polygons differ from the maps along edges
_VERSION = re.compile(r"^v\d+\.\d+$")
_CONFIG = re.compile(r"^config(_(?P<version>v\d+\.\d+))?\.json$")


@dataclass(frozen=True)
class Found:
    """The images with their labels, all of one version (empty for 1.1) and one form."""

    pairs: Mapping[PurePosixPath, PurePosixPath | None]
    version: str
    form: Form
    notes: tuple[str, ...]


def find_vistas(listing: Listing) -> Found | None:
    """Find the images and their labels; None where the folder is of another make.

    A folder of a version beside ``images/`` tells it, or a config of that form at the root.
    """
    images = {(one.parent.parent, one.stem): one for one in listing.pictures if one.parent.name == "images"}
    if not images:
        return None
    there: dict[tuple[str, Form], dict[PurePosixPath, PurePosixPath]] = {}
    lone: list[tuple[tuple[str, Form], PurePosixPath]] = []
    for one in (*listing.pictures, *listing.texts):
        place = _place(one)
        if place is None:
            continue
        if (image := images.get((place[0], one.stem))) is not None:
            there.setdefault(place[1:], {})[image] = one
        else:
            lone.append((place[1:], one))
    if config_of(listing, "") is None:
        there = {key: pairs for key, pairs in there.items() if key[0]}
    if not there:
        return None
    newest = max((version for version, _ in there), key=natural)
    form = next(form for form in _FORMS if (newest, form) in there)
    pairs = there[newest, form]
    notes: list[str] = []
    if others := sorted({version for version, _ in there if version != newest}):
        notes.append(
            f"{listing.root}: the labels of {newest} are read; those of {', '.join(o or '1.1' for o in others)} are not"
        )
    if lost := [one for key, one in lone if key == (newest, form)]:
        notes.append(LostLabels(f"{listing.root}: {len(lost)} of {form} (such as {lost[0]}) have no image; left out"))
    if bare := [one for one in images.values() if one not in pairs]:
        notes.append(f"{listing.root}: {len(bare)} images (such as {bare[0]}) have no {form}; read without a truth")
    return Found({one: pairs.get(one) for one in images.values()}, newest, form, tuple(notes))


def _place(file: PurePosixPath) -> tuple[PurePosixPath, str, Form] | None:
    """Tell of a label file the folder above ``images/``, its version and its form."""
    form = next((one for one in _FORMS if one == file.parent.name), None)
    if form is None or file.suffix.lower() != (".json" if form == "polygons" else ".png"):
        return None
    above = file.parent.parent
    return (above.parent, above.name, form) if _VERSION.match(above.name) else (above, "", form)


def config_of(listing: Listing, version: str) -> PurePosixPath | None:
    """Find the config of a version at the root; for one that no folder names, any config."""
    for one in listing.texts:
        match = _CONFIG.match(one.name) if len(one.parts) == 1 else None
        if match is not None and (not version or match["version"] in (version, None)) and _names_classes(listing.root / one):
            return one
    return None


def _names_classes(path: Path) -> bool:
    """Tell a config: a list of labels, each with a readable name."""
    if not {"labels", "version"} <= (keys_of(path) or frozenset()):
        return False
    try:
        rows = decoded(path, dict[str, Raw])[0]["labels"]
    except PixelwiseError:
        return False
    return b'"readable"' in bytes(memoryview(rows)[: 2**16])
