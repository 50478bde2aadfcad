"""Write Cityscapes' layout: images, label ids, and for panoptic and instance truth instance ids and polygons.

Masks are read back bit for bit. Classes that are Cityscapes' own get its ids; a set with any other class gets ids from 7 on,
and ``labels.json`` says whose they are, which Cityscapes' own scripts, with their fixed table, do not read. Polygons run along
the sides of pixels, and give the very masks back by COCO's filling rule; scripts that also draw the outline see a pixel more.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from pixelwise.core.arrays import IntArray
from pixelwise.core.errors import DataError
from pixelwise.core.files import write_bytes
from pixelwise.core.image import write_ids
from pixelwise.core.labels import VOID, LabelSet
from pixelwise.core.masks import DisjointMasks, as_disjoint
from pixelwise.core.polygons import keyholes
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.cityscapes.labels import NAME, VOID_IDS, ids_for, is_ours, state
from pixelwise.formats.disjoint import held, refuse_kinds
from pixelwise.formats.exports.note import first_splits
from pixelwise.formats.losses import tell_losses
from pixelwise.formats.output import require_names, store_image
from pixelwise.formats.writing import Writing, Written, drop, staged

_CITY = re.compile(r"^([^_]+)_\d+_\d+$")
_ELSEWHERE = "scenes"  # the folder of images whose names tell no city
_HIGHEST = 65535  # of 16 bits


def write(dataset: Dataset, path: Path, writing: Writing | None = None) -> Written:
    """Write a data set, all at once.

    Raises:
        DataError: it is multilabel or regions, objects overlap, ids do not fit 16 bits, a name cannot be a file's, or an image
            cannot be stored.
        StorageError: the folder holds something else, or cannot be written.
    """
    path = Path(path)
    refuse_kinds(dataset, path, "Cityscapes")
    require_names(dataset)
    ids = ids_for(dataset.labels)
    values = {**dict.fromkeys(VOID_IDS, VOID), **{number: index for index, number in ids.items()}}
    labels = replace(dataset.labels, values=values, encoding="id")
    splits = first_splits(dataset)
    with staged(path, lambda name: name in ("leftImg8bit", "gtFine", NAME), is_ours, writing) as stage:
        for _ in stage.each(dataset, partial(_write_one, ids=ids, splits=splits)):
            pass
        state(stage.folder, labels, dataset.kind)
    return stage.written


def _write_one(sample: Sample, folder: Path, ids: Mapping[int, int], splits: Mapping[str, list[str]]) -> tuple[None, int]:
    """Write an image and its labels."""
    truth = None if sample.truth_source is None else held(sample.truth, sample.name, "Cityscapes")
    city = match[1] if (match := _CITY.match(sample.name)) else _ELSEWHERE
    within = splits.get(sample.name, [])
    if len(within) > 1:
        drop(f"{sample.name}: it is in {', '.join(within)}, and a folder can be in one split alone: kept in {within[0]}")
    place = Path(*within[:1], city)
    values = None if truth is None or truth.kind == "semantic" else _instance_ids(truth, ids, sample)
    store_image(replace(sample, name=f"{sample.name}_leftImg8bit"), folder / "leftImg8bit" / place)
    if truth is None:
        return None, 0
    tell_losses(sample.name, truth)
    masks = as_disjoint(truth.masks)
    stem = folder / "gtFine" / place / f"{sample.name}_gtFine"
    classes = np.array([0, *(ids[index] for index in truth.class_ids.tolist())], np.int64)
    write_ids(stem.with_name(f"{stem.name}_labelIds.png"), classes[masks.ids], _colours(sample.labels, ids))
    if values is not None:
        write_ids(stem.with_name(f"{stem.name}_instanceIds.png"), np.array([0, *values], np.int64)[masks.ids])
        write_bytes(stem.with_name(f"{stem.name}_polygons.json"), msgspec.json.encode(_polygons(truth, masks, values)))
    return None, len(truth)


def _instance_ids(truth: Segmentation, ids: Mapping[int, int], sample: Sample) -> list[int]:
    """Number the segments: a thing by its class's id times 1000 and more, a crowd and stuff by the id alone."""
    things = set(truth.labels.things) if truth.kind == "panoptic" else set(range(len(truth.labels)))
    seen: Counter[int] = Counter()
    values: list[int] = []
    for row, index in enumerate(truth.class_ids.tolist()):
        is_crowd = bool(truth.is_crowd[row])
        if is_crowd and index not in things:
            drop(f"{sample.name}: object {row + 1} ({truth.names[row]}) is a crowd of stuff: its mark is left out")
        value = ids[index]
        if not is_crowd and (index in things or value in values):
            value = 1000 * ids[index] + seen[index]
            seen[index] += 1
        if value in values or seen[index] > 1000 or value > _HIGHEST or ids[index] >= 1000:
            if is_crowd and value in values:
                what = "two crowds of one class share one id"
            elif seen[index] > 1000:
                what = "it is past the thousandth of its class"
            else:
                what = f"its class has the id {ids[index]}, which leaves none of 16 bits for it"
            where = f"{sample.name}: object {row + 1} ({truth.names[row]})"
            raise DataError(f"{where}: {what}, so it would be lost; write coco instead")
        values.append(value)
    return values


def _polygons(truth: Segmentation, masks: DisjointMasks, values: list[int]) -> dict[str, Any]:
    """Outline every part of every segment; ``segments`` lists the instance ids in order, for us alone."""
    height, width = truth.size
    objects = []
    for row, (left, top, right, bottom) in enumerate(masks.boxes().tolist()):
        name = truth.names[row] + ("group" if truth.is_crowd[row] else "")
        inside = masks.ids[top:bottom, left:right] == row + 1
        for path in keyholes(inside):
            objects.append({"label": name, "polygon": (path + (left, top)).astype(int).tolist()})
    return {"imgHeight": height, "imgWidth": width, "objects": objects, "segments": values}


def _colours(labels: LabelSet, ids: Mapping[int, int]) -> IntArray:
    """Give the colour table of the label ids, black where there is no class."""
    table = np.zeros((max(256, max(ids.values(), default=0) + 1), 3), np.uint8)
    for index, number in ids.items():
        table[number] = labels.labels[index].colour
    return table
