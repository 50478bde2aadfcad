"""The format ``labelme``: a JSON file beside each image, and the XML of the LabelMe web tool.

Every shape is an object unless ``group_id`` joins several (``labelme.file``). Classes come in the order of ``labels.txt`` where
there is one, else of the alphabet. Areas called ``__ignore__`` are void for labelme's own converters; here they are crowds, so
that scores ignore them and class maps have void there. A broken file spoils its own image alone. Folders and list files called
``train``, ``val`` … are splits.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from pixelwise.core.errors import DataError, MissingFile, UnknownLayout
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, ImageFile, ImageSource, Sample, Source, TruthSource
from pixelwise.core.segmentation import Kind
from pixelwise.formats.absent import TruthAlone, labels_alone
from pixelwise.formats.claim import Claim
from pixelwise.formats.folder import Listing, files_at, list_folder
from pixelwise.formats.json_file import keys_of
from pixelwise.formats.labelme.classes import FORM, Classes, classes_of
from pixelwise.formats.labelme.file import IGNORE, LabelmeDrawing, has_area, heads, opened
from pixelwise.formats.labelme.photo import EmbeddedPhoto
from pixelwise.formats.labelme.web import WebDrawing, is_web, survey
from pixelwise.formats.labelme.write import write
from pixelwise.formats.names import sample_names
from pixelwise.formats.objects import Drawing, ObjectTruth, left_out
from pixelwise.formats.pictures import Pictures, attempts, named_twice, not_found, told, unnamed
from pixelwise.formats.splits import find_splits
from pixelwise.formats.stated import stated_in

__all__ = ["LAYOUTS", "read", "sniff", "write"]

LAYOUTS = (
    "labelme: a.jpg + a.json in one folder (labels.txt)",
    "LabelMe web tool: Images/<folder>/a.jpg + Annotations/<folder>/a.xml + Masks/<folder>/",
)
_LOOKED_INTO = 16  # files of a folder, before it is taken for another format's
_KEYS = frozenset({"shapes", "imagePath"})


@dataclass
class _Work:
    """What reading has found so far; ``rows`` are the picture (None: it lies in the file), the file, and what is drawn."""

    listing: Listing
    index: Pictures
    masks: Pictures
    kind: Kind
    rows: list[tuple[PurePosixPath | None, PurePosixPath, Drawing, Mapping[str, Any]]] = field(default_factory=list)
    names: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    missing: list[str] = field(default_factory=list)


def sniff(path: Path) -> Claim | None:
    """Tell whether ``path`` is a file of labelme or of the web tool, or a folder with some."""
    named = files_at(Path(path), (".json", ".xml"))
    if any(_is_labelme(one) for one in _first(named, ".json")):
        return Claim("labelme JSON", "its JSON holds shapes and an imagePath")
    if any(is_web(one) for one in _first(named, ".xml")):
        return Claim("LabelMe web tool XML", "its XML holds polygons of pt, or names of masks")
    return None


def _first(named: Sequence[Path], suffix: str) -> Sequence[Path]:
    return [one for one in named if one.suffix.lower() == suffix][:_LOOKED_INTO]


def _is_labelme(path: Path) -> bool:
    keys = keys_of(path)
    return keys is not None and keys >= _KEYS and not keys & {"[]", "\n"}


def read(path: Path, labels: LabelSet | None = None) -> Dataset:
    """Read a folder of labelme files, or one file.

    ``labels`` are joined by name.

    Raises:
        MissingFile: there is nothing at ``path``.
        UnknownLayout: it holds no file of labelme.
        DataError: no file names an image that can be told.
    """
    path = Path(path)
    if not path.exists():
        raise MissingFile(f"{path}: expected labelme files, found nothing there; check the path")
    listing, files = _found(path)
    stated = stated_in(listing.root, FORM)
    masks = Pictures(listing)
    for index in attempts(listing):
        work = _Work(listing, index, masks, "instance" if stated is None else stated.kind)
        for file in files:
            (_add_json if file.suffix.lower() == ".json" else _add_web)(work, file)
        if work.rows:  # also those whose photo lies in the file
            break
    if not work.rows:
        raise DataError(_no_picture(work, path))
    return _dataset(work, labels, classes_of(stated, listing, work.names), path)


def _found(path: Path) -> tuple[Listing, list[PurePosixPath]]:
    claim = sniff(path)
    if claim is None:
        raise UnknownLayout(f"{path}: expected files of labelme, found none. Tried: {'; '.join(LAYOUTS)}")
    if not path.is_dir():
        return list_folder(path.resolve().parent), [PurePosixPath(path.resolve().name)]
    listing = list_folder(path)
    suffix = ".json" if claim.dialect.endswith("JSON") else ".xml"
    return listing, [one for one in (*listing.texts, *listing.others) if one.suffix.lower() == suffix]


def _add_json(work: _Work, file: PurePosixPath) -> None:
    """Add the image of a JSON file; a file that is broken counts where a picture of its name lies beside it."""
    path = work.listing.root / file
    drawing = LabelmeDrawing(path, void=work.kind in ("semantic", "panoptic"))
    beside = [one for one in work.index.of_stem(file.stem, file) if one.parent == file.parent]
    try:
        content = opened(path)
    except DataError as error:
        keys = keys_of(path)
        if beside and (keys is None or keys >= _KEYS):
            work.rows.append((beside[0], file, drawing, {}))  # what is wrong is told when its truth is asked for
        elif keys is None:
            work.missing.append(str(error))
        return  # else it is JSON of another make
    there = work.index.find(content.image_path, file) if isinstance(content.image_path, str) else []
    there = there or beside[:1]
    if len(there) > 1 or not (there or content.has_photo):
        work.missing.append(not_found(content.image_path, path, there))
        return
    meta = {"flags": content.flags} if isinstance(content.flags, dict) and content.flags else {}
    work.rows.append((there[0] if there else None, file, drawing, meta))
    for name, kind in heads(content):
        if not has_area(kind):
            work.skipped[kind] += 1
        elif not (drawing.void and name == IGNORE):
            work.names[name] += 1


def _add_web(work: _Work, file: PurePosixPath) -> None:
    """Add the image of a file of the web tool; other XML is passed over."""
    path = work.listing.root / file
    if not is_web(path):
        return
    try:
        found = survey(path)
    except DataError as error:
        there = work.index.of_stem(f"{file.parent.name}/{file.stem}", file)
        if len(there) == 1:
            work.rows.append((there[0], file, WebDrawing(path), {}))
        else:
            work.missing.append(str(error))
        return
    there = work.index.find(f"{found.folder}/{found.filename}", file)
    if len(there) != 1:
        work.missing.append(not_found(found.filename, path, there))
        return
    masks = []
    for mask in found.masks:
        if pictures := work.masks.find(f"Masks/{found.folder}/{mask}", file):
            masks.append((mask, work.listing.root / pictures[0]))
    work.rows.append((there[0], file, WebDrawing(path, tuple(masks)), {}))
    work.names.update(found.names)
    work.skipped["deleted object"] += found.deleted


def _no_picture(work: _Work, path: Path) -> str:
    first = f"; {work.missing[0]}" if work.missing else ""
    return f"{path}: not one of the images that its labelme files name is there{first}; put each image beside its file"


def _dataset(work: _Work, labels: LabelSet | None, classes: Classes, path: Path) -> Dataset:
    root = work.listing.root
    samples = []
    places = [picture or file for picture, file, _, _ in work.rows]
    for (picture, file, drawing, meta), name in zip(work.rows, sample_names(places), strict=True):
        photo: ImageSource = EmbeddedPhoto(root / file) if picture is None else ImageFile(root / picture)
        own = ObjectTruth(drawing, root / (picture or file), classes.labels, work.kind)
        truth: TruthSource = TruthAlone(own, classes.labels, photo) if isinstance(photo, EmbeddedPhoto) else own
        encoding = "json" if file.suffix.lower() == ".json" else "xml"
        source = Source(None if picture is None else root / picture, (root / file,), encoding)
        samples.append(Sample(name, photo, truth, labels or classes.labels, source, meta))
    splits, lists = find_splits(work.listing, places) if path.is_dir() else ({}, [])
    notes = [*work.listing.refused, *classes.notes, *lists, *_notes(work, path)]
    dataset = Dataset(samples, labels or classes.labels, work.kind, splits, root.resolve().name or "data", notes)
    return labels_alone(dataset, classes.labels, work.listing) if work.index.are_absent else dataset


def _notes(work: _Work, path: Path) -> Iterator[str]:
    yield from told(work.missing, path)
    yield from named_twice([one for one, _, _, _ in work.rows if one is not None], path)
    yield from left_out(path, {kind: count for kind, count in work.skipped.items() if count})
    if inside := sum(picture is None for picture, _, _, _ in work.rows):
        yield f"{path}: {inside} images are not there as files; the photos inside the JSON files are taken"
    if path.is_dir():  # who gives one file means its image alone
        yield from unnamed(work.listing, [picture for picture, _, _, _ in work.rows if picture is not None])
