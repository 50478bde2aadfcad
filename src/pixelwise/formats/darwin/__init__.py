"""The format ``darwin``: V7's Darwin JSON, 2.0 and 1.0, one file an image.

Polygons of several paths are filled by the even-odd rule, so a path inside another is a hole. Masks are taken from the raster
layer bit for bit. Boxes and ellipses are filled too; an ellipse's angle is taken as radians, clockwise. Tags are in the
sample's ``meta``, ``instance_id`` is kept as the track; key points, lines, skeletons and the like have no area and are counted.
Files of videos, and all slots of an item but the first, are left out and told.

A broken file spoils its image alone; the picture of its own name is then the one it was for.

``write`` makes ``images/``, ``annotations/`` and ``classes.json``, with a folder a split. Masks that share no pixel become a
raster layer; others become polygons along the sides of pixels. Both hold masks bit for bit, but a polygon cannot be empty.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from msgspec import Raw

from pixelwise.core.errors import MissingFile, PixelwiseError, UnknownLayout
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset
from pixelwise.formats.claim import Claim
from pixelwise.formats.darwin.truth import AREAS, AnnotationDrawing, kind_of, slots_of
from pixelwise.formats.darwin.write import FORM, write
from pixelwise.formats.exports import Export, Keys, objects_in, take
from pixelwise.formats.exports.note import Note, read_note
from pixelwise.formats.exports.samples import Listed, dataset_of
from pixelwise.formats.folder import list_folder
from pixelwise.formats.json_file import decoded, keys_of
from pixelwise.formats.names import split_of
from pixelwise.formats.objects import left_out

__all__ = ["LAYOUTS", "read", "sniff", "write"]

LAYOUTS = ("V7 Darwin JSON, one file an image: annotations/<image>.json beside images/",)
_TRIED = 32  # JSON files that are looked into
_FOLDERS = ("annotations", "annotation", "labels")
_WHAT = "Darwin JSON"


def _is_own(keys: Keys) -> bool:
    return keys is not None and ({"item", "annotations"} <= keys or {"dataset", "image", "annotations"} <= keys)


def _find(path: Path) -> Export | None:
    """Find the files that ``path`` means: those of a folder in which one of the first is Darwin's, or one file.

    Raises:
        MissingFile: there is nothing at ``path``.
    """
    if not path.exists():
        raise MissingFile(f"{path}: expected Darwin JSON, found nothing there; check the path")
    if not path.is_dir():
        if path.suffix.lower() != ".json" or not _is_own(keys_of(path)):
            return None
        folder = path.resolve().parent
        root = folder.parent if folder.name.casefold() in _FOLDERS else folder
        return Export(list_folder(root), (PurePosixPath(path.resolve().relative_to(root).as_posix()),), False)
    listing = list_folder(path)
    files = [one for one in listing.texts if one.suffix.lower() == ".json"]
    first = next((one for one in files[:_TRIED] if _is_own(keys_of(listing.root / one))), None)
    if first is None:
        return None
    top = next((one for one in reversed(first.parents) if one.name.casefold() in _FOLDERS), first.parent)
    inside = tuple(one for one in files if one.is_relative_to(top))
    if not listing.pictures and path.resolve().name.casefold() in _FOLDERS:
        above = PurePosixPath(path.resolve().name)
        return Export(list_folder(path.resolve().parent), tuple(above / one for one in inside), True)
    return Export(listing, inside, True)


def sniff(path: Path) -> Claim | None:
    """Tell whether ``path`` is a file of Darwin JSON, or a folder of some."""
    path = Path(path)
    found = _find(path) if path.exists() else None
    if found is None:
        return None
    keys = next((keys for one in found.paths()[:_TRIED] if _is_own(keys := keys_of(one))), None) or frozenset()
    version = "2.0" if "item" in keys else "1.0"
    return Claim(f"V7 Darwin JSON {version}", f"{found.files[0].name} holds the annotations of one image")


@dataclass
class _Seen:
    """What reading has seen so far: classes in order, what has no area, and files that are left out."""

    names: dict[str, None] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


def read(path: Path, labels: LabelSet | None = None) -> Dataset:
    """Read a file, or all of a folder's.

    Raises:
        MissingFile: there is nothing at ``path``.
        UnknownLayout: it holds no Darwin JSON.
        DataError: no image is listed.
    """
    export = _find(Path(path))
    if export is None:
        raise UnknownLayout(f"{path}: expected Darwin JSON, found none. Tried: {'; '.join(LAYOUTS)}")
    root = export.listing.root
    note = read_note(root, FORM)
    seen = _Seen()
    listed = [one for file in export.files if (one := _listed(root, file, note, seen)) is not None]
    own = note.classes(seen.names)
    return dataset_of(export, listed, note, own, labels, [*seen.notes, *left_out(root, seen.skipped)])


def _listed(root: Path, file: PurePosixPath, note: Note, seen: _Seen) -> Listed | None:
    """List an image; None for a file that is not of one."""
    path = root / file
    try:
        fields, _, _ = decoded(path, dict[str, Raw], _WHAT)
    except PixelwiseError:  # told when the image's truth is read
        return Listed((file.stem,), (AnnotationDrawing(path),), file, _split(file.parent.name, note))
    if not _is_own(frozenset(fields)):
        seen.notes.append(f"{path}: expected the item and the annotations of Darwin JSON, found neither; left out")
        return None
    slots = slots_of(fields)
    if any(one.is_video for one in slots):
        seen.notes.append(f"{path}: it is of a video, which is not read; export its frames as images")
        return None
    if len(slots) > 1:
        seen.notes.append(f"{path}: the item has {len(slots)} slots; the first alone is read")
    tags = _scan(fields, seen)
    item = take(fields, "item", dict[str, Any], {}) or take(fields, "image", dict[str, Any], {})
    folder = str(item.get("path") or "").strip("/")
    stated = (item.get("name"), item.get("original_filename"), item.get("filename"), *(one.file_name for one in slots))
    names = dict.fromkeys(one for one in stated if isinstance(one, str) and one)
    within = [f"{folder}/{one}" for one in names] if folder else []
    split = _split(folder.rpartition("/")[2] or file.parent.name, note)
    meta = {"tags": tags} if tags else {}
    return Listed((*within, *(names or (file.stem,))), (AnnotationDrawing(path),), file, split, None, meta)


def _split(folder: str, note: Note) -> str | None:
    return note.split(folder) if note.labels is not None else split_of(folder)


def _scan(fields: dict[str, Raw], seen: _Seen) -> tuple[str, ...]:
    """Take note of the classes and of what has no area; give the tags of the image."""
    tags = []
    for one in objects_in(take(fields, "annotations", list[Raw], [])):
        kind, name = kind_of(one), take(one, "name", str, "")
        if kind in AREAS:
            seen.names |= {name: None} if name else {}
        elif kind == "tag":
            tags.append(name)
        elif kind != "raster_layer":
            seen.skipped[kind or "unknown"] += 1
    return tuple(tags)
