"""The format ``coco``: instances as JSON, outlined by polygons or by run lengths of both kinds.

Polygons are filled exactly as pycocotools fills them. Crowds (``iscrowd``) keep their class and are left out of scores. Ids of
categories may have gaps; they are kept in the label set's value map. Boxes, areas, ids and ``attributes`` are those of the
file. An annotation that is wrong spoils its own image alone, and is named when that image is read; a file that is broken, or
in which two images share an id, is refused as a whole.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from pixelwise.core.errors import DataError, UnknownLayout
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, ImageFile, Sample, Source
from pixelwise.core.segmentation import KINDS, Kind
from pixelwise.formats.claim import Claim
from pixelwise.formats.coco_classes import Classes, classes_of
from pixelwise.formats.coco_file import CocoFile, read_coco
from pixelwise.formats.coco_find import LAYOUTS, Found, find_files, rank_of, split_names
from pixelwise.formats.coco_truth import CocoTruth
from pixelwise.formats.coco_write import write
from pixelwise.formats.names import place_of, sample_names
from pixelwise.formats.pictures import Pictures, unnamed

__all__ = ["LAYOUTS", "read", "sniff", "write"]

_TOLD = 20  # images that are missing, a sentence each; the rest are counted


@dataclass
class _Work:
    """What reading has found so far: pictures with their truths, in order, and who is in which split."""

    pictures: list[PurePosixPath] = field(default_factory=list)
    truths: list[CocoTruth] = field(default_factory=list)
    splits: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    notes: list[str] = field(default_factory=list)
    seen: dict[PurePosixPath, list[int]] = field(default_factory=lambda: defaultdict(list))


def sniff(path: Path) -> Claim | None:
    """Tell whether ``path`` is a COCO file, or a folder with some."""
    path = Path(path)
    if not path.exists():
        return None
    found = find_files(path)
    if found is None:
        return None
    names = ", ".join(one.name for one in found.files[:3])
    return Claim(found.dialect, f"{names} {'hold' if len(found.files) > 1 else 'holds'} images, annotations and categories")


def read(path: Path, labels: LabelSet | None = None) -> Dataset:
    """Read a COCO file, or all of a folder's.

    Splits are those that the files' names or folders say. ``labels`` are joined by name.

    Raises:
        MissingFile: there is nothing at ``path``.
        UnknownLayout: it holds no COCO file.
        UnreadableFile: a COCO file is broken or cut off.
        DataError: two images or categories share an id, or not one image is there.
    """
    found = find_files(Path(path))
    if found is None:
        raise UnknownLayout(f"{path}: expected COCO annotations, found none. Tried: {'; '.join(LAYOUTS)}")
    root = found.listing.root
    files = [read_coco(root / one) for one in found.files]
    classes, kind = classes_of(files), _kind(files)
    work = _Work(notes=[*found.listing.refused, *(note for file in files for note in file.notes), *classes.notes])
    pictures = Pictures(found.listing)
    for row, split in enumerate(split_names(found.files)):
        _add(work, found, pictures, row, files[row], split, classes, kind)
    if not work.pictures:
        raise DataError(_no_picture(found, files))
    if Path(path).is_dir():  # who gives one file means its images alone
        work.notes += unnamed(found.listing, work.pictures)
    return _dataset(work, root, labels or classes.labels, kind)


def _kind(files: Sequence[CocoFile]) -> Kind:
    """Files of other tools hold instances; ours say what they hold."""
    kinds: set[Kind] = {next((kind for kind in KINDS if kind == file.about.get("kind")), "instance") for file in files}
    if len(kinds) > 1:
        raise DataError(
            f"{files[0].path.parent}: expected files of one kind, found {' and '.join(sorted(kinds))}; read them one by one"
        )
    return kinds.pop()


def _add(
    work: _Work, found: Found, pictures: Pictures, row: int, file: CocoFile, split: str | None, classes: Classes, kind: Kind
) -> None:
    """Add a file's images; one that another file holds with the same annotations is the same sample, in one more split."""
    missing = []
    rank = rank_of(found.files[row], split)
    for image, name in enumerate(file.image_names):
        there = pictures.find(name, found.files[row], rank)
        if len(there) != 1:
            missing.append((name, there))
            continue
        picture = there[0]
        truth = CocoTruth(file, image, found.listing.root / picture, classes.labels, classes.tables[row], kind)
        place = next((one for one in work.seen[picture] if _same(work.truths[one], truth)), None)
        if place is None:
            place = len(work.pictures)
            work.pictures.append(picture)
            work.truths.append(truth)
            work.seen[picture].append(place)
        name_of_split = split or place_of(picture.parent).split
        if name_of_split is not None and place not in work.splits[name_of_split][-1:]:
            work.splits[name_of_split].append(place)
    work.notes += _missing(found.listing.root, file, missing)


def _same(one: CocoTruth, other: CocoTruth) -> bool:
    """Tell whether two truths of one picture, from different files, have the same annotations."""
    if one.file is other.file:
        return False
    rows = [slice(each.file.rows.starts[each.row], each.file.rows.starts[each.row + 1]) for each in (one, other)]
    ids = [each.file.rows.ids[rows[k]] for k, each in enumerate((one, other))]
    names = [each.file.rows.categories[rows[k]] for k, each in enumerate((one, other))]
    classes = [np.append(each.classes, -1)[names[k]] for k, each in enumerate((one, other))]
    return np.array_equal(ids[0], ids[1]) and bool((ids[0] >= 0).all()) and np.array_equal(classes[0], classes[1])


def _missing(root: Path, file: CocoFile, missing: Sequence[tuple[str, list[PurePosixPath]]]) -> Iterator[str]:
    for name, there in missing[:_TOLD]:
        if there:
            yield f"{name}: {file.path} names it, and {there[0]} and {there[1]} may both be meant; it is left out"
        else:
            yield f"{name}: {file.path} names it, but there is no such image in {root}; it is left out"
    if len(missing) > _TOLD:
        yield f"{file.path}: {len(missing) - _TOLD} more of the images it names are not there; they are left out"


def _no_picture(found: Found, files: Sequence[CocoFile]) -> str:
    file = files[0]
    count = sum(len(one.image_names) for one in files)
    if not count:
        return f"{file.path}: the file lists no images; export it again"
    return (
        f"{file.path}: not one of the {count} images it names (such as {file.image_names[0]}) is in {found.listing.root}; "
        f"found {found.listing.describe()}; put the images there, or give the folder that holds both"
    )


def _dataset(work: _Work, root: Path, labels: LabelSet, kind: Kind) -> Dataset:
    samples = []
    for picture, truth, name in zip(work.pictures, work.truths, sample_names(work.pictures), strict=True):
        source = Source(root / picture, (truth.path,), "json")
        meta = {"image_id": truth.file.image_ids[truth.row]}
        samples.append(Sample(name, ImageFile(root / picture), truth, labels, source, meta))
    splits = {name: list(dict.fromkeys(rows)) for name, rows in work.splits.items()}
    return Dataset(samples, labels, kind, splits, root.resolve().name or "data", work.notes)
