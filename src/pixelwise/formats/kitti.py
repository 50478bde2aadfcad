"""The format ``kitti``: the semantic and instance benchmark of KITTI [1]; read alone.

``training/image_2/`` goes with ``training/instance/``, PNG of 16 bits with class * 256 + number, else with
``training/semantic/``, class numbers; ``testing/`` has images alone. Classes are those of Cityscapes, by their ids; a file
``label_colors.txt``, as CVAT and Datumaro add it, replaces them, in its order. With instances the truth is panoptic; a thing
of number 0 is a group, and so a crowd. Ids 0 to 6 are void, as in Cityscapes. ``semantic_rgb/`` shows the same in colours and
is not needed. ``write`` writes none: ``cityscapes`` holds the same classes, objects and more.

[1] Alhaija et al., Augmented Reality Meets Computer Vision, IJCV 2018.
"""

from pathlib import Path, PurePosixPath

from pixelwise.core.errors import DataError, UnknownLayout
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, ImageFile, LostLabels, Sample, Source
from pixelwise.core.segmentation import Kind
from pixelwise.formats.absent import labels_alone, sizes_of
from pixelwise.formats.cityscapes.labels import official
from pixelwise.formats.claim import Claim
from pixelwise.formats.class_numbers import ClassNumbers
from pixelwise.formats.folder import Listing, list_folder
from pixelwise.formats.label_colors import find_label_colors, read_label_colors
from pixelwise.formats.names import sample_names
from pixelwise.formats.splits import find_splits
from pixelwise.formats.writing import Writing, Written

__all__ = ["LAYOUTS", "read", "sniff", "write"]

LAYOUTS = ("KITTI: training/image_2/ + training/instance/ or training/semantic/ of PNGs (testing/image_2/)",)
_IMAGES, _FORMS = "image_2", ("instance", "semantic")
_MAPS = (*_FORMS, "semantic_rgb")


def sniff(path: Path) -> Claim | None:
    """Tell whether ``path`` is a folder with ``image_2/`` and maps of the same names."""
    path = Path(path)
    if not path.is_dir():
        return None
    listing = list_folder(path)
    found = _found(listing)
    count = sum(truth is not None for truth in found.values())
    if not count:
        return None
    form = next(truth.parent.name for truth in found.values() if truth is not None)
    whose = f"images of {_IMAGES}/" if found.keys() & set(listing.pictures) else "images that are not there"
    return Claim(f"KITTI's benchmark, {form} maps", f"{count} {whose} have a map in {form}/")


def _found(listing: Listing) -> dict[PurePosixPath, PurePosixPath | None]:
    """List the images with their maps, all of the form that comes first; empty where no image has one.

    Where all pictures are maps, and CVAT's list of classes is there, they are the names that they would have.
    """
    there = set(listing.pictures)
    images = [one for one in listing.pictures if one.parent.name == _IMAGES]
    is_alone = all(one.parent.name in _MAPS for one in listing.pictures) and find_label_colors(listing) is not None
    for form in _FORMS:
        if is_alone:
            images = [one.parent.parent / _IMAGES / one.name for one in listing.pictures if one.parent.name == form]
        maps = {one: one.parent.parent / form / f"{one.stem}.png" for one in images}
        if any(file in there for file in maps.values()):
            return {image: file if file in there else None for image, file in maps.items()}
    return {}


def read(path: Path, labels: LabelSet | None = None) -> Dataset:
    """Read a folder; ``labels`` are joined by name.

    Raises:
        MissingFile: there is no such folder.
        UnknownLayout: no image of ``image_2/`` has a map.
        DataError: ``label_colors.txt`` is of another form.
    """
    listing = list_folder(Path(path))
    found = _found(listing)
    if not found:
        raise UnknownLayout(f"{path}: expected KITTI's images and maps, found {listing.describe()}. Tried: {LAYOUTS[0]}")
    root, images = listing.root, list(found)
    stated = find_label_colors(listing)
    own = official(() if labels is None else labels.names) if stated is None else read_label_colors(stated)
    samples = []
    for image, name in zip(images, sample_names(images), strict=True):
        file = found[image]
        truth = None
        if file is not None:
            step = 256 if file.parent.name == "instance" else 1
            truth = ClassNumbers(root / file, root / image, own, step, groups=stated is None)
        source = Source(root / image, () if file is None else (root / file,), "id")
        samples.append(Sample(name, ImageFile(root / image), truth, labels or own, source))
    splits, notes = find_splits(listing, images)
    form = next(file.parent.name for file in found.values() if file is not None)
    if bare := [image for image, file in found.items() if file is None]:
        notes.append(f"{root}: {len(bare)} images (such as {bare[0]}) have no map in {form}/; read without a truth")
    used = set(found.values())
    if lost := [
        one for one in listing.pictures if one.parent.name == form and one.suffix.lower() == ".png" and one not in used
    ]:
        notes.append(LostLabels(f"{root}: {len(lost)} maps (such as {lost[0]}) have no image in {_IMAGES}/; left out"))
    kind: Kind = "panoptic" if form == "instance" else "semantic"
    dataset = Dataset(samples, labels or own, kind, splits, root.resolve().name or "data", [*listing.refused, *notes])
    if images[0] in set(listing.pictures):
        return dataset
    return labels_alone(dataset, own, listing, sizes_of(path for one in dataset for path in one.source.truths))


def write(dataset: Dataset, path: Path, writing: Writing | None = None) -> Written:
    """Refuse to write.

    Raises:
        DataError: always.
    """
    raise DataError(f"{path}: kitti cannot be written: nobody but its benchmark makes it; write cityscapes or id_maps")
