"""Class tables: the names, and where stated the stored values and colours, from the files people keep them in.

Read are ``classes.txt|json|csv``, ``class_dict*.csv``, ``labels.txt``, ``label_colors.txt``, ``labelmap.txt``, ``codes.txt``,
``dataset_meta.json``, ``_classes.csv`` and kin: a name a line, ``value name``, ``r g b name``, ``name:r,g,b``, CSV with a
header, JSON lists and mappings, and the label set that Pixelwise itself writes.
"""

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pixelwise.core.errors import DataError, MissingFile, UnreadableFile
from pixelwise.core.files import read_json
from pixelwise.core.labels import LabelSet, pack_colour
from pixelwise.formats.folder import Listing

_FILES = re.compile(
    r"^_?(classes|class_dict.*|class_names?|class_mapping|class_labels?|names|labels?|label_names|label_colou?rs?|label_?map|"
    r"colou?r_?map|codes|dataset_meta|categories)\.(txt|json|csv|names)$"
)
_VOID_NAMES = frozenset({"void", "unlabelled", "unlabeled", "ignore", "ignored", "ignore_label", "dontcare", "don't care"})
_NAME_COLUMNS = ("name", "class_name", "classname", "class", "label", "label_name", "category", "classes", "names")
_VALUE_COLUMNS = ("value", "pixel_value", "id", "index", "class_id", "label_id", "pixel", "idx")
_MOST_BYTES = 16 * 2**20
_LINE = 4096  # bytes of a table's first line that are looked at


@dataclass(frozen=True)
class ClassName:
    """A name, and where the file states them the stored value and the packed colour."""

    name: str
    value: int | None = None
    colour: int | None = None

    @property
    def is_void(self) -> bool:
        """Tell whether the name itself says "not labelled"."""
        return self.name.strip().casefold().replace("-", "_") in _VOID_NAMES


@dataclass(frozen=True)
class ClassTable:
    """Names in file order; ``labels`` where the file is a whole label set of ours."""

    path: Path
    rows: tuple[ClassName, ...]
    labels: LabelSet | None = None

    def by_value(self) -> dict[int, ClassName]:
        """Map stored values to names: as stated, else the row number."""
        return {index if row.value is None else row.value: row for index, row in enumerate(self.rows)}

    def by_colour(self) -> dict[int, ClassName]:
        """Map packed colours to names, where colours are given."""
        return {row.colour: row for row in self.rows if row.colour is not None}


def find_classes(listing: Listing) -> ClassTable | None:
    """Find the folder's class table: the one nearest to the root; None if there is none.

    Raises:
        UnreadableFile: a file of such a name cannot be understood.
    """
    named = [path for path in listing.texts if _FILES.match(path.name.casefold())]
    for path in sorted(named, key=_preference):
        table = _read_or_none(listing.root / path)
        if table is not None:
            return table
    return None


def _preference(path: PurePosixPath) -> tuple[int, int, int, str]:
    name = path.name.casefold()
    return len(path.parts), 0 if name.startswith("classes.") else 1, 0 if name.endswith((".json", ".csv")) else 1, name


def _read_or_none(path: Path) -> ClassTable | None:
    """Read a file found by its name; a JSON of another make (COCO categories, say) is not ours to complain about."""
    if path.suffix.lower() == ".csv" and _is_of_images(path):
        return None
    if path.suffix.lower() == ".json" and path.stem.casefold() not in ("classes", "dataset_meta"):
        try:
            return read_classes(path)
        except DataError:
            return None
    return read_classes(path)


def _is_of_images(path: Path) -> bool:
    """Tell a table of images: Roboflow's multi-label export has one of the same name, a column a class."""
    try:
        with open(path, "rb") as file:
            return file.readline(_LINE).removeprefix(b"\xef\xbb\xbf").strip().lower().startswith(b"filename")
    except OSError:  # a link to nothing: told by who reads it
        return False


