"""The format ``numpy``: masks as NumPy arrays (``.npy``, ``.npz``) beside images of the same name.

An array (S, H, W), or (H, W, S) where that alone fits the image, is a stack of masks. One of (H, W) is a map of object numbers
if its file, folder or name in the ``.npz`` says ``ids`` or ``instance``, a single mask if it is bool, else a class map. In an
``.npz``, ``class_ids`` (S,) gives each mask its class. Class names come from a class file (``classes.txt`` and kin), else they
are ``class 7``; objects without a class are of the class ``object``. In class maps, -1 is void, as is 255 with fewer than 200
classes. Pickled arrays are refused, and no array is loaded before its shape is known to be that of its image.

``write`` makes ``images/``, ``arrays/a.npz``, ``classes.json`` and one list a split. That holds every kind bit for bit, with
boxes, areas, source and track ids: ``ids`` (H, W) where segments are disjoint, else ``masks`` (S, H, W); ``class_ids``,
``crowd`` and the rest have a row a segment.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import numpy as np

from pixelwise.core.arrays import AnyArray
from pixelwise.core.errors import DataError, MissingFile, UnknownLayout
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks, as_disjoint, smallest_dtype
from pixelwise.core.sample import Dataset, ImageFile, Sample, Source
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.formats.claim import Claim
from pixelwise.formats.classes import find_classes
from pixelwise.formats.folder import Listing, list_folder, natural
from pixelwise.formats.losses import tell_losses
from pixelwise.formats.masks.pairs import has_pairs
from pixelwise.formats.names import mask_core, place_of, sample_names, stem_of
from pixelwise.formats.numpy_masks.file import MOST_BYTES, headers, save
from pixelwise.formats.numpy_masks.truth import CLASS, Arrays, Meaning, classes_in, meaning_of
from pixelwise.formats.objects import ObjectTruth, things
from pixelwise.formats.output import require_names, store_image
from pixelwise.formats.splits import find_splits, write_lists
from pixelwise.formats.stated import NAME, Stated, claim_ours, is_stated, state, stated_in
from pixelwise.formats.writing import Writing, Written, staged

__all__ = ["LAYOUTS", "read", "sniff", "write"]

LAYOUTS = (
    "images/a.jpg + arrays/a.npz or a.npy (any folder): masks (S, H, W), object numbers or classes (H, W)",
    "one folder with a.jpg + a.npy, a_mask.npy, a_ids.npy …",
)
_FORMAT = "pixelwise numpy 1"
_SUFFIXES = (".npz", ".npy")
_TAILS = ("_ids", "_instance_ids", "_instances", "_instance", "_inst")
_LOOKED_AT = 3  # files that are opened before a folder is claimed


def sniff(path: Path) -> Claim | None:
    """Tell whether ``path`` is a folder of images and NumPy arrays of the same names."""
    path = Path(path)
    if not path.is_dir():
        return None
    if ours := claim_ours(path, _FORMAT, "NumPy arrays, as Pixelwise writes them"):
        return ours
    listing = list_folder(path)
    pairs = list(_pairs(listing))
    if not pairs or has_pairs(listing):
        return None
    found = next((one for _, file in pairs[:_LOOKED_AT] if (one := _meaning(path / file)) is not None), None)
    if found is None:
        return None
    return Claim(f"NumPy arrays beside images, {found.what}", f"{len(pairs)} images have an array of the same name")


def _meaning(path: Path) -> Meaning | None:
    try:
        return meaning_of(path, headers(path))
    except (DataError, MissingFile):
        return None


def _pairs(listing: Listing) -> Iterator[tuple[PurePosixPath, PurePosixPath]]:
    """Pair pictures and arrays of one stem, also ``a_mask.npy``; of several pictures the one in the nearest folder."""
    pictures: dict[str, list[PurePosixPath]] = defaultdict(list)
    for picture in listing.pictures:
        pictures[stem_of(picture.name)].append(picture)
    taken: set[PurePosixPath] = set()
    for file in listing.others:
        if file.suffix.lower() not in _SUFFIXES:
            continue
        stem = stem_of(file.name)
        tail = next((tail for tail in _TAILS if stem.endswith(tail)), "")
        cores = (stem, *(core[:1] if (core := mask_core(stem)) else ()), stem.removesuffix(tail))
        there = next((pictures[one] for one in cores if one in pictures), [])
        key = place_of(file.parent).key
        image = max(there, key=lambda one: len(set(place_of(one.parent).key) & set(key)), default=None)
        if image is not None and image not in taken:
            taken.add(image)
            yield image, file


def read(path: Path, labels: LabelSet | None = None) -> Dataset:
    """Read a folder of images and NumPy arrays; ``labels`` are joined by name.

    Raises:
        MissingFile: there is no such folder.
        UnknownLayout: no image in it has an array.
        UnreadableFile: its ``classes.json`` is ours but broken.
    """
    listing = list_folder(Path(path))
    root = listing.root
    ours = stated_in(root, _FORMAT)
    pairs = sorted(_pairs(listing), key=lambda pair: natural(pair[0]))
    if not pairs and ours is None:
        raise UnknownLayout(
            f"{path}: no image has a NumPy array of its name; found {listing.describe()}. Tried: {'; '.join(LAYOUTS)}"
        )
    kind, own, names, notes = (
        _theirs(listing, [file for _, file in pairs]) if ours is None else (ours.kind, ours.labels, {}, [])
    )
    names = names if ours is None else dict(enumerate(own.names))
    files = dict(pairs)
    lone = [one for one in listing.pictures if one not in files]
    images = [*files, *(lone if ours is not None else [])]
    samples = []
    for image, name in zip(images, sample_names(images), strict=True):
        truth, source = None, Source(root / image)
        if (file := files.get(image)) is not None:
            truth = ObjectTruth(Arrays(root / file, names, kind, ours is not None), root / image, own, kind)
            source = Source(root / image, (root / file,), "array")
        samples.append(Sample(name, ImageFile(root / image), truth, labels or own, source))
    splits, told = find_splits(listing, images)
    if lone and ours is None:
        notes = [*notes, f"{root}: {len(lone)} images ({lone[0]} …) without an array; left out"]
    notes = [*listing.refused, *notes, *told]
    return Dataset(samples, labels or own, kind, splits, root.resolve().name or "data", notes)


def _theirs(listing: Listing, files: list[PurePosixPath]) -> tuple[Kind, LabelSet, Mapping[int, str], list[str]]:
    """Tell kind, label set and the name of each class number, from the class file and the arrays themselves.

    An array that cannot be read spoils its own image alone, when that is read.
    """
    table = find_classes(listing)
    stated = {} if table is None else {value: one.name for value, one in table.by_value().items() if not one.is_void}
    found = [one for file in files if (one := _meaning(listing.root / file)) is not None]
    kind: Kind = "semantic" if found and all(one.what == "classes" for one in found) else "instance"
    numbers: set[int] = set()
    for file in files:
        numbers |= classes_in(listing.root / file)
    voids = {-1} | ({255} if len(numbers - {-1, 255}) < 200 else set())
    if table is not None:
        voids |= {value for value, one in table.by_value().items() if one.is_void}
    notes = []
    if kind == "semantic" and 255 in numbers & voids and 255 not in stated:
        notes.append(
            f"{listing.root}: the value 255 of the class maps is taken for void; name it in classes.txt if it is a class"
        )
    kept = sorted((numbers if kind == "instance" else numbers - voids) | set(stated))
    names = {value: stated.get(value, f"class {value}") for value in kept}
    is_bare = not names or any("class_ids" not in one.rows for one in found)
    own = LabelSet.of(names.values()) if kind == "semantic" else things([*names.values(), *[CLASS] * is_bare])
    return kind, own, names, notes


def write(dataset: Dataset, path: Path, writing: Writing | None = None) -> Written:
    """Write a data set of any kind as arrays.

    Raises:
        DataError: a name cannot be a file's, an image cannot be stored, or a stack of masks is too large.
        StorageError: the folder holds something else, or cannot be written.
    """
    path = Path(path)
    require_names(dataset)
    with staged(path, _is_own, lambda folder: is_stated(folder, _FORMAT), writing) as stage:
        images = list(stage.each(dataset, _write_one))
        state(stage.folder, _FORMAT, Stated(dataset.kind, dataset.labels))
        write_lists(dataset, stage.folder, [None if one is None else f"images/{one}" for one in images])
    return stage.written


def _write_one(sample: Sample, folder: Path) -> tuple[str, int]:
    """Write an image and its arrays; give the image's name."""
    truth = None if sample.truth_source is None else sample.truth
    image = store_image(sample, folder / "images")
    if truth is None:
        return image, 0
    arrays = _rows(truth)
    tell_losses(sample.name, truth, holds=arrays)
    path = folder / "arrays" / f"{sample.name}.npz"
    disjoint = _disjoint(truth)
    if disjoint is not None:
        ids = disjoint.ids.astype(smallest_dtype(len(truth)))
        save(path, {"ids": ids, **arrays})
        return image, len(truth)
    if (size := len(truth) * truth.size[0] * truth.size[1]) > MOST_BYTES:
        raise DataError(
            f"{sample.name}: {len(truth)} masks of {truth.size[0]} x {truth.size[1]} that overlap are {size:,} bytes, and at "
            f"most {MOST_BYTES:,} are read back, so they would be lost; write coco or object_masks"
        )
    save(path, arrays, truth.masks)
    return image, len(truth)


def _disjoint(truth: Segmentation) -> DisjointMasks | None:
    try:
        return as_disjoint(truth.masks)
    except DataError:
        return None


def _rows(truth: Segmentation) -> dict[str, AnyArray]:
    fields = ("boxes", "areas", "source_ids", "track_ids")
    stated = {name: np.asarray(value) for name in fields if (value := getattr(truth, name)) is not None}
    return {"class_ids": truth.class_ids, "crowd": truth.is_crowd, **stated}


def _is_own(name: str) -> bool:
    return name in ("images", "arrays", NAME) or name.endswith(".txt")
