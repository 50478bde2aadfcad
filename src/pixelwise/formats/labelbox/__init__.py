"""The format ``labelbox``: exports of Labelbox (the first JSON, and NDJSON of data rows), and what is imported there.

Polygons and boxes are filled by COCO's rule; masks that are in the file as PNG are taken bit for bit. Masks that lie behind an
address are not downloaded: each such object is told as one that cannot be read, and spoils its image, as an object left out
would be taught as background. Points and lines have no area and are counted. Answers to questions about an object are its
attributes, those about the image its ``meta``. Several labels of one data row are several truths.

Pictures are looked up by the external id, the global key, the address or the id of the data row. Labels of texts, documents,
videos, conversations and tiled maps are no labels of images: they are told, and a file of nothing else is refused.

``write`` makes ``images/``, one NDJSON a split for Labelbox's import, with masks as PNG, and ``classes.json``, which also
names the images without an object, as Labelbox's import has no line for them.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from pixelwise.core.errors import DataError, UnknownLayout
from pixelwise.core.labels import Colour, LabelSet
from pixelwise.core.sample import Dataset
from pixelwise.formats.claim import Claim
from pixelwise.formats.exports import Export, Item, Keys, find_export, items_of, take
from pixelwise.formats.exports.note import NOTE, Note, colour_in, is_ours, read_note
from pixelwise.formats.exports.samples import Listed, dataset_of, splits_of
from pixelwise.formats.folder import list_folder
from pixelwise.formats.json_file import keys_of
from pixelwise.formats.labelbox.truth import Fields, Label, RowDrawing, answers_of, labels_of, medium_of, thing_of
from pixelwise.formats.labelbox.write import FORM, write
from pixelwise.formats.objects import left_out

__all__ = ["LAYOUTS", "read", "sniff", "write"]

LAYOUTS = ("Labelbox's JSON or NDJSON, exported or for import, beside or above its images",)


def _is_own(keys: Keys) -> bool:
    if keys is None:
        return False
    is_row = {"data_row", "projects"} <= keys or {"Labeled Data", "Label"} <= keys
    return is_row or ("dataRow" in keys and bool(keys & {"uuid", "schemaId", "name"}))


def _find(path: Path) -> Export | None:
    """Find the files that ``path`` means; a set that we wrote without a single object has none."""
    found = find_export(path, _is_own)
    if found is None and path.is_dir() and is_ours(FORM)(path):
        return Export(list_folder(path), (), True)
    return found


def sniff(path: Path) -> Claim | None:
    """Tell whether ``path`` is of Labelbox, or a folder with files of it."""
    path = Path(path)
    found = _find(path) if path.exists() else None
    if found is None:
        return None
    keys = next((keys for one in found.paths() if _is_own(keys := keys_of(one))), None) or frozenset()
    dialect = "for import" if "dataRow" in keys else "NDJSON export" if "data_row" in keys else "JSON export (v1)"
    names = ", ".join(one.name for one in found.files[:3]) or NOTE
    return Claim(f"Labelbox {dialect}", f"{names} holds data rows with their labels")


@dataclass
class _Seen:
    """What reading has seen so far: classes in order with colours, what has no area, and what is of no image."""

    colours: dict[str, Colour | None] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)
    media: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


def read(path: Path, labels: LabelSet | None = None) -> Dataset:
    """Read a file, or all of a folder's.

    Raises:
        MissingFile: there is nothing at ``path``.
        UnknownLayout: it holds nothing of Labelbox.
        UnreadableFile: a file is broken or cut off.
        DataError: it holds no labels of images.
    """
    export = _find(Path(path))
    if export is None:
        raise UnknownLayout(f"{path}: expected an export of Labelbox, found none. Tried: {'; '.join(LAYOUTS)}")
    note = read_note(export.listing.root, FORM)
    splits = splits_of(export, note)
    seen = _Seen()
    listed = [one for file in export.files for one in _listed(export, file, splits[file], seen)]
    listed += _empty(export, note)
    if not listed and seen.media:
        found = ", ".join(f"{count} of {medium}" for medium, count in seen.media.items())
        raise DataError(f"{export.paths()[0]}: it holds no labels of images: {found}; export the data rows of images")
    own = note.classes(seen.colours, {name: one for name, one in seen.colours.items() if one is not None})
    return dataset_of(export, listed, note, own, labels, seen.notes)


def _listed(export: Export, file: PurePosixPath, split: str | None, seen: _Seen) -> Iterator[Listed]:
    """List the images of a file: items about one data row belong together."""
    path = export.listing.root / file
    rows: dict[str, list[tuple[Item, Fields]]] = {}
    media: Counter[str] = Counter()
    seen.skipped = Counter()
    for number, item in enumerate(items_of(path, "data rows of Labelbox"), start=1):
        fields = item.decoded(Fields)
        if medium := medium_of(fields):
            media[medium] += 1
        else:
            rows.setdefault(next(iter(_keys(fields)), f"number {number}"), []).append((item, fields))
    for entries in rows.values():
        yield _row(path, file, split, entries, seen)
    seen.media += media
    for medium, count in media.items():
        seen.notes.append(f"{path}: {count} labels are of {medium}, not of images; left out")
    seen.notes += left_out(path, seen.skipped)


def _empty(export: Export, note: Note) -> Iterator[Listed]:
    """List the images without an object, of which the note alone knows."""
    stated = note.rest.get("empty")
    for stem, names in stated.items() if isinstance(stated, dict) else ():
        if export.whole or stem in [one.stem for one in export.files]:
            for name in names if isinstance(names, list) else ():
                drawing = RowDrawing(export.listing.root / NOTE, ())
                yield Listed((str(name),), (drawing,), PurePosixPath(NOTE), note.split(stem))


def _row(path: Path, file: PurePosixPath, split: str | None, entries: list[tuple[Item, Fields]], seen: _Seen) -> Listed:
    """List the image of a data row, and take note of its classes."""
    drawings: list[RowDrawing] = []
    meta: dict[str, Any] = {}
    is_import = "dataRow" in entries[0][1]
    for item, fields in entries:
        for number, label in enumerate(_labels(fields)):
            _scan(label.fields(), seen)
            meta.update(answers_of(label.answers))
            if not is_import:
                drawings.append(RowDrawing(path, ((item, number),)))
    if is_import and any(thing_of(fields) is not None for _, fields in entries):
        drawings.append(RowDrawing(path, tuple((item, 0) for item, _ in entries)))
    content = tuple(hashlib.sha256(item.text()).digest() for item, _ in entries)
    fields = entries[0][1]
    return Listed(tuple(_names(fields)), tuple(drawings), file, split, content, meta)


def _labels(fields: Fields) -> list[Label]:
    """List the labels of an item; where they are broken, one, which is told when the image's truth is read."""
    try:
        return labels_of(fields)
    except DataError:
        return [Label([], [])]


