"""Write what Labelbox imports: NDJSON, one object a line, with its mask as PNG."""

import base64
import uuid
from pathlib import Path
from typing import Any

import msgspec

from pixelwise.core.files import write_bytes
from pixelwise.core.runs import decode
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.exports.note import KEPT, KEY, NOTE, kept_of, write_note
from pixelwise.formats.exports.png import png_of_mask
from pixelwise.formats.exports.stage import entries_by_file, export_staged
from pixelwise.formats.losses import tell_losses
from pixelwise.formats.output import store_image
from pixelwise.formats.writing import Writing, Written

FORM = "labelbox"
_REST = "labels"  # the file of what is in no split


def write(dataset: Dataset, path: Path, writing: Writing | None = None) -> Written:
    """Write a data set, all at once; data rows are named by their pictures' names as global keys.

    Raises:
        DataError: it holds regions, or several truths an image, a name cannot be a file's, or an image cannot be stored.
        StorageError: the folder holds something else, or cannot be written.
    """
    with export_staged(dataset, Path(path), FORM, "Labelbox", _is_own, writing) as stage:
        rows = list(stage.each(dataset, _write_one))
        empty: dict[str, list[str]] = {}
        for name, there in entries_by_file(dataset, rows, _REST).items():
            empty[name] = [row["picture"] for row in there if not row["lines"]]
            if lines := [line for row in there for line in row["lines"]]:
                write_bytes(stage.folder / f"{name}.ndjson", b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
        write_note(stage.folder, FORM, dataset, empty=empty)
    return stage.written


def _is_own(name: str) -> bool:
    return name in ("images", NOTE) or name.endswith(".ndjson")


def _write_one(sample: Sample, folder: Path) -> tuple[dict[str, Any] | None, int]:
    """Store an image; give the lines of its objects."""
    if sample.truth_source is None:
        store_image(sample, folder / "images")
        return None, 0
    truth = sample.truth
    tell_losses(sample.name, truth, KEPT)
    name = store_image(sample, folder / "images")
    return {"picture": name, "lines": [_line(truth, index, name) for index in range(len(truth))]}, len(truth)


def _line(truth: Segmentation, index: int, name: str) -> dict[str, Any]:
    kept = kept_of(truth, index)
    png = png_of_mask(decode(truth.masks.run_lengths()[index]))
    return {
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name}/{index}")),
        "dataRow": {"globalKey": name},
        "name": truth.names[index],
        "mask": {"png": base64.b64encode(png).decode("ascii")},
        "classifications": [],
        **({KEY: kept} if kept else {}),
    }
