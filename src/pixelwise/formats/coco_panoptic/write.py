"""Write COCO panoptic: ``images/``, one ``annotations/panoptic_<split>.json`` a split and a folder of PNGs beside each.

A segment keeps the number it came with where those of its image are from 1 to 2^24 - 1 and all different; else they are
counted from 1. Void is 0. Captions go to ``captions_<split>.json``. Semantic truth is written likewise, a segment a class, and
comes back as what it was.
"""

import contextlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.core.arrays import IntArray
from pixelwise.core.errors import DataError
from pixelwise.core.files import make_folder
from pixelwise.core.image import write_image
from pixelwise.core.masks import as_disjoint
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
from pixelwise.formats.coco.write import image_entry
from pixelwise.formats.output import require_names, store_image
from pixelwise.formats.writing import Stage, Work, Writing, Written, drop, staged

_FORMAT = "pixelwise coco_panoptic 1"


def write(dataset: Dataset, path: Path, writing: Writing | None = None) -> Written:
    """Write a data set, all at once. Images without a truth are stored, but listed nowhere.

    Raises:
        DataError: it is neither panoptic nor semantic, a name cannot be a file's, or an image cannot be stored.
        StorageError: the folder holds something else, or cannot be written.
    """
    path = Path(path)
    if dataset.kind not in ("panoptic", "semantic"):
        raise DataError(
            f"{path}: a panoptic PNG holds one segment a pixel, with a class each; of {dataset.kind} truth what overlaps or "
            f"has no class would be lost; write coco instead"
        )
    require_names(dataset)
    categories = category_ids(dataset.labels)
    folders: dict[str, list[str]] = {sample.name: [] for sample in dataset}
    for name, rows in files_of(dataset).items():
        for row in dict.fromkeys(rows):
            folders[dataset[row].name].append(f"panoptic{name}")
    work = partial(_write_one, categories=categories, folders=folders)
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
    with contextlib.ExitStack() as stack:
        documents = [stack.enter_context(document(folder / f"panoptic{name}.json", full)) for name in files]
        captions = CaptionFiles(stack, folder, files, head, numbers.captions > 0)
        homes = homes_of(files.values(), len(dataset))
        for row, entry in enumerate(stage.each(dataset, work)):  # the journal once more: nothing is written again
            if entry is None or entry["image"] is None:
                continue
            image, _ = numbers.numbered(row, {"image": entry["image"], "annotations": None})
            captions.put(homes[row], image, entry["captions"])
            for home in homes[row] if entry["described"] is not None else ():
                documents[home].put(image, [{"image_id": image["id"], **entry["described"]}])


def _write_one(
    sample: Sample, folder: Path, categories: Sequence[int], folders: Mapping[str, Sequence[str]]
) -> tuple[dict[str, Any], int]:
    """Store an image and its PNG, one in the folder of each of its splits; give what the JSON says of them."""
    captions = captions_of(sample)
    if sample.truth_source is None:
        tell_unheld(sample, None)
        file_name = store_image(sample, folder / "images")
        image = image_entry(sample, file_name, sample.size) if captions else None
        return {"image": image, "described": None, "captions": captions}, 0
    truth = sample.truth
    tell_unheld(sample, truth)
    image = image_entry(sample, store_image(sample, folder / "images"), truth.size)
    numbers = _numbers(truth)
    pixels = np.append(0, numbers).astype(np.uint32)[as_disjoint(truth.masks).ids]
    colours = np.stack([pixels & 255, pixels >> 8 & 255, pixels >> 16], axis=2).astype(np.uint8)
    for each in folders[sample.name]:
        write_image(make_folder(folder / "annotations" / each) / f"{sample.name}.png", colours)
    segments = _described(sample.name, truth, numbers, categories)
    described = {"file_name": f"{sample.name}.png", "segments_info": segments}
    return {"image": image, "described": described, "captions": captions}, len(segments)


def _numbers(truth: Segmentation) -> IntArray:
    """Give the number (S,) of each segment in its PNG."""
    own = truth.source_ids
    if own is not None and len(np.unique(own)) == len(own) and ((own > 0) & (own < 2**24)).all():
        return own
    return np.arange(1, len(truth) + 1)


def _described(name: str, truth: Segmentation, numbers: IntArray, categories: Sequence[int]) -> list[dict[str, Any]]:
    boxes, areas, counted = truth.stated_boxes(), truth.stated_areas(), truth.masks.areas()
    boxes[:, 2:] -= boxes[:, :2]
    segments = []
    for index, number in enumerate(numbers.tolist()):
        if not counted[index]:
            drop(f"{name}: segment {index + 1} ({truth.names[index]}) has no pixel, so a PNG cannot hold it")
            continue
        segments.append(
            {
                "id": number,
                "category_id": categories[int(truth.class_ids[index])],
                "iscrowd": int(truth.is_crowd[index]),
                "bbox": [short(side) for side in boxes[index]],
                "area": short(areas[index]),
                **({"attributes": truth.attributes[index]} if truth.attributes and truth.attributes[index] else {}),
            }
        )
    return segments
