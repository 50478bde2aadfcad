"""The format ``label_studio``: JSON and JSON-MIN exports of Label Studio, with polygons, boxes, ellipses, brushes and bitmaps.

Each annotation of a task that was not cancelled is a truth of its image: usually one, several where several people annotated
it, and only the one marked as ground truth where there is one. Predictions are no truth; they are left out and counted. A
region of several labels is an object of each. Answers about a region are its attributes, those about the image its ``meta``.
Where a task shows several pictures the export does not say which is which, so the regions on them are told as wrong.

Pictures are looked up by what the task calls them: an upload (``/data/upload/1/3f9b2c01-photo.jpg``, also without the prefix
that uploading adds), a file of local storage (``?d=photos/photo.jpg``), or an address of a cloud storage. A labelling
configuration (XML) beside the export gives the classes their order and colours.

``write`` makes ``images/``, one export a split, ``label_config.xml`` to set up a project with, and ``classes.json``.
Masks are brush strokes, which hold them bit for bit. Local storage must serve the folder for Label Studio to show the images.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from msgspec import Raw

from pixelwise.core.errors import DataError, PixelwiseError, UnknownLayout
from pixelwise.core.image import SUFFIXES
from pixelwise.core.labels import Colour, LabelSet
from pixelwise.core.sample import Dataset
from pixelwise.formats.claim import Claim
from pixelwise.formats.exports import Export, Item, Keys, find_export, is_null, items_of, take
from pixelwise.formats.exports.note import colour_in, read_note
from pixelwise.formats.exports.samples import Listed, dataset_of, splits_of
from pixelwise.formats.json_file import keys_of
from pixelwise.formats.label_studio.truth import (
    Fields,
    Region,
    TaskDrawing,
    controls_of,
    drawn_under,
    regions_of,
    truths_of,
)
from pixelwise.formats.label_studio.write import FORM, write
from pixelwise.formats.objects import left_out
from pixelwise.formats.xml_file import elements, root_tag

__all__ = ["LAYOUTS", "read", "sniff", "write"]

LAYOUTS = ("Label Studio's JSON or JSON-MIN export beside or above its images",)
_CONTROLS = frozenset({"PolygonLabels", "RectangleLabels", "EllipseLabels", "BrushLabels", "BitmaskLabels", "Labels"})
_HEX = frozenset("0123456789abcdef")
_LONGEST_ID = 64  # bytes of a task's id that count
_OTHERS = frozenset({"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement"})


def _is_own(keys: Keys) -> bool:
    if keys is None:
        return False
    is_task = "data" in keys and bool(keys & {"annotations", "completions"}) and "categories" not in keys
    is_entry = "[]" in keys and ({"annotator", "annotation_id"} <= keys or {"annotator", "lead_time"} <= keys)
    return is_task or is_entry


def sniff(path: Path) -> Claim | None:
    """Tell whether ``path`` is an export of Label Studio, or a folder with some."""
    path = Path(path)
    found = find_export(path, _is_own) if path.exists() else None
    if found is None:
        return None
    keys = keys_of(found.paths()[0]) or frozenset()
    dialect = "Label Studio JSON" if "data" in keys else "Label Studio JSON-MIN" if keys else "Label Studio"
    return Claim(dialect, f"{', '.join(one.name for one in found.files[:3])} lists tasks with the annotations of people")


@dataclass
class _Seen:
    """What reading has seen so far: classes in order, and what is no truth."""

    names: dict[str, None] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)
    predictions: int = 0
    unlabelled: int = 0


def read(path: Path, labels: LabelSet | None = None) -> Dataset:
    """Read an export, or all of a folder's.

    Raises:
        MissingFile: there is nothing at ``path``.
        UnknownLayout: it holds no export of Label Studio.
        UnreadableFile: an export is broken or cut off.
        DataError: no image is listed.
    """
    export = find_export(Path(path), _is_own)
    if export is None:
        raise UnknownLayout(f"{path}: expected an export of Label Studio, found none. Tried: {'; '.join(LAYOUTS)}")
    note = read_note(export.listing.root, FORM)
    colours, splits = _configured(export), splits_of(export, note)
    listed: list[Listed] = []
    notes: list[str] = []
    names: dict[str, None] = {}
    for file in export.files:
        seen = _Seen()
        listed += _listed(export.listing.root / file, file, splits[file], seen)
        names |= seen.names
        notes += _told(export.listing.root / file, seen)
    own = note.classes((*colours, *names), {name: one for name, one in colours.items() if one is not None})
    return dataset_of(export, listed, note, own, labels, notes)


def _told(path: Path, seen: _Seen) -> Iterator[str]:
    if seen.predictions:
        yield f"{path}: {seen.predictions} predictions of models are no truth; left out"
    if seen.unlabelled:
        yield f"{path}: {seen.unlabelled} tasks have no annotation; their images are without labels"
    yield from left_out(path, seen.skipped)


def _listed(path: Path, file: PurePosixPath, split: str | None, seen: _Seen) -> Iterator[Listed]:
    """List the images of an export; entries of JSON-MIN about one task are its truths by several people."""
    groups: dict[object, tuple[str, list[tuple[Item, Fields]]]] = {}
    for number, item in enumerate(items_of(path, "tasks of Label Studio"), start=1):
        fields = item.decoded(Fields)
        name = _identity(fields) or f"number {number}"
        groups.setdefault(number if "data" in fields else name, (f"task {name}", []))[1].append((item, fields))
    for task, entries in groups.values():
        fields = entries[0][1]
        drawings, meta = [], {}
        for item, each in entries:
            count, answers = _scanned(each, seen)
            drawings += [TaskDrawing(item, row, task) for row in range(count)]
            meta.update(answers)
        seen.unlabelled += not drawings
        content = tuple(hashlib.sha256(item.text()).digest() for item, _ in entries)
        yield Listed(tuple(_names(fields)), tuple(drawings), file, split, content, meta)


def _identity(fields: Fields) -> str:
    """Give the id of a task as text; empty where it has none."""
    if "id" not in fields or is_null(fields["id"]):
        return ""
    return take(fields, "id", str, "") or bytes(memoryview(fields["id"])[:_LONGEST_ID]).decode("utf-8", "replace")


def _scanned(fields: Fields, seen: _Seen) -> tuple[int, dict[str, Any]]:
    """Count the truths of a task, take note of their classes, and give the answers about the image."""
    answers: dict[str, Any] = {}
    seen.predictions += len(take(fields, "predictions", list[Raw], []))
    try:
        truths = truths_of(fields)
    except DataError:
        return 1, {}  # what is wrong is told when the image's truth is read
    for results in truths:
        for region in regions_of(results, () if "data" in fields else controls_of(fields)):
            if not isinstance(region, Region):
                continue
            if region.has_area:
                seen.names |= dict.fromkeys(region.classes)
            elif region.names or region.kind == "relation":
                seen.skipped[region.kind.removesuffix("labels") or "unknown"] += 1
            else:
                answers.update(region.answers)
    if "data" not in fields:
        for key in [one for one in fields if one not in _OTHERS]:
            said: object = take(fields, key, Any, None)
            if said not in ("", None, [], {}) and not _is_picture(said) and not drawn_under(fields, key):
                answers[key] = said
    return len(truths), answers


def _names(fields: Fields) -> Iterator[str]:
    """Give the names that a task's picture may have, the likeliest first."""
    data: Mapping[str, Raw] = take(fields, "data", Fields, {}) if "data" in fields else fields
    texts = {key: text for key in data if (text := take(data, key, str, ""))}
    stated = sorted(texts, key=lambda key: (not _is_picture(texts[key]), key != "image"))
    upload = take(fields, "file_upload", str, "")
    found: dict[str, None] = {}
    for text in [texts[key] for key in stated if _is_picture(texts[key]) or key in ("image", "img", "url")] + [upload]:
        found |= dict.fromkeys(_spellings(text))
    return iter(found)


