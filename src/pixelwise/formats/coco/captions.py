"""COCO's captions: sentences about an image, kept with its sample under ``meta["captions"]``.

A file of captions lists images as other COCO files do, so its pictures are found like theirs; that joins the two even where
the ids of one file are not those of the other.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import msgspec

from pixelwise.core.errors import DataError
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, ImageFile, Sample, Source
from pixelwise.formats.coco.find import Found, rank_of, split_names
from pixelwise.formats.folder import Listing
from pixelwise.formats.json_file import decoded, without_collector
from pixelwise.formats.names import place_of, sample_names
from pixelwise.formats.pictures import Pictures

_WHAT = "COCO captions (images, annotations with a caption each)"


class _Image(msgspec.Struct, gc=False):
    id: int | float | str
    file_name: str


class _Caption(msgspec.Struct, gc=False):
    image_id: int | float | str
    caption: str


class _File(msgspec.Struct, gc=False):
    images: list[_Image]
    annotations: list[_Caption]


@dataclass(frozen=True)
class Captions:
    """The captions of each picture, in the files' order; the splits their files say, and what is odd about them."""

    of: dict[PurePosixPath, tuple[str, ...]]
    splits: dict[str, tuple[PurePosixPath, ...]]
    notes: tuple[str, ...]

    def meta(self) -> dict[PurePosixPath, dict[str, tuple[str, ...]]]:
        """Give what ``Sample.meta`` says of each picture that has captions."""
        return {picture: {"captions": lines} for picture, lines in self.of.items() if lines}


def read_captions(listing: Listing, files: Sequence[PurePosixPath], pictures: Pictures) -> Captions:
    """Read the files of captions.

    Raises:
        MissingFile: one is gone.
        UnreadableFile: one is cut off, no JSON, or not of the form.
    """
    sentences: dict[PurePosixPath, list[str]] = {}
    splits: dict[str, dict[PurePosixPath, None]] = defaultdict(dict)
    notes: list[str] = []
    for file, split in zip(files, split_names(files), strict=True):
        path = listing.root / file
        with without_collector():
            held, _, _ = decoded(path, _File, _WHAT)
        rank = rank_of(file, split)
        there: dict[float | str, list[PurePosixPath]] = {
            image.id: pictures.find(image.file_name, file, rank) for image in held.images
        }
        notes += _strays(path, held, there)
        for places in there.values():
            if len(places) == 1:
                sentences.setdefault(places[0], [])
                if name := split or place_of(places[0].parent).split:
                    splits[name][places[0]] = None
        for one in held.annotations:
            if len(places := there.get(one.image_id, [])) == 1 and one.caption not in sentences[places[0]]:
                sentences[places[0]].append(one.caption)
    return Captions(
        {picture: tuple(lines) for picture, lines in sentences.items()},
        {name: tuple(members) for name, members in splits.items()},
        tuple(notes),
    )


def _strays(path: Path, held: _File, there: Mapping[float | str, list[PurePosixPath]]) -> Iterator[str]:
    """Tell of captions of no image, and of images that are not there."""
    if lost := sum(one.image_id not in there for one in held.annotations):
        yield f"{path}: {lost} captions are of images that the file does not list; left out"
    if missing := [image.file_name for image in held.images if len(there[image.id]) != 1]:
        yield f"{path}: {len(missing)} images with captions, the first {missing[0]}, are not there or not to be told apart"


def of_captions(found: Found, captions: Captions, labels: LabelSet) -> Dataset:
    """Make a data set of captions alone: images without labels.

    Raises:
        DataError: not one of the images is there.
    """
    root = found.listing.root
    if not captions.of:
        raise DataError(f"{root / found.captions[0]}: not one of the images it names is in {root}; put them there")
    pictures: Sequence[PurePosixPath] = tuple(captions.of)
    samples = [
        Sample(name, ImageFile(root / picture), None, labels, Source(root / picture), {"captions": captions.of[picture]})
        for picture, name in zip(pictures, sample_names(pictures), strict=True)
    ]
    rows = {picture: row for row, picture in enumerate(pictures)}
    splits = {name: [rows[one] for one in members] for name, members in captions.splits.items()}
    notes = [*found.listing.refused, f"{found.captions[0]}: captions alone; the images have no masks", *captions.notes]
    return Dataset(samples, labels, "instance", splits, root.resolve().name or "data", notes)
