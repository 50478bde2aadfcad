"""Write COCO: ``images/`` and one ``annotations/instances_<split>.json`` a split, as every reader of COCO takes them.

Outlines are compressed run lengths, which lose nothing: holes, parts and single pixels are read back bit for bit. Polygons
are written on request, along the sides of the pixels, so that they too give the very mask back; a mask with a hole is refused
then, as COCO's polygons have none. Kinds other than instances are noted in ``info``, from where ``read`` takes them. Captions
go to ``captions_<split>.json``, images without labels to ``image_info_<split>.json``.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pixelwise.core.errors import DataError
from pixelwise.core.polygons import borders, rasterise
from pixelwise.core.runs import Runs, decode
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.coco.documents import write_documents
from pixelwise.formats.coco.entries import captions_of, category_ids, is_written, short, tell_unheld
from pixelwise.formats.output import require_names, store_image
from pixelwise.formats.writing import Writing, Written, staged

_FORMAT = "pixelwise coco 1"


def write(dataset: Dataset, path: Path, writing: Writing | None = None, *, polygons: bool = False) -> Written:
    """Write a data set, all at once; supercategories are not kept, as label sets have none.

    Args:
        dataset: of any kind but regions, which have no classes.
        path: the folder to make; one that Pixelwise wrote is replaced.
        writing: how.
        polygons: outline objects by polygons instead of run lengths; crowds keep run lengths.

    Raises:
        DataError: it holds regions, a name cannot be a file's, an image cannot be stored, or polygons cannot hold a mask.
        StorageError: the folder holds something else, or cannot be written.
    """
    path = Path(path)
    if dataset.kind == "regions":
        raise DataError(f"{path}: COCO files name a class an object; regions have no classes and would be lost; match them")
    require_names(dataset)
    categories = category_ids(dataset.labels)
    work = partial(_write_one, categories=categories, polygons=polygons)
    own = partial(is_written, form=_FORMAT)
    with staged(path, lambda name: name in ("images", "annotations"), own, writing) as stage:
        written = write_documents(dataset, stage, work, _FORMAT, "instances")
    return written


def _write_one(sample: Sample, folder: Path, categories: Sequence[int], polygons: bool) -> tuple[dict[str, Any], int]:
    """Store an image; give its entry and those of its annotations, which are numbered once all are known."""
    truth = None if sample.truth_source is None else sample.truth
    entry = entry_of(sample, truth, folder)
    if truth is None:
        return entry, 0
    boxes, areas = truth.stated_boxes(), truth.stated_areas()
    boxes[:, 2:] -= boxes[:, :2]
    annotations = []
    for index, runs in enumerate(truth.masks.run_lengths()):
        is_crowd = bool(truth.is_crowd[index])
        annotations.append(
            {
                "id": None if truth.source_ids is None else int(truth.source_ids[index]),
                "category_id": categories[int(truth.class_ids[index])],
                "segmentation": _polygons(runs, sample.name, index) if polygons and not is_crowd else compressed(runs),
                "area": short(areas[index]),
                "bbox": [short(side) for side in boxes[index]],
                "iscrowd": int(is_crowd),
                **_attributes(truth, index),
            }
        )
    return {**entry, "annotations": annotations}, len(annotations)


def entry_of(sample: Sample, truth: Segmentation | None, folder: Path) -> dict[str, Any]:
    """Store an image and say what no file of the family holds of it; give its entry, as yet without annotations."""
    tell_unheld(sample, truth)
    name = store_image(sample, folder / "images")
    image = image_entry(sample, name, sample.size if truth is None else truth.size)
    return {"image": image, "annotations": None, "captions": captions_of(sample)}


def image_entry(sample: Sample, file_name: str, size: tuple[int, int]) -> dict[str, Any]:
    """Write an image, with the id it came with if that is a number."""
    own = sample.meta.get("image_id")
    return {"id": own if isinstance(own, int) else None, "file_name": file_name, "height": size[0], "width": size[1]}


def _attributes(truth: Segmentation, index: int) -> dict[str, Any]:
    return {"attributes": truth.attributes[index]} if truth.attributes and truth.attributes[index] else {}


def compressed(runs: Runs) -> dict[str, Any]:
    """Write run lengths as COCO's compressed text."""
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
