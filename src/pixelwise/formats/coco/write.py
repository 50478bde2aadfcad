"""Write COCO: ``images/`` and one ``annotations/instances_<split>.json`` a split, as every reader of COCO takes them.

Outlines are compressed run lengths, which lose nothing: holes, parts and single pixels are read back bit for bit. Polygons
are written on request, along the sides of the pixels, so that they too give the very mask back; a mask with a hole is refused
then, as COCO's polygons have none. Kinds other than instances are noted in ``info``, from where ``read`` takes them. Captions
go to ``captions_<split>.json``.
"""

import contextlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pixelwise.core.errors import DataError
from pixelwise.core.polygons import borders, rasterise
from pixelwise.core.runs import Runs, decode
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.coco.entries import (
    Numbers,
    captions_of,
    category_ids,
    category_list,
    files_of,
    homes_of,
    is_written,
    mark,
    short,
    tell_unheld,
)
from pixelwise.formats.coco.stream import CaptionFiles, document
from pixelwise.formats.output import require_names, store_image
from pixelwise.formats.writing import Stage, Work, Writing, Written, staged

_FORMAT = "pixelwise coco 1"


def write(dataset: Dataset, path: Path, writing: Writing | None = None, *, polygons: bool = False) -> Written:
    """Write a data set, all at once; supercategories are not kept, as label sets have none.

    Args:
        dataset: of any kind but regions, which have no classes. Images without a truth are stored, but listed nowhere, unless
            they have captions.
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
        _write_files(dataset, categories, stage, work)
    return stage.written


def _write_files(dataset: Dataset, categories: Sequence[int], stage: Stage, work: Work) -> None:
    """Write the samples, then the files; entries are never held all at once, only their numbers are."""
    numbers = Numbers(stage.each(dataset, work))
    files, folder = files_of(dataset), stage.folder / "annotations"
    head = {"info": mark(dataset, _FORMAT), "licenses": []}
    full = {**head, "categories": category_list(dataset.labels, categories)}
    are_listed = numbers.truths > 0 or not numbers.captions
    with contextlib.ExitStack() as stack:
        paths = [folder / f"instances{name}.json" for name in files] if are_listed else []
        instances = [stack.enter_context(document(path, full)) for path in paths]
        captions = CaptionFiles(stack, folder, files, head, numbers.captions > 0)
        homes = homes_of(files.values(), len(dataset))
        for row, entry in enumerate(stage.each(dataset, work)):  # the journal once more: nothing is written again
            if entry is None or entry["image"] is None:
                continue
            image, annotations = numbers.numbered(row, entry)
            captions.put(homes[row], image, entry["captions"])
            for home in homes[row] if entry["annotations"] is not None else ():
                instances[home].put(image, annotations)


def _write_one(sample: Sample, folder: Path, categories: Sequence[int], polygons: bool) -> tuple[dict[str, Any], int]:
    """Store an image; give its entry and those of its annotations, which are numbered once all are known."""
    captions = captions_of(sample)
    if sample.truth_source is None:
        tell_unheld(sample, None)
        file_name = store_image(sample, folder / "images")
        image = image_entry(sample, file_name, sample.size) if captions else None
        return {"image": image, "annotations": None, "captions": captions}, 0
    truth = sample.truth
    tell_unheld(sample, truth)
    image = image_entry(sample, store_image(sample, folder / "images"), truth.size)
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
    return {"image": image, "annotations": annotations, "captions": captions}, len(annotations)


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
