"""The data set that an export makes of the pictures it names.

Pictures are looked up by the names that the items give, never opened as paths (``pictures``); what is not there is told.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from pixelwise.core.arrays import IntArray, Size
from pixelwise.core.errors import DataError
from pixelwise.core.image import SUFFIXES
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, ImageFile, Salvaged, Sample, Source
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.absent import labels_alone
from pixelwise.formats.coco.find import split_names
from pixelwise.formats.exports import Export
from pixelwise.formats.exports.note import Note
from pixelwise.formats.names import place_of, sample_names
from pixelwise.formats.objects import Drawing, ObjectTruth
from pixelwise.formats.pictures import Pictures, attempts, named_twice, not_found, told, unnamed

_LONGEST = 120  # characters of a name in a message; addresses may carry long keys


@dataclass(frozen=True, eq=False)
class Listed:
    """An image as a label file lists it.

    Attributes:
        names: what the file calls the picture, the likeliest first; also without its suffix.
        drawings: what is drawn on it, once for each person who did; none for an image without labels.
        file: the label file, relative to the root.
        split: the split that it belongs to; None where the file does not say.
        content: equal where two files say the same of a picture, as files of several splits may.
        meta: what else the file says of the image.
    """

    names: tuple[str, ...]
    drawings: tuple[Drawing, ...]
    file: PurePosixPath
    split: str | None = None
    content: object = None
    meta: Mapping[str, Any] = field(default_factory=dict)


def splits_of(export: Export, note: Note) -> dict[PurePosixPath, str | None]:
    """Name the split of each file: as the note says, else as the files' names do."""
    named = split_names(export.files) if note.labels is None else [note.split(one.stem) for one in export.files]
    return dict(zip(export.files, named, strict=True))


@dataclass(frozen=True, eq=False)
class Truths:
    """The truths of one image by several people."""

    each: tuple[ObjectTruth, ...]

    def read(self, labels: LabelSet, size: Size) -> tuple[Segmentation, ...]:
        """Read all of them."""
        return tuple(found for one in self.each for found in one.read(labels, size))

    def salvage(self, labels: LabelSet, size: Size) -> Salvaged:
        """Read what is good of all of them."""
        found = [one.salvage(labels, size) for one in self.each]
        return tuple(one for truths, _ in found for one in truths), tuple(one for _, told in found for one in told)

    def stated(self) -> Size | None:
        """Give (H, W) as the first that states it does."""
        return next((size for one in self.each if (size := one.stated()) is not None), None)

    def count(self) -> int:
        """Count the objects of all of them."""
        return sum(one.count() for one in self.each)

    def raw(self) -> list[IntArray]:
        """Paint each as a map (H, W) of class values."""
        return [found for one in self.each for found in one.raw()]


@dataclass
class _Found:
    """The pictures found so far, and who is in which split."""

    pictures: list[PurePosixPath] = field(default_factory=list)
    listed: list[Listed] = field(default_factory=list)
    splits: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    places: dict[tuple[PurePosixPath, object], int] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def dataset_of(
    export: Export,
    listed: Sequence[Listed],
    note: Note,
    own: LabelSet,
    labels: LabelSet | None = None,
    notes: Sequence[str] = (),
) -> Dataset:
    """Look up the pictures of what is listed, and make a data set of those that are there, or of the labels alone.

    An image is in the split that it is listed for, else in that of its picture's folder.

    Args:
        export: where the files and the pictures are.
        listed: the images, in the files' order.
        note: what Pixelwise left beside the files, if it wrote them.
        own: the classes as the files name them.
        labels: what the samples are read under; ``own`` where it is None.
        notes: what reading has noticed so far.

    Raises:
        DataError: no image is listed, or the names of all may mean several pictures.
    """
    root = export.listing.root
    labels = labels or own
    for pictures in attempts(export.listing):
        found = _Found()
        for one in listed:
            _add(found, pictures, one, root)
    if not found.pictures:
        raise DataError(_none_there(export, listed))
    noted = [*export.listing.refused, *notes, *told(found.missing, root), *named_twice(found.pictures, root)]
    noted += unnamed(export.listing, found.pictures) if export.whole else ()
    samples = []
    for picture, one, name in zip(found.pictures, found.listed, sample_names(found.pictures), strict=True):
        truths = tuple(ObjectTruth(each, root / picture, own, note.kind) for each in one.drawings)
        truth = None if not truths else truths[0] if len(truths) == 1 else Truths(truths)
        source = Source(root / picture, (root / one.file,), "json")
        samples.append(Sample(name, ImageFile(root / picture), truth, labels, source, dict(one.meta)))
    members = {name: list(dict.fromkeys(rows)) for name, rows in found.splits.items()}
    dataset = Dataset(samples, labels, note.kind, members, root.resolve().name or "data", noted)
    return labels_alone(dataset, own, export.listing) if pictures.are_absent else dataset


def _add(found: _Found, pictures: Pictures, one: Listed, root: Path) -> None:
    there: list[PurePosixPath] = []
    for name in one.names:
        there = pictures.find(name, one.file)
        if there:
            break
    for name in () if there else (name for name in one.names if PurePosixPath(name).suffix.lower() not in SUFFIXES):
        there = pictures.of_stem(name, one.file)
        if there:
            break
    if len(there) != 1:
        found.missing.append(not_found(next(iter(one.names), ""), root / one.file, there))
        return
    key = (there[0], one.content)
    place = None if one.content is None else found.places.get(key)
    if place is None or found.listed[place].file == one.file:
        place = found.places[key] = len(found.pictures)
        found.pictures.append(there[0])
        found.listed.append(one)
    name_of_split = one.split or place_of(there[0].parent).split
    if name_of_split is not None:
        found.splits[name_of_split].append(place)


def _none_there(export: Export, listed: Sequence[Listed]) -> str:
    file = export.listing.root / export.files[0] if export.files else export.listing.root
    if not listed:
        return f"{file}: the file lists no images; export it again"
    named = next((name for one in listed for name in one.names if name), "an image without a name")
    return (
        f"{file}: not one of the {len(listed)} images it names (such as {named[:_LONGEST]}) is in {export.listing.root}; "
        f"found {export.listing.describe()}; put the images there, or give the folder that holds both"
    )
