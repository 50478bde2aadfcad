"""Labels whose pictures are not there: they are read alone, on grids of the sizes that the label files state.

Exports of labelling platforms often come without the pictures. What they hold can be counted, compared and converted by
class all the same; only what needs pixels is refused, image by image, and says which picture is missed.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Protocol, TypeGuard, runtime_checkable

from pixelwise.core.arrays import IntArray, Size
from pixelwise.core.errors import DataError, MissingFile, PixelwiseError, TooLarge
from pixelwise.core.image import Image, max_pixels, read_size
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, ImageSource, Salvaged, Sample, TruthSource, stored_values
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.folder import Listing

_LONGEST_SIDE = 2**31 - 1
_LONGEST_NAME = 120  # characters of a name in a message
_BRING = "put it beside the label file, or give the folder that holds both"


@dataclass(frozen=True)
class ImageAbsent:
    """An image that a label file names and that is not there; ``stated`` is its size (H, W) as the file has it, if it has."""

    name: str
    file: Path
    stated: Size | None = None

    def read(self) -> Image:
        """Refuse: there are no pixels.

        Raises:
            MissingFile: always.
        """
        raise MissingFile(f"{self.name}: {self.file} names this image, but it is not there; {_BRING}")

    def size(self) -> Size:
        """Give the size that the label file states.

        Raises:
            MissingFile: it states none.
            TooLarge: it states more than ``max_pixels()`` pixels.
        """
        if self.stated is None:
            raise MissingFile(f"{self.name}: {self.file} names this image; it is not there, nor is its size stated; {_BRING}")
        height, width = self.stated
        if height * width > (limit := max_pixels()):
            raise TooLarge(
                f"{self.name}: {self.file} states {width} x {height} = {width * height:,} pixels; at most {limit:,} are read; "
                f"set PIXELWISE_MAX_PIXELS to raise the limit"
            )
        return self.stated


@runtime_checkable
class StatedTruth(TruthSource, Protocol):
    """A truth source whose file says more than its masks, so that it is of use without the picture."""

    def stated(self) -> Size | None:
        """Give (H, W) of the image as the file states it; None where it does not."""

    def count(self) -> int:
        """Count the objects, without reading their masks."""


@dataclass(frozen=True, eq=False)
class TruthAlone:
    """The truth of an image that is no file: its grid is that of ``image``, also where raw values are asked for."""

    truth: TruthSource
    own: LabelSet
    image: ImageSource

    def read(self, labels: LabelSet, size: Size) -> tuple[Segmentation, ...]:
        """Read the truths."""
        return self.truth.read(labels, size)

    def salvage(self, labels: LabelSet, size: Size) -> Salvaged:
        """Read what is good of the truths."""
        return self.truth.salvage(labels, size)

    def raw(self) -> list[IntArray]:
        """Paint each truth as a map (H, W) of class values."""
        return [stored_values(one) for one in self.truth.read(self.own, self.image.size())]


def labels_alone(dataset: Dataset, own: LabelSet, listing: Listing, sizes: Sequence[Size | None] = ()) -> Dataset:
    """Take a data set, whose pictures are names alone, as labels without images; a note says so.

    Args:
        dataset: the data set; where its images are says what the label files call them.
        own: the classes as the files name them.
        listing: the folder that was read.
        sizes: of the images, where the truths do not know them, as where there are boxes alone.
    """
    root = listing.root
    samples = []
    for row, sample in enumerate(dataset):
        truth, picture = sample.truth_source, sample.source.image
        stated = sizes[row] if row < len(sizes) else _stated(truth)
        name = sample.name if picture is None else picture.relative_to(root).as_posix()
        image = ImageAbsent(name[:_LONGEST_NAME], sample.source.truths[-1] if sample.source.truths else root, _sensible(stated))
        truth = None if truth is None else TruthAlone(truth, own, image)
        source = replace(sample.source, image=None, reader=truth)
        samples.append(replace(sample, pixels=image, truth_source=truth, source=source))
    notes = [*_told(dataset, samples, listing), *dataset.notes]
    return Dataset(samples, dataset.labels, dataset.kind, dataset.splits, dataset.name, notes)


def sizes_of(maps: Iterable[Path]) -> list[Size | None]:
    """Read the sizes (H, W) of pictures that are labels, for ``labels_alone``; None for one that is broken: told when read."""
    found: list[Size | None] = []
    for path in maps:
        try:
            found.append(read_size(path))
        except PixelwiseError:
            found.append(None)
    return found


def _stated(truth: TruthSource | None) -> Size | None:
    """Ask a truth for its image's size; what is wrong with its file is told when it is read."""
    try:
        return truth.stated() if _is_stated(truth) else None
    except PixelwiseError:
        return None


def _is_stated(truth: TruthSource | None) -> TypeGuard[StatedTruth]:
    kind: type = type(truth)
    return _is_stated_type(kind)


@lru_cache
def _is_stated_type(kind: type) -> bool:
    """Tell a type whose truths state more; asking each of a million objects takes minutes."""
    return issubclass(kind, StatedTruth)


def _sensible(size: Size | None) -> Size | None:
    is_whole = size is not None and all(type(side) is int and 0 < side <= _LONGEST_SIDE for side in size)
    return size if is_whole else None


def _told(dataset: Dataset, samples: Sequence[Sample], listing: Listing) -> Iterator[str]:
    images = [one.pixels for one in samples if isinstance(one.pixels, ImageAbsent)]
    many = len(images) > 1
    which = f"not one of the {len(images)} images that are named, such as" if many else "the one image that is named,"
    yield (
        f"{listing.root}: {which} {images[0].name}, is {'there' if many else 'not there'} (found: {listing.describe()}). The "
        f"labels are read alone, on grids of the sizes that they state; nothing can be trained or drawn from them. Put the "
        f"images beside them, or give the folder that holds both"
    )
    bare = [
        old.truth_source
        for old, image in zip(dataset, images, strict=True)
        if old.truth_source is not None and image.stated is None
    ]
    if bare:
        yield (
            f"{listing.root}: of {len(bare)} images with labels no size is stated, so the masks of their "
            f"{sum(map(_count, bare)):,} objects cannot be made; here they are only counted"
        )


def _count(truth: TruthSource) -> int:
    try:
        return truth.count() if _is_stated(truth) else 0
    except DataError:
        return 0
