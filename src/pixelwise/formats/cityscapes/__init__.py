"""The format ``cityscapes``: ``leftImg8bit/<split>/<city>/`` with ``gtFine/`` (else ``gtCoarse/``) of the same folders.

Truth is taken from the first of these that every labelled image has: instance ids (panoptic: a thing without a number of its
own is a group, read as a crowd), label ids (semantic), polygons (panoptic: painted in their order, the later over the earlier,
by COCO's filling rule, which differs from the official pictures by pixels along edges), train ids (semantic, 19 classes).

Ids 0 to 6 (``unlabeled``, ``ego vehicle``, ``rectification border``, ``out of roi``, ``static``, ``dynamic``, ``ground``) are
void, as the benchmark leaves them out; a label set given to ``read`` that names one of them keeps it a class. Licence plates
have no id in any map and show the car. Sets that Pixelwise wrote state their classes in ``labels.json``; those that CVAT and
Datumaro wrote, with images in ``imgsFine/leftImg8bit/``, number theirs from 0 on in ``label_colors.txt``.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from pixelwise.core.errors import UnknownLayout
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, ImageFile, LostLabels, Sample, Source
from pixelwise.core.segmentation import Kind
from pixelwise.formats.absent import labels_alone
from pixelwise.formats.cityscapes.find import FORMS, Found, find, is_cityscapes
from pixelwise.formats.cityscapes.labels import is_ours, official, official_train, stated_in
from pixelwise.formats.cityscapes.truth import CityscapesTruth, Form
from pixelwise.formats.cityscapes.write import write
from pixelwise.formats.claim import Claim
from pixelwise.formats.folder import list_folder
from pixelwise.formats.label_colors import find_label_colors, read_label_colors
from pixelwise.formats.names import SPLITS, sample_names

__all__ = ["LAYOUTS", "read", "sniff", "write"]

LAYOUTS = (
    "Cityscapes: leftImg8bit/<split>/<city>/*_leftImg8bit.png + gtFine/<split>/<city>/*_gtFine_instanceIds.png (labelIds …)",
    "CVAT in Cityscapes' layout: imgsFine/leftImg8bit/<split>/ + gtFine/<split>/, label_colors.txt",
)


def sniff(path: Path) -> Claim | None:
    """Tell whether ``path`` is a folder of Cityscapes' files."""
    path = Path(path)
    if not path.is_dir() or not is_cityscapes(listing := list_folder(path)):
        return None
    has_own = is_ours(path) or find_label_colors(listing) is not None
    void = "" if has_own else "; ids 0 to 6 are read as void, as the benchmark leaves them out"
    return Claim("Cityscapes", f"images are called …_leftImg8bit, and their labels …_gtFine_… or …_gtCoarse_…{void}")


def read(path: Path, labels: LabelSet | None = None) -> Dataset:
    """Read a folder; ``labels`` are joined by name.

    Raises:
        MissingFile: there is no such folder.
        UnknownLayout: no image in it has labels of Cityscapes' naming.
        UnreadableFile: ``labels.json`` is ours, and damaged.
        DataError: ``label_colors.txt`` is of another form.
    """
    listing = list_folder(Path(path))
    found, lone = find(listing)
    if not any(one.labels for one in found):
        raise UnknownLayout(f"{path}: expected Cityscapes, found {listing.describe()}. Tried: {LAYOUTS[0]}")
    root = listing.root
    stated = stated_in(root)
    form = _form(found)
    kind: Kind = "panoptic" if form in ("instanceIds", "polygons") else "semantic"
    if stated is not None:
        own, kind = stated.labels, stated.kind
    elif (colours := find_label_colors(listing)) is not None:
        own = read_label_colors(colours)
    else:
        own = official_train() if form == "labelTrainIds" else official(() if labels is None else labels.names)
    notes = [*listing.refused, *_told(root, found, lone, form)]
    samples = []
    named = [one.image.with_name(one.core + one.image.suffix) for one in found]
    for one, name in zip(found, sample_names(named), strict=True):
        image, truth = root / one.image, _truth(root, one, form, own, kind, stated is not None)
        files = () if truth is None else (truth.path,)
        encoding = "json" if form == "polygons" else "id"
        samples.append(Sample(name, ImageFile(image), truth, labels or own, Source(image, files, encoding), _meta(one)))
    splits: dict[str, list[int]] = defaultdict(list)
    for row, one in enumerate(found):
        if one.split is not None:
            splits[SPLITS.get(one.split, one.split)].append(row)
    dataset = Dataset(samples, labels or own, kind, splits, root.resolve().name or "data", notes)
    return dataset if found[0].image in set(listing.pictures) else labels_alone(dataset, own, listing)


def _form(found: Sequence[Found]) -> Form:
    """Choose the form that every labelled image has, in the order of ``FORMS``; else the one that most have."""
    labelled = [one for one in found if one.labels]
    counts = {form: sum(1 for one in labelled if one.of(form) is not None) for form in FORMS}
    return max(FORMS, key=lambda form: counts[form])  # the first of equal ones


def _truth(root: Path, one: Found, form: Form, own: LabelSet, kind: Kind, is_ours: bool) -> CityscapesTruth | None:
    file = one.of(form)
    if file is None:
        return None
    order = one.of("polygons") if is_ours and form == "instanceIds" else None
    return CityscapesTruth(root / file, root / one.image, form, own, kind, None if order is None else root / order)


def _meta(one: Found) -> dict[str, str | int]:
    """Read city, sequence and frame off a name such as ``aachen_000010_000019``."""
    parts = one.core.split("_")
    if len(parts) != 3 or not (parts[1].isdecimal() and parts[2].isdecimal()):
        return {}
    return {"scene": parts[0], "sequence": f"{parts[0]}_{parts[1]}", "frame": int(parts[2])}


def _told(root: Path, found: Sequence[Found], lone: Sequence[PurePosixPath], form: Form) -> list[str]:
    """Tell what has no labels, and what has no image."""
    notes = []
    if bare := [one for one in found if one.of(form) is None]:
        notes.append(f"{root}: {len(bare):,} images (such as {bare[0].image.name}) have no {form}; read without a truth")
    notes += [LostLabels(f"{root / one}: no image …_leftImg8bit has its name; left out") for one in lone[:20]]
    return notes + [LostLabels(f"{root}: {len(lone) - 20:,} more labels without an image; left out")] * (len(lone) > 20)
