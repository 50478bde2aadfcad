"""The format ``ade20k``: scenes with objects and their parts, as ADE20K [1] stores them in full, 2017 and 2020; read alone.

Of 2017, the blue band of ``a_seg.png`` numbers the objects and that of ``a_parts_1.png`` … their parts; ``a_atr.txt`` names
them. Where the numbers are not those of the text, the k-th number is the k-th object, as in the release's own reader. Of 2020,
``a.json`` names each object and its picture ``a/instance_000_a.png``, which is not 0 where the object is; where that is missing
its outline is taken.

All are instances, parts too, with ``part_level`` (0 for whole objects), ``part_of``, ``raw_name``, ``occluded`` and what else
is said among their attributes; parts lie on their objects, and are left aside where the classes alone are read. Classes are the
names of the files in full (``person, individual, someone``), by the alphabet. Splits are folders. The Scene Parsing set made of
ADE20K, class numbers in PNGs, is read by ``masks``. ``write`` writes none: ``coco`` and ``id_maps`` hold objects.

[1] Zhou et al., Scene Parsing through ADE20K Dataset, CVPR 2017.
"""

from dataclasses import dataclass
from pathlib import Path

from pixelwise.core.arrays import IntArray, Size
from pixelwise.core.errors import DataError, PixelwiseError, UnknownLayout
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, ImageFile, LostLabels, Salvaged, Sample, Source, relabelled
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.ade20k.find import LAYOUTS, Annotated, find_annotated, lost_of
from pixelwise.formats.ade20k.objects import Objects2017, Objects2020, rows_of
from pixelwise.formats.claim import Claim
from pixelwise.formats.folder import list_folder
from pixelwise.formats.json_file import keys_of
from pixelwise.formats.names import sample_names
from pixelwise.formats.objects import ObjectTruth, things
from pixelwise.formats.splits import find_splits
from pixelwise.formats.writing import Writing, Written

__all__ = ["LAYOUTS", "read", "sniff", "write"]

_LOOKED_AT = 8


@dataclass(frozen=True)
class SceneTruth:
    """The objects of a scene; where its classes alone are asked for, parts are left aside."""

    objects: ObjectTruth

    def read(self, labels: LabelSet, size: Size) -> tuple[Segmentation, ...]:
        """Read objects and parts, as ``ObjectTruth`` does."""
        return self.objects.read(labels, size)

    def salvage(self, labels: LabelSet, size: Size) -> Salvaged:
        """Read those that are good."""
        return self.objects.salvage(labels, size)

    def semantic(self, labels: LabelSet, size: Size) -> tuple[Segmentation, ...]:
        """Paint the whole objects as classes, by the rule of ``Segmentation.semantic``."""
        return tuple(relabelled(_whole(one).semantic(), labels) for one in self.read(self.objects.own, size))

    def raw(self) -> list[IntArray]:
        """Paint objects and parts as a map of class values."""
        return self.objects.raw()


def _whole(truth: Segmentation) -> Segmentation:
    return truth[[row for row, one in enumerate(truth.attributes) if not one.get("part_level")]]


def sniff(path: Path) -> Claim | None:
    """Tell whether ``path`` is a folder of ADE20K's full annotations."""
    path = Path(path)
    if not path.is_dir():
        return None
    listing = list_folder(path)
    found = find_annotated(listing)
    first = next((one for one in found[:_LOOKED_AT] if not one.is_2020 or _is_2020(listing.root / one.text)), None)
    if first is None:
        return None
    year = "2020" if first.is_2020 else "2017"
    return Claim(
        f"ADE20K ({year}), objects and parts", f"{len(found)} images have a _seg.png and {first.text.name} or its like"
    )


def _is_2020(path: Path) -> bool:
    keys = keys_of(path)
    return keys is None or "annotation" in keys  # one that is broken is told of when it is read


def read(path: Path, labels: LabelSet | None = None) -> Dataset:
    """Read a folder; ``labels`` are joined by name.

    Raises:
        MissingFile: there is no such folder.
        UnknownLayout: no image in it has the files of ADE20K.
    """
    listing = list_folder(Path(path))
    found = find_annotated(listing)
    if not found:
        raise UnknownLayout(f"{path}: expected ADE20K, found {listing.describe()}. Tried: {'; '.join(LAYOUTS)}")
    root = listing.root
    drawings = [_drawing(root, one) for one in found]
    own = things(sorted({name for one in drawings for name in _names(one)}))
    samples = []
    for one, drawing, name in zip(found, drawings, sample_names([one.image for one in found]), strict=True):
        truth = SceneTruth(ObjectTruth(drawing, root / one.image, own))
        files = (root / one.text, root / one.objects)
        scene = "/".join(one.image.parent.parts[-2:])
        source = Source(root / one.image, files, "json" if one.is_2020 else "rgb")
        samples.append(Sample(name, ImageFile(root / one.image), truth, labels or own, source, {"scene": scene}))
    splits, notes = find_splits(listing, [one.image for one in found])
    if lost := lost_of(listing, found):
        notes.append(LostLabels(f"{root}: {len(lost)} _seg.png (such as {lost[0]}) lack their image or their text; left out"))
    return Dataset(samples, labels or own, "instance", splits, root.resolve().name or "data", [*listing.refused, *notes])


def _drawing(root: Path, one: Annotated) -> Objects2017 | Objects2020:
    if one.is_2020:
        return Objects2020(root / one.text, tuple((name, root / file) for name, file in one.masks))
    return Objects2017(root / one.text, root / one.objects, tuple((level, root / file) for level, file in one.parts))


def _names(drawing: Objects2017 | Objects2020) -> set[str]:
    """List the classes of an image; a text that cannot be read is told when its truth is read."""
    try:
        if isinstance(drawing, Objects2020):
            return drawing.names()
        return {row.name for row in rows_of(drawing.path) if not isinstance(row, str)}
    except PixelwiseError:
        return set()


def write(dataset: Dataset, path: Path, writing: Writing | None = None) -> Written:
    """Refuse to write.

    Raises:
        DataError: always.
    """
    raise DataError(f"{path}: ade20k cannot be written: nobody but its makers does; write coco, or masks for classes alone")
