"""The classes of a Pascal VOC set: its 21 by default, else those of ``labelmap.txt``, and the colours masks are coded in.

A mask of VOC is a picture with a colour table: pixel value k has colour k of VOC's colour map and means class k, and 255 is the
border that belongs to nothing. CVAT and Datumaro list their classes in ``labelmap.txt`` (``name:r,g,b:parts:actions``) and may
store colours instead of values, so a colour that the list names decides, and the value only where no colour is known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import PIL.Image

from pixelwise.core.arrays import IntArray
from pixelwise.core.errors import DataError, UnreadableFile
from pixelwise.core.image import read_ids
from pixelwise.core.labels import VOID, Colour, Label, LabelSet, pack_colour, unpack_colour
from pixelwise.core.segmentation import KINDS, Kind
from pixelwise.formats.classes import ClassTable, find_classes
from pixelwise.formats.folder import Listing

MARK = "# pixelwise voc 1 "  # the first words of a labelmap.txt that is ours; JSON follows
IGNORE = "__ignore__"  # labelme's name of what is void
BORDER = 255  # the value of what belongs to nothing
NAMES = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
_MOST_BYTES = 16 * 2**20


def colour_map() -> IntArray:
    """Make the colour map (256, 3) of VOC and DAVIS: the bits of a value are dealt to red, green and blue, the highest first.

    >>> colour_map()[[1, 2, 3, 15]].tolist()
    [[128, 0, 0], [0, 128, 0], [128, 128, 0], [192, 128, 128]]
    """
    values = np.arange(256)
    colours = np.zeros((256, 3), np.uint8)
    for place in range(8):
        for band in range(3):
            colours[:, band] |= ((values >> (3 * place + band) & 1) << (7 - place)).astype(np.uint8)
    return colours


COLOURS = colour_map()
BORDER_COLOUR = pack_colour(COLOURS[BORDER].tolist())


@dataclass(frozen=True)
class Legend:
    """What the values and the colours of the class masks mean.

    Attributes:
        labels: the classes; ``labels.values`` maps the values of masks.
        by_colour: values by packed colour; empty where masks hold nothing but values.
        kind: what the set says it holds; None where it does not say.
        path: where the classes are stated; None for VOC's own.
    """

    labels: LabelSet
    by_colour: Mapping[int, int] = field(default_factory=dict)
    kind: Kind | None = None
    path: Path | None = None


def legend_of(listing: Listing) -> Legend:
    """Find the classes that a folder states, else take VOC's.

    Raises:
        UnreadableFile: its list of classes cannot be understood.
    """
    for one in listing.texts:
        if one.name == "labelmap.txt" and (ours := _ours(listing.root / one)) is not None:
            return ours
    table = find_classes(listing)
    if table is None:
        labels = tuple(Label(name, index > 0, _colour(index)) for index, name in enumerate(NAMES))
        values = {**{index: index for index in range(len(NAMES))}, BORDER: VOID}
        return Legend(LabelSet(labels, values), {pack_colour(COLOURS[k].tolist()): k for k in (*range(21), BORDER)})
    return _stated(table)


def _stated(table: ClassTable) -> Legend:
    """Take the classes of a list; a row in the border's colour, or called so, is void."""
    labels: list[Label] = []
    values: dict[int, int] = {BORDER: VOID}
    by_colour = {BORDER_COLOUR: BORDER}
    is_labelme = table.rows[0].name == IGNORE and table.rows[0].value is None  # its classes count from -1 on
    for number, row in table.by_value().items():
        value = number - is_labelme
        if row.colour is not None:
            by_colour[row.colour] = value
        if row.is_void or row.colour == BORDER_COLOUR or row.name in ("ignored", IGNORE):
            values[value] = VOID
            continue
        colour = _colour(value) if row.colour is None else unpack_colour(row.colour)
        values[value] = len(labels)
        labels.append(Label(row.name, row.name.strip("_").casefold() != "background", colour))
    return Legend(LabelSet(tuple(labels), values), by_colour, path=table.path)


def _colour(value: int) -> Colour:
    red, green, blue = COLOURS[value % 256].tolist()
    return red, green, blue


def _ours(path: Path) -> Legend | None:
    """Read the first line of a labelmap.txt that Pixelwise wrote; None for others."""
    try:
        with open(path, "rb") as file:
            line = file.readline(_MOST_BYTES)
    except OSError as error:
        raise UnreadableFile(f"{path}: cannot be read: {error.strerror or error}") from None
    if not line.startswith(MARK.encode()):
        return None
    try:
        found = msgspec.json.decode(line[len(MARK) :])
        kind = next(one for one in KINDS if one == found["kind"])
        return Legend(LabelSet.from_json(found), {}, kind, path)
    except (msgspec.DecodeError, TypeError, KeyError, StopIteration, RecursionError, UnicodeDecodeError):
        raise UnreadableFile(f"{path}: its first line says that Pixelwise wrote it, but it is damaged; copy it again") from None


