"""Pair images with their id maps, by the names that such maps have."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from pixelwise.formats.folder import Listing, natural
from pixelwise.formats.masks.pairs import find_pairs
from pixelwise.formats.names import IMAGE_FOLDERS, stem_of

FOLDER = "instance_ids"
LAYOUTS = (
    "images/a.jpg + instance_ids/a.png or .tif (id_maps, instance_maps), with instance_ids/a.csv for classes",
    "one folder with a.tif + a_instance_ids.png or a_cp_masks.png (.tif)",
)
_FOLDERS = (FOLDER, "id_maps", "instance_maps", "label_images_instance")
_CHOSEN = ("instances", "instance", "ids", "inst", "objects")  # too common to say so alone
_TAILS = ("_instance_ids", "_cp_masks")
_LOSSLESS = frozenset({".png", ".tif", ".tiff", ".bmp", ".pgm"})


@dataclass(frozen=True)
class Found:
    """Images and their maps, images without one in folders where others have one, and which layout it is."""

    pairs: tuple[tuple[PurePosixPath, PurePosixPath], ...]
    lone: tuple[PurePosixPath, ...]
    dialect: str


def find_maps(listing: Listing, is_chosen: bool = False, is_ours: bool = False) -> Found:
    """Pair images and maps; with ``is_chosen`` also those that other names than the telling ones go with."""
    words = _FOLDERS[:1] if is_ours else _FOLDERS + (_CHOSEN if is_chosen else ())
    pairs = dict(_in_folders(listing, words))
    dialect = "folders of images and of maps"
    if not pairs and not is_ours:
        pairs, dialect = dict(_beside(listing)), "maps beside their images"
    if not pairs and is_chosen and not is_ours:
        pairs, dialect = {one.image: one.mask for one in find_pairs(listing).pairs}, "maps where masks would be"
    folders, taken = {image.parent for image in pairs}, {*pairs, *pairs.values()}
    if is_ours:
        folders.add(PurePosixPath("images"))
    lone = [one for one in listing.pictures if one.parent in folders and one not in taken]
    ordered = sorted(pairs.items(), key=lambda pair: natural(pair[0]))
    return Found(tuple(ordered), tuple(lone), dialect)


def _in_folders(listing: Listing, words: tuple[str, ...]) -> Iterator[tuple[PurePosixPath, PurePosixPath]]:
    """Pair ``images/a.jpg`` and ``<word>/a.png``, in whatever folder both folders are, and whatever folder is in both."""
    maps: dict[tuple[tuple[str, ...], str], PurePosixPath] = {}
    for picture in listing.pictures:
        if picture.suffix.lower() in _LOSSLESS and (key := _key(picture, words)) is not None:
            maps.setdefault((key, stem_of(picture.name)), picture)
    for picture in listing.pictures if maps else ():
        key = _key(picture, IMAGE_FOLDERS)
        if key is not None and (there := maps.get((key, stem_of(picture.name)))) is not None and there != picture:
            yield picture, there


def _key(picture: PurePosixPath, words: tuple[str, ...]) -> tuple[str, ...] | None:
    """Give the path of a picture's folder without the last part that is one of ``words``; None where none is."""
    parts = picture.parent.parts
    at = next((at for at in reversed(range(len(parts))) if parts[at].casefold() in words), None)
    return None if at is None else (*parts[:at], *parts[at + 1 :])


def _beside(listing: Listing) -> Iterator[tuple[PurePosixPath, PurePosixPath]]:
    """Pair ``a.tif`` and ``a_cp_masks.png`` of one folder."""
    images = {(one.parent, stem_of(one.name)): one for one in reversed(listing.pictures)}
    for picture in listing.pictures:
        stem = stem_of(picture.name)
        tail = next((tail for tail in _TAILS if stem.endswith(tail)), None)
        if tail is not None and picture.suffix.lower() in _LOSSLESS:
            core = stem.removesuffix(tail)
            if (image := images.get((picture.parent, core))) is not None:
                yield image, picture