def _scan(objects: list[Fields], seen: _Seen) -> None:
    for one in objects:
        thing = thing_of(one)
        if thing is None:
            continue
        if thing.has_area and thing.name:
            colour = colour_in(take(one, "color", str, ""))
            seen.colours[thing.name] = seen.colours.get(thing.name) or colour
        elif not thing.has_area:
            seen.skipped[thing.kind] += 1


def _about(fields: Fields) -> Mapping[str, Any]:
    """Give what an item says of its data row."""
    return take(fields, "dataRow", Fields, {}) or take(fields, "data_row", Fields, {})


def _keys(fields: Fields) -> Iterator[str]:
    """Give what tells a data row from others, the best first."""
    about = _about(fields)
    stated = [take(about, key, str, "") for key in ("id", "globalKey", "global_key", "externalId", "external_id")]
    stated += [take(fields, key, str, "") for key in ("DataRow ID", "Labeled Data")]
    return (one for one in stated if one)


def _names(fields: Fields) -> Iterator[str]:
    """Give the names that the picture of a data row may have, the likeliest first."""
    about = _about(fields)
    stated = [take(fields, "External ID", str, ""), take(fields, "Labeled Data", str, "")]
    stated = [take(about, key, str, "") for key in ("externalId", "external_id", "globalKey", "global_key")] + stated
    stated.append(take(about, "row_data", str, ""))
    found: dict[str, None] = {}
    for text in stated:
        if not text:
            continue
        found[text] = None
        try:
            parts = urlsplit(text)
        except ValueError:  # an address that is none
            continue
        if parts.scheme:
            found[unquote(parts.path).strip("/")] = None
    found |= dict.fromkeys(one for one in (take(about, "id", str, ""), take(fields, "DataRow ID", str, "")) if one)
    return iter(found)
