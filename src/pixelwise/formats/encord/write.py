"""Write Encord's JSON: a label row an image, with bitmasks, and the ontology they are of."""

import hashlib
import uuid
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from pixelwise.core.files import write_bytes, write_json
from pixelwise.core.labels import LabelSet
from pixelwise.core.runs import decode
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.encord.truth import rle_string
from pixelwise.formats.exports.note import KEPT, KEY, NOTE, kept_of, write_note
from pixelwise.formats.exports.stage import entries_by_file, export_staged
from pixelwise.formats.losses import tell_losses
from pixelwise.formats.output import store_image
from pixelwise.formats.writing import Writing, Written

FORM = "encord"
_ONTOLOGY = "ontology.json"
_REST = "labels"  # the export of what is in no split


def write(dataset: Dataset, path: Path, writing: Writing | None = None) -> Written:
    """Write a data set, all at once.

    Raises:
        DataError: it holds regions, or several truths an image, a name cannot be a file's, or an image cannot be stored.
        StorageError: the folder holds something else, or cannot be written.
    """
    with export_staged(dataset, Path(path), FORM, "Encord", _is_own, writing) as stage:
        rows = list(stage.each(dataset, partial(_write_one, title=dataset.name)))
        for name, there in entries_by_file(dataset, rows, _REST).items():
            write_bytes(stage.folder / f"{name}.json", msgspec.json.encode(there))
        write_json(stage.folder / _ONTOLOGY, _ontology(dataset.labels))
        write_note(stage.folder, FORM, dataset)
    return stage.written


def _is_own(name: str) -> bool:
    return name == "images" or name == NOTE or name.endswith(".json")


def _write_one(sample: Sample, folder: Path, title: str) -> tuple[dict[str, Any] | None, int]:
    """Store an image; give its label row."""
    if sample.truth_source is None:
        store_image(sample, folder / "images")
        return None, 0
    truth = sample.truth
    tell_losses(sample.name, truth, KEPT)
    name = store_image(sample, folder / "images")
    height, width = truth.size
    identity = str(uuid.uuid5(uuid.NAMESPACE_URL, name))
    objects = [_object(truth, index, name) for index in range(len(truth))]
    unit = {
        "data_hash": identity,
        "data_title": name,
        "data_type": "image",
        "data_sequence": 0,
        "width": width,
        "height": height,
        "labels": {"objects": objects, "classifications": []},
    }
    row = {
        "label_hash": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name}/labels")),
        "data_hash": identity,
        "data_title": name,
        "data_type": "image",
        "dataset_title": title,
        "label_status": "LABELLED",
        "data_units": {identity: unit},
        "object_answers": {},
        "classification_answers": {},
    }
    return row, len(truth)


def _object(truth: Segmentation, index: int, name: str) -> dict[str, Any]:
    height, width = truth.size
    kept = kept_of(truth, index)
    label = truth.labels.labels[int(truth.class_ids[index])]
    mask = decode(truth.masks.run_lengths()[index])
    return {
        "objectHash": _hash(f"{name}/{index}"),
        "featureHash": _hash(label.name),
        "name": label.name,
        "value": label.name.casefold().replace(" ", "_"),
        "color": "#{:02X}{:02X}{:02X}".format(*label.colour),
        "shape": "bitmask",
        "bitmask": {"top": 0, "left": 0, "height": height, "width": width, "rleString": rle_string(mask)},
        **({KEY: kept} if kept else {}),
    }


def _hash(text: str) -> str:
    """Make eight characters of a text, as Encord names objects and features."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _ontology(labels: LabelSet) -> dict[str, Any]:
    objects = [
        {
            "id": str(index),
            "name": one.name,
            "color": "#{:02X}{:02X}{:02X}".format(*one.colour),
            "shape": "bitmask",
            "featureNodeHash": _hash(one.name),
            "attributes": [],
        }
        for index, one in enumerate(labels.labels, start=1)
    ]
    return {"objects": objects, "classifications": []}
