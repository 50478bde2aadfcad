"""What the writers of COCO's family share: ids, categories, the files of the splits, and whose a folder is."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from pixelwise.core.errors import PixelwiseError
from pixelwise.core.labels import VOID, LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.coco.file import MARK, about_of
from pixelwise.formats.json_file import decoded
from pixelwise.formats.writing import drop


def files_of(dataset: Dataset) -> dict[str, Sequence[int]]:
    """List the rows of each file, by the tail of its name: one a split, and one for what is in none."""
    taken = {row for rows in dataset.splits.values() for row in rows}
    rest = [row for row in range(len(dataset)) if row not in taken]
    files: dict[str, Sequence[int]] = {f"_{name}": rows for name, rows in dataset.splits.items()}
    return {**files, "": rest} if rest or not files else files


def homes_of(files: Iterable[Sequence[int]], count: int) -> list[list[int]]:
    """List, for each of ``count`` samples, the numbers of the files it belongs to."""
    found: list[list[int]] = [[] for _ in range(count)]
    for number, rows in enumerate(files):
        for row in dict.fromkeys(rows):
            found[row].append(number)
    return found


def category_ids(labels: LabelSet) -> list[int]:
    """Give every class (L,) the first value that stands for it in the value map, else the next free id."""
    stated: dict[int, int] = {}
    if labels.encoding == "id":
        for value, index in labels.values.items():
            if index != VOID and value >= 0:
                stated.setdefault(index, value)
    free = max(stated.values(), default=0) + 1
    for index in range(len(labels)):
        if index not in stated:
            stated[index], free = free, free + 1
    return [stated[index] for index in range(len(labels))]


def category_list(labels: LabelSet, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Write the classes as categories."""
    return [
        {"id": id_, "name": label.name, "supercategory": "", "isthing": int(label.is_thing), "color": list(label.colour)}
        for id_, label in zip(ids, labels.labels, strict=True)
    ]


def mark(dataset: Dataset, form: str, split: str = "") -> dict[str, Any]:
    """Write the ``info`` of a file of ours; its ``split`` may be called what no reader would take a file's name for."""
    named = {"split": split} if split else {}
    return {"description": dataset.name, MARK: {"format": form, "kind": dataset.kind, **named}}


def short(value: float) -> int | float:
    """Write whole numbers as such, as most COCO files do."""
    return int(value) if float(value).is_integer() else float(value)


def tell_unheld(sample: Sample, truth: Segmentation | None, *, with_captions: bool = True) -> None:
    """Say what of a sample a file of truth has no place for; ``truth`` is None where there is none."""
    if truth is None and (boxes := sample.meta.get("boxes")):
        drop(f"{sample.name}: its {len(boxes)} boxes, which are no masks")
    if not with_captions and captions_of(sample):
        drop(f"{sample.name}: its captions")
    for what, rows in (("scores", truth.scores), ("track ids", truth.track_ids)) if truth is not None else ():
        if rows is not None and len(rows):
            drop(f"{sample.name}: the {what} of its {len(rows)} segments, for which the file has no place")


def captions_of(sample: Sample) -> list[str]:
    """List the captions of a sample."""
    return [str(one) for one in sample.meta.get("captions", ())]


class Numbers:
    """The ids of all images and annotations: those they came with where these are from 1 up and all different.

    Else they are counted from 1. They are all that is kept of the entries, so that 118,000 images need megabytes.
    """

    def __init__(self, entries: Iterable[Mapping[str, Any] | None]) -> None:
        """Number the entries of all samples; None for one that failed."""
        images: dict[int, int] = {}
        annotations: list[int] = []
        self._firsts: list[int] = []  # of each sample: where its annotations begin
        self.truths = 0
        self.captions = 0
        self.bare: list[int] = []  # samples without labels
        for row, entry in enumerate(entries):
            self._firsts.append(len(annotations))
            if entry is None:
                continue
            images[row] = entry["image"]["id"] or 0
            annotations += [-1 if (own := one.get("id")) is None else own for one in entry.get("annotations") or ()]
            self._count(row, entry)
        self._images = dict(zip(images, _settled(list(images.values())), strict=True))
        self._annotations = _settled(annotations)
        self._are_new = self._annotations is not annotations and any(own >= 0 for own in annotations)

    def _count(self, row: int, entry: Mapping[str, Any]) -> None:
        if entry.get("annotations") is None:
            self.bare.append(row)
        else:
            self.truths += 1
        self.captions += len(entry.get("captions", ()))

    def numbered(
        self, row: int, entry: Mapping[str, Any], *, have_ids: bool = True
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Give the image and the annotations of the sample in ``row`` with their ids, if annotations ``have_ids``."""
        id_, annotations = self._images[row], []
        for place, one in enumerate(entry["annotations"] or (), start=self._firsts[row]):
            own = {"id": self._annotations[place]} if have_ids else {}
            annotations.append({**one, **own, "image_id": id_})
        return {**entry["image"], "id": id_}, annotations

    def told(self, name: str) -> list[str]:
        """Say of the data set ``name`` that its annotations could not keep their ids, if so."""
        why = "the source's own ids of its annotations, which are counted anew: not all were from 1 up and different"
        return [f"{name}: {why}"] if self._are_new else []


def _settled(ids: list[int]) -> list[int]:
    """Give the very list where its numbers can be kept, else a new one."""
    is_good = all(0 < one < 2**63 for one in ids) and len(set(ids)) == len(ids)
    return ids if is_good else list(range(1, len(ids) + 1))


class _Marked(msgspec.Struct, gc=False):
    info: Any = None


def is_written(folder: Path, form: str) -> bool:
    """Tell a folder that a writer of ours made: every JSON file of annotations says so."""
    files = [one for one in (folder / "annotations").glob("*") if not one.is_dir()]
    try:
        return bool(files) and all(about_of(decoded(one, _Marked)[0].info).get("format") == form for one in files)
    except PixelwiseError:
        return False
