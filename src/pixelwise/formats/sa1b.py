"""The format ``sa1b``: masks that Segment Anything [1] made, a JSON an image: ``sa_1.jpg`` with ``sa_1.json``.

Masks are run lengths, of no class: all are of the class ``object``. Identity, box and area are those of the file; the quality
that the model predicts, its stability, the point it was asked at and the crop are attributes. ``write`` makes such files; the
class and what else is known of an object lie under a key of our own beside the tool's, and instances are held bit for bit.

[1] Kirillov et al., Segment Anything, ICCV 2023.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
from msgspec import Raw

from pixelwise.core.arrays import Size
from pixelwise.core.errors import DataError, PixelwiseError, UnknownLayout
from pixelwise.core.files import write_bytes
from pixelwise.core.labels import LabelSet
from pixelwise.core.runs import Runs, from_counts, from_text
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.claim import Claim
from pixelwise.formats.exports import Export, Keys, find_export, objects_in, take
from pixelwise.formats.exports.note import (
    KEPT,
    KEY,
    NOTE,
    Note,
    drawn_fields,
    first_splits,
    is_ours,
    kept_of,
    read_note,
    write_note,
)
from pixelwise.formats.exports.samples import Listed, dataset_of
from pixelwise.formats.folder import natural
from pixelwise.formats.json_file import decode, decoded, keys_of
from pixelwise.formats.losses import tell_losses
from pixelwise.formats.names import split_of
from pixelwise.formats.objects import Drawn
from pixelwise.formats.output import require_names, store_image
from pixelwise.formats.shapes import Coded, is_number
from pixelwise.formats.writing import Writing, Written, drop, staged

__all__ = ["LAYOUTS", "read", "sniff", "write"]

LAYOUTS = ("Segment Anything (SA-1B): sa_1.jpg + sa_1.json in one folder",)
_FORM = "sa1b"
_CLASS = "object"
_SAID = ("predicted_iou", "stability_score", "point_coords", "crop_box")
_WHAT = "a file of Segment Anything (image, annotations)"
_TRIED = 8  # files that are looked into


@dataclass(frozen=True)
class SamDrawing:
    """The masks of one file."""

    path: Path

    def stated(self) -> Size | None:
        """Give the size that the file states."""
        image = take(self._fields(), "image", dict[str, Any], {})
        height, width = image.get("height"), image.get("width")
        return (height, width) if isinstance(height, int) and isinstance(width, int) else None

    def drawn(self, size: Size) -> list[Drawn | str]:
        """List the masks in the file's order."""
        fields = self._fields()
        if "annotations" not in fields:
            raise DataError(f"{self.path}: expected {_WHAT}, found no annotations; export it again")
        try:
            return [_drawn(raw, number) for number, raw in enumerate(decode(fields["annotations"], list[Raw]), start=1)]
        except DataError as error:
            raise DataError(f"{self.path}: expected annotations as a list, but {error}") from None

    def _fields(self) -> dict[str, Raw]:
        return decoded(self.path, dict[str, Raw], _WHAT)[0]


def _drawn(raw: Raw, number: int) -> Drawn | str:
    try:
        one = decode(raw, dict[str, Any])
    except DataError as error:
        return f"annotation at place {number}: {error}"
    identity = one.get("id")
    is_id = isinstance(identity, int) and not isinstance(identity, bool)
    where = f"annotation {identity}" if is_id else f"annotation at place {number}"
    try:
        runs = _runs(one.get("segmentation"))
    except DataError as error:
        return f"{where}: {error}"
    kept = drawn_fields(one.get(KEY), {key: one[key] for key in _SAID if key in one})
    if KEY not in one:
        box, area = one.get("bbox"), one.get("area")
        kept["id"] = identity if is_id else None
        kept["area"] = area if is_number(area) else None
        if isinstance(box, list) and len(box) == 4 and all(is_number(side) and abs(side) < 2**63 for side in box):
            left, top, width, height = (float(side) for side in box)
            kept["box"] = (left, top, left + width, top + height)
    return Drawn(_name(one), Coded(runs), where, **kept)


def _name(one: Mapping[str, Any]) -> str:
    """Give the class that we wrote, or the only one there is."""
    ours = one.get(KEY)
    name = ours.get("class") if isinstance(ours, dict) else None
    return name if isinstance(name, str) else _CLASS


def _runs(segmentation: object) -> Runs:
    """Take run lengths, compressed or not.

    Raises:
        DataError: they are none, or do not fit their size.
    """
    if not isinstance(segmentation, dict):
        raise DataError("expected run lengths (size, counts) as its segmentation, found something else")
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if not (isinstance(size, list) and len(size) == 2 and all(isinstance(side, int) and 0 < side < 2**31 for side in size)):
        raise DataError(f"expected the size of its run lengths as height and width, found {str(size)[:60]}")
    if isinstance(counts, str):
        return from_text(counts.encode("utf-8", "replace"), (size[0], size[1]))
    if isinstance(counts, list) and all(isinstance(one, int) and not isinstance(one, bool) for one in counts):
        return from_counts(counts, (size[0], size[1]))
    raise DataError("expected the counts of its run lengths as a text or a list of numbers, found something else")


def sniff(path: Path) -> Claim | None:
    """Tell whether ``path`` is a file of Segment Anything, or a folder with some."""
    path = Path(path)
    found = _find(path) if path.exists() else None
    if found is None:
        return None
    return Claim("Segment Anything (SA-1B) JSON", f"{found.files[0].name} holds an image and its masks, which have no class")


