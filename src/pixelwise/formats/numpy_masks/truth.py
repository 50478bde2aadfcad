"""What the arrays of one image mean, and the objects they hold."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from pixelwise.core.arrays import AnyArray, IntArray, Size
from pixelwise.core.errors import DataError, MissingFile, SizeMismatch, UnreadableFile
from pixelwise.core.idmaps import encode_ids
from pixelwise.core.image import max_pixels
from pixelwise.core.runs import Runs, encode
from pixelwise.core.segmentation import Kind
from pixelwise.formats.numbered import MOST_IDS, masks_of
from pixelwise.formats.numpy_masks.file import Header, headers, layers, vector
from pixelwise.formats.objects import Drawn
from pixelwise.formats.shapes import Coded

_NAMES = (
    "masks",
    "ids",
    "instance_ids",
    "instances",
    "mask",
    "labels",
    "label",
    "classes",
    "class_map",
    "segmentation",
    "arr_0",
)
_IDS = re.compile(r"(^|[_\-. ])(ids?|instance(s|_ids)?|inst)($|[_\-. ])")
_ROWS = ("class_ids", "crowd", "boxes", "areas", "source_ids", "track_ids")
CLASS = "object"  # of what has no class
_MOST_CLASSES = 2**16 - 1
_MOST_MASKS = 100_000


@dataclass(frozen=True)
class Meaning:
    """What the chief array of a file is: a stack of masks, object numbers, or classes; and the arrays of a row a mask."""

    what: Literal["masks", "ids", "classes"]
    header: Header
    rows: Mapping[str, Header]


def meaning_of(path: Path, found: Mapping[str, Header]) -> Meaning:
    """Tell what the arrays of a file mean, from their names, shapes and types.

    Raises:
        UnreadableFile: none of them is a mask, or it is open which one is.
    """
    flat = {name: one for name, one in found.items() if len(one.shape) in (2, 3) and name not in _ROWS}
    name = next((name for name in ("", *_NAMES) if name in flat), next(iter(flat)) if len(flat) == 1 else None)
    if name is None:
        shown = ", ".join(f"{key or 'array'} {one.shape}" for key, one in list(found.items())[:6]) or "none"
        raise UnreadableFile(
            f"{path}: expected an array (H, W) or (S, H, W), called 'masks' or 'ids' in an .npz, found {shown}"
        )
    header = flat[name]
    rows = {key: one for key, one in found.items() if key in _ROWS}
    if len(header.shape) == 3 or header.dtype.kind == "b":
        return Meaning("masks", header, rows)
    says_ids = any(_IDS.search(word.casefold()) for word in (name, path.stem, path.parent.name))
    return Meaning("ids" if says_ids else "classes", header, rows)


def classes_in(path: Path) -> set[int]:
    """List the class numbers that a file holds; none of one that cannot be read, or that has no classes."""
    try:
        meaning = meaning_of(path, headers(path))
        if meaning.what != "classes":
            one = meaning.rows.get("class_ids")
            return set() if one is None else set(np.unique(_whole(vector(path, one))).tolist())
        _require_bounded(path, meaning.header)
        found: set[int] = set()
        for layer in layers(path, meaning.header):
            found |= set(np.unique(_whole(layer)).tolist())
    except (DataError, MissingFile):
        return set()
    return found if len(found) <= _MOST_CLASSES else set()


def _whole(stored: AnyArray) -> IntArray:
    """Take whole numbers, whatever type they are stored in."""
    if stored.dtype.kind == "b":
        return stored.astype(np.uint8)
    if stored.dtype.kind == "f":
        if not (np.isfinite(stored) & (stored == np.rint(stored)) & (np.abs(stored) < 2**62)).all():
            raise DataError("expected whole numbers, found fractions")
        return stored.astype(np.int64)
    return stored


def _require_bounded(path: Path, header: Header) -> None:
    if header.shape[-1] * header.shape[-2] > max_pixels():
        raise UnreadableFile(f"{path}: an array of shape {header.shape}, larger than any image that is read")


@dataclass(frozen=True)
class Arrays:
    """The arrays of one image.

    Attributes:
        path: the file.
        names: the class of each class number.
        kind: of the data set.
        is_ours: whether we wrote it: then each object has a row, also one of which nothing is seen.
    """

    path: Path
    names: Mapping[int, str]
    kind: Kind
    is_ours: bool = False

    def stated(self) -> Size | None:
        """Give nothing: shapes are compared in ``drawn``, as either axis may be the stack's."""
        return None

    def drawn(self, size: Size) -> Sequence[Drawn | str]:
        """List the objects in their order.

        Raises:
            SizeMismatch: the array does not fit the image.
            DataError: the file cannot be read.
        """
        meaning = meaning_of(self.path, headers(self.path))
        _require_fit(self.path, meaning.header, size)
        rows = {name: vector(self.path, one) for name, one in meaning.rows.items()}
        if single := [name for name, values in rows.items() if not values.ndim]:
            raise UnreadableFile(f"{self.path}: expected a row for each mask in {single[0]}, found a single number")
        try:
            if meaning.what == "classes" and self.kind == "semantic":
                return self._classes(meaning)
            found = list(self._masks(meaning, size, len(rows["class_ids"]) if self.is_ours and "class_ids" in rows else None))
            return self._objects([runs for _, runs in found], [value for value, _ in found], rows)
        except UnreadableFile:
            raise
        except DataError as error:
            raise UnreadableFile(f"{self.path}: {error}") from None

    def _masks(self, meaning: Meaning, size: Size, count: int | None) -> Iterator[tuple[int, Runs]]:
        """Give each mask with its number: its place in a stack, its value in a map."""
        if meaning.what == "masks":
            for index, layer in enumerate(_stack(self.path, meaning.header, size)):
                yield index + 1, encode(layer != 0)
            return
        stored = _whole(next(iter(layers(self.path, meaning.header))))
        if meaning.what == "classes":
            raise DataError("a map of classes among arrays of objects; if it numbers objects, add _ids to its name")
        runs, values = masks_of(stored)
        if count is None:
            yield from zip(values, runs, strict=True)
            return
        if values and (values[-1] > count or count > MOST_IDS):
            raise DataError(f"object {values[-1]} has no row in class_ids, which has {count}")
        there, none = dict(zip(values, runs, strict=True)), encode(np.zeros(size, bool))
        yield from ((number, there.get(number, none)) for number in range(1, count + 1))

    def _classes(self, meaning: Meaning) -> list[Drawn | str]:
        """List the classes of a class map; values that are no class are void."""
        values, places = np.unique(_whole(next(iter(layers(self.path, meaning.header)))), return_inverse=True)
        runs = encode_ids(places.reshape(meaning.header.shape) + 1, len(values))
        return [
            Drawn(self.names[value], Coded(one), f"class {value}")
            for value, one in zip(values.tolist(), runs, strict=True)
            if value in self.names
        ]

    def _objects(self, masks: Sequence[Runs], numbers: Sequence[int], rows: Mapping[str, AnyArray]) -> list[Drawn | str]:
        for name, values in rows.items():
            if len(values) != len(masks) or values.shape[1:] != ((4,) if name == "boxes" else ()):
                raise DataError(f"{name} has the shape {values.shape}, and there are {len(masks)} masks")
        rows = {name: _whole(values) if name.endswith("_ids") else values for name, values in rows.items()}
        classes = rows["class_ids"].tolist() if "class_ids" in rows else None
        found: list[Drawn | str] = []
        for index, (runs, number) in enumerate(zip(masks, numbers, strict=True)):
            where = f"mask {number}"
            label = CLASS if classes is None else self.names.get(classes[index], f"class {classes[index]}")
            told = {name: rows[name][index].tolist() for name in rows}
            found.append(
                Drawn(
                    label,
                    Coded(runs),
                    where,
                    bool(told.get("crowd", False)),
                    id=int(told["source_ids"]) if "source_ids" in told else None,
                    track=int(told["track_ids"]) if "track_ids" in told else None,
                    box=tuple(told["boxes"]) if "boxes" in told else None,
                    area=told.get("areas"),
                )
            )
        return found


def _require_fit(path: Path, header: Header, size: Size) -> None:
    """Compare shapes before anything is loaded."""
    if len(header.shape) == 3 and (count := header.shape[0 if _is_stack(header, size) else 2]) > _MOST_MASKS:
        raise UnreadableFile(f"{path}: an array of {count:,} masks; at most {_MOST_MASKS:,} of an image are read")
    if _is_stack(header, size) or header.shape[-2:] == size or header.shape[:2] == size:
        return
    turned = " (turned by 90 degrees?)" if size[::-1] in (header.shape[-2:], header.shape[:2]) else ""
    raise SizeMismatch(
        f"{path}: an array of shape {header.shape} does not fit its image, {size[0]} x {size[1]} (height x width){turned}"
    )


def _is_stack(header: Header, size: Size) -> bool:
    return len(header.shape) == 3 and header.shape[1:] == size


def _stack(path: Path, header: Header, size: Size) -> Iterator[AnyArray]:
    """Give the masks of a stack; one with the masks along its last axis is read whole."""
    if len(header.shape) == 2 or _is_stack(header, size):
        yield from layers(path, header)
        return
    whole = vector(path, header)
    for index in range(header.shape[2]):
        yield whole[:, :, index]
