"""Find the images of a folder whose objects are pictures of their own, in the layouts people have."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from pixelwise.core.errors import DataError, MissingFile
from pixelwise.core.image import read_ids, read_size
from pixelwise.formats.folder import Listing, natural
from pixelwise.formats.names import IMAGE_FOLDERS, image_core, mask_core, stem_of

LAYOUTS = (
    "<id>/images/<id>.png + <id>/masks/*.png, one picture an object",
    "images/a.jpg + masks/a/*.png, one picture an object (masks/a/<class>/*.png where there are several classes)",
)
_MASKS = ("masks", "mask", "object_masks", "instance_masks")
_CLASS = "object"
_LOOKED_AT = 3  # pictures that are opened before a folder is claimed
_CROWD = "_crowd"  # at the end of a file's stem, in what we wrote
_SINGLE, _NAMED = "one mask picture an object in <id>/masks/", "one mask picture an object in masks/<image>/"


@dataclass(frozen=True)
class ObjectFile:
    """The picture of one object, relative to the root, its class, and whether it is a crowd."""

    path: PurePosixPath
    label: str
    crowd: bool = False


@dataclass(frozen=True)
class Unit:
    """An image, the folder of its objects, and their pictures in order."""

    image: PurePosixPath
    folder: PurePosixPath
    files: tuple[ObjectFile, ...]


@dataclass(frozen=True)
class Found:
    """The images with their objects, what was left out, and which layout it is."""

    units: tuple[Unit, ...]
    notes: tuple[str, ...]
    dialect: str


def has_objects(listing: Listing) -> Found | None:
    """Give what ``find_objects`` finds, if it is clear that pictures are objects: some image has several, none its own name.

    A few pictures are looked into, so that photographs in folders are not taken for masks.
    """
    found = find_objects(listing)
    plain = [unit for unit in found.units if unit.folder.name.casefold() in _MASKS]
    if any(_is_named_after(file, unit) for unit in plain for file in unit.files):
        return None
    if len(plain) == len(found.units) and max((len(unit.files) for unit in plain), default=0) < 2:
        return None
    for image, file in [(unit.image, file.path) for unit in found.units for file in unit.files][:_LOOKED_AT]:
        try:
            is_of_its_size = read_size(listing.root / file) == read_size(listing.root / image)
            if is_of_its_size and len(np.unique(read_ids(listing.root / file)[0])) <= 2:
                return found
        except (DataError, MissingFile):
            continue
    return None


def _is_named_after(file: ObjectFile, unit: Unit) -> bool:
    stem = stem_of(file.path.name)
    return (mask_core(stem) or (stem, 0))[0] in (stem_of(unit.image.name), image_core(stem_of(unit.image.name)))


def find_objects(listing: Listing, folders: Mapping[str, str] | None = None, is_ours: bool = False) -> Found:
    """Find the images of a folder and the pictures of their objects.

    ``folders`` gives the class of each sub-folder; empty where the sub-folder's name is the class. In a folder of ours, an
    image without a folder of masks has no objects.
    """
    inside: dict[PurePosixPath, list[PurePosixPath]] = defaultdict(list)
    for picture in listing.pictures:
        inside[picture.parent].append(picture)
    below: dict[PurePosixPath, list[PurePosixPath]] = defaultdict(list)  # the folders right within a folder
    for folder in {one for each in inside for one in (each, *each.parents)} - {PurePosixPath(".")}:
        below[folder.parent].append(folder)
    units, lone, dialects = [], [], set()
    for folder, pictures in inside.items():
        at = _place_of_images(folder)
        if at is None:
            continue
        for image in pictures:
            masks = _folder_of(listing, image, at, inside, below, alone=len(pictures) == 1 and not is_ours)
            if masks is None and is_ours:
                masks = _swapped(folder, at, "masks") / image.stem
            if masks is None:
                lone.append(image)
                continue
            dialects.add(_SINGLE if masks.name.casefold() in _MASKS else _NAMED)
            files = tuple(_files(masks, inside, below, folders or {}, is_ours))
            units.append(Unit(image, masks, files))
    units.sort(key=lambda unit: natural(unit.image))
    notes = []
    if units and lone:
        shown = ", ".join(map(str, lone[:3])) + (" …" if len(lone) > 3 else "")
        notes.append(f"{listing.root}: {len(lone)} image{'s' * (len(lone) > 1)} ({shown}) without a folder of masks; left out")
    return Found(tuple(units), tuple(notes), "; ".join(sorted(dialects)))


def _place_of_images(folder: PurePosixPath) -> int | None:
    """Find the part of a folder's path that is called ``images`` or kin; the last such."""
    return next((at for at in reversed(range(len(folder.parts))) if folder.parts[at].casefold() in IMAGE_FOLDERS), None)


def _swapped(folder: PurePosixPath, at: int, word: str) -> PurePosixPath:
    return PurePosixPath(*folder.parts[:at], word, *folder.parts[at + 1 :])


def _folder_of(
    listing: Listing,
    image: PurePosixPath,
    at: int,
    inside: Mapping[PurePosixPath, list[PurePosixPath]],
    below: Mapping[PurePosixPath, list[PurePosixPath]],
    alone: bool,
) -> PurePosixPath | None:
    """Find the folder that holds the objects of an image; ``alone`` if it is the only one of its folder."""
    words = [one.name for one in below.get(PurePosixPath(*image.parts[:at]), []) if one.name.casefold() in _MASKS]
    words = words or [word for word in _MASKS if _is_folder(listing.root / _swapped(image.parent, at, word))]
    for word in words:
        masks = _swapped(image.parent, at, word)
        for name in (image.stem, image.name):
            if masks / name in inside or masks / name in below or _is_folder(listing.root / masks / name):
                return masks / name
        if alone and at == len(image.parts) - 2 and (below.get(masks) or inside.get(masks) or _is_folder(listing.root / masks)):
            return masks
    return None


def _is_folder(path: Path) -> bool:
    """Tell whether there is a folder, though maybe without files; a link is none, as nothing in it is read."""
    return path.is_dir() and not path.is_symlink() and not path.parent.is_symlink()


def _files(
    masks: PurePosixPath,
    inside: Mapping[PurePosixPath, list[PurePosixPath]],
    below: Mapping[PurePosixPath, list[PurePosixPath]],
    folders: Mapping[str, str],
    is_ours: bool,
) -> Iterator[ObjectFile]:
    """List the pictures of an image's objects in the order of their names, those of all classes together."""
    found = [(picture, folders.get("", _CLASS)) for picture in inside.get(masks, [])]
    for folder in below.get(masks, []):
        label = folders.get(folder.name, folder.name)
        found += [(picture, label) for picture in inside.get(folder, [])]
    for picture, label in sorted(found, key=lambda one: (natural(one[0].stem), natural(one[0].parent))):
        yield ObjectFile(picture, label, is_ours and picture.stem.endswith(_CROWD))