def _spellings(text: str) -> Iterator[str]:
    """Give a name without what storing it added: an address, a query, escapes, the prefix of an upload.

    >>> list(_spellings("/data/upload/1/3f9b2c01-my%20photo.jpg"))
    ['/data/upload/1/3f9b2c01-my%20photo.jpg', '/data/upload/1/3f9b2c01-my photo.jpg', 'my photo.jpg']
    """
    if not text:
        return
    try:
        parts = urlsplit(text)
        local = parse_qs(parts.query).get("d", [])
    except ValueError:  # an address that is none
        parts, local = urlsplit(""), []
    bare = local[0] if local else text if not parts.query or not _is_picture(parts.path) else parts.path
    yield bare
    plain = unquote(bare)
    yield plain
    last = plain.replace("\\", "/").rpartition("/")[2]
    head, dash, rest = last.partition("-")
    if dash and len(head) == 8 and set(head) <= _HEX and rest:
        yield rest


def _is_picture(text: object) -> bool:
    if not isinstance(text, str):
        return False
    bare = text.partition("?")[0]
    return any(PurePosixPath(one).suffix.lower() in SUFFIXES for one in (bare, text.rpartition("=")[2]))


def _configured(export: Export) -> dict[str, Colour | None]:
    """Read the classes of a labelling configuration beside an export, with their colours."""
    found: dict[str, Colour | None] = {}
    folders = {one.parent for one in export.files}
    beside: Sequence[PurePosixPath] = [one for one in export.listing.others if one.suffix.lower() == ".xml"]
    for one in beside:
        if one.parent not in folders or root_tag(export.listing.root / one) != "View":
            continue
        try:
            for control in elements(export.listing.root / one, _CONTROLS):
                for label in control.iter("Label"):
                    name = label.get("value") or label.get("alias")
                    if name:
                        found.setdefault(name, colour_in(label.get("background")))
        except PixelwiseError:  # it only helps; the export names its classes itself
            continue
    return found
