"""The format ``masks``: images beside masks of the same size, in the layouts people have (``pairs.LAYOUTS``).

A mask is a picture whose values are class numbers, palette indices or RGB colours. Splits come from folders or list files,
names from a class file. ``write`` makes ``images/``, ``masks/`` (class numbers, with a colour table), ``classes.json`` and one
list a split, all at once: what was there before stays until the new folder is whole.
"""

import contextlib
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from pixelwise.core.arrays import IntArray, Size
from pixelwise.core.errors import DataError, SizeMismatch, StorageError, UnknownLayout
from pixelwise.core.files import make_folder, write_json, write_text
from pixelwise.core.image import GREY, RGB, Image, write_ids, write_image
from pixelwise.core.labels import VOID, Encoding, LabelSet
from pixelwise.core.sample import Dataset, ImageFile, Sample, Source
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.claim import Claim
from pixelwise.formats.classes import find_classes
from pixelwise.formats.folder import Listing, list_folder
from pixelwise.formats.pairs import LAYOUTS, Pair, Pairs, find_pairs
from pixelwise.formats.scan import Progress, Scan, read_values, scan_masks
from pixelwise.formats.values import propose

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
    if not path.is_dir():
        return None
    listing = list_folder(path)
    if _is_ade20k(listing):
        return None
    found = find_pairs(listing)
    if not found.pairs:
        return None
    return Claim(found.dialect, f"{len(found.pairs)} images have a mask of the same name")


def _is_ade20k(listing: Listing) -> bool:
    """ADE20K's ``a_seg.png`` codes classes and objects in three bands, beside ``a_parts_1.png``: another format."""
    stems = [picture.stem for picture in listing.pictures]
    return any("_parts_" in stem and stem.rpartition("_parts_")[2].isdecimal() for stem in stems) and any(
        stem.endswith("_seg") for stem in stems
    )


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
    names = _names(found.pairs)
    samples = []
    for pair, name in zip(found.pairs, names, strict=True):
        image, mask = root / pair.image, root / pair.mask
        source = Source(image, (mask,), labels.encoding)
        samples.append(Sample(name, ImageFile(image), MaskFile(mask, image, root, labels.encoding), labels, source))
    return Dataset(samples, labels, "semantic", found.splits, root.resolve().name or "data", found.notes)


def _names(pairs: Sequence[Pair]) -> list[str]:
    """Name samples by stem; by folder and stem where two share one."""
    stems = Counter(pair.image.stem.casefold() for pair in pairs)
    names: list[str] = []
    used: set[str] = set()
    for pair in pairs:
        name = pair.image.stem
        if stems[name.casefold()] > 1:
            name = "_".join((*pair.image.parent.parts, name))
        base, number = name, 2
        while name.casefold() in used:
            name, number = f"{base}_{number}", number + 1
        used.add(name.casefold())
        names.append(name)
    return names


def write(dataset: Dataset, path: Path) -> None:
    """Write a data set; class numbers are stored, and 255 (65535 with more than 255 classes) for void.

    Raises:
        DataError: it is not semantic, a name cannot be a file's, or an image cannot be stored.
        StorageError: the folder holds something else, or cannot be written.
    """
    path = Path(path)
    if dataset.kind != "semantic":
        raise DataError(
            f"{path}: masks hold one class a pixel, and this data set is {dataset.kind}; its objects would be lost. "
            f"Take .semantic() of each truth first, or write another format"
        )
    _refuse_foreign(path)
    make_folder(path.parent)
    try:
        made = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}; choose another folder") from None
    try:
        _write_all(dataset, made)
        made.chmod(0o755)
        _put_in_place(made, path)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _write_all(dataset: Dataset, folder: Path) -> None:
    labels = dataset.labels
    stored = replace(labels, values={**{index: index for index in range(len(labels))}, labels.void: VOID}, encoding="id")
    colours = labels.colours
    images: dict[str, str] = {}
    seen: set[str] = set()
    for sample in dataset:
        if not sample.name or sample.name in (".", "..") or "/" in sample.name or "\\" in sample.name or "\0" in sample.name:
            raise DataError(f"{sample.name!r}: expected a sample name that can be a file's; rename the sample")
        if sample.name.casefold() in seen:
            raise DataError(f"two samples are called {sample.name!r}; names must differ, also on disks that ignore case")
        seen.add(sample.name.casefold())
        images[sample.name] = _write_image(sample, folder / "images")
        if sample.truth_source is not None:
            write_ids(folder / "masks" / f"{sample.name}.png", sample.truth.class_map(), colours)
    write_json(folder / "classes.json", {"format": _MARK, **stored.to_json()})
    for name, rows in dataset.splits.items():
        if "/" in name or "\\" in name or name.startswith("."):
            raise DataError(f"the split {name!r} cannot be a file's name; rename it")
        write_text(folder / f"{name}.txt", "".join(f"images/{images[dataset[row].name]}\n" for row in rows))


