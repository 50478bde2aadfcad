"""Write COCO: ``images/`` and one ``annotations/instances_<split>.json`` a split, as every reader of COCO takes them.

Outlines are compressed run lengths, which lose nothing: holes, parts and single pixels are read back bit for bit. Polygons
are written on request, along the sides of the pixels, so that they too give the very mask back; a mask with a hole is refused
then, as COCO's polygons have none. Kinds other than instances are noted in ``info``, from where ``read`` takes them.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from pixelwise.core.errors import DataError, PixelwiseError
from pixelwise.core.files import write_bytes
from pixelwise.core.labels import VOID, LabelSet
from pixelwise.core.polygons import borders, rasterise
from pixelwise.core.runs import Runs, decode
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.coco_file import MARK, read_coco
from pixelwise.formats.output import require_names, store_image
from pixelwise.formats.writing import Writing, Written, staged

_FORMAT = "pixelwise coco 1"


def write(dataset: Dataset, path: Path, writing: Writing | None = None, *, polygons: bool = False) -> Written:
    """Write a data set, all at once; supercategories are not kept, as label sets have none.

    Args:
        dataset: of any kind but regions, which have no classes. Images without a truth are stored, but listed nowhere.
        path: the folder to make; one that Pixelwise wrote is replaced.
        writing: how.
        polygons: outline objects by polygons instead of run lengths; crowds keep run lengths.

    Raises:
        DataError: it holds regions, a name cannot be a file's, an image cannot be stored, or polygons cannot hold a mask.
        StorageError: the folder holds something else, or cannot be written.
    """
    path = Path(path)
    if dataset.kind == "regions":
        raise DataError(f"{path}: COCO files name a category for each object, and regions have no classes; match them first")
    require_names(dataset)
    categories = _category_ids(dataset.labels)
    work = partial(_write_one, categories=categories, polygons=polygons)
    with staged(path, lambda name: name in ("images", "annotations"), _is_ours, writing) as stage:
        written = list(stage.each(dataset, work))
        _number([one for one in written if one is not None])
        for name, rows in _files(dataset).items():
            document = _document(dataset, categories, [one for row in rows if (one := written[row]) is not None])
            write_bytes(stage.folder / "annotations" / f"instances{name}.json", msgspec.json.encode(document))
    return stage.written


def _files(dataset: Dataset) -> dict[str, Sequence[int]]:
    """List the rows of each file: one a split, and one for what is in none."""
    taken = {row for rows in dataset.splits.values() for row in rows}
    rest = [row for row in range(len(dataset)) if row not in taken]
    files: dict[str, Sequence[int]] = {f"_{name}": rows for name, rows in dataset.splits.items()}
    return {**files, "": rest} if rest or not files else files


def _category_ids(labels: LabelSet) -> list[int]:
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


def _write_one(sample: Sample, folder: Path, categories: Sequence[int], polygons: bool) -> tuple[dict[str, Any] | None, int]:
    """Store an image; give its entry and those of its annotations, which are numbered once all are known."""
    if sample.truth_source is None:
        store_image(sample, folder / "images")
        return None, 0
    truth = sample.truth
    file_name = store_image(sample, folder / "images")
    height, width = truth.size
    image = {"id": sample.meta.get("image_id"), "file_name": file_name, "height": height, "width": width}
    boxes, areas = truth.stated_boxes(), truth.stated_areas()
    boxes[:, 2:] -= boxes[:, :2]
    annotations = []
    for index, runs in enumerate(truth.masks.run_lengths()):
        is_crowd = bool(truth.is_crowd[index])
        annotations.append(
            {
                "id": None if truth.source_ids is None else int(truth.source_ids[index]),
                "category_id": categories[int(truth.class_ids[index])],
                "segmentation": _polygons(runs, sample.name, index) if polygons and not is_crowd else _compressed(runs),
                "area": _short(areas[index]),
                "bbox": [_short(side) for side in boxes[index]],
                "iscrowd": int(is_crowd),
                **_attributes(truth, index),
            }
        )
    return {"image": image, "annotations": annotations}, len(annotations)


def _attributes(truth: Segmentation, index: int) -> dict[str, Any]:
    return {"attributes": truth.attributes[index]} if truth.attributes and truth.attributes[index] else {}


def _short(value: float) -> int | float:
    """Write whole numbers as such, as most COCO files do."""
    return int(value) if float(value).is_integer() else float(value)


def _compressed(runs: Runs) -> dict[str, Any]:
    return {"size": list(runs.size), "counts": runs.counts.decode("ascii")}


def _polygons(runs: Runs, name: str, index: int) -> list[list[int]]:
    parts = borders(decode(runs))
    if parts is None:
        raise DataError(
            f"{name}: object {index + 1} has a hole, which COCO's polygons cannot hold; write run lengths (polygons=False)"
        )
    if not parts or rasterise(parts, runs.size) != runs:
        what = "is empty" if not parts else "would not be read back as it is"
        raise DataError(f"{name}: object {index + 1} {what} as polygons; write run lengths (polygons=False)")
    return [part.ravel().astype(int).tolist() for part in parts]


def _number(entries: Sequence[dict[str, Any]]) -> None:
    """Number images and annotations: keep the ids they came with where those are whole, from 1 up, and all different."""
    images = [one["image"] for one in entries]
    annotations = [annotation for one in entries for annotation in one["annotations"]]
    for group in (images, annotations):
        ids = [entry["id"] for entry in group]
        are_good = all(isinstance(one, int) and 0 < one < 2**63 for one in ids) and len(set(ids)) == len(ids)
        for number, entry in enumerate(group, start=1):
            entry["id"] = entry["id"] if are_good else number
    for one in entries:
        for annotation in one["annotations"]:
            annotation["image_id"] = one["image"]["id"]


def _document(dataset: Dataset, categories: Sequence[int], written: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "info": {"description": dataset.name, MARK: {"format": _FORMAT, "kind": dataset.kind}},
        "licenses": [],
        "images": [one["image"] for one in written],
        "annotations": [annotation for one in written for annotation in one["annotations"]],
        "categories": [
            {"id": id_, "name": label.name, "supercategory": "", "isthing": int(label.is_thing), "color": list(label.colour)}
            for id_, label in zip(categories, dataset.labels.labels, strict=True)
        ],
    }


def _is_ours(folder: Path) -> bool:
    """Tell a folder that ``write`` made: every file of annotations says so."""
    files = list((folder / "annotations").glob("*"))
    try:
        return bool(files) and all(read_coco(one).about.get("format") == _FORMAT for one in files)
    except PixelwiseError:
        return False
