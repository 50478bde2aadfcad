"""One file of the VGG Image Annotator, version 1 or 2: a project, its JSON export or its CSV export.

All three say the same: images by a key (the file's name and its size in bytes), and for each its regions, a list in version 2
and a numbered table in version 1. A region has a shape and attributes that the annotator made up. Make Sense exports the
first version's JSON, with the name alone as the key. Of each image the regions are kept as JSON, undecoded.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from pixelwise.core.errors import DataError, MissingFile, UnreadableFile
from pixelwise.formats.json_file import decode, decoded

MARK = "pixelwise"  # among the project's settings: what a file of ours says of itself, as JSON in a string
METADATA = "_via_img_metadata"
_WHAT = "a file of the VGG Image Annotator"
_COLUMNS = frozenset({"file_size", "region_count", "region_shape_attributes", "region_attributes"})
_PROJECT, _FIRST, _SECOND = (f"VGG Image Annotator {what}" for what in ("2 project", "1 JSON", "2 JSON"))
_MAKE_SENSE = "Make Sense's VGG JSON"
_LONGEST_FIELD = 2**26  # characters of a polygon in a CSV file, and bytes of an image in a JSON file that are looked into
_MOST_CSV = 2**30
_LOOKED_INTO = 8  # images of a file, before it is taken for another format's


class _Image(msgspec.Struct, gc=False):
    filename: Any = None
    size: Any = None
    regions: Any = None
    file_attributes: Any = None


@dataclass(frozen=True)
class ViaImage:
    """An image of a file.

    Attributes:
        name: what the file calls it.
        regions: its regions, as the JSON of a list.
        attributes: what the file says of the image.
        problem: what is wrong with its regions as a whole.
    """

    name: str
    regions: bytes
    attributes: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True)
class ViaFile:
    """A file.

    Attributes:
        path: where it is.
        images: in the file's order.
        options: the values that a project lists for an attribute of regions, in its order.
        about: what a file of ours says of itself.
    """

    path: Path
    images: tuple[ViaImage, ...]
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)


def dialect_of(path: Path) -> str | None:
    """Tell which kind of VIA's files this is; None for a file of another make."""
    if path.suffix.lower() == ".csv":
        return _csv_dialect(path)
    if path.suffix.lower() != ".json":
        return None
    try:
        found = decoded(path, dict[str, Raw], _WHAT)[0]
    except (DataError, MissingFile):
        return None
    return _PROJECT if METADATA in found else _json_dialect(found)


def _json_dialect(found: Mapping[str, Raw]) -> str | None:
    first = ""
    for key, raw in list(found.items())[:_LOOKED_INTO]:
        if bytes(memoryview(raw)[:1]) != b"{" or memoryview(raw).nbytes > _LONGEST_FIELD:
            return None
        try:
            parts = decode(raw, dict[str, Raw])
            if not parts.keys() >= {"filename", "regions"}:
                return None
            opening = bytes(memoryview(parts["regions"])[:1])
            name = decode(parts["filename"], str)
        except DataError:
            return None
        if opening not in (b"{", b"["):
            continue  # wrong, but told where its image is read
        first = first or (_SECOND if opening == b"[" else _MAKE_SENSE if key == name else _FIRST)
    return first or None


def _csv_dialect(path: Path) -> str | None:
    try:
        with open(path, "rb") as file:
            header = file.read(4096).partition(b"\n")[0].decode("utf-8-sig", "replace")
    except OSError:
        return None
    columns = {column.strip(' "#\r') for column in header.split(",")}
    return "VGG Image Annotator CSV" if columns >= {"filename", *_COLUMNS} else None


def open_via(path: Path) -> ViaFile:
    """Open a file of any of the three kinds.

    Raises:
        MissingFile, UnreadableFile: there is none, or it is broken or of another form.
    """
    if path.suffix.lower() == ".csv":
        return ViaFile(path, tuple(_csv_images(path)))
    found = decoded(path, dict[str, Raw], _WHAT)[0]
    if METADATA not in found:
        return ViaFile(path, tuple(_json_images(found)))
    try:
        images = decode(found[METADATA], dict[str, Raw])
        attributes = decode(found.get("_via_attributes", Raw(b"{}")), dict[str, Any])
        settings = decode(found.get("_via_settings", Raw(b"{}")), dict[str, Any])
    except DataError as error:
        raise UnreadableFile(f"{path}: expected {_WHAT}, but {error}") from None
    return ViaFile(path, tuple(_json_images(images)), _options(attributes), _about(settings))


