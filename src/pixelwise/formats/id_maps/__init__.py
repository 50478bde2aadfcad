"""The format ``id_maps``: an image beside a PNG or TIFF of 8, 16 or 32 bits in which every object has a number of its own.

0 is background, each other value one object; their order is that of the numbers. What tells such a map from a class map is
its name (``LAYOUTS``): a folder ``instance_ids``, ``id_maps`` or ``instance_maps`` beside ``images``, or a file beside its
image with ``_instance_ids`` or ``_cp_masks`` (Cellpose) after the name. Maps of other names are read where the format is
chosen by name. Objects are of the class ``object``, unless a table beside the map (``a.csv`` for ``a.png``, with the columns
``id`` and ``class``) says otherwise.

``write`` makes ``images/``, ``instance_ids/`` with a map of 16 bits (PNG; TIFF of 32 bits from 65536 objects on) and a table an
image, ``classes.json`` and one list a split. That holds every kind but ``multilabel`` bit for bit; where objects overlap, the
smaller one is kept, and what the other loses is told.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from pixelwise.core.arrays import IntArray
from pixelwise.core.errors import DataError, MissingFile, UnknownLayout
from pixelwise.core.files import replacing, write_csv
from pixelwise.core.image import read_ids, read_size
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, ImageFile, Sample, Source
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.formats.claim import Claim
from pixelwise.formats.folder import list_folder
from pixelwise.formats.id_maps.find import FOLDER, LAYOUTS, Found, find_maps
from pixelwise.formats.id_maps.table import CLASS, IdMap, names_in
from pixelwise.formats.losses import tell_losses
from pixelwise.formats.masks.pairs import has_pairs
from pixelwise.formats.names import sample_names
from pixelwise.formats.numbered import flattened
from pixelwise.formats.objects import ObjectTruth, things
from pixelwise.formats.output import require_names, store_image
from pixelwise.formats.splits import find_splits, write_lists
from pixelwise.formats.stated import NAME, Stated, claim_ours, is_stated, state, stated_in
from pixelwise.formats.writing import Writing, Written, staged

__all__ = ["LAYOUTS", "read", "sniff", "write"]

_FORMAT = "pixelwise id_maps 1"
_LOOKED_AT = 3  # maps that are opened before a folder is claimed


def sniff(path: Path) -> Claim | None:
    """Tell whether ``path`` is a folder of images and id maps, by names that mean just that."""
    path = Path(path)
    if not path.is_dir():
        return None
    if ours := claim_ours(path, _FORMAT, "maps of object numbers, as Pixelwise writes them"):
        return ours
    listing = list_folder(path)
    found = find_maps(listing)
    if not found.pairs or has_pairs(listing) or not _are_numbers(path, found):
        return None
    return Claim(f"maps of object numbers: {found.dialect}", f"{len(found.pairs)} images have one, told by its name")


def _are_numbers(root: Path, found: Found) -> bool:
    """Look into a map, if it is of its image's size: one that is not may be larger than anything one wants to look into."""
    for image, file in found.pairs[:_LOOKED_AT]:
        try:
            if read_size(root / file) == read_size(root / image):
                return not read_ids(root / file)[1]
        except (DataError, MissingFile):
            continue
    return False


