"""The format ``masks``: images beside masks of the same size, in the layouts people have (``pairs.LAYOUTS``).

A mask is a picture whose values are class numbers, palette indices or RGB colours. Splits come from folders or list files,
names from a class file. ``write`` makes ``images/``, ``masks/`` (class numbers, with a colour table), ``classes.json`` and one
list a split, all at once: what was there before stays until the new folder is whole.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from pixelwise.core.arrays import IntArray, Size
from pixelwise.core.errors import DataError, SizeMismatch, UnknownLayout
from pixelwise.core.files import write_json
from pixelwise.core.image import write_ids
from pixelwise.core.labels import VOID, Encoding, LabelSet
from pixelwise.core.sample import Dataset, ImageFile, Salvaged, Sample, Source
from pixelwise.core.segmentation import Segmentation
from pixelwise.core.stored import read_values
from pixelwise.formats.ade20k.find import find_annotated
from pixelwise.formats.cityscapes.find import is_cityscapes
from pixelwise.formats.claim import Claim
from pixelwise.formats.classes import find_classes
from pixelwise.formats.coco.find import panoptic_files
from pixelwise.formats.davis.find import has_videos
from pixelwise.formats.folder import Listing, list_folder
from pixelwise.formats.losses import tell_class_map
from pixelwise.formats.mapillary.find import find_vistas
from pixelwise.formats.masks.pairs import LAYOUTS, LOSSY, Pairs, find_pairs
from pixelwise.formats.masks.scan import Progress, Scan, scan_masks
from pixelwise.formats.masks.values import propose
from pixelwise.formats.names import sample_names
from pixelwise.formats.object_masks.find import has_objects
from pixelwise.formats.output import require_names, store_image
from pixelwise.formats.prepared.parts import is_prepared
from pixelwise.formats.splits import write_lists
from pixelwise.formats.stated import form_in, is_stated
from pixelwise.formats.writing import Writing, Written, staged

__all__ = ["LAYOUTS", "MaskFile", "read", "scan", "sniff", "write"]

_MARK = "pixelwise masks 1"  # in classes.json: the folder is ours and may be replaced


@dataclass(frozen=True)
class MaskFile:
    """Truth in a mask file."""

    path: Path
    image: Path
    root: Path
    encoding: Encoding = "id"

    def read(self, labels: LabelSet, size: Size) -> tuple[Segmentation, ...]:
        """Read the mask under ``labels``.

        Raises:
            SizeMismatch: it has another size than its image.
            DataError: it holds a value outside the label set.
            UnreadableFile, TooLarge, MissingFile: as ``read_ids``.
        """
        stored = read_values(self.path, labels.encoding)
        if stored.shape != size:
            raise SizeMismatch(mismatch(self.path, self.image, (stored.shape[0], stored.shape[1]), size))
        return (Segmentation.from_class_map(labels.to_classes(stored, str(self.path)), labels),)

    def salvage(self, labels: LabelSet, size: Size) -> Salvaged:
        """Read the mask: it is good as a whole or not at all."""
        return self.read(labels, size), ()

    def raw(self) -> list[IntArray]:
        """Read the stored values."""
        return [read_values(self.path, self.encoding)]


def mismatch(mask: Path, image: Path, mask_size: Size, image_size: Size) -> str:
    """Word the error of a mask whose size is not its image's."""
    turned = " (turned by 90 degrees: does the image carry an EXIF orientation?)" if mask_size == image_size[::-1] else ""
    return (
        f"{mask}: the mask is {mask_size[0]} x {mask_size[1]} (height x width), but its image {image} is "
        f"{image_size[0]} x {image_size[1]}{turned}; resize the mask with nearest-neighbour, or leave the pair out"
    )


def sniff(path: Path) -> Claim | None:
    """Tell whether ``path`` is a folder of images and masks, and in which layout."""
    path = Path(path)
    if not path.is_dir() or is_prepared(path):
        return None
    listing = list_folder(path)
    if find_annotated(listing) or _is_panoptic(listing) or has_videos(listing) or has_objects(listing) is not None:
        return None
    if is_cityscapes(listing) or find_vistas(listing) is not None:
        return None
    if form_in(path) not in (None, _MARK):
        return None
    try:
        found = find_pairs(listing)
    except DataError:  # a list of images that is none; where no other format fits, that is told
        return None
    if not found.pairs or _is_yolo(listing, found):
        return None
    return Claim(_dialect(listing, found), f"{len(found.pairs)} images have a mask of the same name")