def _write_image(sample: Sample, folder: Path) -> str:
    """Copy an image's file byte for byte, or write its pixels without loss; give the name it has now."""
    make_folder(folder)
    if isinstance(sample.pixels, ImageFile):
        name = sample.name + sample.pixels.path.suffix.lower()
        try:
            shutil.copyfile(sample.pixels.path, folder / name)
        except OSError as error:
            raise StorageError(
                f"{sample.pixels.path}: cannot be copied to {folder.parent}: {error.strerror or error}"
            ) from None
        return name
    image = sample.image
    if image.pixels.dtype == np.uint8 and image.bands in (RGB, GREY):
        name = f"{sample.name}.png"
        write_image(folder / name, image.pixels if image.bands == RGB else image.pixels[:, :, 0])
        return name
    return _write_deep(image, folder, sample.name)


def _write_deep(image: Image, folder: Path, stem: str) -> str:
    """Write 16 bits as PNG, and floats or many bands as TIFF."""
    if image.pixels.dtype == np.uint16 and image.bands in (RGB, GREY):
        done, data = cv2.imencode(".png", image.pixels[:, :, ::-1] if image.bands == RGB else image.pixels)
        if not done:
            raise DataError(f"{stem}: the image {image.pixels.shape} cannot be stored as PNG")
        (folder / f"{stem}.png").write_bytes(data.tobytes())
        return f"{stem}.png"
    import tifffile  # on first use: most data is JPEG and PNG

    pixels = image.pixels[:, :, 0] if len(image.bands) == 1 else image.pixels
    planes = None if pixels.ndim == 2 else "contig"
    tifffile.imwrite(folder / f"{stem}.tif", pixels, photometric="minisblack", planarconfig=planes)
    return f"{stem}.tif"


def _refuse_foreign(path: Path) -> None:
    if not path.exists():
        return
    if not path.is_dir():
        raise StorageError(f"{path}: expected a folder to write to, found a file; choose another --out")
    entries = sorted(one.name for one in path.iterdir())
    if not entries:
        return
    strange = [name for name in entries if name not in ("images", "masks", "classes.json") and not name.endswith(".txt")]
    if strange or not _is_ours(path / "classes.json"):
        raise StorageError(
            f"{path}: the folder is not empty and not a data set that Pixelwise wrote (it holds "
            f"{', '.join((strange or entries)[:3])}); choose another --out"
        )


def _is_ours(path: Path) -> bool:
    from pixelwise.core.errors import PixelwiseError
    from pixelwise.core.files import read_json

    try:
        data = read_json(path)
    except PixelwiseError:
        return False
    return isinstance(data, Mapping) and data.get("format") == _MARK


def _put_in_place(made: Path, path: Path) -> None:
    """Swap the new folder in; the old one is put back if that fails."""
    aside = made.with_name(f"{made.name}.old")
    try:
        if path.exists():
            os.replace(path, aside)
        try:
            os.replace(made, path)
        except OSError:
            if aside.exists():
                os.replace(aside, path)
            raise
    except OSError as error:
        raise StorageError(f"{path}: cannot be put in place: {error.strerror or error}") from None
    with contextlib.suppress(OSError):  # the new data is in place; a leftover of the old is no failure
        shutil.rmtree(aside)
