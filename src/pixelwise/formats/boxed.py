"""Sets of boxes without masks: the images are kept with their boxes, and it is said that there is nothing to segment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from pixelwise.core.arrays import FloatArray
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, ImageFile, Sample, Source
from pixelwise.formats.folder import Listing
from pixelwise.formats.names import place_of, sample_names
from pixelwise.formats.pictures import unnamed

_TOLD = 20  # problems, a sentence each; the rest are counted


@dataclass(frozen=True)
class Boxed:
    """An object: its class, its box (left, top, right, bottom, exclusive), and what else is said of it.

    The box is None where there is none; ``outline`` (P, 2) of x, y is what Roboflow's XML may have beside it.
    """

    name: str
    box: tuple[float, float, float, float] | None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    outline: FloatArray | None = None


@dataclass
class BoxedImages:
    """Images with boxes, in order; ``file`` is what says so of each."""

    pictures: list[PurePosixPath] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    boxes: list[Sequence[Boxed]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, picture: PurePosixPath, file: Path, boxes: Sequence[Boxed]) -> None:
        """Add an image."""
        self.pictures.append(picture)
        self.files.append(file)
        self.boxes.append(boxes)


def boxed_dataset(
    listing: Listing,
    found: BoxedImages,
    labels: LabelSet,
    encoding: str,
    splits: Mapping[str, Sequence[int]] | None = None,
) -> Dataset:
    """Make a data set of images without truth; ``meta["boxes"]`` lists their boxes.

    Without ``splits``, they are those that the folders of the images say.
    """
    samples = []
    by_folder: dict[str, list[int]] = {}
    for row, name in enumerate(sample_names(found.pictures)):
        picture = listing.root / found.pictures[row]
        meta = {"boxes": tuple(_entry(one) for one in found.boxes[row])}
        samples.append(Sample(name, ImageFile(picture), None, labels, Source(picture, (found.files[row],), encoding), meta))
        if (split := place_of(found.pictures[row].parent).split) is not None:
            by_folder.setdefault(split, []).append(row)
    count = sum(map(len, found.boxes))
    told = found.notes[:_TOLD] + [f"{len(found.notes) - _TOLD} more problems"] * (len(found.notes) > _TOLD)
    notes = [
        f"{listing.root}: {count:,} boxes and no masks: they say where objects are, not which pixels; the images are read "
        f"without a truth, and meta['boxes'] has the boxes",
        *listing.refused,
        *told,
        *unnamed(listing, found.pictures),
    ]
    name = listing.root.resolve().name or "data"
    return Dataset(samples, labels, "instance", by_folder if splits is None else splits, name, notes)


def _entry(one: Boxed) -> dict[str, Any]:
    """Give a box as plain values: its class, left, top, right, bottom (exclusive), and what else is said of it."""
    return {"name": one.name, "box": one.box, **one.attributes}
