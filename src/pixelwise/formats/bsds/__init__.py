"""The format ``bsds``: photographs that several people have divided into regions, as in the Berkeley set BSDS500 [1].

``images/[<split>/]a.jpg`` goes with ``groundTruth/[<split>/]a.mat``. A sample has as many truths as people drew, of the kind
``regions``: region k of a file is segment k - 1, and 0 is under no region. The boundaries in the files follow from the regions
and are not read.

``write`` makes the same folders and files. They hold regions bit for bit; classes have no place in them. Boundaries are
written for other tools: pixels whose neighbour to the right or below is of another region.

[1] Arbelaez et al., Contour Detection and Hierarchical Image Segmentation, PAMI 2011.
"""

import io
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from pixelwise.core.arrays import AnyArray, IntArray, Size
from pixelwise.core.errors import DataError, UnknownLayout
from pixelwise.core.files import write_bytes
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.sample import Dataset, ImageFile, Salvaged, Sample, Source
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.bsds.mat import has_truths, read_truths
from pixelwise.formats.claim import Claim
from pixelwise.formats.exports.note import first_splits
from pixelwise.formats.folder import Listing, list_folder, natural
from pixelwise.formats.losses import tell_losses
from pixelwise.formats.names import SPLITS, sample_names
from pixelwise.formats.numbered import numbered
from pixelwise.formats.output import require_names, store_image
from pixelwise.formats.splits import ordered
from pixelwise.formats.stated import NAME, Stated, is_stated, state
from pixelwise.formats.writing import Writing, Written, drop, staged

__all__ = ["LAYOUTS", "read", "sniff", "write"]

LAYOUTS = ("images/a.jpg + groundTruth/a.mat, or images/train/a.jpg + groundTruth/train/a.mat (BSDS500)",)
LABELS = LabelSet.of(["region"])
_FORMAT = "pixelwise bsds 1"
_HEADER = b"MATLAB 5.0 MAT-file, written by Pixelwise"
_HEADER_BYTES = 116  # of text; version and byte order follow
_IMAGES, _TRUTHS = "images", "groundTruth"


@dataclass(frozen=True)
class RegionFile:
    """The regions that several people drew on one image."""

    path: Path

    def read(self, labels: LabelSet, size: Size) -> tuple[Segmentation, ...]:
        """Read all truths; ``labels`` matter little, as regions have no classes.

        Raises:
            DataError: the file cannot be read, or a truth is of another size than the image.
        """
        found = []
        for number, stored in enumerate(read_truths(self.path, size), start=1):
            try:
                ids, values = numbered(stored)
            except DataError as error:
                raise DataError(f"{self.path}: segmentation {number}: {error}") from None
            is_plain = np.array_equal(values, np.arange(1, len(values) + 1))
            none: IntArray = np.zeros(len(values), np.int64)
            masks = DisjointMasks(ids, len(values))
            found.append(Segmentation("regions", masks, none, labels, source_ids=None if is_plain else values))
        return tuple(found)

    def salvage(self, labels: LabelSet, size: Size) -> Salvaged:
        """Read the truths: they are good as a whole or not at all."""
        return self.read(labels, size), ()

    def raw(self) -> list[IntArray]:
        """Read the stored region numbers, one array a truth."""
        return read_truths(self.path, None)


def sniff(path: Path) -> Claim | None:
    """Tell whether ``path`` is a folder of photographs with BSDS500's MAT files."""
    path = Path(path)
    if not path.is_dir():
        return None
    pairs = list(_pairs(list_folder(path)))
    if not any(has_truths(path / mat) for _, mat in pairs[:3]):
        return None
    why = f"{len(pairs)} images have a MAT file with groundTruth in it; of that the regions are read, not the boundaries"
    return Claim("BSDS500, several segmentations an image", why)


def _pairs(listing: Listing) -> Iterator[tuple[PurePosixPath, PurePosixPath]]:
    """Pair pictures and MAT files of one stem, those whose folders share most first."""
    pictures: dict[str, list[PurePosixPath]] = defaultdict(list)
    for picture in listing.pictures:
        pictures[picture.stem].append(picture)
    for mat in listing.others:
        if mat.suffix.lower() == ".mat" and (there := pictures.get(mat.stem)):
            yield max(there, key=lambda one: len(set(one.parent.parts) & set(mat.parent.parts))), mat


def read(path: Path, labels: LabelSet | None = None) -> Dataset:
    """Read a folder of photographs and MAT files; splits are those of the folders (train, val, test).

    Raises:
        MissingFile: there is no such folder.
        UnknownLayout: no picture in it has a MAT file.
    """
    listing = list_folder(Path(path))
    root = listing.root
    pairs = sorted(_pairs(listing), key=lambda pair: natural(pair[0]))
    if not pairs:
        raise UnknownLayout(
            f"{path}: no image has a MAT file of the same name; found {listing.describe()}. Tried: {LAYOUTS[0]}"
        )
    own = labels or LABELS
    samples, splits = [], defaultdict(list)
    for row, ((picture, mat), name) in enumerate(zip(pairs, sample_names([image for image, _ in pairs]), strict=True)):
        truth, source = RegionFile(root / mat), Source(root / picture, (root / mat,), "mat")
        samples.append(Sample(name, ImageFile(root / picture), truth, own, source))
        if (split := _split_of(mat)) is not None:
            splits[split].append(row)
    notes = [*listing.refused, *_lone(listing, pairs)]
    return Dataset(samples, own, "regions", ordered(splits), root.resolve().name or "data", notes)


