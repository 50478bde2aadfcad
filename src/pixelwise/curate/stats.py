"""What a labelled data set holds, in figures: classes, objects, sizes, places, colours and splits, of every kind of truth.

Counting reads labels and the headers of images; only colours need photographs decoded, and are taken from some of them.
Objects are what the truth calls so. Where it tells classes alone, connected areas of one class (eight neighbours) stand in.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pixelwise.core.arrays import FloatArray, Size
from pixelwise.core.labels import Colour, LabelSet
from pixelwise.core.sample import Dataset
from pixelwise.curate.progress import Progress
from pixelwise.curate.stats_colours import mean_colours
from pixelwise.curate.stats_image import GRID, OCTAVES, Counts
from pixelwise.curate.stats_pass import count_all, shown_labels
from pixelwise.draw.colours import background_classes

PLACED = 2000  # images whose classes are put on the map: its cells do not change any more with more of them
COLOURED = 200  # images decoded for colours
_OBJECTS = {
    "semantic": "connected areas",
    "multilabel": "connected areas",
    "instance": "objects",
    "panoptic": "segments",
    "regions": "regions",
}


@dataclass(frozen=True)
class ClassStats:
    """A class, or void: its pixels, their share of all, the images it is in, and its objects by size (COCO's bounds)."""

    name: str
    pixels: int
    share: float
    images: int
    objects: int = 0
    crowds: int = 0
    mean_area: float | None = None
    small: int = 0
    medium: int = 0
    large: int = 0

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values."""
        return {name: value for name, value in vars(self).items() if name != "name"}


@dataclass(frozen=True, eq=False)
class Place:
    """Where a class is: the share (GRID, GRID) of each cell it covers in the mean image, its middle and its spread.

    Middle and spread (standard deviation) are (x, y), in widths and heights of the image.
    """

    grid: FloatArray
    middle: tuple[float, float]
    spread: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Stats:
    """What ``describe`` found.

    Attributes:
        dataset: as it was described.
        labels: its classes, with ``background`` in front where objects stand on one.
        classes: a row a class, background first, void last where there is any.
        octaves: how many objects have an area of 2 ** k pixels and more, below 2 ** (k + 1).
        per_image: how many truths have how many objects.
        sizes: how many images have which (height, width), the most frequent first.
        truths: how many truths there are; more than images where several people labelled them.
        places, placed: of each class, and of how many truths that is the mean.
        colours, coloured: the mean colour of each class, and of how many images.
        split_shares: by split, each class's share of its pixels.
        problems: what could not be counted, a sentence each, the bad images' rows in ``bad``.
    """

    dataset: Dataset
    labels: LabelSet
    classes: tuple[ClassStats, ...]
    octaves: tuple[int, ...]
    per_image: Mapping[int, int]
    sizes: Mapping[Size, int]
    truths: int
    places: Mapping[str, Place]
    placed: int
    colours: Mapping[str, Colour]
    coloured: int
    split_shares: Mapping[str, Mapping[str, float]]
    problems: tuple[str, ...]
    bad: frozenset[int]

    @property
    def objects(self) -> int:
        """The number of objects, crowds left out."""
        return sum(self.octaves)

    @property
    def objects_are(self) -> str:
        """What an object is, in a word or two."""
        return _OBJECTS[self.dataset.kind]

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values."""
        dataset = self.dataset
        last = max((k for k, count in enumerate(self.octaves) if count), default=-1)
        groups = {name: sum(getattr(one, name) for one in self.classes) for name in ("small", "medium", "large", "crowds")}
        return {
            "name": dataset.name,
            "kind": dataset.kind,
            "images": len(dataset),
            "truths": self.truths,
            "settled": dataset.labels.settled,
            "splits": {name: len(rows) for name, rows in dataset.splits.items()},
            "split_shares": {split: dict(shares) for split, shares in self.split_shares.items()},
            "sizes": [{"height": size[0], "width": size[1], "images": count} for size, count in self.sizes.items()],
            "classes": {one.name: one.to_json() for one in self.classes},
            "objects": {
                "are": self.objects_are,
                "total": self.objects,
                **groups,
                "areas": [
                    {"from": 2**k, "below": 2 ** (k + 1), "objects": count} for k, count in enumerate(self.octaves[: last + 1])
                ],
                "an_image": [{"objects": number, "images": count} for number, count in self.per_image.items()],
            },
            "places": {
                "images": self.placed,
                "classes": {
                    name: {"middle": one.middle, "spread": one.spread, "grid": np.round(one.grid, 4).tolist()}
                    for name, one in self.places.items()
                },
            },
            "colours": {"images": self.coloured, "classes": {name: list(one) for name, one in self.colours.items()}},
            "notes": list(dataset.notes),
            "problems": list(self.problems),
        }


def describe(dataset: Dataset, progress: Progress | None = None, placed: int = PLACED, coloured: int = COLOURED) -> Stats:
    """Count a data set; nothing is raised for a bad item, which is told in ``Stats.problems``.

    Args:
        dataset: of any kind.
        progress: told how far the work is.
        placed: for how many images, at most, it is measured where classes are.
        coloured: how many images, at most, are decoded for mean colours.
    """
    counts = count_all(dataset, progress, placed)
    colours, seen = mean_colours(dataset, coloured, progress)
    labels = shown_labels(dataset)
    names = names_of(dataset)
    return Stats(
        dataset=dataset,
        labels=labels,
        classes=tuple(_classes(counts, names)),
        octaves=tuple(int(sum(one[k] for one in counts.octaves.values())) for k in range(OCTAVES)),
        per_image=dict(sorted(counts.per_truth.items())),
        sizes=dict(counts.sizes.most_common()),
        truths=counts.truths,
        places={names[index]: _place(found, counts.placed) for index, found in sorted(counts.places.items()) if found.any()},
        placed=counts.placed,
        colours={names[index]: colour for index, colour in sorted(colours.items())},
        coloured=seen,
        split_shares=_split_shares(dataset, counts, names),
        problems=(*dataset.lost, *(text for _, text in counts.problems)),
        bad=frozenset(row for row, _ in counts.problems),
    )


def names_of(dataset: Dataset) -> tuple[str, ...]:
    """Name what pixels are counted for: the shown classes, then void."""
    return ("region", "void") if dataset.kind == "regions" else (*shown_labels(dataset).names, "void")


def _classes(counts: Counts, names: tuple[str, ...]) -> list[ClassStats]:
    pixels: Counter[int] = Counter()
    images: Counter[int] = Counter()
    for held in counts.held.values():
        pixels.update(held)
        images.update(held.keys())
    total = max(sum(pixels.values()), 1)
    rows = []
    for index, name in enumerate(names):
        if index == len(names) - 1 and not pixels[index]:
            continue  # no void
        groups = counts.groups.get(index, np.zeros(3, np.int64))
        objects = int(groups.sum())
        small, medium, large = (int(one) for one in groups)
        mean = counts.areas[index] / objects if objects else None
        share = pixels[index] / total
        row = ClassStats(name, pixels[index], share, images[index], objects, counts.crowds[index], mean, small, medium, large)
        rows.append(row)
    return rows


def _place(points: Any, placed: int) -> Place:
    grid = np.asarray(points, np.float64).reshape(GRID, GRID)
    centres = (np.arange(GRID) + 0.5) / GRID
    total = grid.sum()
    across, down = grid.sum(axis=0) / total, grid.sum(axis=1) / total
    middle = float(across @ centres), float(down @ centres)
    spread = [float(np.sqrt(part @ (centres - mean) ** 2)) for part, mean in zip((across, down), middle, strict=True)]
    per_cell = (3 * GRID // GRID) ** 2
    x, y = (round(one, 4) for one in middle)
    wide, high = (round(one, 4) for one in spread)
    return Place(grid / (per_cell * max(placed, 1)), (x, y), (wide, high))


def _split_shares(dataset: Dataset, counts: Counts, names: tuple[str, ...]) -> dict[str, dict[str, float]]:
    return {split: shares_of(rows, counts, names) for split, rows in dataset.splits.items()}


def shares_of(rows: Any, counts: Counts, names: tuple[str, ...]) -> dict[str, float]:
    """Give each class's share of the labelled pixels of some rows; void does not count."""
    pixels: Counter[int] = Counter()
    for row in rows:
        pixels.update(counts.held.get(row, {}))
    total = sum(pixels[index] for index in range(len(names) - 1))
    return {name: round(pixels[index] / max(total, 1), 6) for index, name in enumerate(names[:-1])}


def is_background(dataset: Dataset, name: str) -> bool:
    """Tell whether a shown class is the lack of any other."""
    labels = shown_labels(dataset)
    return name in labels.names and labels.names.index(name) in background_classes(labels)
