"""The format ``mapillary``: street scenes of Mapillary Vistas [1], versions 1 and 2; read alone.

``training/images/`` (``validation``, ``testing``) goes with ``training/v2.0/instances/`` of PNGs of 16 bits, class * 256 +
number; with ``labels/``, class numbers; or with ``polygons/``, JSON files. Version 1.1 has no folder of its version. Of several
versions the newest is read. Classes are those of ``config_v2.0.json`` at the root, in its order and by its names; those called
``void--…`` are void. Instances are panoptic truth, one object or stuff class a value; polygons are painted in their order, the
later over the earlier, void ones too, and stuff is one segment a class. ``panoptic/`` says the same again; given alone, it is
read as ``coco_panoptic``. ``write`` writes none: ``coco_panoptic`` holds the same.

[1] Neuhold et al., The Mapillary Vistas Dataset, ICCV 2017.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pixelwise.core.errors import DataError, UnknownLayout
from pixelwise.core.labels import VOID, Label, LabelSet, colour_of
from pixelwise.core.sample import Dataset, ImageFile, Sample, Source, TruthSource
from pixelwise.core.segmentation import Kind
from pixelwise.formats.claim import Claim
from pixelwise.formats.class_numbers import ClassNumbers
from pixelwise.formats.folder import list_folder
from pixelwise.formats.json_file import decoded
from pixelwise.formats.mapillary.find import LAYOUTS, Found, config_of, find_vistas
from pixelwise.formats.mapillary.polygons import VOID_NAMES, PolygonTruth, classes_in
from pixelwise.formats.names import sample_names
from pixelwise.formats.objects import things
from pixelwise.formats.splits import find_splits
from pixelwise.formats.writing import Writing, Written

__all__ = ["LAYOUTS", "read", "sniff", "write"]

_STEP = 256
_WITHOUT_NAMES = 256  # class numbers that a map may hold where nothing names them


def sniff(path: Path) -> Claim | None:
    """Tell whether ``path`` is a folder of Mapillary Vistas."""
    path = Path(path)
    if not path.is_dir():
        return None
    found = find_vistas(list_folder(path))
    if found is None:
        return None
    return Claim(f"Mapillary Vistas {found.version}".rstrip(), f"{len(found.pairs)} images have {found.form}")


def read(path: Path, labels: LabelSet | None = None) -> Dataset:
    """Read a folder; ``labels`` are joined by name.

    Raises:
        MissingFile: there is no such folder.
        UnknownLayout: it is none of Mapillary Vistas.
        UnreadableFile: the config is broken.
    """
    listing = list_folder(Path(path))
    found = find_vistas(listing)
    if found is None:
        raise UnknownLayout(f"{path}: expected Mapillary Vistas, found {listing.describe()}. Tried: {'; '.join(LAYOUTS)}")
    root, config = listing.root, config_of(listing, found.version)
    notes = [*listing.refused, *found.notes]
    void: list[str] = []
    if config is not None:
        own, void = _classes(root / config)
    elif found.form == "polygons":
        named = classes_in([root / one for one in found.pairs.values() if one is not None])
        void = [name for name in named if name.startswith(VOID_NAMES)]
        own = things(name for name in named if name not in void)
    else:
        names = [Label(f"class {number}", True, colour_of(number)) for number in range(_WITHOUT_NAMES)]
        own = LabelSet(tuple(names), {number: number for number in range(_WITHOUT_NAMES)})
        notes.append(
            f"{root}: no config*.json names the classes, so they are called by their numbers; give the folder that has it"
        )
    kind: Kind = "semantic" if found.form == "labels" else "panoptic"
    images = list(found.pairs)
    samples = []
    for image, name in zip(images, sample_names(images), strict=True):
        file = found.pairs[image]
        truth = None if file is None else _truth(root / file, root / image, own, void, found)
        source = Source(root / image, () if file is None else (root / file,), "json" if found.form == "polygons" else "id")
        samples.append(Sample(name, ImageFile(root / image), truth, labels or own, source))
    splits, told = find_splits(listing, images)
    return Dataset(samples, labels or own, kind, splits, root.resolve().name or "data", [*notes, *told])


def _truth(file: Path, image: Path, own: LabelSet, void: Sequence[str], found: Found) -> TruthSource:
    if found.form == "polygons":
        return PolygonTruth.of(file, image, own, void)
    return ClassNumbers(file, image, own, 1 if found.form == "labels" else _STEP)


def _classes(path: Path) -> tuple[LabelSet, list[str]]:
    """Read the classes of a config, and the names of those that are void.

    Raises:
        MissingFile, UnreadableFile: it is not there, or of another form.
        DataError: two classes have one name.
    """
    rows = decoded(path, dict[str, Any], "a config of Mapillary Vistas")[0].get("labels")
    if not isinstance(rows, list) or not all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in rows):
        raise DataError(f"{path}: expected labels, each with a name; copy the config again")
    found: list[Label] = []
    void: list[str] = []
    values = {}
    for number, one in enumerate(rows):
        if one["name"].startswith(VOID_NAMES):
            values[number] = VOID
            void.append(one["name"])
            continue
        values[number] = len(found)
        found.append(Label(one["name"], one.get("instances") is True, _colour(one.get("color"), number)))
    try:
        return LabelSet(tuple(found), values), list(dict.fromkeys(void))
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _colour(stated: object, number: int) -> tuple[int, int, int]:
    if not isinstance(stated, Sequence) or len(stated) < 3:
        return colour_of(number)
    parts = [one for one in stated[:3] if isinstance(one, int) and 0 <= one < 256]
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else colour_of(number)


def write(dataset: Dataset, path: Path, writing: Writing | None = None) -> Written:
    """Refuse to write.

    Raises:
        DataError: always.
    """
    raise DataError(f"{path}: mapillary cannot be written: nobody but its makers does; write coco_panoptic or cityscapes")