def _split_of(mat: PurePosixPath) -> str | None:
    """Take the folder right above a file for its split, below ``groundTruth`` or of a split's name."""
    folder = mat.parent.name
    if folder.casefold() in SPLITS:
        return SPLITS[folder.casefold()]
    is_below = len(mat.parts) > 2 and mat.parts[-3].casefold() == _TRUTHS.casefold()
    return folder if is_below else None


def _lone(listing: Listing, pairs: Sequence[tuple[PurePosixPath, PurePosixPath]]) -> Iterator[str]:
    """Tell of pictures and of MAT files that have no partner."""
    for what, other, files, taken in (
        ("image", "MAT file", listing.pictures, {image for image, _ in pairs}),
        ("MAT file", "image", [one for one in listing.others if one.suffix.lower() == ".mat"], {mat for _, mat in pairs}),
    ):
        if left := [one for one in files if one not in taken]:
            shown = ", ".join(map(str, left[:3])) + (" …" if len(left) > 3 else "")
            yield f"{listing.root}: {len(left)} {what}{'s' * (len(left) > 1)} ({shown}) without {other}; left out"


def write(dataset: Dataset, path: Path, writing: Writing | None = None) -> Written:
    """Write regions, all truths of an image in one MAT file.

    Raises:
        DataError: the data set has classes, a name cannot be a file's, or an image cannot be stored.
        StorageError: the folder holds something else, or cannot be written.
    """
    path = Path(path)
    if dataset.kind != "regions":
        raise DataError(
            f"{path}: BSDS500's files hold regions without classes, and this data set is {dataset.kind}; its classes would be "
            f"lost. Write coco or masks"
        )
    require_names(dataset)
    work = partial(_write_one, splits=first_splits(dataset))
    with staged(path, lambda name: name in (_IMAGES, _TRUTHS, NAME), lambda one: is_stated(one, _FORMAT), writing) as stage:
        list(stage.each(dataset, work))
        state(stage.folder, _FORMAT, Stated("regions", LABELS))
    return stage.written


def _write_one(sample: Sample, folder: Path, splits: dict[str, list[str]]) -> tuple[Any, int]:
    """Store a photograph, and all its truths in one file; the folder of its split is made for both."""
    truths = sample.truths
    names = splits.get(sample.name, [])
    if len(names) > 1:
        drop(
            f"{sample.name}: it is in the splits {' and '.join(names)}; a folder has one, so it is written to {names[0]} alone"
        )
    place = PurePosixPath(*names[:1])
    image = store_image(sample, folder / _IMAGES / place)
    if not truths:
        drop(f"{sample.name}: it has no truth, so no MAT file is written and reading leaves the image out")
        return image, 0
    for number, truth in enumerate(truths, start=1):
        tell_losses(f"{sample.name}: truth {number}", truth)
        if truth.is_crowd.any():
            drop(f"{sample.name}: truth {number}: crowd marks are not kept; regions have none here")
        if empty := int((truth.masks.areas() == 0).sum()):
            raise DataError(f"{sample.name}: truth {number}: {empty} regions have no pixel; a MAT file would lose them")
    _save(folder / _TRUTHS / place / f"{sample.name}.mat", truths)
    return image, sum(map(len, truths))


def _save(path: Path, truths: Sequence[Segmentation]) -> None:
    from scipy.io import savemat  # on first use: `import pixelwise` stays light

    cells: AnyArray = np.empty((1, len(truths)), object)
    for number, truth in enumerate(truths):
        ids = truth.panoptic_ids()
        ids = ids.astype(np.uint16) if len(truth) < 2**16 else ids.astype(np.uint32)
        one = np.empty((1, 1), [("Segmentation", object), ("Boundaries", object)])
        one[0, 0] = (ids, boundaries(ids))
        cells[0, number] = one
    held = io.BytesIO()
    savemat(held, {"groundTruth": cells}, do_compression=True)
    data = held.getvalue()
    write_bytes(path, _HEADER.ljust(_HEADER_BYTES) + data[_HEADER_BYTES:])  # SciPy's own has the time in it


def boundaries(ids: IntArray) -> IntArray:
    """Mark the pixels of an id map (H, W) whose neighbour to the right or below has another id: 0 and 1.

    >>> boundaries(np.array([[1, 1, 2], [1, 1, 2]])).tolist()
    [[0, 1, 0], [0, 1, 0]]
    """
    found = np.zeros(ids.shape, np.uint8)
    found[:, :-1] |= ids[:, :-1] != ids[:, 1:]
    found[:-1] |= ids[:-1] != ids[1:]
    return found
