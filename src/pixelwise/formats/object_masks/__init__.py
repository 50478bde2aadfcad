"""The format ``object_masks``: one picture an object, as the Data Science Bowl of 2018 gave its nuclei.

The pictures of an image's objects lie in a folder of their own (see ``LAYOUTS``): 0 is outside, one other value is the object.
Objects may overlap; their order is that of the file names. A sub-folder names the class; without one it is ``object``. Wrong
pictures (broken, empty, of another size, of several values) are named and spoil only themselves.

``write`` makes ``images/``, ``masks/<image>/[<class>/]0001.png`` (0 and 255; with more than one class, a folder a class),
``classes.json`` and one list a split. That holds every kind bit for bit: crowds have ``_crowd`` in the file's name, and
``classes.json`` states the kind, which image has no truth at all, and the class of each folder.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from pixelwise.core.arrays import Size
from pixelwise.core.errors import DataError, MissingFile, StorageError, UnknownLayout
from pixelwise.core.files import make_folder
from pixelwise.core.image import read_ids, read_size
from pixelwise.core.labels import LabelSet
from pixelwise.core.runs import decode
from pixelwise.core.sample import Dataset, ImageFile, Sample, Source
from pixelwise.core.segmentation import Kind
from pixelwise.formats.claim import Claim
from pixelwise.formats.folder import list_folder
from pixelwise.formats.losses import tell_losses
from pixelwise.formats.names import sample_names
from pixelwise.formats.object_masks.find import LAYOUTS, ObjectFile, find_objects, has_objects
from pixelwise.formats.objects import Drawn, ObjectTruth, things
from pixelwise.formats.output import require_names, store_image
from pixelwise.formats.shapes import Bitmap
from pixelwise.formats.splits import find_splits, write_lists
from pixelwise.formats.stated import NAME, Stated, claim_ours, is_stated, state, stated_in
from pixelwise.formats.writing import Writing, Written, staged

__all__ = ["LAYOUTS", "read", "sniff", "write"]

_FORMAT = "pixelwise object_masks 1"
_CLASS = "object"


@dataclass(frozen=True)
class ObjectPictures:
    """The pictures of one image's objects; ``may_be_empty`` where we wrote them, else an empty one is a mistake."""

    path: Path
    files: tuple[tuple[Path, ObjectFile], ...]
    may_be_empty: bool = False

    def stated(self) -> Size | None:
        """Give nothing: each picture is compared by itself."""
        return None

    def drawn(self, size: Size) -> Sequence[Drawn | str]:
        """Read the pictures in order."""
        return [self._one(path, file, size) for path, file in self.files]

    def _one(self, path: Path, file: ObjectFile, size: Size) -> Drawn | str:
        where = path.relative_to(self.path).as_posix()
        try:
            if (found := read_size(path)) != size:
                return f"{where}: the mask is {found[0]} x {found[1]} (height x width), its image {size[0]} x {size[1]}"
            stored, _ = read_ids(path)
        except (DataError, MissingFile) as error:
            return f"{where}: {str(error).removeprefix(f'{path}: ')}"
        mask = stored != 0
        values = np.unique(stored[mask])
        if len(values) > 1:
            return f"{where}: expected 0 and one other value, found {len(values) + 1}; save the mask without smoothing, as PNG"
        if not len(values) and not self.may_be_empty:
            return f"{where}: the mask is empty: no pixel of it is set; remove the file"
        return Drawn(file.label, Bitmap(mask), where, file.crowd)


def sniff(path: Path) -> Claim | None:
    """Tell whether ``path`` is a folder in which each object of an image is a picture."""
    path = Path(path)
    if not path.is_dir():
        return None
    if ours := claim_ours(path, _FORMAT, "one mask picture an object, as Pixelwise writes it"):
        return ours
    listing = list_folder(path)
    found = has_objects(listing)
    if found is None:
        return None
    count = sum(len(unit.files) for unit in found.units)
    return Claim(found.dialect, f"{len(found.units)} images have a folder each, with {count} masks of single objects in all")


