"""The format ``via``: the VGG Image Annotator, versions 1 and 2, as project, JSON or CSV; and Make Sense's export of that name.

Each region is an object; which of its attributes names the class is a stated rule (``via.regions``). A file lists many images,
so one that is broken is refused as a whole. Splits are those that the files' names or folders say. The same image with the
same regions in two files is one sample, as where somebody exported JSON and CSV.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath

from pixelwise.core.errors import DataError, MissingFile, UnknownLayout
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, ImageFile, Sample, Source
from pixelwise.core.segmentation import KINDS, Kind
from pixelwise.formats.absent import labels_alone
from pixelwise.formats.claim import Claim
from pixelwise.formats.folder import Listing, files_at, own_files
from pixelwise.formats.json_file import keys_of
from pixelwise.formats.names import place_of, sample_names, split_of
from pixelwise.formats.objects import ObjectTruth, left_out, things
from pixelwise.formats.pictures import Pictures, attempts, named_twice, not_found, told, unnamed
from pixelwise.formats.splits import ordered
from pixelwise.formats.via.file import ViaFile, ViaImage, dialect_of, open_via, ours
from pixelwise.formats.via.regions import CLASS, Rule, ViaDrawing, choose, filled, has_area, kind_of, name_of, regions_of
from pixelwise.formats.via.write import FORM, write

__all__ = ["LAYOUTS", "read", "sniff", "write"]

LAYOUTS = (
    "VGG Image Annotator: via_region_data.json, via_project.json or via.csv beside or above its images (train/, val/)",
    "Make Sense: labels_….json in VGG form beside or above its images",
)
_SUFFIXES = (".json", ".csv")
_LOOKED_INTO = 16  # files of a folder, before it is taken for another format's


@dataclass
class _Work:
    """What reading has found so far: pictures with their regions, in order, and who is in which split."""

    pictures: list[PurePosixPath] = field(default_factory=list)
    found: list[tuple[ViaFile, ViaImage]] = field(default_factory=list)
    splits: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    seen: dict[PurePosixPath, list[int]] = field(default_factory=lambda: defaultdict(list))
    missing: list[str] = field(default_factory=list)
    are_absent: bool = False  # the pictures are not there: they are names alone


def sniff(path: Path) -> Claim | None:
    """Tell whether ``path`` is a file of the VGG Image Annotator, or a folder with some."""
    for file in sorted(files_at(Path(path), _SUFFIXES), key=_is_called_otherwise)[:_LOOKED_INTO]:
        if (dialect := dialect_of(file)) is not None:
            return Claim(dialect, f"{file.name} lists images with regions, each a shape with attributes")
        if _is_broken(file):
            return Claim("VGG Image Annotator, a broken file", f"{file.name} is called as VIA calls its files")
    return None


def _is_called_otherwise(path: PurePath) -> bool:
    """Put files that are called as VIA calls its own before others."""
    return not path.name.casefold().startswith("via")


def _is_own(path: Path) -> bool:
    return dialect_of(path) is not None or _is_broken(path)


def _is_broken(path: Path) -> bool:
    """Tell a file that is called as VIA calls its own, but is no JSON: reading says what is wrong with it."""
    is_named = path.name.casefold().startswith(("via_", "via.")) and path.suffix.lower() == ".json"
    return is_named and path.is_file() and keys_of(path) is None


def read(path: Path, labels: LabelSet | None = None) -> Dataset:
    """Read a file of the VGG Image Annotator, or all of a folder's.

    ``labels`` are joined by name.

    Raises:
        MissingFile: there is nothing at ``path``.
        UnknownLayout: it holds no file of VIA.
        UnreadableFile: a file is broken or cut off.
        DataError: files of ours hold different kinds, or no image is named.
    """
    path = Path(path)
    if not path.exists():
        raise MissingFile(f"{path}: expected files of the VGG Image Annotator, found nothing there; check the path")
    listing, found = own_files(path, _SUFFIXES, _is_own)
    if not found:
        raise UnknownLayout(f"{path}: expected a file of the VGG Image Annotator, found none. Tried: {'; '.join(LAYOUTS)}")
    names = sorted(found, key=_is_called_otherwise)
    files = [open_via(listing.root / one) for one in names]
    for pictures in attempts(listing):
        work = _Work(are_absent=pictures.are_absent)
        for file, name in zip(files, names, strict=True):
            _add(work, pictures, file, name)
    if not work.pictures:
        first = f"; {work.missing[0]}" if work.missing else ""
        raise DataError(f"{files[0].path}: not one of the images it names is in {listing.root}{first}; put the images there")
    return _dataset(work, listing, files, labels, path)


def _add(work: _Work, pictures: Pictures, file: ViaFile, name: PurePosixPath) -> None:
    """Add a file's images; one that another file holds with the same regions is the same sample, in one more split."""
    stated = file.about.get("split") if file.about.get("format") == FORM else None
    split = stated if isinstance(stated, str) and stated else split_of(name.stem) or place_of(name.parent).split
    for image in file.images:
        there = pictures.find(image.name, name)
        if len(there) != 1:
            work.missing.append(not_found(image.name, file.path, there))
            continue
        picture = there[0]
        same = [row for row in work.seen[picture] if work.found[row][0] is not file and work.found[row][1] == image]
        row = same[0] if same else len(work.pictures)
        if not same:
            work.pictures.append(picture)
            work.found.append((file, image))
            work.seen[picture].append(row)
        if of_split := split or place_of(picture.parent).split:
            work.splits[of_split].append(row)