def _is_panoptic(listing: Listing) -> bool:
    """Beside COCO's ``panoptic_val2017.json`` the colours of PNGs are numbers of segments, not classes."""
    named = any(one.suffix.lower() == ".json" and one.stem.casefold().startswith("panoptic") for one in listing.texts)
    return named or bool(panoptic_files(listing))


def _is_yolo(listing: Listing, found: Pairs) -> bool:
    """A photo for a mask, with a text of its name: images with YOLO's labels, several sets of which lie side by side."""
    texts = {one.stem for one in listing.texts if one.suffix.lower() == ".txt"}
    return all(pair.mask.suffix.lower() in LOSSY and pair.mask.stem in texts for pair in found.pairs)


def _dialect(listing: Listing, found: Pairs) -> str:
    folders = {pair.mask.parent for pair in found.pairs}
    is_roboflow = all(pair.mask.stem.endswith("_mask") for pair in found.pairs) and any(
        one.name == "_classes.csv" and one.parent in folders for one in listing.texts
    )
    return f"Roboflow's masks: {found.dialect}" if is_roboflow else found.dialect


def read(path: Path, labels: LabelSet | None = None, progress: Progress | None = None) -> Dataset:
    """Read a folder; without ``labels`` its masks are scanned (or the cache asked) and a label set is proposed.

    Raises:
        MissingFile: there is no such folder.
        UnknownLayout: no image in it has a mask.
    """
    listing = list_folder(Path(path))
    found = find_pairs(listing)
    if not found.pairs:
        notes = "; ".join(found.notes[:3])
        raise UnknownLayout(
            f"{path}: no image has a mask of the same name; found {listing.describe()}{'; ' * bool(notes)}{notes}"
        )
    if labels is None:
        measured = scan_masks([listing.root / pair.mask for pair in found.pairs], listing.root, find_classes(listing), progress)
        labels = propose(measured).labels
    return _dataset(listing, found, labels)


def scan(dataset: Dataset, progress: Progress | None = None) -> Scan | None:
    """Scan the masks of a data set that ``read`` gave; None where its truth is not in mask files."""
    sources = [sample.truth_source for sample in dataset if isinstance(sample.truth_source, MaskFile)]
    if len(sources) != len(dataset) or not sources:
        return None
    root = sources[0].root
    return scan_masks([source.path for source in sources], root, find_classes(list_folder(root)), progress)


def _dataset(listing: Listing, found: Pairs, labels: LabelSet) -> Dataset:
    root = listing.root
    names = sample_names([pair.image for pair in found.pairs])
    samples = []
    for pair, name in zip(found.pairs, names, strict=True):
        image, mask = root / pair.image, root / pair.mask
        source = Source(image, (mask,), labels.encoding)
        samples.append(Sample(name, ImageFile(image), MaskFile(mask, image, root, labels.encoding), labels, source))
    return Dataset(samples, labels, "semantic", found.splits, root.resolve().name or "data", found.notes)


def write(dataset: Dataset, path: Path, writing: Writing | None = None) -> Written:
    """Write a data set; class numbers are stored, and 255 (65535 with more than 255 classes) for void.

    Raises:
        DataError: it is not semantic, a name cannot be a file's, or an image cannot be stored.
        StorageError: the folder holds something else, or cannot be written.
    """
    path = Path(path)
    if dataset.kind != "semantic":
        raise DataError(
            f"{path}: masks hold one class a pixel, and this data set is {dataset.kind}; its objects would be lost. "
            f"Take .semantic() of it first, or write another format"
        )
    require_names(dataset)
    labels = dataset.labels
    stored = replace(labels, values={**{index: index for index in range(len(labels))}, labels.void: VOID}, encoding="id")
    with staged(path, _is_own, partial(is_stated, form=_MARK), writing) as stage:
        images = list(stage.each(dataset, _write_one))
        write_json(stage.folder / "classes.json", {"format": _MARK, **stored.to_json()})
        write_lists(dataset, stage.folder, [one and f"images/{one}" for one in images])
    return stage.written


def _write_one(sample: Sample, folder: Path) -> tuple[str, int]:
    """Write an image and its mask; give the image's name."""
    truth = None if sample.truth_source is None else sample.truth
    if truth is not None:
        tell_class_map(sample.name, truth)
        write_ids(folder / "masks" / f"{sample.name}.png", truth.class_map(), sample.labels.colours)
    return store_image(sample, folder / "images"), 0 if truth is None else len(truth)


def _is_own(name: str) -> bool:
    return name in ("images", "masks", "classes.json") or name.endswith(".txt")