def read_classes(path: Path) -> ClassTable:
    """Read a class table.

    Raises:
        MissingFile: there is none.
        UnreadableFile: it is in no known form, or two rows have one name, value or colour.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFile(f"{path}: expected a file of class names (txt, csv or json), found nothing there")
    if path.stat().st_size > _MOST_BYTES:
        raise UnreadableFile(f"{path}: expected a file of class names, found {path.stat().st_size:,} bytes")
    labels = None
    if path.suffix.lower() == ".json":
        data = read_json(path, _MOST_BYTES)
        if isinstance(data, Mapping) and {"classes", "values", "encoding"} <= set(data):
            labels = _label_set(path, data)
            rows = [ClassName(name) for name in labels.names]
        else:
            rows = _from_json(path, data)
    else:
        try:
            text = path.read_text("utf-8-sig")
        except (UnicodeDecodeError, OSError) as error:
            raise UnreadableFile(f"{path}: expected class names in UTF-8, but {error}; save it as UTF-8 text") from None
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        rows = _from_table(path, lines) or [_from_line(path, line) for line in lines]
    if not rows:
        raise UnreadableFile(f"{path}: expected class names, one a line, found none")
    _refuse_twins(path, rows)
    return ClassTable(path, tuple(rows), labels)


def _label_set(path: Path, data: Mapping[str, Any]) -> LabelSet:
    try:
        return LabelSet.from_json(data)
    except DataError as error:
        raise UnreadableFile(f"{path}: {error}; correct it, or give the names with --classes") from None


def _refuse_twins(path: Path, rows: Sequence[ClassName]) -> None:
    for what, seen in (
        ("name", [row.name for row in rows]),
        ("value", [str(row.value) for row in rows if row.value is not None]),
        ("colour", [f"#{row.colour:06x}" for row in rows if row.colour is not None]),
    ):
        if twins := sorted(one for one, count in Counter(seen).items() if count > 1):
            raise UnreadableFile(f"{path}: two classes have the {what} {', '.join(twins)}; each needs its own")


def _from_table(path: Path, lines: list[str]) -> list[ClassName]:
    """Read CSV with a header; an empty list where the first line is none."""
    if not lines or not re.search(r"[,;\t]", lines[0]):
        return []
    joint = max(",;\t", key=lines[0].count)
    cells = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=joint, skipinitialspace=True)]
    header = [cell.casefold().replace(" ", "_") for cell in cells[0]]
    place = next((header.index(column) for column in _NAME_COLUMNS if column in header), None)
    if place is None:
        return []
    value = next(
        (header.index(column) for column in _VALUE_COLUMNS if column in header and header.index(column) != place), None
    )
    bands = next(
        (
            [header.index(one) for one in three]
            for three in (("r", "g", "b"), ("red", "green", "blue"))
            if set(three) <= set(header)
        ),
        None,
    )
    colour = next((index for index, column in enumerate(header) if re.search(r"colou?r|rgb|hex", column)), None)
    rows = []
    for number, row in enumerate(cells[1:], 2):
        try:
            packed = pack_colour([_byte(row[index]) for index in bands]) if bands else None
            if packed is None and colour is not None:
                packed = _colour(row[colour])
            rows.append(ClassName(_name(row[place]), None if value is None else int(row[value]), packed))
        except (IndexError, ValueError) as error:
            raise UnreadableFile(
                f"{path}: row {number} {joint.join(row)!r} does not fit the header {header}: {error}"
            ) from None
    return rows


def _from_line(path: Path, line: str) -> ClassName:
    """Read one line of a text: ``name``, ``value name``, ``r g b name``, ``name r g b`` or ``name:r,g,b``."""
    triple = r"(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})"
    try:
        if match := re.match(rf"^{triple}[\s,:]+(\S.*)$", line):
            return ClassName(_name(match[4]), None, pack_colour([_byte(match[one]) for one in (1, 2, 3)]))
        if match := re.match(rf"^(.*?)[\s,:]+{triple}(:.*)?$", line):
            return ClassName(_name(match[1]), None, pack_colour([_byte(match[one]) for one in (2, 3, 4)]))
        if match := re.match(r"^(\d+)(?:\s*[:,=;\t]\s*|\s+)(\S.*)$", line):
            return ClassName(_name(match[2]), int(match[1]))
        if match := re.match(r"^(\S.*?)\s*[,=;:\t]\s*(\d+)$", line):
            return ClassName(_name(match[1]), int(match[2]))
        return ClassName(_name(line))
    except ValueError as error:
        raise UnreadableFile(f"{path}: line {line!r}: {error}") from None


def _from_json(path: Path, data: Any) -> list[ClassName]:
    """Read the JSON forms in use: a list of names or of mappings, or a mapping between values and names."""
    if isinstance(data, Mapping):
        colours = data.get("segmentation_colors")
        for key in ("classes", "label_map", "labels", "names", "categories", "class_names"):
            if isinstance(data.get(key), list | Mapping):
                rows = _from_json(path, data[key])
                if isinstance(colours, list) and len(colours) == len(rows):
                    return [ClassName(row.name, row.value, _colour(one)) for row, one in zip(rows, colours, strict=True)]
                return rows
        pairs = list(data.items())
        if pairs and all(isinstance(key, str) and key.strip().isdecimal() and isinstance(one, str) for key, one in pairs):
            return [ClassName(_name(one), int(key)) for key, one in pairs]
        if pairs and all(isinstance(one, int) and not isinstance(one, bool) for _, one in pairs):
            return [ClassName(_name(key), one) for key, one in pairs]
        try:
            if pairs and all(isinstance(one, list) for _, one in pairs):
                return [ClassName(_name(key), None, _colour(one)) for key, one in pairs]
        except ValueError as error:
            raise UnreadableFile(f"{path}: {error}") from None
    if isinstance(data, list) and all(isinstance(one, str) for one in data):
        return [ClassName(_name(one)) for one in data]
    if isinstance(data, list) and all(isinstance(one, Mapping) for one in data):
        return [_from_mapping(path, one) for one in data]
    raise UnreadableFile(
        f"{path}: expected class names as JSON: a list of names, a list of {{name, value, colour}}, or {{value: name}}"
    )


def _from_mapping(path: Path, one: Mapping[str, Any]) -> ClassName:
    lower = {str(key).casefold(): value for key, value in one.items()}
    name = next((lower[key] for key in _NAME_COLUMNS if isinstance(lower.get(key), str)), None)
    value = next((lower[key] for key in _VALUE_COLUMNS if isinstance(lower.get(key), int)), None)
    colour = next((lower[key] for key in ("color", "colour", "rgb", "hex") if lower.get(key) is not None), None)
    try:
        if name is None:
            raise ValueError("it has no name")
        return ClassName(_name(name), value, None if colour is None else _colour(colour))
    except (ValueError, TypeError) as error:
        raise UnreadableFile(f"{path}: the class {dict(one)!r} cannot be read: {error}") from None


def _name(text: str) -> str:
    name = text.strip().strip("\"'").strip()
    if not name:
        raise ValueError("a class has no name")
    return name


def _byte(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 255:
        raise ValueError(f"expected a colour of three numbers 0..255, got {value}")
    return value


def _colour(value: str | Sequence[int]) -> int:
    """Read a colour: ``#rrggbb``, ``r g b`` text, or a list of three."""
    if isinstance(value, str):
        if match := re.fullmatch(r"#?([0-9a-fA-F]{6})", value.strip()):
            return int(match[1], 16)
        value = [int(part) for part in re.findall(r"\d+", value)]
    if len(value) < 3:
        raise ValueError(f"expected a colour of three numbers, got {value!r}")
    return pack_colour([_byte(str(one)) for one in value[:3]])
