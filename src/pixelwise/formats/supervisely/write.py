"""Write a Supervisely project: a dataset a split, and every mask as a bitmap."""

import base64
import zlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from pixelwise.core.files import write_bytes, write_json
from pixelwise.core.labels import LabelSet
from pixelwise.core.runs import Runs, decode
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.exports.note import (
    KEPT,
    KEY,
    NOTE,
    first_splits,
    is_ours,
    kept_of,
    read_note,
    write_note,
)
from pixelwise.formats.exports.png import png_of_mask
from pixelwise.formats.exports.stage import export_staged
from pixelwise.formats.losses import tell_losses
from pixelwise.formats.output import store_image
from pixelwise.formats.writing import Writing, Written, drop

FORM = "supervisely"
META = "meta.json"
_REST = "ds1"  # the dataset of what is in no split, called as Supervisely calls a first one


def write(dataset: Dataset, path: Path, writing: Writing | None = None) -> Written:
    """Write a data set, all at once; an image of several splits is put in the first.

    Raises:
        DataError: it holds regions, or several truths an image, a name cannot be a file's, or an image cannot be stored.
        StorageError: the folder holds something else, or cannot be written.
    """
    path = Path(path)
    there = {META, NOTE, _REST, *(read_note(path, FORM).splits if is_ours(FORM)(path) else ())}
    work = partial(_write_one, splits=first_splits(dataset))
    with export_staged(dataset, path, FORM, "Supervisely", there.__contains__, writing) as stage:
        for _ in stage.each(dataset, work):
            pass
        write_json(stage.folder / META, _meta(dataset.labels))
        write_note(stage.folder, FORM, dataset)
    return stage.written


def _write_one(sample: Sample, folder: Path, splits: Mapping[str, list[str]]) -> tuple[None, int]:
    """Write an image and its label file."""
    first, *others = splits.get(sample.name, [_REST])
    if others:
        drop(f"{sample.name}: an image is in one dataset; it is in '{first}' and no longer in {', '.join(others)}")
    if sample.truth_source is None:
        store_image(sample, folder / first / "img")
        return None, 0
    truth = sample.truth
    tell_losses(sample.name, truth, KEPT)
    name = store_image(sample, folder / first / "img")
    height, width = truth.size
    labels = {
        "description": "",
        "tags": [],
        "size": {"height": height, "width": width},
        "objects": [_figure(truth, index) for index in range(len(truth))],
    }
    write_bytes(folder / first / "ann" / f"{name}.json", msgspec.json.encode(labels))
    return None, len(truth)


def _figure(truth: Segmentation, index: int) -> dict[str, Any]:
    kept = kept_of(truth, index)
    return {
        **({"id": kept["id"]} if "id" in kept else {}),
        "classId": int(truth.class_ids[index]) + 1,
        "description": "",
        "geometryType": "bitmap",
        "tags": [],
        "classTitle": truth.names[index],
        "bitmap": _bitmap(truth.masks.run_lengths()[index]),
        **({KEY: kept} if kept else {}),
    }


def _bitmap(runs: Runs) -> dict[str, Any]:
    """Cut a mask to its box and pack it; an empty one becomes one pixel that is not set."""
    left, top, right, bottom = runs.box
    mask = decode(runs)[top : max(bottom, 1), left : max(right, 1)]
    packed = zlib.compress(png_of_mask(mask, transparent=True))
    return {"data": base64.b64encode(packed).decode("ascii"), "origin": [left, top]}


def _meta(labels: LabelSet) -> dict[str, Any]:
    classes = [
        {"id": index, "title": one.name, "shape": "bitmap", "color": "#{:02X}{:02X}{:02X}".format(*one.colour)}
        for index, one in enumerate(labels.labels, start=1)
    ]
    return {"classes": classes, "tags": [], "projectType": "images"}