def read(path: Path, labels: LabelSet | None = None) -> Dataset:
    """Read a folder of images and id maps; ``labels`` are joined by name.

    A folder in which no map has a telling name is taken to hold id maps where ``masks`` would see masks.

    Raises:
        MissingFile: there is no such folder.
        UnknownLayout: no image in it has a map.
        UnreadableFile: its ``classes.json`` is ours but broken.
    """
    listing = list_folder(Path(path))
    root = listing.root
    ours = stated_in(root, _FORMAT)
    found = find_maps(listing, is_chosen=True, is_ours=ours is not None)
    if not found.pairs and not found.lone:
        raise UnknownLayout(f"{path}: no image has an id map; found {listing.describe()}. Tried: {'; '.join(LAYOUTS)}")
    tables = {one.with_suffix("") for one in listing.texts if one.suffix.lower() == ".csv"}
    maps = {
        image: IdMap(root / file, root / file.with_suffix(".csv") if file.with_suffix("") in tables else None)
        for image, file in found.pairs
    }
    own = _labels(list(maps.values())) if ours is None else ours.labels
    kind: Kind = "instance" if ours is None else ours.kind
    images = [image for image, _ in found.pairs] + (list(found.lone) if ours is not None else [])
    samples = []
    for image, name in zip(images, sample_names(images), strict=True):
        drawing = maps.get(image)
        truth = None if drawing is None else ObjectTruth(drawing, root / image, own, kind)
        files = () if drawing is None else (drawing.path,)
        samples.append(Sample(name, ImageFile(root / image), truth, labels or own, Source(root / image, files, "id")))
    splits, notes = find_splits(listing, images)
    if found.lone and ours is None:
        notes.append(f"{root}: {len(found.lone)} images ({found.lone[0]} …) without an id map; left out")
    return Dataset(samples, labels or own, kind, splits, root.resolve().name or "data", [*listing.refused, *notes])


def _labels(maps: Sequence[IdMap]) -> LabelSet:
    """List the classes that the tables name; a table that cannot be read spoils its own image alone, when that is read."""
    names: set[str] = set()
    for one in maps:
        names |= {CLASS} if one.table is None else names_in(one.table)
    return things(sorted(names) or [CLASS])


def write(dataset: Dataset, path: Path, writing: Writing | None = None) -> Written:
    """Write a map of numbers for each image, and a table of what they stand for.

    Raises:
        DataError: classes overlap by their nature (multilabel), a name cannot be a file's, or an image cannot be stored.
        StorageError: the folder holds something else, or cannot be written.
    """
    path = Path(path)
    if dataset.kind == "multilabel":
        raise DataError(
            f"{path}: an id map holds one segment a pixel, and this data set is multilabel; what overlaps would be lost. "
            f"Write numpy or object_masks"
        )
    require_names(dataset)
    names = dataset.labels.names if dataset.kind != "regions" else ("region",)
    with staged(path, _is_own, lambda folder: is_stated(folder, _FORMAT), writing) as stage:
        images = list(stage.each(dataset, partial(_write_one, names=names)))
        state(stage.folder, _FORMAT, Stated(dataset.kind, dataset.labels))
        write_lists(dataset, stage.folder, [None if one is None else f"images/{one}" for one in images])
    return stage.written


def _write_one(sample: Sample, folder: Path, names: Sequence[str]) -> tuple[str, int]:
    """Write an image, its map and its table; give the image's name."""
    truth = None if sample.truth_source is None else sample.truth
    image = store_image(sample, folder / "images")
    if truth is None:
        return image, 0
    tell_losses(sample.name, truth, holds=("source_ids", "track_ids"))
    ids, kept = flattened(truth, sample.name)
    suffix = ".png" if len(truth) < 2**16 else ".tif"
    _write_map(folder / FOLDER / f"{sample.name}{suffix}", ids)
    columns = _columns(truth, names)
    rows = ([index + 1, *(values[index] for values in columns.values())] for index in kept.tolist())
    write_csv(folder / FOLDER / f"{sample.name}.csv", ["id", *columns], rows)
    return image, len(kept)


def _columns(truth: Segmentation, names: Sequence[str]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {
        "class": [names[index] for index in truth.class_ids.tolist()],
        "crowd": truth.is_crowd.astype(int).tolist(),
    }
    if truth.source_ids is not None:
        columns["source_id"] = truth.source_ids.tolist()
    if truth.track_ids is not None:
        columns["track_id"] = truth.track_ids.tolist()
    return columns


def _write_map(path: Path, ids: IntArray) -> None:
    with replacing(path) as temporary:
        if path.suffix == ".png":
            PIL.Image.fromarray(np.ascontiguousarray(ids, np.uint16)).save(temporary, format="PNG", compress_level=1)
        else:
            import tifffile  # on first use: so many objects are rare

            tifffile.imwrite(temporary, np.ascontiguousarray(ids, np.uint32), photometric="minisblack")


def _is_own(name: str) -> bool:
    return name in ("images", FOLDER, NAME) or name.endswith(".txt")
