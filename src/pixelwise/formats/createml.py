"""The format ``createml``: boxes as JSON, as Apple's Create ML takes them and LabelImg and Roboflow write them; read alone.

A file lists images, each with labels and boxes by centre, width and height in pixels. Boxes are no masks: the images are read
without a truth, the boxes stand in ``meta["boxes"]``, and ``notes`` say so.
"""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from msgspec import Raw

from pixelwise.core.errors import DataError, UnknownLayout
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, LostLabels
from pixelwise.formats.boxed import Boxed, BoxedImages, boxed_dataset
from pixelwise.formats.claim import Claim
from pixelwise.formats.folder import Listing, list_folder
from pixelwise.formats.json_file import decode, decoded, keys_of
from pixelwise.formats.objects import things
from pixelwise.formats.pictures import Pictures
from pixelwise.formats.shapes import is_number
from pixelwise.formats.writing import Writing, Written

__all__ = ["LAYOUTS", "read", "sniff", "write"]

LAYOUTS = ("Create ML: _annotations.createml.json beside the images: boxes",)
_MOST_LOOKED_AT = 8
_LONGEST_NAME = 120  # characters of a name in a message
_SIDES = ("x", "y", "width", "height")
_IMAGE, _BOXES = frozenset({"image", "imagefilename"}), frozenset({"annotations", "annotation"})
_KNOWN = _IMAGE | _BOXES | {"[]", "verified"}


def sniff(path: Path) -> Claim | None:
    """Tell whether ``path`` is a Create ML file, or a folder with some."""
    path = Path(path)
    if path.is_file():
        files = [path] if path.suffix.lower() == ".json" and _is_createml(path) else []
    elif path.is_dir():
        files = [path / one for one in _files(list_folder(path))]
    else:
        return None
    return Claim("Create ML JSON: boxes alone", f"{files[0].name} lists images with boxes") if files else None


def _files(listing: Listing) -> list[PurePosixPath]:
    """List the Create ML files of a folder; of many JSON files the first few are looked into."""
    files = [one for one in listing.texts if one.suffix.lower() == ".json"]
    if len(files) > _MOST_LOOKED_AT:
        files = [one for one in files if one.name.casefold().endswith(".createml.json")] or files[:_MOST_LOOKED_AT]
    return [one for one in files if _is_createml(listing.root / one)]


def _is_createml(path: Path) -> bool:
    keys = keys_of(path)
    return keys is not None and "[]" in keys and bool(_IMAGE & keys) and bool(_BOXES & keys) and keys <= _KNOWN


def read(path: Path, labels: LabelSet | None = None) -> Dataset:
    """Read a file, or all of a folder's.

    Raises:
        MissingFile: there is nothing at ``path``.
        UnknownLayout: the folder holds no Create ML file.
        UnreadableFile: a file is broken.
        DataError: not one of the images is there.
    """
    path = Path(path)
    listing = list_folder(path.parent if path.is_file() else path)
    files = [PurePosixPath(path.name)] if path.is_file() else _files(listing)
    if not files:
        raise UnknownLayout(f"{path}: expected Create ML JSON, found {listing.describe()}. Tried: {LAYOUTS[0]}")
    found = BoxedImages()
    pictures = Pictures(listing)
    for file in files:
        _add(found, listing, pictures, file)
    if not found.pictures:
        why = f": {found.notes[0]}" if found.notes else ""
        raise DataError(f"{listing.root}: not one image that the files name is there{why}; put the images beside them")
    names = sorted({one.name for boxes in found.boxes for one in boxes})
    return boxed_dataset(listing, found, labels or things(names), "json")


def _add(found: BoxedImages, listing: Listing, pictures: Pictures, file: PurePosixPath) -> None:
    path = listing.root / file
    entries, _, _ = decoded(path, list[Raw], "Create ML labels")
    for number, text in enumerate(entries, start=1):
        try:
            entry = decode(text, dict[str, Any])
        except DataError as error:
            found.notes.append(f"{path}: entry {number}: {error}; left out")
            continue
        name = entry.get("image", entry.get("imagefilename"))
        there = pictures.find(name, file) if isinstance(name, str) else []
        if len(there) != 1:
            why = f"its image {str(name)[:_LONGEST_NAME]!r} is not there, or two may be meant"
            found.notes.append(LostLabels(f"{path}: entry {number}: {why}; left out"))
            continue
        boxes = []
        annotations = entry.get("annotations", entry.get("annotation"))
        for place, one in enumerate(annotations if isinstance(annotations, list) else [], start=1):
            try:
                boxes.append(_boxed(one))
            except DataError as error:
                found.notes.append(f"{path}: annotation {place} of {name}: {error}; left out")
        found.add(there[0], path, boxes)


def _boxed(one: object) -> Boxed:
    stated = one.get("coordinates") if isinstance(one, dict) else None
    if not isinstance(one, dict) or not isinstance(one.get("label"), str) or not isinstance(stated, dict):
        raise DataError("expected a mapping with 'label' and 'coordinates'")
    sides: Sequence[Any] = [stated.get(side) for side in _SIDES]
    if not all(is_number(side) and abs(side) < 1e9 for side in sides):
        raise DataError("expected x, y, width and height as numbers of pixels")
    x, y, width, height = (float(side) for side in sides)
    return Boxed(one["label"], (x - width / 2, y - height / 2, x + width / 2, y + height / 2))


def write(dataset: Dataset, path: Path, writing: Writing | None = None) -> Written:
    """Refuse: masks would become boxes.

    Raises:
        DataError: always.
    """
    raise DataError(
        f"{path}: Create ML files hold boxes, so they cannot be written from masks: write coco, voc or yolo instead"
    )
