"""The format ``voc``: Pascal VOC, and what other tools make in its layout: CVAT, Datumaro, LabelImg, Roboflow, labelme2voc.

``SegmentationClass/`` holds a class a pixel. Where every image has an object mask in ``SegmentationObject/`` too, the set is
read as panoptic, not as instances: its pixels of 255, the border around objects, are void and belong to no segment, and those
of 0 are the stuff class ``background``; instances on background could not tell the two apart. Boxes, ``difficult``,
``truncated`` and ``pose`` come from ``Annotations/*.xml`` where its objects are, by number and class, those of the mask. Masks
without any picture, as CVAT exports them by default, are read alone.

XML alone, as LabelImg and Roboflow write it, holds boxes and no masks: the images are read without a truth, the boxes stand in
``meta["boxes"]``, and ``notes`` say so; where Roboflow adds polygons, these are read as instances. Splits are the lists of
``ImageSets/Segmentation`` (else ``Main``), or folders.
"""

from pathlib import Path

from pixelwise.core.errors import UnknownLayout
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, ImageFile, Sample, Source
from pixelwise.core.segmentation import Kind
from pixelwise.formats.absent import labels_alone, sizes_of
from pixelwise.formats.claim import Claim
from pixelwise.formats.folder import Listing, list_folder
from pixelwise.formats.names import sample_names
from pixelwise.formats.voc.find import Found, Key, find, pages_of, partners, read_splits
from pixelwise.formats.voc.labels import Legend, legend_of
from pixelwise.formats.voc.pages import read_pages
from pixelwise.formats.voc.truth import VocTruth
from pixelwise.formats.voc.write import write
from pixelwise.formats.voc.xml import is_voc_xml

__all__ = ["LAYOUTS", "read", "sniff", "write"]

LAYOUTS = (
    "Pascal VOC: JPEGImages/ + SegmentationClass/ (SegmentationObject/, Annotations/, ImageSets/, labelmap.txt)",
    "Pascal VOC XML alone, in Annotations/ or beside the images: boxes (Roboflow: polygons)",
)
_LOOKED_AT = 5  # XML files that are looked into to recognise a folder


def sniff(path: Path) -> Claim | None:
    """Tell whether ``path`` is a VOC folder, or holds VOC's XML alone."""
    path = Path(path)
    if path.is_file():
        is_ours = path.suffix.lower() == ".xml" and is_voc_xml(path)
        return Claim("Pascal VOC XML", f"{path.name} holds boxes") if is_ours else None
    if not path.is_dir():
        return None
    listing = list_folder(path)
    if pairs := (found := find(listing)).pairs:
        what = "names of images" if found.are_absent else "images of JPEGImages"
        return Claim("Pascal VOC", f"{len(pairs)} {what} have a mask in SegmentationClass")
    pages = pages_of(listing)
    looked_at = [is_voc_xml(path / one) for one in pages[:_LOOKED_AT]]
    if pages and 2 * sum(looked_at) >= len(looked_at):  # broken ones spoil their own images alone
        return Claim("Pascal VOC XML (LabelImg, Roboflow)", f"{len(pages)} XML files hold boxes")
    return None


def read(path: Path, labels: LabelSet | None = None) -> Dataset:
    """Read a folder, or one XML file with the image it names; ``labels`` are joined by name.

    Raises:
        MissingFile: there is nothing at ``path``.
        UnknownLayout: it holds neither class masks nor XML.
        DataError: not one of the XML files names an image that can be told.
        UnreadableFile: the list of classes, or of a split, cannot be understood.
    """
    path = Path(path)
    listing = list_folder(path.parent if path.is_file() else path)
    pages = pages_of(listing)
    if path.is_file():
        return read_pages(listing, [one for one in pages if one.name == path.name and len(one.parts) == 1], labels)
    found = find(listing)
    if not found.pairs and not pages:
        raise UnknownLayout(f"{path}: expected Pascal VOC, found {listing.describe()}. Tried: {'; '.join(LAYOUTS)}")
    if not found.pairs:
        return read_pages(listing, pages, labels)
    legend = legend_of(listing)
    dataset = _masks(listing, found, legend, labels)
    if not found.are_absent:
        return dataset
    return labels_alone(dataset, legend.labels, listing, sizes_of(one.source.truths[0] for one in dataset))


def _masks(listing: Listing, found: Found, legend: Legend, labels: LabelSet | None) -> Dataset:
    """Read images with class masks, and those without one that a list names."""
    root, used = listing.root, labels or legend.labels
    kind, notes = _kind(found, legend, root)
    listed = read_splits(listing, found.images, legend.labels.names)
    named = {key for keys in listed.values() for key in keys}
    keys = [key for key in found.images if key in found.classes or key in named or legend.kind is not None]
    samples = []
    for key, name in zip(keys, sample_names([found.images[key] for key in keys]), strict=True):
        truth = _truth(root, found, key, legend, kind)
        files = () if truth is None else tuple(one for one in (truth.classes, truth.objects, truth.page) if one is not None)
        image = root / found.images[key]
        samples.append(Sample(name, ImageFile(image), truth, used, Source(image, files, "id")))
    rows = {key: row for row, key in enumerate(keys)}
    splits = {name: [rows[key] for key in these] for name, these in listed.items()}
    notes = [*listing.refused, *notes, *partners(found, root, keys)]
    return Dataset(samples, used, kind, splits, root.resolve().name or "data", notes)


def _truth(root: Path, found: Found, key: Key, legend: Legend, kind: Kind) -> VocTruth | None:
    if key not in found.classes:
        return None
    image, classes = root / found.images[key], root / found.classes[key]
    if kind == "semantic":
        return VocTruth(image, classes, None, None, legend, kind)
    page = found.pages.get(key)
    return VocTruth(image, classes, root / found.objects[key], None if page is None else root / page, legend, kind)


def _kind(found: Found, legend: Legend, root: Path) -> tuple[Kind, list[str]]:
    """Tell the kind: as the set says, else panoptic where every class mask has an object mask."""
    pairs = found.pairs
    whole = sum(1 for key in pairs if key in found.objects)
    if whole < len(pairs) and (whole or legend.kind in ("panoptic", "instance")):
        what = f"{whole:,} of {len(pairs):,} class masks have an object mask"
        return "semantic", [f"{root}: {what}; all are read as classes alone, and which object is which is left out"]
    if legend.kind is not None:
        return legend.kind, []
    return ("panoptic" if whole else "semantic"), []
