"""Samples from COCO files: each image of a file becomes one, where its picture is there."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.errors import DataError
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, ImageFile, Sample, Source
from pixelwise.core.segmentation import KINDS, Kind
from pixelwise.formats.absent import labels_alone
from pixelwise.formats.coco.classes import Classes
from pixelwise.formats.coco.file import CocoFile
from pixelwise.formats.coco.find import rank_of
from pixelwise.formats.coco.notes import missing_pictures
from pixelwise.formats.coco.truth import CocoTruth
from pixelwise.formats.folder import Listing
from pixelwise.formats.names import place_of, sample_names
from pixelwise.formats.pictures import Pictures

Meta = Mapping[PurePosixPath, Mapping[str, Any]]  # of each picture: what else is known


@dataclass
class Gathered:
    """What reading has found so far: pictures with their truths, in order, and who is in which split."""

    listing: Listing
    classes: Classes
    kind: Kind
    notes: list[str]
    pictures: list[PurePosixPath] = field(default_factory=list)
    truths: list[CocoTruth] = field(default_factory=list)
    splits: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    seen: dict[PurePosixPath, list[int]] = field(default_factory=lambda: defaultdict(list))
    are_absent: bool = False  # the pictures are not there: they are names alone

    def add(self, pictures: Pictures, number: int, file: CocoFile, place: PurePosixPath, split: str | None) -> None:
        """Add the images of the ``number``-th file, which lies at ``place`` or lists its images there.

        An image that another file holds with the same annotations is the same sample, in one more split.
        """
        missing = []
        self.are_absent = pictures.are_absent
        rank = rank_of(place, split)
        for image, name in enumerate(file.image_names):
            there = pictures.find(name, place, rank)
            if len(there) != 1:
                missing.append((name, there))
                continue
            picture = there[0]
            path = self.listing.root / picture
            row = self._row(picture, CocoTruth(file, image, path, self.classes.labels, self.classes.tables[number], self.kind))
            name_of_split = split or place_of(picture.parent).split
            if name_of_split is not None and row not in self.splits[name_of_split][-1:]:
                self.splits[name_of_split].append(row)
        self.notes += [*missing_pictures(self.listing.root, file.path, missing), *_boxes(file)]

    def _row(self, picture: PurePosixPath, truth: CocoTruth) -> int:
        """Find the sample that is the same, or begin a new one."""
        row = next((one for one in self.seen[picture] if _same(self.truths[one], truth)), None)
        if row is not None:
            return row
        self.pictures.append(picture)
        self.truths.append(truth)
        self.seen[picture].append(len(self.pictures) - 1)
        return len(self.pictures) - 1

    def dataset(self, labels: LabelSet, meta: Meta) -> Dataset:
        """Make the data set."""
        root = self.listing.root
        samples = []
        for picture, truth, name in zip(self.pictures, self.truths, sample_names(self.pictures), strict=True):
            source = Source(root / picture, (truth.path,), "json")
            known: dict[str, Any] = {"image_id": truth.file.image_ids[truth.row], **meta.get(picture, {})}
            if truth.file.is_box_only:
                known["boxes"] = _entries(truth)
            own = truth if truth.file.are_labelled and not truth.file.is_box_only else None
            samples.append(Sample(name, ImageFile(root / picture), own, labels, source, known))
        splits = {name: list(dict.fromkeys(rows)) for name, rows in self.splits.items()}
        dataset = Dataset(samples, labels, self.kind, splits, root.resolve().name or "data", self.notes)
        sizes = [one.stated() for one in self.truths]
        return labels_alone(dataset, self.classes.labels, self.listing, sizes) if self.are_absent else dataset


def kind_of(abouts: Sequence[Mapping[str, Any]], folder: Path, usual: Kind) -> Kind:
    """Tell the kind of truth: the ``usual`` one in files of other tools; ours say what they hold.

    Raises:
        DataError: they differ.
    """
    kinds: set[Kind] = {next((kind for kind in KINDS if kind == about.get("kind")), usual) for about in abouts}
    if len(kinds) > 1:
        raise DataError(f"{folder}: expected files of one kind, found {' and '.join(sorted(kinds))}; read them one by one")
    return kinds.pop()


def splits_stated(abouts: Sequence[Mapping[str, Any]], named: Sequence[str | None]) -> list[str | None]:
    """Give the split of each file: as one of ours says, else as its name does."""
    stated = [about.get("split") for about in abouts]
    return [one if isinstance(one, str) and one else name for one, name in zip(stated, named, strict=True)]


def no_picture(listing: Listing, files: Sequence[CocoFile]) -> str:
    """Say that not one image of some files is there."""
    file = files[0]
    count = sum(len(one.image_names) for one in files)
    if not count:
        return f"{file.path}: the file lists no images; export it again"
    first = next(name for one in files for name in one.image_names)
    return (
        f"{file.path}: not one of the {count} images it names (such as {first}) is in {listing.root}; "
        f"found {listing.describe()}; put the images there, or give the folder that holds both"
    )


def _same(one: CocoTruth, other: CocoTruth) -> bool:
    """Tell whether two truths of one picture, from different files, have the same annotations."""
    if one.file is other.file:
        return False
    first, second = _described(one), _described(other)
    alike = all(np.array_equal(a, b, equal_nan=True) for a, b in zip(first, second, strict=True))
    return alike and bool((first[0] >= 0).all())


def _described(truth: CocoTruth) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    """Give what tells an image's annotations from others: their ids, classes, areas and boxes; outlines stay on the disk."""
    columns = truth.file.rows
    own = slice(columns.starts[truth.row], columns.starts[truth.row + 1])
    return columns.ids[own], np.append(truth.classes, -1)[columns.categories[own]], columns.areas[own], columns.boxes[own]


def _boxes(file: CocoFile) -> Iterator[str]:
    """Tell of a file without outlines."""
    if file.is_box_only:
        yield (
            f"{file.path}: {len(file.rows.ids):,} boxes and no masks: they say where objects are, not which pixels; its images "
            f"are read without a truth, and meta['boxes'] has the boxes"
        )


def _entries(truth: CocoTruth) -> tuple[dict[str, Any], ...]:
    """Give an image's boxes as plain values: class, and left, top, right, bottom."""
    file = truth.file
    rows = range(file.rows.starts[truth.row], file.rows.starts[truth.row + 1])
    classes = np.append(truth.classes, -1)[file.rows.categories[rows.start : rows.stop]]
    return tuple(
        {"name": truth.labels.names[index], "box": tuple(file.rows.boxes[row].tolist())}
        for row, index in zip(rows, classes.tolist(), strict=True)
        if index >= 0 and np.isfinite(file.rows.boxes[row]).all()
    )