def _is_own(keys: Keys) -> bool:
    return keys is not None and {"image", "annotations"} <= keys and not keys & {"[]", "\n", "dataset", "item", "categories"}


def _find(path: Path) -> Export | None:
    """Find the files that ``path`` means, if one of the first is of Segment Anything: the keys alone would fit others.

    Raises:
        MissingFile: there is nothing at ``path``.
    """
    found = find_export(path, _is_own)
    if found is None or not any(_is_sam(one) for one in found.paths()[:_TRIED]):
        return None
    return replace(found, files=tuple(sorted({*found.files, *_broken(found)}, key=natural))) if found.whole else found


def _broken(found: Export) -> Iterator[PurePosixPath]:
    """List the files that are no JSON any more, beside a picture of their name; their images are theirs alone."""
    pictures = {one.with_suffix("") for one in found.listing.pictures}
    for one in found.listing.texts:
        if one.suffix.lower() == ".json" and one.with_suffix("") in pictures and keys_of(found.listing.root / one) is None:
            yield one


def _is_sam(path: Path) -> bool:
    try:
        fields = decoded(path, dict[str, Raw], _WHAT)[0]
    except PixelwiseError:
        return False
    image = take(fields, "image", dict[str, Any], {})
    first = next(iter(objects_in(take(fields, "annotations", list[Raw], [])[:1])), None)
    return "file_name" in image and "width" in image and (first is None or {"segmentation", "bbox"} <= set(first))


def read(path: Path, labels: LabelSet | None = None) -> Dataset:
    """Read a file, or all of a folder's.

    Raises:
        MissingFile: there is nothing at ``path``.
        UnknownLayout: it holds no file of Segment Anything.
        DataError: not one image is there.
    """
    export = _find(Path(path))
    if export is None:
        raise UnknownLayout(f"{path}: expected files of Segment Anything, found none. Tried: {LAYOUTS[0]}")
    root = export.listing.root
    note = read_note(root, _FORM)
    names: dict[str, None] = {} if note.labels is not None else {_CLASS: None}
    listed = [_listed(root, file, note, names) for file in export.files]
    return dataset_of(export, listed, note, note.classes(names), labels)


def _listed(root: Path, file: PurePosixPath, note: Note, names: dict[str, None]) -> Listed:
    """List an image, and take note of classes that we wrote; what is wrong with a file is told when its truth is read."""
    split = note.split(file.parent.name) if note.labels is not None else split_of(file.parent.name)
    try:
        fields = decoded(root / file, dict[str, Raw], _WHAT)[0]
    except PixelwiseError:
        return Listed((file.stem,), (SamDrawing(root / file),), file, split)
    if note.labels is not None:
        names.update((_name(_plain(one)), None) for one in objects_in(take(fields, "annotations", list[Raw], [])))
    name = take(fields, "image", dict[str, Any], {}).get("file_name")
    called = (name, file.stem) if isinstance(name, str) and name else (file.stem,)
    return Listed(called, (SamDrawing(root / file),), file, split)


def _plain(one: Mapping[str, Raw]) -> dict[str, Any]:
    return {KEY: take(one, KEY, dict[str, Any], {})} if KEY in one else {}


def write(dataset: Dataset, path: Path, writing: Writing | None = None) -> Written:
    """Write a data set of instances, all at once; an image of several splits is put in the first.

    Raises:
        DataError: it holds something else, a name cannot be a file's, or an image cannot be stored.
        StorageError: the folder holds something else, or cannot be written.
    """
    path = Path(path)
    if dataset.kind != "instance":
        raise DataError(
            f"{path}: files of Segment Anything hold masks of objects, and this data set is {dataset.kind}; what it says of "
            f"the pixels between them would be lost. Write coco or id_maps"
        )
    require_names(dataset)
    work = partial(_write_one, splits=first_splits(dataset))
    with staged(path, {"images", NOTE}.__contains__, is_ours(_FORM), writing) as stage:
        for _ in stage.each(dataset, work):
            pass
        write_note(stage.folder, _FORM, dataset)
    return stage.written


def _write_one(sample: Sample, folder: Path, splits: Mapping[str, list[str]]) -> tuple[None, int]:
    """Write an image, and its file beside it."""
    first, *others = splits.get(sample.name, [""])
    if others:
        drop(f"{sample.name}: an image is in one folder; it is in '{first}' and no longer in {', '.join(others)}")
    place = folder / "images" / first
    if sample.truth_source is None:
        store_image(sample, place)
        return None, 0
    truth = sample.truth
    tell_losses(sample.name, truth, KEPT)
    name = store_image(sample, place)
    height, width = truth.size
    image = {"file_name": name, "height": height, "width": width}
    document = {"image": image, "annotations": [_annotation(truth, index) for index in range(len(truth))]}
    write_bytes(place / f"{sample.name}.json", msgspec.json.encode(document))
    return None, len(truth)


def _annotation(truth: Segmentation, index: int) -> dict[str, Any]:
    runs = truth.masks.run_lengths()[index]
    left, top, right, bottom = runs.box
    return {
        "id": index + 1,
        "segmentation": {"size": list(runs.size), "counts": runs.counts.decode("ascii")},
        "bbox": [left, top, right - left, bottom - top],
        "area": runs.area,
        KEY: {"class": truth.names[index], **kept_of(truth, index)},
    }
