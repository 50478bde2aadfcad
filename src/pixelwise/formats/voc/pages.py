"""Sets of VOC's XML without masks: boxes, as LabelImg draws them, or outlines, as Roboflow writes them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pixelwise.core.arrays import Size
from pixelwise.core.errors import DataError, UnreadableFile
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, ImageFile, LostLabels, Sample, Source
from pixelwise.formats.absent import labels_alone
from pixelwise.formats.boxed import BoxedImages, boxed_dataset
from pixelwise.formats.folder import Listing
from pixelwise.formats.names import place_of, sample_names
from pixelwise.formats.objects import Drawn, ObjectTruth, things
from pixelwise.formats.pictures import Pictures, attempts
from pixelwise.formats.shapes import Polygons
from pixelwise.formats.voc.labels import NAMES
from pixelwise.formats.voc.xml import Page, read_page


@dataclass(frozen=True)
class OutlinedPage:
    """The outlines of one XML file."""

    path: Path

    def stated(self) -> Size | None:
        """Give the size that the file states."""
        return read_page(self.path).size

    def drawn(self, size: Size) -> Sequence[Drawn | str]:
        """List the objects in the order of the file; a box is none."""
        page = read_page(self.path)
        found: list[Drawn | str] = []
        for place, one in enumerate(page.objects, start=1):
            where = f"object {place}"
            if one.outline is None:
                found.append(f"{where} ({one.name}): it has no polygon, and a box is no mask; outline it")
                continue
            attributes = dict(one.attributes)
            found.append(Drawn(one.name, Polygons((one.outline,)), where, box=one.box, attributes=attributes))
        return [*found, *page.problems]


@dataclass(frozen=True)
class _File:
    """An XML file and its picture; what is in it, or what is wrong with it."""

    path: Path
    picture: PurePosixPath
    page: Page
    broken: str = ""


def read_pages(listing: Listing, files: Sequence[PurePosixPath], labels: LabelSet | None) -> Dataset:
    """Read XML files: as instances where some object has an outline, else as images with boxes.

    Raises:
        DataError: not one of them names an image that can be told.
    """
    for pictures in attempts(listing):
        notes: list[str] = []
        pages = list(_found(listing, files, pictures, notes))
    if not pages:
        why = f": {notes[0]}" if notes else ""
        raise DataError(
            f"{listing.root}: not one image of its {len(files)} XML files is there{why}; put the images beside them, or in "
            f"JPEGImages. (The files hold no masks as pictures.)"
        )
    names = {one.name for each in pages for one in each.page.objects}
    own = things([name for name in NAMES if name in names] if names <= set(NAMES) else sorted(names))
    if any(one.outline is not None for each in pages for one in each.page.objects):
        dataset = _outlined(listing, pages, own, labels or own, notes)
        return labels_alone(dataset, own, listing) if pictures.are_absent else dataset
    found = BoxedImages(notes=notes)
    notes += [each.broken for each in pages if each.broken]
    pages = [each for each in pages if not each.broken]
    for each in pages:
        boxes = [one for one in each.page.objects if one.box is not None]
        if len(boxes) < len(each.page.objects):
            notes.append(f"{each.path}: {len(each.page.objects) - len(boxes)} of its objects have no box; left out")
        notes += [f"{each.path}: {problem}; left out" for problem in each.page.problems]
        found.add(each.picture, each.path, boxes)
    dataset = boxed_dataset(listing, found, labels or own, "xml")
    sizes = [each.page.size for each in pages]
    return labels_alone(dataset, own, listing, sizes) if pictures.are_absent else dataset


def _found(listing: Listing, files: Sequence[PurePosixPath], pictures: Pictures, notes: list[str]) -> Iterator[_File]:
    """Read the files and find their pictures; those without one are noted."""
    for file in files:
        path = listing.root / file
        page, broken = Page("", None, ()), ""
        try:
            page = read_page(path)
        except UnreadableFile as error:
            broken = str(error)
        # by its own name first, as a copy of a picture keeps in ``filename`` the name that it had elsewhere
        there = pictures.of_stem(file.stem, file) or (pictures.find(page.filename, file) if page.filename else [])
        if len(there) == 1:
            yield _File(path, there[0], page, broken)
            continue
        reason = f"{there[0]} and {there[1]} may both be meant" if there else f"there is no such image in {listing.root}"
        notes.append(LostLabels(f"{page.filename or file.stem}: {path} names it, but {reason}; left out"))


def _outlined(listing: Listing, pages: Sequence[_File], own: LabelSet, labels: LabelSet, notes: list[str]) -> Dataset:
    samples = []
    splits: dict[str, list[int]] = {}
    for row, (each, name) in enumerate(zip(pages, sample_names([one.picture for one in pages]), strict=True)):
        image = listing.root / each.picture
        truth = ObjectTruth(OutlinedPage(each.path), image, own)
        samples.append(Sample(name, ImageFile(image), truth, labels, Source(image, (each.path,), "xml")))
        if (split := place_of(each.picture.parent).split) is not None:
            splits.setdefault(split, []).append(row)
    return Dataset(samples, labels, "instance", splits, listing.root.resolve().name or "data", [*listing.refused, *notes])
