"""Write COCO panoptic: ``images/``, one ``annotations/panoptic_<split>.json`` a split and a folder of PNGs beside each.

A segment keeps the number it came with where those of its image are from 1 to 2^24 - 1 and all different; else they are
counted from 1. Void is 0. Captions go to ``captions_<split>.json``, images without labels to ``image_info_<split>.json``.
Semantic truth is written likewise, a segment a class, and comes back as what it was.
"""

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
from pixelwise.formats.coco.documents import write_documents
from pixelwise.formats.coco.entries import category_ids, files_of, is_written, short
from pixelwise.formats.coco.write import entry_of
from pixelwise.formats.output import require_names
from pixelwise.formats.writing import Writing, Written, drop, staged

_FORMAT = "pixelwise coco_panoptic 1"


def write(dataset: Dataset, path: Path, writing: Writing | None = None) -> Written:
    """Write a data set, all at once.

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
        written = write_documents(dataset, stage, work, _FORMAT, "panoptic", have_ids=False)
    return written


def _write_one(
    sample: Sample, folder: Path, categories: Sequence[int], folders: Mapping[str, Sequence[str]]
) -> tuple[dict[str, Any], int]:
    """Store an image and its PNG, one in the folder of each of its splits; give what the JSON says of them."""
    truth = None if sample.truth_source is None else sample.truth
    entry = entry_of(sample, truth, folder)
    if truth is None:
        return entry, 0
    numbers = _numbers(sample.name, truth)
    pixels = np.append(0, numbers).astype(np.uint32)[as_disjoint(truth.masks).ids]
    colours = np.stack([pixels & 255, pixels >> 8 & 255, pixels >> 16], axis=2).astype(np.uint8)
    for each in folders[sample.name]:
        write_image(make_folder(folder / "annotations" / each) / f"{sample.name}.png", colours)
    segments = _described(sample.name, truth, numbers, categories)
    described = {"file_name": f"{sample.name}.png", "segments_info": segments}
    return {**entry, "annotations": [described]}, len(segments)


def _numbers(name: str, truth: Segmentation) -> IntArray:
    """Give the number (S,) of each segment in its PNG."""
    own = truth.source_ids
    if own is not None and len(np.unique(own)) == len(own) and ((own > 0) & (own < 2**24)).all():
        return own
    if own is not None and (own >= 0).any():
        drop(f"{name}: the source's own ids, as the numbers in a PNG are from 1 to {2**24 - 1:,} and all different")
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
