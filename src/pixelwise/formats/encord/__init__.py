"""The format ``encord``: Encord's JSON export, label rows with their data units.

Bitmasks are taken bit for bit. Polygons of several parts with holes, boxes and boxes turned about their centre (degrees,
clockwise) are filled by COCO's rule; coordinates are shares of the picture's width and height. Points, lines and skeletons have
no area and are counted. Answers about an object are its attributes, those about the image its ``meta``. Rows of videos and of
other media are left out and told. An ontology beside the export gives the classes their order and colours.

``write`` makes ``images/``, one export a split, ``ontology.json`` and ``classes.json``. Masks are bitmasks.
"""

import contextlib
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec import Raw

from pixelwise.core.errors import DataError, PixelwiseError, UnknownLayout
from pixelwise.core.labels import Colour, LabelSet
from pixelwise.core.sample import Dataset
from pixelwise.formats.claim import Claim
from pixelwise.formats.encord.truth import Fields, UnitDrawing, answers_about, shape_name, units_of
from pixelwise.formats.encord.write import FORM, write
from pixelwise.formats.exports import Export, Keys, find_export, items_of, objects_in, take
from pixelwise.formats.exports.note import colour_in, read_note
from pixelwise.formats.exports.samples import Listed, dataset_of, splits_of
from pixelwise.formats.json_file import decoded, keys_of
from pixelwise.formats.objects import left_out

__all__ = ["LAYOUTS", "read", "sniff", "write"]

LAYOUTS = ("Encord's JSON export beside or above its images",)
_TRIED = 16  # JSON files that are asked whether they are the ontology


def _is_own(keys: Keys) -> bool:
    return keys is not None and "data_units" in keys and bool(keys & {"label_hash", "data_hash", "data_title"})


def sniff(path: Path) -> Claim | None:
    """Tell whether ``path`` is an export of Encord, or a folder with some."""
    path = Path(path)
    found = find_export(path, _is_own) if path.exists() else None
    if found is None:
        return None
    return Claim("Encord JSON", f"{', '.join(one.name for one in found.files[:3])} holds label rows with data units")


@dataclass
class _Seen:
    """What reading has seen so far: classes in order with colours, what has no area, and what is no image."""

    colours: dict[str, Colour | None] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)
    media: Counter[str] = field(default_factory=Counter)


def read(path: Path, labels: LabelSet | None = None) -> Dataset:
    """Read an export, or all of a folder's.

    Raises:
        MissingFile: there is nothing at ``path``.
        UnknownLayout: it holds no export of Encord.
        UnreadableFile: an export is broken or cut off.
        DataError: it holds no labels of images.
    """
    export = find_export(Path(path), _is_own)
    if export is None:
        raise UnknownLayout(f"{path}: expected an export of Encord, found none. Tried: {'; '.join(LAYOUTS)}")
    note = read_note(export.listing.root, FORM)
    splits = splits_of(export, note)
    notes: list[str] = []
    listed: list[Listed] = []
    colours = _ontology(export)
    for file in export.files:
        seen = _Seen(colours)
        listed += _listed(export.listing.root / file, file, splits[file], seen)
        notes += _told(export.listing.root / file, seen)
    if not listed and notes:
        raise DataError(f"{notes[0]}; export the rows of images")
    own = note.classes(colours, {name: one for name, one in colours.items() if one is not None})
    return dataset_of(export, listed, note, own, labels, notes)


def _told(path: Path, seen: _Seen) -> Iterator[str]:
    for medium, count in seen.media.items():
        yield f"{path}: {count} label rows are of the type {medium}, not of images; left out"
    yield from left_out(path, seen.skipped)


def _listed(path: Path, file: PurePosixPath, split: str | None, seen: _Seen) -> Iterator[Listed]:
    """List the images of an export: the data units of its label rows."""
    for number, item in enumerate(items_of(path, "label rows of Encord"), start=1):
        row = item.decoded(Fields)
        try:
            units = units_of(row)
        except DataError:  # told when the image's truth is read
            units = {take(row, "data_hash", str, ""): {}}
        if not units:
            seen.media[take(row, "data_type", str, "") or "unknown"] += 1
        digest = hashlib.sha256(item.text()).digest() if units else b""
        answers = take(row, "classification_answers", dict[str, Any], {})
        for key, unit in units.items():
            _scan(unit, seen)
            title = take(unit, "data_title", str, "") or take(row, "data_title", str, "")
            shown = f"label row {title or take(row, 'label_hash', str, '') or number}"
            drawing = UnitDrawing(item, key, shown)
            meta = answers_about(answers, take(take(unit, "labels", Fields, {}), "classifications", list[Any], []))
            yield Listed(tuple(_names(row, unit, title)), (drawing,), file, split, (digest, key), meta)


def _names(row: Mapping[str, Any], unit: Mapping[str, Any], title: str) -> Iterator[str]:
    """Give the names that the picture of a data unit may have, the likeliest first."""
    folder = take(row, "dataset_title", str, "")
    if folder and title:
        yield f"{folder}/{title}"
    if title:
        yield title
    if link := take(unit, "data_link", str, ""):
        with contextlib.suppress(ValueError):  # an address that is none
            yield unquote(urlsplit(link).path).strip("/")
    if identity := take(unit, "data_hash", str, ""):
        yield identity


def _scan(unit: Fields, seen: _Seen) -> None:
    for one in objects_in(take(take(unit, "labels", Fields, {}), "objects", list[Raw], [])):
        if shape_name(one):
            if name := take(one, "name", str, ""):
                seen.colours[name] = seen.colours.get(name) or colour_in(take(one, "color", str, ""))
        else:
            seen.skipped[take(one, "shape", str, "") or "unknown"] += 1


def _ontology(export: Export) -> dict[str, Colour | None]:
    """Read the classes of an ontology beside an export, with their colours."""
    folders = {one.parent for one in export.files}
    beside = [one for one in export.listing.texts if one.parent in folders and one.suffix.lower() == ".json"]
    for one in [each for each in beside if each not in export.files][:_TRIED]:
        path = export.listing.root / one
        if not {"objects", "classifications"} <= (keys_of(path) or frozenset()):
            continue
        try:
            found = decoded(path, dict[str, Any], "an ontology of Encord")[0].get("objects")
        except PixelwiseError:  # it only helps; the export names its classes itself
            continue
        classes = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
        if classes and all("featureNodeHash" in each for each in classes):
            drawn = [each for each in classes if each.get("shape") not in ("point", "polyline", "skeleton")]
            return {name: colour_in(each.get("color")) for each in drawn if isinstance(name := each.get("name"), str)}
    return {}
