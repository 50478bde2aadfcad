"""Write labelme: ``images/`` with a JSON file beside each image, ``labels.txt`` for the tool, ``classes.json`` for us.

Every segment is one mask shape, a PNG in base64, which loses nothing: holes, parts, single pixels and overlaps are read back
bit for bit. Crowds carry the flag ``crowd``; what else is known of an object lies under ``attributes``, ``id`` and
``track_id``, keys that the tool keeps. Void, which is what no segment of a class map covers, is one more shape called
``__ignore__``, as labelme's own converters read it. The kind, the lists of the splits and which classes are things lie beside
the files.
"""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from pixelwise.core.arrays import BoolArray
from pixelwise.core.files import make_folder, write_json, write_text
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.labelme.classes import FORM
from pixelwise.formats.labelme.file import BACKGROUND, CROWD, IGNORE
from pixelwise.formats.losses import tell_losses
from pixelwise.formats.output import require_names, store_image
from pixelwise.formats.splits import write_lists
from pixelwise.formats.stated import NAME, Stated, is_stated, state
from pixelwise.formats.writing import Writing, Written, staged

_VERSION = "5.5.0"  # of labelme: the first digits decide whether it warns


def write(dataset: Dataset, path: Path, writing: Writing | None = None) -> Written:
    """Write a data set, all at once.

    Args:
        dataset: of any kind; regions, having no class, are called ``region``. Images without a truth are
            stored, without a file beside them.
        path: the folder to make; one that Pixelwise wrote is replaced.
        writing: how.

    Raises:
        DataError: a name cannot be a file's, or an image cannot be stored.
        StorageError: the folder holds something else, or cannot be written.
    """
    path = Path(path)
    require_names(dataset)
    names = dataset.labels.names
    with staged(path, _is_own, _is_ours, writing) as stage:
        images = list(stage.each(dataset, _write_one))
        state(stage.folder, FORM, Stated(dataset.kind, dataset.labels))
        listed = [IGNORE, BACKGROUND, *(name for name in names if name not in (IGNORE, BACKGROUND))]
        write_text(stage.folder / "labels.txt", "".join(f"{name}\n" for name in listed))
        write_lists(dataset, stage.folder, [None if name is None else f"images/{name}" for name in images])
    return stage.written


def _write_one(sample: Sample, folder: Path) -> tuple[str, int]:
    """Store an image and its file; give the image's name."""
    images = make_folder(folder / "images")
    if sample.truth_source is None:
        return store_image(sample, images), 0
    truth = sample.truth
    name = store_image(sample, images)
    height, width = truth.size
    shapes = [_shape(truth, index) for index in range(len(truth))]
    if (void := _void(truth)) is not None:
        shapes.insert(0, void)
    document: dict[str, Any] = {
        "version": _VERSION,
        "flags": {},
        "shapes": shapes,
        "imagePath": name,
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }
    write_json(images / f"{sample.name}.json", document)
    tell_losses(sample.name, truth, holds=("source_ids", "track_ids", "attributes"))
    return name, len(truth)


def _shape(truth: Segmentation, index: int) -> dict[str, Any]:
    mask, box = truth.masks.mask(index), truth.masks.run_lengths()[index].box
    record = _mask_shape(truth.names[index], mask, box)
    if truth.is_crowd[index]:
        record["flags"] = {CROWD: True}
    if truth.attributes and truth.attributes[index]:
        record["attributes"] = dict(truth.attributes[index])
    for key, numbers in (("id", truth.source_ids), ("track_id", truth.track_ids)):
        if numbers is not None and numbers[index] >= 0:
            record[key] = int(numbers[index])
    return record


def _mask_shape(name: str, mask: BoolArray, box: tuple[int, int, int, int]) -> dict[str, Any]:
    """Make a shape of a mask (H, W) and its box; one pixel stands for an empty mask, as a box has at least one."""
    left, top, right, bottom = box if mask.any() else (0, 0, 1, 1)
    packed = io.BytesIO()
    PIL.Image.fromarray(mask[top:bottom, left:right].astype(np.uint8)).save(packed, format="PNG")
    return {
        "label": name,
        "points": [[left, top], [right - 1, bottom - 1]],  # the first and the last pixel
        "group_id": None,
        "description": "",
        "shape_type": "mask",
        "flags": {},
        "mask": base64.b64encode(packed.getvalue()).decode("ascii"),
    }


def _void(truth: Segmentation) -> dict[str, Any] | None:
    if truth.kind not in ("semantic", "panoptic") or IGNORE in truth.labels.names:
        return None
    void = truth.panoptic_ids() == 0
    if not void.any():
        return None
    rows, columns = np.flatnonzero(void.any(axis=1)), np.flatnonzero(void.any(axis=0))
    return _mask_shape(IGNORE, void, (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1))


def _is_own(name: str) -> bool:
    return name in ("images", NAME) or name.endswith(".txt")


def _is_ours(folder: Path) -> bool:
    return is_stated(folder, FORM)
