"""Write Darwin JSON 2.0: masks as a raster layer where they share no pixel, else as polygons along the sides of pixels."""

import uuid
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.errors import DataError
from pixelwise.core.files import write_bytes
from pixelwise.core.masks import as_disjoint
from pixelwise.core.runs import Runs, decode
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.exports.note import KEPT, KEY, NOTE, first_splits, kept_of, write_note
from pixelwise.formats.exports.rings import are_exact, rings_of
from pixelwise.formats.exports.stage import export_staged
from pixelwise.formats.losses import tell_losses
from pixelwise.formats.output import store_image
from pixelwise.formats.writing import Writing, Written, drop

FORM = "darwin"
_SCHEMA = "https://darwin-public.s3.eu-west-1.amazonaws.com/darwin_json/2.0/schema.json"
_SLOT = "0"


def write(dataset: Dataset, path: Path, writing: Writing | None = None) -> Written:
    """Write a data set, all at once; an image of several splits is put in the first.

    Raises:
        DataError: it holds regions, or several truths an image, a name cannot be a file's, or an image cannot be stored.
        StorageError: the folder holds something else, or cannot be written.
    """
    own = ("images", "annotations", NOTE).__contains__
    work = partial(_write_one, splits=first_splits(dataset))
    with export_staged(dataset, Path(path), FORM, "Darwin JSON", own, writing) as stage:
        for _ in stage.each(dataset, work):
            pass
        write_note(stage.folder, FORM, dataset)
    return stage.written


def _write_one(sample: Sample, folder: Path, splits: Mapping[str, list[str]]) -> tuple[None, int]:
    """Write an image and its label file."""
    first, *others = splits.get(sample.name, [""])
    if others:
        drop(f"{sample.name}: an image is in one folder; it is in '{first}' and no longer in {', '.join(others)}")
    if sample.truth_source is None:
        store_image(sample, folder / "images" / first)
        return None, 0
    truth = sample.truth
    tell_losses(sample.name, truth, KEPT)
    name = store_image(sample, folder / "images" / first)
    annotations = _annotations(truth, sample.name)
    height, width = truth.size
    slot = {"type": "image", "slot_name": _SLOT, "width": width, "height": height, "source_files": [{"file_name": name}]}
    document = {
        "version": "2.0",
        "schema_ref": _SCHEMA,
        "item": {"name": name, "path": f"/{first}", "slots": [slot]},
        "annotations": annotations,
    }
    write_bytes(folder / "annotations" / first / f"{sample.name}.json", msgspec.json.encode(document))
    return None, sum("raster_layer" not in one for one in annotations)


def _annotations(truth: Segmentation, name: str) -> list[dict[str, Any]]:
    ids = [str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name}/{index}")) for index in range(len(truth))]
    objects = [_object(truth, index, ids[index]) for index in range(len(truth))]
    if not objects:
        return []
    try:
        layer = as_disjoint(truth.masks).ids
    except DataError:  # objects lie on each other, which a raster layer cannot hold
        return _polygons(truth, objects, name)
    values = {one: value for value, one in enumerate(ids, start=1)}
    raster = {"dense_rle": _runs(layer), "mask_annotation_ids_mapping": values, "total_pixels": int(layer.size)}
    first = {"id": str(uuid.uuid5(uuid.NAMESPACE_URL, name)), "name": "__raster_layer__", "slot_names": [_SLOT]}
    return [{**first, "properties": [], "raster_layer": raster}, *({**one, "mask": {}} for one in objects)]


def _object(truth: Segmentation, index: int, identity: str) -> dict[str, Any]:
    kept = kept_of(truth, index)
    return {
        "id": identity,
        "name": truth.names[index],
        "properties": [],
        "slot_names": [_SLOT],
        **({"instance_id": {"value": kept["track"]}} if "track" in kept else {}),
        **({KEY: kept} if kept else {}),
    }


def _polygons(truth: Segmentation, objects: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    found = []
    for index, (one, runs) in enumerate(zip(objects, truth.masks.run_lengths(), strict=True), start=1):
        rings = rings_of(decode(runs))
        if not rings:
            drop(f"{name}: object {index} ({one['name']}) has no pixel, and a polygon cannot be empty; left out")
            continue
        if not are_exact(rings, runs):
            drop(f"{name}: object {index} ({one['name']}) is not read back bit for bit as a polygon")
        found.append({**one, "polygon": {"paths": [_path(ring) for ring in rings]}, "bounding_box": _box(runs)})
    return found


def _path(ring: FloatArray) -> list[dict[str, int]]:
    return [{"x": int(x), "y": int(y)} for x, y in ring]


def _box(runs: Runs) -> dict[str, int]:
    left, top, right, bottom = runs.box
    return {"x": left, "y": top, "w": right - left, "h": bottom - top}


def _runs(layer: IntArray) -> list[int]:
    """Pack a layer: value, count, value, count …, row by row."""
    flat = layer.ravel()
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    counts = np.diff([*starts, flat.size])
    return np.stack([flat[starts].astype(np.int64), counts], axis=1).ravel().tolist()
