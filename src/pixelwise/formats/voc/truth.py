"""The truth of one image of a VOC set: its class mask, joined with its object mask and its XML where there are some."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pixelwise.core.arrays import IntArray, Size
from pixelwise.core.errors import DataError, SizeMismatch
from pixelwise.core.labels import VOID, LabelSet
from pixelwise.core.masks import DisjointMasks, smallest_dtype
from pixelwise.core.sample import Salvaged, relabelled
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.formats.boxed import Boxed
from pixelwise.formats.voc.labels import BORDER, Legend, class_values, object_values
from pixelwise.formats.voc.xml import CROWD, Page, read_page, written_name


@dataclass(frozen=True)
class VocTruth:
    """Truth in a class mask, an object mask (None for semantic truth) and an XML file (None where there is none)."""

    image: Path
    classes: Path
    objects: Path | None
    page: Path | None
    legend: Legend
    kind: Kind

    def read(self, labels: LabelSet, size: Size) -> tuple[Segmentation, ...]:
        """Read the masks under ``labels``, joined by name.

        Raises:
            SizeMismatch: a mask has another size than the image.
            DataError: a value or colour is no class's, or an object has none or several classes.
            UnreadableFile, TooLarge, MissingFile: as ``read_ids``.
        """
        truths, problems = self.salvage(labels, size)
        if problems:
            raise DataError(problems[0] + (f" ({len(problems) - 1} more objects are wrong)" if problems[1:] else ""))
        return truths

    def salvage(self, labels: LabelSet, size: Size) -> Salvaged:
        """Read the objects that are good, and say of each other one what is wrong; its pixels become void.

        Raises:
            DataError: the masks cannot be used at all.
        """
        classes = self._class_map(size)
        if self.objects is None:
            return (relabelled(Segmentation.from_class_map(classes, self.legend.labels), labels),), ()
        numbers = object_values(self.objects)
        self._require_size(self.objects, numbers, size)
        page = None if self.page is None else read_page(self.page)
        truth, problems = _joined(classes, numbers, self.legend.labels, self.kind, () if page is None else page.order)
        problems = [f"{self.objects}: {one}" for one in problems]
        return (relabelled(truth if page is None else _with_page(truth, page), labels),), tuple(problems)

    def raw(self) -> list[IntArray]:
        """Read the class mask as values."""
        return [class_values(self.classes, self.legend)]

    def _class_map(self, size: Size) -> IntArray:
        values = class_values(self.classes, self.legend)
        self._require_size(self.classes, values, size)
        labels = self.legend.labels
        if self.kind == "instance":  # the value 0 is then no class, but what lies under no object
            labels = labels.with_values({**labels.values, 0: VOID})
        try:
            return labels.to_classes(values, str(self.classes))
        except DataError as error:
            listed = "VOC's 21 classes; add labelmap.txt" if self.legend.path is None else self.legend.path
            raise DataError(f"{str(error).partition(';')[0]}; the classes are those of {listed}") from None

    def _require_size(self, mask: Path, stored: IntArray, size: Size) -> None:
        if stored.shape != size:
            turned = " (turned by 90 degrees)" if stored.shape == size[::-1] else ""
            raise SizeMismatch(
                f"{mask}: the mask is {stored.shape[0]} x {stored.shape[1]} (height x width), but its image {self.image} is "
                f"{size[0]} x {size[1]}{turned}; export the set again"
            )


def _with_page(truth: Segmentation, page: Page) -> Segmentation:
    """Add boxes and flags from the XML, if its objects are those of the mask: the k-th is number k, of the same class.

    Where one of them is broken nobody can tell which is the k-th, so nothing is added.
    """
    if page.problems:
        return truth
    numbers = [] if truth.source_ids is None else truth.source_ids.tolist()
    pairs = [(number, name) for number, name in zip(numbers, truth.names, strict=True) if number]
    fits = all(number <= len(page.objects) and page.objects[number - 1].name == written_name(name) for number, name in pairs)
    if not pairs or not fits:
        return truth
    return _described(truth, [page.objects[number - 1] if number else None for number in numbers])


def _described(truth: Segmentation, objects: Sequence[Boxed | None]) -> Segmentation:
    boxes = truth.stated_boxes()
    for row, one in enumerate(objects):
        if one is not None and one.box is not None:
            boxes[row] = one.box
    crowd = np.array([one is not None and one.attributes.get(CROWD) is True for one in objects], bool)
    attributes = tuple(
        {} if one is None else {key: value for key, value in one.attributes.items() if key != CROWD} for one in objects
    )
    return replace(truth, boxes=boxes, crowd=crowd if crowd.any() else None, attributes=attributes)


def _joined(
    classes: IntArray, numbers: IntArray, labels: LabelSet, kind: Kind, order: Sequence[tuple[int, int]] = ()
) -> tuple[Segmentation, list[str]]:
    """Join a class map with numbers of objects (H, W each): segments, and what is wrong with objects.

    Stuff comes first, in the order of its classes, then the objects in the order of their numbers; unless ``order``, pairs of
    a class and a number, says otherwise.
    """
    flat = classes.astype(np.int64).ravel() * 65536 + numbers.ravel()
    keys, inverse, counts = np.unique(flat, return_inverse=True, return_counts=True)
    found: dict[int, dict[int, int]] = {}
    for key, count in zip(keys.tolist(), counts.tolist(), strict=True):
        found.setdefault(key % 65536, {})[key // 65536] = count
    rows: list[tuple[int, int]] = []  # (class, number of the object or 0)
    problems = []
    for number in sorted(one for one in found if one not in (0, BORDER)):
        if len(found[number]) == 1 and labels.void not in found[number]:
            rows.append((next(iter(found[number])), number))
        else:
            problems.append(f"object {number}: expected pixels of one class, found {_counted(found[number], labels)}")
    stuff = [one for one in sorted(found.get(0, {})) if one != labels.void]
    if odd := [one for one in stuff if labels.labels[one].is_thing]:
        problems += [f"class '{labels.names[one]}': {found[0][one]:,} of its pixels are under no object" for one in odd]
        stuff = [one for one in stuff if one not in odd]
    if BORDER in found and set(found[BORDER]) != {labels.void}:
        problems.append(f"the border ({BORDER}): expected void pixels alone, found {_counted(found[BORDER], labels)}")
    rows = [*((index, 0) for index in stuff), *rows]
    rows = list(order) if sorted(order) == sorted(rows) else rows
    places = {index * 65536 + number: place for place, (index, number) in enumerate(rows, start=1)}
    table = np.array([places.get(key, 0) for key in keys.tolist()], smallest_dtype(len(rows)))
    ids = table[inverse].reshape(classes.shape)
    truth = Segmentation(
        kind,
        DisjointMasks(ids, len(rows)),
        np.array([index for index, _ in rows], np.int64),
        labels,
        source_ids=np.array([number for _, number in rows], np.int64),
    )
    return truth, problems


def _counted(classes: dict[int, int], labels: LabelSet) -> str:
    return ", ".join(
        f"{'void' if index == labels.void else labels.names[index]} ({count:,})" for index, count in sorted(classes.items())
    )
