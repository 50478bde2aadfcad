"""What is counted of one image: its size, the pixels of each class, its objects by size, and where its classes are.

The pixels of objects that overlap are counted by the rule of ``Segmentation.semantic`` without painting them: from the top
down, an object adds to a class what the union of run lengths grows by. That costs microseconds where painting costs
milliseconds, so a set of a hundred thousand images is counted in well under a minute a core.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, IntArray, Size
from pixelwise.core.errors import PixelwiseError
from pixelwise.core.labels import LabelSet
from pixelwise.core.runs import seen
from pixelwise.core.sample import Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.draw.colours import background_classes

GRID = 32  # cells of a heat map, in either direction
_POINTS = 3 * GRID  # at which a class map is looked at for it
SMALL, LARGE = 32**2, 96**2  # COCO's bounds: small is below the first, large from the second on
OCTAVES = 40  # bins of area: from 1, 2, 4, 8 … pixels on


@dataclass(eq=False)
class Counts:
    """Counts of one image or of many; they add. Classes are numbers of the shown label set, and void is the one after it.

    Attributes:
        held: for each image, by row, the pixels of each class in it.
        sizes: how many images have which (height, width).
        truths: how many truths there were.
        octaves: by class, how many objects have an area from 2 ** k on.
        groups: by class, how many objects are small, medium and large.
        areas: by class, the pixels of all objects, each with what others hide of it.
        crowds: by class.
        per_truth: how many truths have how many objects.
        places: by class, how many of the points of each cell of the grid are of it, flat.
        placed: how many truths were looked at for that.
        problems: by row, what could not be counted.
    """

    held: dict[int, dict[int, int]] = field(default_factory=dict)
    sizes: Counter[Size] = field(default_factory=Counter)
    truths: int = 0
    octaves: dict[int, IntArray] = field(default_factory=dict)
    groups: dict[int, IntArray] = field(default_factory=dict)
    areas: Counter[int] = field(default_factory=Counter)
    crowds: Counter[int] = field(default_factory=Counter)
    per_truth: Counter[int] = field(default_factory=Counter)
    places: dict[int, IntArray] = field(default_factory=dict)
    placed: int = 0
    problems: list[tuple[int, str]] = field(default_factory=list)

    def add(self, other: "Counts") -> None:
        """Add what was counted of other images."""
        self.held |= other.held
        self.truths += other.truths
        self.placed += other.placed
        self.problems += other.problems
        for mine, theirs in ((self.sizes, other.sizes), (self.per_truth, other.per_truth)):
            mine.update(theirs)  # type: ignore[arg-type]
        for own, its in ((self.areas, other.areas), (self.crowds, other.crowds)):
            own.update(its)
        for name in ("octaves", "groups", "places"):
            _add_arrays(getattr(self, name), getattr(other, name))


def _add_arrays(mine: dict[int, IntArray], theirs: dict[int, IntArray]) -> None:
    for index, counts in theirs.items():
        mine[index] = mine[index] + counts if index in mine else counts


def count_image(row: int, sample: Sample, shown: LabelSet, with_places: bool) -> Counts:
    """Count one sample; ``shown`` are the sample's labels, with a background where objects stand on one.

    Nothing is raised for what is wrong with it: that is told in ``problems``.
    """
    found = Counts()
    where = str(sample.source.image or sample.name)
    try:
        size = sample.size
        found.sizes[size] += 1
        truths, problems = ((), ()) if sample.truth_source is None else sample.truth_source.salvage(sample.labels, size)
        found.problems += [(row, text) for text in problems]
        if wrong := [one.size for one in truths if one.size != size]:
            text = (
                f"{where}: its mask is {wrong[0][0]} x {wrong[0][1]} (height x width), but the image is {size[0]} x {size[1]}"
            )
            found.problems.append((row, text))
            return found
    except PixelwiseError as error:
        found.problems.append((row, str(error)))
        return found
    except OSError as error:
        found.problems.append((row, f"{where}: it cannot be read: {error.strerror or error}; check its permissions"))
        return found
    held: Counter[int] = Counter()
    for truth in truths:
        found.truths += 1
        held.update(_pixels(truth, shown))
        _count_objects(found, truth, shown)
        if with_places:
            _count_places(found, truth, shown)
    found.held[row] = dict(held)
    return found


def _pixels(truth: Segmentation, shown: LabelSet) -> dict[int, int]:
    """Count the pixels of each class, and of void under ``len(shown)``; a multilabel pixel counts for each of its classes."""
    height, width = truth.size
    table, rest = _table(truth, shown)
    shows = visible_areas(truth) if truth.kind in ("instance", "multilabel") else truth.masks.areas()
    areas = shows if truth.kind == "instance" else truth.masks.areas()
    held: Counter[int] = Counter()
    for index, area in zip(table.tolist(), areas.tolist(), strict=True):
        if area:
            held[index] += area
    left = height * width - int(shows.sum())
    if left > 0:
        held[rest] += left
    return dict(held)


def _table(truth: Segmentation, shown: LabelSet) -> tuple[IntArray, int]:
    """Give the shown class of each segment (S,), and that of pixels under none."""
    void = len(shown)
    if truth.kind == "regions":
        return np.zeros(len(truth), np.int64), max(void, 1)
    table = np.where(truth.is_crowd, void, shown_classes(truth, shown))
    if truth.kind != "instance":
        return table, void
    return table, next(index for index, name in enumerate(shown.names) if name.casefold() == "background")


def shown_classes(truth: Segmentation, shown: LabelSet) -> IntArray:
    """Give the class (S,) of each segment in ``shown``, which may have a background in front."""
    return np.asarray(truth.class_ids + (len(shown) - len(truth.labels)))


def visible_areas(truth: Segmentation) -> IntArray:
    """Count what is seen (S,) of each object when crowds are painted first, and smaller objects over larger ones."""
    areas = truth.masks.areas()
    if len(truth) < 2:
        return areas
    return seen(truth.masks.run_lengths(), np.lexsort((-areas, ~truth.is_crowd)).tolist())


def _count_objects(found: Counts, truth: Segmentation, shown: LabelSet) -> None:
    classes, areas = _objects(truth, shown)
    crowds = shown_classes(truth, shown)[truth.is_crowd] if truth.kind != "regions" else np.zeros(0, np.int64)
    found.crowds.update(crowds.tolist())
    found.per_truth[len(areas)] += 1
    for index in np.unique(classes).tolist():
        own = areas[classes == index]
        octave = np.minimum(np.log2(np.maximum(own, 1)).astype(np.int64), OCTAVES - 1)
        found.octaves[index] = np.bincount(octave, minlength=OCTAVES)
        found.groups[index] = np.bincount(np.searchsorted((SMALL, LARGE), own, side="right"), minlength=3)
        found.areas[index] += int(own.sum())


def _objects(truth: Segmentation, shown: LabelSet) -> tuple[IntArray, IntArray]:
    """Give class and area of each object; where classes alone are told, of each connected area (eight neighbours)."""
    if truth.kind == "regions":
        return np.zeros(len(truth), np.int64), truth.masks.areas()
    classes = shown_classes(truth, shown)
    if truth.kind in ("instance", "panoptic"):
        kept = ~truth.is_crowd
        return classes[kept], truth.masks.areas()[kept]
    parts = [
        (int(index), _connected(truth.masks.mask(place)))
        for place, index in enumerate(classes.tolist())
        if index not in background_classes(shown)
    ]
    if not parts:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    return np.concatenate([np.full(len(areas), index) for index, areas in parts]), np.concatenate([areas for _, areas in parts])


def _connected(mask: BoolArray) -> IntArray:
    """Give the areas of the connected parts of a mask (H, W)."""
    bits = mask.astype(np.uint8)
    left, top, width, height = cv2.boundingRect(bits)
    if not width:
        return np.zeros(0, np.int64)
    _, _, table, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(bits[top : top + height, left : left + width]))
    return np.asarray(table[1:, cv2.CC_STAT_AREA], np.int64)


def _count_places(found: Counts, truth: Segmentation, shown: LabelSet) -> None:
    """Look at evenly spread points of the class map, as many in each cell of the grid."""
    if truth.kind == "regions" or 0 in truth.size:
        return
    rows, columns = points(truth.size, _POINTS)
    cells = np.add.outer(np.arange(_POINTS) * GRID // _POINTS * GRID, np.arange(_POINTS) * GRID // _POINTS)
    for index, there in _maps(truth, shown, rows, columns):
        counts = np.bincount(cells[there], minlength=GRID * GRID)
        found.places[index] = found.places[index] + counts if index in found.places else counts
    found.placed += 1


def _maps(truth: Segmentation, shown: LabelSet, rows: IntArray, columns: IntArray) -> Iterator[tuple[int, BoolArray]]:
    """Give, for each class of a truth, at which of the points (P, P) it is."""
    if truth.kind == "multilabel":
        for place, index in enumerate(shown_classes(truth, shown).tolist()):
            yield index, truth.masks.mask(place)[rows[:, None], columns]
        return
    classes = classes_at(truth, shown, rows, columns)
    for index in np.unique(classes).tolist():
        if index < len(shown):  # else void
            yield index, classes == index


def classes_at(truth: Segmentation, shown: LabelSet, rows: IntArray, columns: IntArray) -> IntArray:
    """Give the shown class at the points (P, Q) of a truth without classes that overlap; ``len(shown)`` is void."""
    table, rest = _table(truth, shown)
    return np.append(rest, table)[truth.panoptic_ids()[rows[:, None], columns]]


def points(size: Size, count: int) -> tuple[IntArray, IntArray]:
    """Spread ``count`` points evenly over each side of an (H, W) grid.

    >>> points((4, 8), 2)
    (array([1, 3]), array([2, 6]))
    """
    down, across = ((2 * np.arange(count) + 1) * side // (2 * count) for side in size)
    return down, across