def is_ours(folder: Path) -> bool:
    """Tell whether Pixelwise wrote the set."""
    try:
        return _ours(folder / "labelmap.txt") is not None
    except DataError:
        return False


def labelmap(labels: LabelSet, kind: Kind, rows: list[tuple[str, Colour]]) -> str:
    """Write labelmap.txt: the label set in a first line that others take for a remark, then a row a value."""
    mark: dict[str, Any] = {"kind": kind, **labels.to_json()}
    lines = [f"{_plain(name)}:{red},{green},{blue}::" for name, (red, green, blue) in rows]
    return "\n".join([MARK + msgspec.json.encode(mark).decode(), "# label:color_rgb:parts:actions", *lines, ""])


def _plain(name: str) -> str:
    """Take out what would end a name in such a row; the first line has it whole."""
    return "".join("_" if one in ":,#\r\n" else one for one in name)


class _Stored(NamedTuple):
    """A mask as stored, and the packed colours of its values: those of a colour table, or the values themselves."""

    values: IntArray
    table: Mapping[int, int]
    is_rgb: bool


def class_values(path: Path, legend: Legend) -> IntArray:
    """Read a class mask (H, W) as values.

    Raises:
        UnreadableFile, TooLarge, MissingFile: as ``read_ids``.
        DataError: it holds a colour that is no class's.
    """
    stored = _stored(path)
    if not legend.by_colour:
        if stored.is_rgb:
            raise DataError(f"{path}: expected values with a colour table, found colours; export the masks as indexed PNG")
        return stored.values
    present = np.unique(stored.values)
    colours = [value if stored.is_rgb else stored.table.get(value, -1) for value in present.tolist()]
    known = [legend.by_colour.get(colour) for colour in colours]
    if None not in known:
        return _mapped(stored.values, present, known)
    if stored.is_rgb:
        source = "VOC's 21 classes" if legend.path is None else f"the {len(legend.labels)} classes of {legend.path.name}"
        raise DataError(
            f"{path}: the colour #{colours[known.index(None)]:06x} is none of the colours of {source}; add it to labelmap.txt"
        )
    return stored.values  # a colour table of another making, such as a ramp of grey, or none: the values themselves count


def object_values(path: Path) -> IntArray:
    """Read an object mask (H, W) as numbers of objects; colours count as places in VOC's colour map.

    Raises:
        UnreadableFile, TooLarge, MissingFile: as ``read_ids``.
        DataError: it holds a colour that is not in VOC's colour map, or a number that no mask of objects needs.
    """
    stored = _stored(path)
    present = np.unique(stored.values)
    if not stored.is_rgb:
        if present.size and not 0 <= present[0] <= present[-1] <= 65535:
            raise DataError(f"{path}: expected numbers of objects from 0 to 65535, found {present[0]}..{present[-1]}")
        return stored.values
    numbers = {pack_colour(colour): number for number, colour in enumerate(COLOURS.tolist())}
    if strange := [colour for colour in present.tolist() if colour not in numbers]:
        raise DataError(f"{path}: the colour #{strange[0]:06x} is not in VOC's colour map; export the masks as indexed PNG")
    return _mapped(stored.values, present, [numbers[colour] for colour in present.tolist()])


def _mapped(values: IntArray, present: IntArray, to: Sequence[int | None]) -> IntArray:
    """Replace each of the values that are ``present``, in order, by its own of ``to``."""
    return np.asarray(np.array(to, np.uint16)[np.searchsorted(present, values)])


def _stored(path: Path) -> _Stored:
    values, is_rgb = read_ids(path)
    try:
        with PIL.Image.open(path) as picture:  # read_ids has looked at size and content
            mode, palette = picture.mode, picture.getpalette("RGB") if picture.mode == "P" else None
    except Exception:  # a TIFF that Pillow cannot open, for any reason, has no colour table to ask for
        mode, palette = "", None
    if mode in ("RGB", "RGBA") and not is_rgb:  # colours that happen to be grey, such as VOC's car
        wide = values.astype(np.int32)
        return _Stored(wide << 16 | wide << 8 | wide, {}, True)
    triples = np.array(palette or [], np.int64)[: len(palette or []) // 3 * 3].reshape(-1, 3)
    return _Stored(values, {value: pack_colour(colour) for value, colour in enumerate(triples.tolist())}, is_rgb)