def _json_images(found: Mapping[str, Raw]) -> Iterator[ViaImage]:
    for key, raw in found.items():
        try:
            image = decode(raw, _Image)
        except DataError as error:
            yield ViaImage(key.rstrip("0123456789"), b"[]", problem=f"expected an image with its regions, but {error}")
            continue
        name = image.filename if isinstance(image.filename, str) and image.filename else key.removesuffix(str(image.size))
        attributes = image.file_attributes if isinstance(image.file_attributes, dict) else {}
        regions = list(image.regions.values()) if isinstance(image.regions, dict) else image.regions
        if isinstance(regions, list):
            yield ViaImage(name, msgspec.json.encode(regions), attributes)
        else:
            problem = f"expected regions as a list or a table, found {type(regions).__name__}"
            yield ViaImage(name, b"[]", attributes, problem)


def _csv_images(path: Path) -> Iterator[ViaImage]:
    found: dict[tuple[str, str], list[Any]] = {}
    attributes: dict[tuple[str, str], dict[str, Any]] = {}
    for row in _rows(path):
        key = row["filename"], row["file_size"]
        regions = found.setdefault(key, [])
        shape = _table(row["region_shape_attributes"])
        if shape or row["region_count"].strip() != "0":
            regions.append({"shape_attributes": shape, "region_attributes": _table(row["region_attributes"])})
        if isinstance(said := _table(row.get("file_attributes", "")), dict):
            attributes[key] = said
    for key, regions in found.items():
        yield ViaImage(key[0], msgspec.json.encode(regions), attributes.get(key, {}))


def _rows(path: Path) -> Iterator[Mapping[str, str]]:
    """Give the rows of a CSV file by the names of its columns; the first version puts a # before them."""
    text = _text(path)
    limit = csv.field_size_limit(_LONGEST_FIELD)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise UnreadableFile(f"{path}: expected {_WHAT} as CSV, but {error}; export it again") from None
    finally:
        csv.field_size_limit(limit)
    header = [column.strip().lstrip("#") for column in rows[0]] if rows else []
    if not set(header) >= {"filename", *_COLUMNS}:
        raise UnreadableFile(f"{path}: expected the columns {', '.join(['filename', *sorted(_COLUMNS)])}; export it again")
    for number, row in enumerate(rows[1:], start=2):
        if row and len(row) != len(header):
            raise UnreadableFile(f"{path}: row {number} has {len(row)} columns, expected {len(header)}; export it again")
        if row:
            yield dict(zip(header, row, strict=True))


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_CSV:
            raise UnreadableFile(
                f"{path}: {path.stat().st_size:,} bytes; at most {_MOST_CSV:,} are read as CSV; divide the file"
            )
        return path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise MissingFile(f"{path}: expected {_WHAT}, found nothing there; check the path") from None
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"{path}: expected text in UTF-8, but {error}; export it again") from None
    except OSError as error:
        raise UnreadableFile(f"{path}: cannot be read: {error.strerror or error}") from None


def _table(text: str) -> Any:
    """Decode a table in a cell; one that is broken stays text, which no reader takes for a region."""
    try:
        return decode(text.encode(), dict[str, Any]) if text.strip() else {}
    except (DataError, UnicodeEncodeError):
        return text


def _options(attributes: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    region = attributes.get("region")
    found = {}
    for name, said in region.items() if isinstance(region, dict) else ():
        if isinstance(said, dict) and isinstance(options := said.get("options"), dict):
            found[name] = tuple(options)
    return found


def _about(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    project = settings.get("project")
    said = project.get(MARK) if isinstance(project, dict) else None
    try:
        return decode(said.encode(), dict[str, Any]) if isinstance(said, str) else {}
    except (DataError, UnicodeEncodeError):
        return {}


def ours(files: Iterable[ViaFile], form: str) -> Sequence[ViaFile]:
    """Keep the files that say they are of the form ``form``."""
    return [one for one in files if one.about.get("format") == form]
