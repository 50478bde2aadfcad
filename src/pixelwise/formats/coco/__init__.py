"""The format ``coco``: instances as JSON, outlined by polygons or by run lengths of both kinds.

Polygons are filled exactly as pycocotools fills them. Crowds (``iscrowd``) keep their class and are left out of scores. Ids of
categories may have gaps; they are kept in the label set's value map. Boxes, areas, ids and ``attributes`` are those of the
file. An annotation that is wrong spoils its own image alone, and is named when that image is read; a file that is broken, or
in which two images share an id, is refused as a whole. Where no annotation of a file has an outline, the file is of boxes:
its images are read without a truth, as an empty one would say that there is nothing. So are the images that our own writer
lists apart, as they had no labels. Captions are kept with their samples.
"""

from dataclasses import replace
from pathlib import Path

from pixelwise.core.errors import DataError, UnknownLayout
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset
from pixelwise.formats.claim import Claim
from pixelwise.formats.coco.captions import of_captions, read_captions
from pixelwise.formats.coco.classes import classes_of
from pixelwise.formats.coco.file import read_coco, read_info
from pixelwise.formats.coco.find import LAYOUTS, find_files, split_names
from pixelwise.formats.coco.samples import Gathered, kind_of, no_picture, splits_stated
from pixelwise.formats.coco.write import write
from pixelwise.formats.pictures import Pictures, attempts, unnamed

__all__ = ["LAYOUTS", "read", "sniff", "write"]


def sniff(path: Path) -> Claim | None:
    """Tell whether ``path`` is a COCO file, or a folder with some."""
    path = Path(path)
    if not path.exists():
        return None
    found = find_files(path)
    if found is None:
        return None
    files = found.files or found.captions or found.bare
    names = ", ".join(one.name for one in files[:3])
    what = "annotations and categories" if found.files else "and their captions" if found.captions else "without labels"
    return Claim(found.dialect, f"{names} {'hold' if len(files) > 1 else 'holds'} images, {what}")


def read(path: Path, labels: LabelSet | None = None) -> Dataset:
    """Read a COCO file, or all of a folder's.

    Splits are those that the files' names or folders say. ``labels`` are joined by name.

    Raises:
        MissingFile: there is nothing at ``path``.
        UnknownLayout: it holds no COCO file.
        UnreadableFile: a COCO file is broken or cut off.
        DataError: two images or categories share an id, or no image is listed.
    """
    found = find_files(Path(path))
    if found is None:
        raise UnknownLayout(f"{path}: expected COCO annotations, found none. Tried: {'; '.join(LAYOUTS)}")
    root = found.listing.root
    if not (found.files or found.bare):
        captions = read_captions(found.listing, found.captions, Pictures(found.listing))
        return of_captions(found, captions, labels or LabelSet(()))
    places = (*found.files, *found.bare)
    files = [read_coco(root / one) for one in found.files]
    files += [replace(read_info(root / one), are_labelled=False) for one in found.bare]
    abouts = [one.about for one in files]
    classes, kind = classes_of(files), kind_of(abouts, files[0].path.parent, "instance")
    splits = splits_stated(abouts, [*split_names(found.files), *split_names(found.bare)])
    notes = [*found.listing.refused, *(note for file in files for note in file.notes), *classes.notes]
    for pictures in attempts(found.listing):
        gathered = Gathered(found.listing, classes, kind, list(notes))
        for number, split in enumerate(splits):
            gathered.add(pictures, number, files[number], places[number], split)
    captions = read_captions(found.listing, found.captions, pictures)
    gathered.notes += captions.notes
    if not gathered.pictures:
        raise DataError(no_picture(found.listing, files))
    if Path(path).is_dir():  # who gives one file means its images alone
        gathered.notes += unnamed(found.listing, gathered.pictures)
    return gathered.dataset(labels or classes.labels, captions.meta())
