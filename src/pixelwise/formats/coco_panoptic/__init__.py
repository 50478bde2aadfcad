"""The format ``coco_panoptic``: a JSON that describes segments, and a PNG an image whose colours are their numbers.

Void is 0. Crowds keep their class and are left out of scores. Things and stuff are those of the categories; boxes, areas and
numbers of segments are those of the JSON. A PNG that is missing, pixels whose number the JSON does not describe, and segments
without pixels are named when their image is read. A folder that also holds instances means this, the fuller truth; give the
file of the instances to have those.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from pixelwise.core.arrays import IntArray
from pixelwise.core.errors import DataError, MissingFile, UnknownLayout
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, ImageFile, Sample, Source
from pixelwise.core.segmentation import Kind
from pixelwise.formats.absent import labels_alone
from pixelwise.formats.claim import Claim
from pixelwise.formats.coco.captions import read_captions
from pixelwise.formats.coco.classes import classes_of
from pixelwise.formats.coco.find import (
    around,
    around_file,
    bare_files,
    captions_beside,
    of_form,
    panoptic_files,
    rank_of,
    split_names,
)
from pixelwise.formats.coco.form import form_of
from pixelwise.formats.coco.notes import missing_pictures
from pixelwise.formats.coco.samples import Meta, kind_of, no_picture, splits_stated
from pixelwise.formats.coco_panoptic.file import PanopticFile, read_bare, read_panoptic
from pixelwise.formats.coco_panoptic.truth import PanopticTruth
from pixelwise.formats.coco_panoptic.write import write
from pixelwise.formats.folder import Listing
from pixelwise.formats.mapillary.find import find_vistas
from pixelwise.formats.names import place_of, sample_names
from pixelwise.formats.pictures import Pictures, Rank, attempts, unnamed

__all__ = ["LAYOUTS", "read", "sniff", "write"]

LAYOUTS = ("annotations/panoptic_val2017.json + panoptic_val2017/ of PNGs + val2017/ or images/",)


@dataclass
class _Found:
    """The samples found so far."""

    pictures: list[PurePosixPath] = field(default_factory=list)
    truths: list[PanopticTruth | None] = field(default_factory=list)
    ids: list[int | str] = field(default_factory=list)
    splits: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    notes: list[str] = field(default_factory=list)
    seen: dict[PurePosixPath, int] = field(default_factory=dict)


def sniff(path: Path) -> Claim | None:
    """Tell whether ``path`` is a panoptic file, or a folder with some and their PNGs."""
    path = Path(path)
    if not path.exists():
        return None
    listing, files, _, _ = _files(path)
    if not files or (path.is_dir() and find_vistas(listing) is not None):
        return None
    names = ", ".join(one.name for one in files[:3])
    what = "describe" if len(files) > 1 else "describes"
    return Claim(f"COCO panoptic: {', '.join(map(str, files[:3]))}", f"{names} {what} the segments of PNGs (segments_info)")


_Places = tuple[PurePosixPath, ...]


def _files(path: Path) -> tuple[Listing, _Places, _Places, _Places]:
    """List the folder that ``path`` means, its panoptic files, those of captions, and our lists of images without labels."""
    if path.is_dir():
        listing, candidates = around(path)
        files = panoptic_files(listing, candidates)
        if not files:
            return listing, (), (), ()
        bare = bare_files(listing.root, candidates, "pixelwise coco_panoptic")
        return listing, files, of_form(listing.root, candidates, "captions"), bare
    if path.suffix.lower() != ".json" or form_of(path) != "panoptic":
        return Listing(path.parent, (), (), (), ()), (), (), ()
    listing, file = around_file(path)
    return listing, (file,), captions_beside(listing, file), ()


def read(path: Path, labels: LabelSet | None = None) -> Dataset:
    """Read a panoptic file, or all of a folder's; splits are those that their names say. ``labels`` are joined by name.

    Raises:
        MissingFile: there is nothing at ``path``.
        UnknownLayout: it holds no panoptic file, or none of the PNGs.
        UnreadableFile: a panoptic file is broken or cut off.
        DataError: two images or categories share an id, or no image is listed.
    """
    path = Path(path)
    if not path.exists():
        raise MissingFile(f"{path}: expected a panoptic file or a folder with one, found nothing there; check the path")
    listing, described, told, bare = _files(path)
    if not described:
        raise UnknownLayout(f"{path}: expected COCO panoptic annotations and their PNGs, found none. Tried: {LAYOUTS[0]}")
    places = (*described, *bare)
    files = [*(read_panoptic(listing.root / one) for one in described), *(read_bare(listing.root / one) for one in bare)]
    infos, abouts = [one.info for one in files], [one.about for one in files]
    classes, kind = classes_of(infos), kind_of(abouts, files[0].path.parent, "panoptic")
    splits = splits_stated(abouts, [*split_names(described), *split_names(bare)])
    notes = [*listing.refused, *(note for file in files for note in file.notes), *classes.notes]
    everything = Pictures(listing)
    pngs = [
        [everything.find(name, place, _rank(place, split)) if name else [] for name in file.pngs]
        for file, place, split in zip(files, places, splits, strict=True)
    ]
    taken = {one for each in pngs for there in each if len(there) == 1 for one in there}
    photos = replace(listing, pictures=tuple(one for one in listing.pictures if one not in taken))
    for pictures in attempts(photos):
        found = _Found(notes=list(notes))
        for number, split in enumerate(splits):
            own = classes.labels, classes.tables[number], kind
            _add(found, photos, pictures, places[number], files[number], pngs[number], split, own)
    if not found.pictures:
        raise DataError(no_picture(photos, infos))
    if path.is_dir():
        found.notes += unnamed(photos, found.pictures)
    captions = read_captions(photos, told, pictures)
    found.notes += captions.notes
    dataset = _dataset(found, listing.root, labels or classes.labels, kind, captions.meta())
    return labels_alone(dataset, classes.labels, photos) if pictures.are_absent else dataset


def _rank(place: PurePosixPath, split: str | None) -> Rank:
    """Rank pictures as PNGs of a panoptic file: first those in a folder of its own name, photos last."""
    near = rank_of(place, split)

    def rank(one: PurePosixPath) -> tuple[object, ...]:
        folders = [part.casefold() for part in one.parent.parts]
        is_ours = any(part.startswith("panoptic") for part in folders)
        role = place_of(one.parent).role
        return place.stem.casefold() not in folders, not is_ours, role == "image", role != "mask", near(one)

    return rank


def _add(
    found: _Found,
    photos: Listing,
    pictures: Pictures,
    place: PurePosixPath,
    file: PanopticFile,
    pngs: Sequence[list[PurePosixPath]],
    split: str | None,
    classes: tuple[LabelSet, IntArray, Kind],
) -> None:
    """Add a file's images; one that another file describes alike is the same sample, in one more split."""
    rank, missing = rank_of(place, split), []
    own = {int(image): row for row, image in reversed(list(enumerate(file.rows)))}
    for image, name in enumerate(file.info.image_names):
        there = pictures.find(name, place, rank)
        if len(there) != 1:
            missing.append((name, there))
            continue
        picture, truth = there[0], None
        if image in own:
            row = own[image]
            png, problem = _png(file, row, pngs[row], photos.root)
            truth = PanopticTruth(file, row, png, photos.root / picture, problem, *classes)
        sample = found.seen.get(picture)
        if sample is None or not _same(found.truths[sample], truth):
            sample = len(found.pictures)
            found.pictures.append(picture)
            found.truths.append(truth)
            found.ids.append(file.info.image_ids[image])
            found.seen.setdefault(picture, sample)
        if name_of_split := split or place_of(picture.parent).split:
            found.splits[name_of_split].append(sample)
    found.notes += [*missing_pictures(photos.root, file.path, missing), *_odd(file, own)]


