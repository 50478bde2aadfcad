"""The objects that a labelling tool drew on one image, and the truth they make.

A reader gives, for each image, a ``Drawing``: something small that pickles and, when asked, lists what is drawn there. All
else is the same for every tool and done here: shapes become run lengths, class names become classes, stated sizes are
compared with the picture's, and whatever is wrong is told with the file's and the object's name.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np

from pixelwise.core.arrays import AnyArray, FloatArray, IntArray, Size
from pixelwise.core.errors import DataError, SizeMismatch
from pixelwise.core.idmaps import paint_ids
from pixelwise.core.image import read_size
from pixelwise.core.labels import VOID, Label, LabelSet, colour_of
from pixelwise.core.masks import OverlappingMasks
from pixelwise.core.runs import Runs, encode
from pixelwise.core.sample import Salvaged, stored_values
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.formats.shapes import Shape, Union, union


@dataclass(frozen=True, eq=False)
class Drawn:
    """One object as a label file draws it.

    Attributes:
        name: its class.
        shape: where it is.
        where: what the file calls it, to name it in messages: ``annotation 12``, ``shape 3``.
        crowd: whether it stands for a group.
        id, track: the file's own numbers; None where it has none.
        box, area: as the file states them: left, top, right, bottom; None where it does not.
        attributes: what else the file says of it.
    """

    name: str
    shape: Shape
    where: str
    crowd: bool = False
    id: int | None = None
    track: int | None = None
    box: tuple[float, float, float, float] | None = None
    area: float | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


def joined(parts: Sequence[Drawn | str]) -> Drawn | str:
    """Make one object of the parts of a group; where one part is wrong, the object is, and the sentence is given.

    The first part names it. What is said of any part is said of the object, what the first says before what others do; and it
    stands for a group if one of its parts does.
    """
    whole: list[Drawn] = []
    for one in parts:
        if isinstance(one, str):
            return one
        whole.append(one)
    first, *others = whole
    if not others:
        return first
    return replace(
        first,
        shape=Union(tuple(one.shape for one in whole)),
        where=f"{first.where} and the rest of its group",
        crowd=any(one.crowd for one in whole),
        attributes={key: value for one in reversed(whole) for key, value in one.attributes.items()},
    )


_Row: TypeAlias = tuple[Drawn, int, Runs]  # an object, its class under the labels asked for, and its mask


class Drawing(Protocol):
    """What is drawn on one image; it must pickle, and is read when asked for and not before."""

    @property
    def path(self) -> Path:
        """The label file, to name it in messages."""

    def stated(self) -> Size | None:
        """Give (H, W) of the image as the file states it; None where it does not."""

    def drawn(self, size: Size) -> "Sequence[Drawn | str]":
        """List the objects in the file's order, the lowest first where they cover each other.

        What is wrong with one object is a sentence in its place, which names the object; not the file, which is added.

        Raises:
            DataError: the file as a whole cannot be read.
        """


@dataclass(frozen=True, eq=False)
class ObjectTruth:
    """The truth of one image, of objects a labelling tool drew.

    Attributes:
        drawing: what is drawn.
        image: the picture.
        own: the label set of the data set.
        kind: ``instance``, unless the file says otherwise.
    """

    drawing: Drawing
    image: Path
    own: LabelSet
    kind: Kind = "instance"

    def read(self, labels: LabelSet, size: Size) -> tuple[Segmentation, ...]:
        """Read the objects under ``labels``, joined by name; those of other classes are left out.

        Raises:
            SizeMismatch: the file states another size than the picture has.
            DataError: an object is wrong; the message names the file and the object, and counts further ones.
        """
        truths, problems = self.salvage(labels, size)
        if problems:
            raise DataError(
                problems[0] + (f" ({len(problems) - 1} more objects of this image are wrong)" if problems[1:] else "")
            )
        return truths

    def salvage(self, labels: LabelSet, size: Size) -> Salvaged:
        """Read the objects that are good, and say of each other one what is wrong.

        Raises:
            SizeMismatch, DataError: the image's labels cannot be used at all.
        """
        self._require_size(size)
        classes = self.own.map_to(labels)
        places = {name: place for place, name in enumerate(self.own.names)}
        rows: list[_Row] = []
        problems = []
        for one in self.drawing.drawn(size):
            if isinstance(one, str):
                problems.append(f"{self.drawing.path}: {one}")
                continue
            if self.kind != "regions" and one.name not in places:
                known = ", ".join(self.own.names[:8]) + (" …" if len(self.own) > 8 else "")
                problems.append(f"{self.drawing.path}: {one.where}: the class '{one.name}' is none of the data set's ({known})")
                continue
            index = int(classes[places[one.name]]) if self.kind != "regions" else 0  # regions have no classes
            if index == VOID:
                continue
            try:
                rows.append((one, index, one.shape.runs(size)))
            except DataError as error:
                problems.append(f"{self.drawing.path}: {one.where}: {error}")
        return (_segmentation(_flattened(rows, self.kind, size), labels, self.kind, size),), tuple(problems)

    def raw(self) -> list[IntArray]:
        """Paint the objects as a map (H, W) of class values, by the rule of ``Segmentation.semantic``."""
        return [stored_values(one) for one in self.read(self.own, read_size(self.image))]

    def stated(self) -> Size | None:
        """Give (H, W) of the image as the file states it."""
        return self.drawing.stated()

    def count(self) -> int:
        """Count the objects; shapes, which alone depend on the grid, are not made."""
        return len(self.drawing.drawn((1, 1)))

    def _require_size(self, size: Size) -> None:
        stated = self.drawing.stated()
        if stated is None or stated == size:
            return
        turned = " (turned by 90 degrees: does the image carry an EXIF orientation?)" if stated[::-1] == size else ""
        raise SizeMismatch(
            f"{self.drawing.path}: its image is stated as {stated[0]} x {stated[1]} (height x width), but {self.image} is "
            f"{size[0]} x {size[1]}{turned}; its outlines would not fit: put the picture there that was annotated"
        )


def _flattened(rows: Sequence[_Row], kind: Kind, size: Size) -> Sequence[_Row]:
    """Let later objects cover earlier ones, and join those of one class, where the kind wants it.

    What Pixelwise writes is so already; what a person then adds in the tool need not be.
    """
    if kind in ("semantic", "panoptic", "regions"):
        ids = paint_ids([runs for _, _, runs in rows], range(len(rows)), size, np.dtype(np.uint32))
        left = np.bincount(ids.ravel(), minlength=len(rows) + 1)[1:]
        rows = [
            (one, index, runs if runs.area == left[row] else encode(ids == row + 1))
            for row, (one, index, runs) in enumerate(rows)
        ]
    if kind not in ("semantic", "multilabel") or len({index for _, index, _ in rows}) == len(rows):
        return rows
    parts: dict[int, list[_Row]] = {}
    for found in rows:
        parts.setdefault(found[1], []).append(found)
    return [(found[0][0], index, union([runs for _, _, runs in found], size)) for index, found in parts.items()]


def _segmentation(rows: Sequence[_Row], labels: LabelSet, kind: Kind, size: Size) -> Segmentation:
    objects = [one for one, _, _ in rows]
    masks = OverlappingMasks(tuple(runs for _, _, runs in rows), size)
    return Segmentation(
        kind,
        masks,
        np.array([index for _, index, _ in rows], np.int64),
        labels,
        crowd=np.array([one.crowd for one in objects], bool) if any(one.crowd for one in objects) else None,
        boxes=_stated([one.box for one in objects], masks.boxes),
        areas=_stated([one.area for one in objects], masks.areas),
        source_ids=_numbers([one.id for one in objects]),
        track_ids=_numbers([one.track for one in objects]),
        attributes=tuple(dict(one.attributes) for one in objects) if any(one.attributes for one in objects) else (),
    )


def _stated(values: Sequence[object], measured: Callable[[], IntArray]) -> FloatArray | None:
    """Take what the file states, with what is measured where it states nothing or nonsense; None where it states nothing."""
    if all(one is None for one in values):
        return None
    return np.array([_or(one, own) for one, own in zip(values, measured(), strict=True)], np.float64)


def _or(stated: object, measured: AnyArray) -> AnyArray:
    """Take a stated number or row of numbers if it is finite, else the measured one."""
    if stated is None:
        return measured
    try:
        found = np.array(stated, np.float64)
    except (OverflowError, TypeError, ValueError):
        return measured
    return found if found.shape == measured.shape and np.isfinite(found).all() else measured


def _numbers(numbers: Sequence[int | None]) -> IntArray | None:
    if all(one is None for one in numbers):
        return None
    return np.array([-1 if one is None or not 0 <= one < 2**63 else one for one in numbers], np.int64)


def things(names: Iterable[str], colours: Mapping[str, tuple[int, int, int]] | None = None) -> LabelSet:
    """Make the label set of a tool whose classes are all things, in the order given; a repeated name counts once.

    >>> things(["cat", "dog", "cat"]).names
    ('cat', 'dog')
    """
    ordered = list(dict.fromkeys(names))
    stated = colours or {}
    labels = tuple(Label(name, True, stated.get(name, colour_of(index))) for index, name in enumerate(ordered))
    return LabelSet(labels, {index: index for index in range(len(labels))})


def left_out(path: Path, skipped: Mapping[str, int] | Counter[str]) -> list[str]:
    """Tell, in a sentence or none, of what a file holds that has no area: points, lines, boxes of a box-only tool.

    >>> left_out(Path("a.json"), {"point": 3, "line": 1})
    ['a.json: 3 of the kind point, 1 of the kind line: they have no mask; left out']
    """
    if not skipped:
        return []
    counts = ", ".join(f"{count} of the kind {what}" for what, count in skipped.items())
    return [f"{path}: {counts}: they have no mask; left out"]
