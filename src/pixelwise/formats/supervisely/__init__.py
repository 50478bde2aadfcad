"""The format ``supervisely``: a project of Supervisely, with ``meta.json`` and a folder a dataset of ``img/`` and ``ann/``.

Every image has its own label file, so a broken one spoils that image alone. Bitmaps are taken bit for bit. Polygons and
rectangles are filled as Supervisely's own SDK fills them: their coordinates are pixels, and the pixels they name belong to the
object, so a rectangle from 2 to 4 is three pixels wide, which COCO's rule would not say. Points, lines and other figures
without an area are left out and counted. Tags of a figure are its attributes; those of an image are in its ``meta``.

Datasets called after a split are splits. ``write`` makes one dataset a split, of bitmaps, which hold masks bit for bit, and
leaves ``classes.json`` beside ``meta.json``.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from pixelwise.core.errors import DataError, MissingFile, PixelwiseError, UnknownLayout
from pixelwise.core.labels import Colour, LabelSet
from pixelwise.core.sample import Dataset
from pixelwise.formats.claim import Claim
from pixelwise.formats.exports import Export
from pixelwise.formats.exports.note import Note, colour_in, read_note
from pixelwise.formats.exports.samples import Listed, dataset_of
from pixelwise.formats.folder import Listing, list_folder
from pixelwise.formats.json_file import decode, decoded, keys_of
from pixelwise.formats.names import split_of
from pixelwise.formats.objects import left_out
from pixelwise.formats.supervisely.truth import AREAS, FigureDrawing
from pixelwise.formats.supervisely.write import FORM, META, write

__all__ = ["LAYOUTS", "read", "sniff", "write"]

LAYOUTS = ("a Supervisely project: meta.json, and <dataset>/img/ with <dataset>/ann/<image>.json",)
_TRIED = 3  # label files that are looked into


@dataclass(frozen=True)
class _Project:
    """A project, or one dataset of it: the label files, and the file that names the classes, if it is there."""

    listing: Listing
    files: tuple[PurePosixPath, ...]
    meta: PurePosixPath | None


def _find(path: Path) -> _Project | None:
    """Find a project at or below ``path``.

    Raises:
        MissingFile: there is nothing at ``path``.
    """
    if not path.exists():
        raise MissingFile(f"{path}: expected a Supervisely project, found nothing there; check the path")
    if not path.is_dir():
        if path.name != META:
            return None
        path = path.parent
    listing = list_folder(path)
    metas = [one for one in listing.texts if one.name == META]
    files = tuple(one for one in listing.texts if one.parent.name == "ann" and one.suffix.lower() == ".json")
    if not files:
        return None
    for meta in metas:
        inside = tuple(one for one in files if one.is_relative_to(meta.parent))
        if inside and "classes" in (keys_of(listing.root / meta) or ()):
            return _Project(listing, inside, meta)
    are_own = any({"size", "objects"} <= (keys_of(listing.root / one) or frozenset()) for one in files[:_TRIED])
    return _Project(listing, files, metas[0] if metas else None) if are_own else None


def sniff(path: Path) -> Claim | None:
    """Tell whether ``path`` is a Supervisely project, or a dataset of one."""
    path = Path(path)
    found = _find(path) if path.exists() else None
    if found is None:
        return None
    why = f"{found.meta} lists classes, and " if found.meta is not None else ""
    return Claim("a Supervisely project", f"{why}{len(found.files)} label files lie in folders called ann")


class _Class(msgspec.Struct):
    title: str = ""
    color: str = ""


class _Meta(msgspec.Struct):
    classes: list[_Class] = []
    project_type: str = msgspec.field(default="images", name="projectType")


class _Figure(msgspec.Struct):
    title: str = msgspec.field(default="", name="classTitle")
    kind: str = msgspec.field(default="", name="geometryType")


class _Labels(msgspec.Struct):
    objects: list[msgspec.Raw] = []
    tags: list[Any] = []
    description: str = ""


@dataclass
class _Seen:
    """What reading has seen so far: classes in order with their colours, and figures without an area."""

    colours: dict[str, Colour | None] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)


def read(path: Path, labels: LabelSet | None = None) -> Dataset:
    """Read a project.

    Raises:
        MissingFile: there is nothing at ``path``.
        UnknownLayout: it holds no Supervisely project.
        UnreadableFile: ``meta.json`` is broken or cut off.
        DataError: the project is of videos or point clouds.
    """
    project = _find(Path(path))
    if project is None:
        raise UnknownLayout(f"{path}: expected a Supervisely project, found none. Tried: {'; '.join(LAYOUTS)}")
    root = project.listing.root
    seen = _Seen()
    if project.meta is not None:
        meta, _, _ = decoded(root / project.meta, _Meta, "classes of a Supervisely project")
        if meta.project_type != "images":
            raise DataError(f"{root / project.meta}: the project holds {meta.project_type}; expected one of images")
        seen.colours |= {one.title: colour_in(one.color) for one in meta.classes if one.title}
    home = root / (project.meta.parent if project.meta is not None else ".")
    note = read_note(home, FORM)
    listed = [_listed(root, one, note, seen) for one in project.files]
    own = note.classes(seen.colours, {name: one for name, one in seen.colours.items() if one is not None})
    export = Export(project.listing, project.files, whole=True)
    return dataset_of(export, listed, note, own, labels, left_out(home, seen.skipped))


def _listed(root: Path, file: PurePosixPath, note: Note, seen: _Seen) -> Listed:
    """List an image; what is wrong with its label file is told when its truth is read."""
    dataset = file.parent.parent.name
    split = note.split(dataset) if note.labels is not None else split_of(dataset)
    meta: dict[str, Any] = {}
    try:
        found, _, _ = decoded(root / file, _Labels, "figures of Supervisely")
    except PixelwiseError:
        found = _Labels()
    for raw in found.objects:
        try:
            one = decode(raw, _Figure)
        except DataError:
            continue
        if one.kind in AREAS:
            seen.colours |= {one.title: seen.colours.get(one.title)} if one.title else {}
        else:
            seen.skipped[one.kind or "unknown"] += 1
    if found.tags:
        meta["tags"] = found.tags
    if found.description:
        meta["captions"] = (found.description,)
    return Listed(tuple(_names(file)), (FigureDrawing(root / file),), file, split, None, meta)


def _names(file: PurePosixPath) -> Iterator[str]:
    """Give the names that the picture of a label file may have: in ``img`` beside ``ann``, or anywhere."""
    picture = file.name.removesuffix(file.suffix)
    above = file.parent.parent
    yield from (str(above / folder / picture) for folder in ("img", "images"))
    yield picture