def _rule(files: Sequence[ViaFile], counts: Mapping[str, int]) -> tuple[Rule, str]:
    if ours(files, FORM):
        return Rule(CLASS, True), ""
    attribute, note = choose(counts)
    return Rule(attribute), note


def _kind(files: Sequence[ViaFile]) -> Kind:
    kinds: set[Kind] = {
        next((kind for kind in KINDS if kind == one.about.get("kind")), "instance") for one in ours(files, FORM)
    }
    if len(kinds) > 1:
        raise DataError(f"{files[0].path.parent}: expected files of one kind, found {' and '.join(sorted(kinds))}")
    return kinds.pop() if kinds else "instance"


def _labels(files: Sequence[ViaFile], rule: Rule, used: Mapping[str, int]) -> LabelSet:
    """Take the classes: of ours as they state them, else the options that a project lists, and what regions say beside them."""
    for one in ours(files, FORM):
        try:
            return LabelSet.from_json(one.about.get("labels") or {})
        except DataError as error:
            raise DataError(f"{one.path}: {error}; write the data set again") from None
    listed = [name for one in files for name in one.options.get(rule.attribute or "", ())]
    return things([*listed, *sorted(used)])


def _dataset(work: _Work, listing: Listing, files: Sequence[ViaFile], labels: LabelSet | None, path: Path) -> Dataset:
    rule, note = _rule(files, sum((filled(regions_of(image)) for _, image in work.found), Counter()))
    used, skipped = _surveyed(work, rule)
    own, kind = _labels(files, rule, used), _kind(files)
    samples = []
    for picture, name, (file, image) in zip(work.pictures, sample_names(work.pictures), work.found, strict=True):
        place = listing.root / picture
        truth = ObjectTruth(ViaDrawing(file.path, image, rule), place, own, kind)
        source = Source(place, (file.path,), file.path.suffix.lower().removeprefix("."))
        meta = {"file_attributes": dict(image.attributes)} if image.attributes else {}
        samples.append(Sample(name, ImageFile(place), truth, labels or own, source, meta))
    notes = [*listing.refused, *_notes(work, listing, path), *left_out(path, skipped), *([f"{path}: {note}"] if note else [])]
    dataset = Dataset(samples, labels or own, kind, ordered(work.splits), listing.root.resolve().name or "data", notes)
    return labels_alone(dataset, own, listing) if work.are_absent else dataset


def _surveyed(work: _Work, rule: Rule) -> tuple[Counter[str], Counter[str]]:
    """Count the classes of all regions, and the shapes that have no area."""
    used: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    for _, image in work.found:
        for region in regions_of(image):
            if not has_area(kind := kind_of(region)):
                skipped[kind] += 1
                continue
            try:
                used[name_of(region, rule.attribute)] += 1
            except DataError:
                continue  # told when the image's truth is asked for
    return used, skipped


def _notes(work: _Work, listing: Listing, path: Path) -> Iterator[str]:
    yield from told(work.missing, path)
    yield from named_twice(work.pictures, path)
    if path.is_dir():  # who gives one file means its images alone
        yield from unnamed(listing, work.pictures)