def _png(file: PanopticFile, row: int, there: list[PurePosixPath], root: Path) -> tuple[Path, str]:
    """Give an annotation's PNG, and what is wrong where it is not there."""
    if len(there) == 1:
        return root / there[0], ""
    name, image = file.pngs[row] or "a PNG", file.info.image_ids[file.rows[row]]
    if there:
        return root / there[0], f"{file.path}: image {image}: {there[0]} and {there[1]} may both be meant by {name}; keep one"
    return root / name.replace("\\", "/").rpartition("/")[2], (
        f"{file.path}: image {image}: expected {name}, which holds its segments, in {root}; found no such PNG; unpack the PNGs"
    )


def _same(one: PanopticTruth | None, other: PanopticTruth | None) -> bool:
    """Tell whether two files describe a picture alike."""
    if one is None or other is None:
        return one is other
    if one.file is other.file:
        return False
    return one.file.described(one.row) == other.file.described(other.row)


def _odd(file: PanopticFile, own: dict[int, int]) -> Iterator[str]:
    if bare := len(file.info.image_ids) - len(own):
        yield f"{file.path}: {bare} of its images have no segments described; they have no labels"
    if twice := len(file.rows) - len(own):
        yield f"{file.path}: {twice} images are described more than once; the first description of each is used"


def _dataset(found: _Found, root: Path, labels: LabelSet, kind: Kind, meta: Meta) -> Dataset:
    samples = []
    for picture, truth, id_, name in zip(found.pictures, found.truths, found.ids, sample_names(found.pictures), strict=True):
        paths = () if truth is None else (truth.png, truth.file.path)
        source = Source(root / picture, paths, "json")
        known = {"image_id": id_, **meta.get(picture, {})}
        samples.append(Sample(name, ImageFile(root / picture), truth, labels, source, known))
    splits = {name: list(dict.fromkeys(rows)) for name, rows in found.splits.items()}
    return Dataset(samples, labels, kind, splits, root.resolve().name or "data", found.notes)