def read(path: Path, labels: LabelSet | None = None) -> Dataset:
    """Read a folder of images with a picture an object; ``labels`` are joined by name.

    Raises:
        MissingFile: there is no such folder.
        UnknownLayout: no image in it has a folder of masks.
        UnreadableFile: its ``classes.json`` is ours but broken.
    """
    listing = list_folder(Path(path))
    root = listing.root
    ours = stated_in(root, _FORMAT)
    found = find_objects(listing, _folders(ours), is_ours=ours is not None)
    if not found.units:
        raise UnknownLayout(
            f"{path}: no image has a folder of object masks; found {listing.describe()}. Tried: {'; '.join(LAYOUTS)}"
        )
    own = (
        things(sorted({file.label for unit in found.units for file in unit.files} or [_CLASS])) if ours is None else ours.labels
    )
    kind: Kind = "instance" if ours is None else ours.kind
    stated = None if ours is None else ours.more.get("unlabelled")
    unlabelled = set(map(str, stated)) if isinstance(stated, list) else set()
    images = [unit.image for unit in found.units]
    samples = []
    for unit, name in zip(found.units, sample_names(images), strict=True):
        image, files = root / unit.image, tuple((root / file.path, file) for file in unit.files)
        truth, source = None, Source(image)
        if unit.image.name not in unlabelled:
            truth = ObjectTruth(ObjectPictures(root / unit.folder, files, ours is not None), image, own, kind)
            source = Source(image, tuple(file for file, _ in files), "id")
        samples.append(Sample(name, ImageFile(image), truth, labels or own, source))
    splits, notes = find_splits(listing, images)
    notes = [*listing.refused, *found.notes, *notes]
    return Dataset(samples, labels or own, kind, splits, root.resolve().name or "data", notes)


def _folders(ours: Stated | None) -> Mapping[str, str]:
    """Give the class of each folder of classes, as ``classes.json`` states it; empty where folders are classes by name."""
    if ours is None:
        return {}
    if len(ours.labels) == 1:
        return {"": ours.labels.names[0]}
    return dict(zip(class_folders(ours.labels.names), ours.labels.names, strict=True))


def class_folders(names: Sequence[str]) -> list[str]:
    """Name a folder for each class: as the class where that can be a folder's name, else by number.

    >>> class_folders(["cell", "a/b", "Cell"])
    ['cell', 'class_1', 'class_2']
    """
    taken: set[str] = set()
    found = []
    for index, name in enumerate(names):
        is_plain = re.fullmatch(r"[\w][\w \-()+]{0,79}", name) and name == name.strip() and not re.fullmatch(r"class_\d+", name)
        folder = name if is_plain and name.casefold() not in taken else f"class_{index}"
        taken.add(folder.casefold())
        found.append(folder)
    return found


def write(dataset: Dataset, path: Path, writing: Writing | None = None) -> Written:
    """Write a data set of any kind: a picture an object, crowds and empty objects too.

    Raises:
        DataError: a name cannot be a file's, or an image cannot be stored.
        StorageError: the folder holds something else, or cannot be written.
    """
    path = Path(path)
    require_names(dataset)
    names = dataset.labels.names
    folders = class_folders(names) if len(names) > 1 else [""] * len(names)
    with staged(path, _is_own, lambda folder: is_stated(folder, _FORMAT), writing) as stage:
        entries = list(stage.each(dataset, partial(_write_one, folders=folders)))
        without = [one["image"] for one in entries if one is not None and not one["labelled"]]
        state(stage.folder, _FORMAT, Stated(dataset.kind, dataset.labels, {"unlabelled": without}))
        write_lists(dataset, stage.folder, [None if one is None else f"images/{one['image']}" for one in entries])
    return stage.written


def _write_one(sample: Sample, folder: Path, folders: Sequence[str]) -> tuple[dict[str, Any], int]:
    """Store an image and the pictures of its objects; give the image's name and whether it has a truth."""
    truth = None if sample.truth_source is None else sample.truth
    image = store_image(sample, folder / "images")
    if truth is None:
        return {"image": image, "labelled": False}, 0
    tell_losses(sample.name, truth)
    for index, runs in enumerate(truth.masks.run_lengths()):
        inner = folders[int(truth.class_ids[index])] if folders else ""
        place = make_folder(folder / "masks" / sample.name / inner)
        crowd = "_crowd" if truth.is_crowd[index] else ""
        try:
            picture = PIL.Image.fromarray(decode(runs).astype(np.uint8) * np.uint8(255))
            picture.save(place / f"{index + 1:04d}{crowd}.png", compress_level=1)
        except OSError as error:
            raise StorageError(f"{place}: cannot be written: {error.strerror or error}; free some space") from None
    return {"image": image, "labelled": True}, len(truth)


def _is_own(name: str) -> bool:
    return name in ("images", "masks", NAME) or name.endswith(".txt")
