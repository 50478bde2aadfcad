"""Write what Label Studio imports: tasks whose annotations are brush strokes, and the labelling configuration for them."""

from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import msgspec

from pixelwise.core.files import write_bytes, write_text
from pixelwise.core.labels import LabelSet
from pixelwise.core.runs import decode
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.exports.note import KEPT, KEY, NOTE, kept_of, write_note
from pixelwise.formats.exports.stage import entries_by_file, export_staged
from pixelwise.formats.label_studio.brush import pack
from pixelwise.formats.losses import tell_losses
from pixelwise.formats.output import store_image
from pixelwise.formats.writing import Writing, Written

FORM = "label_studio"
_CONFIG = "label_config.xml"


def write(dataset: Dataset, path: Path, writing: Writing | None = None) -> Written:
    """Write a data set, all at once; several truths of an image become annotations of one task.

    Raises:
        DataError: it holds regions, a name cannot be a file's, or an image cannot be stored.
        StorageError: the folder holds something else, or cannot be written.
    """
    with export_staged(dataset, Path(path), FORM, "Label Studio", _is_own, writing) as stage:
        tasks = list(stage.each(dataset, _write_one))
        for row, task in enumerate(tasks, start=1):
            if task is not None:
                task["id"] = task["inner_id"] = row
        for name, there in entries_by_file(dataset, tasks, "tasks").items():
            write_bytes(stage.folder / f"{name}.json", msgspec.json.encode(there))
        write_text(stage.folder / _CONFIG, _config(dataset.labels))
        write_note(stage.folder, FORM, dataset)
    return stage.written


def _is_own(name: str) -> bool:
    return name in ("images", _CONFIG, NOTE) or name.endswith(".json")


def _write_one(sample: Sample, folder: Path) -> tuple[dict[str, Any], int]:
    """Store an image; give its task, which is numbered once all are known."""
    truths = sample.truths
    for one in truths:
        tell_losses(sample.name, one, KEPT)
    name = store_image(sample, folder / "images")
    task = {
        "id": None,
        "annotations": [_annotation(one, number) for number, one in enumerate(truths, start=1)],
        "predictions": [],
        "data": {"image": f"/data/local-files/?d={quote(f'images/{name}')}"},
        "meta": {},
        "inner_id": None,
        "total_annotations": len(truths),
    }
    return task, sum(map(len, truths))


def _annotation(truth: Segmentation, number: int) -> dict[str, Any]:
    return {
        "id": number,
        "completed_by": number,
        "result": [_result(truth, index) for index in range(len(truth))],
        "was_cancelled": False,
        "ground_truth": False,
    }


def _result(truth: Segmentation, index: int) -> dict[str, Any]:
    height, width = truth.size
    kept = kept_of(truth, index)
    return {
        "id": f"object{index + 1}",
        "type": "brushlabels",
        "from_name": "label",
        "to_name": "image",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {
            "format": "rle",
            "rle": list(pack(decode(truth.masks.run_lengths()[index]))),
            "brushlabels": [truth.names[index]],
        },
        **({"meta": {KEY: kept}} if kept else {}),
    }


def _config(labels: LabelSet) -> str:
    """Write the configuration of a project that these annotations fit."""
    classes = "".join(
        f"    <Label value={quoteattr(one.name)} background={quoteattr('#{:02x}{:02x}{:02x}'.format(*one.colour))}/>\n"
        for one in labels.labels
    )
    return (
        '<View>\n  <Image name="image" value="$image" zoom="true"/>\n'
        f'  <BrushLabels name="label" toName="image">\n{classes}  </BrushLabels>\n</View>\n'
    )
