"""Write YOLO segmentation: ``images/``, ``labels/`` and ``data.yaml``, as Ultralytics trains on it.

Each object is one outline along the sides of its pixels, so it is read back here bit for bit, whatever holes and parts it has;
every row is proved by reading it back, and one that would differ is told with its IoU. Readers that draw outlines besides
filling them (``cv2.fillPoly``, as Ultralytics does) see objects half a pixel larger, and a line of one pixel where parts are
joined: over real sets their masks' mean IoU with ours was 0.83 at worst (small objects) and 0.99 at best.

What YOLO has no place for is told to Pixelwise alone: the kind and the label set in ``data.yaml``, crowds in ``crowds/``.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import yaml

from pixelwise.core.arrays import FloatArray, Size
from pixelwise.core.errors import DataError, PixelwiseError
from pixelwise.core.files import write_text
from pixelwise.core.polygons import rasterise
from pixelwise.core.runs import Runs, decode, intersection_over_union
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.losses import tell_losses
from pixelwise.formats.names import SPLITS
from pixelwise.formats.output import require_names, store_image
from pixelwise.formats.writing import Writing, Written, drop, staged
from pixelwise.formats.yolo.names import MARK, read_yaml
from pixelwise.formats.yolo.outline import one_outline

_CONFIG = "data.yaml"
_LEAST_DIGITS = 6  # as other tools write


def write(dataset: Dataset, path: Path, writing: Writing | None = None) -> Written:
    """Write a data set, all at once.

    Splits are folders (``images/train``), or list files where an image is in two of them, or some in none.

    Raises:
        DataError: it holds regions, a name cannot be a file's, or an image cannot be stored.
        StorageError: the folder holds something else, or cannot be written.
    """
    path = Path(path)
    if dataset.kind == "regions":
        raise DataError(
            f"{path}: YOLO files number a class for each object; regions have none and would be lost; match them first"
        )
    require_names(dataset)
    folders = _folders(dataset)
    with staged(path, _is_own, _is_ours, writing) as stage:
        images = list(stage.each(dataset, partial(_write_one, folders=folders)))
        places = {name: f"images/{name}" for name in dataset.splits}
        if dataset.splits and not folders:
            for name, rows in dataset.splits.items():
                text = "".join(f"./images/{images[row]}\n" for row in rows if images[row] is not None)
                write_text(stage.folder / f"{name}.txt", text)
                places[name] = f"{name}.txt"
        write_text(stage.folder / _CONFIG, _config(dataset, places))
    return stage.written


def _folders(dataset: Dataset) -> dict[str, str]:
    """Give the folder of each sample where every one is in just one split; else nothing."""
    rows = sorted(row for rows in dataset.splits.values() for row in set(rows))
    if not rows or rows != list(range(len(dataset))):
        return {}
    return {dataset[row].name: name for name, rows in dataset.splits.items() for row in rows}


def _config(dataset: Dataset, places: Mapping[str, str]) -> str:
    known = {name: place for name, place in places.items() if name in SPLITS.values()}
    stated = {"train": "images", "val": "images"} | known  # YOLO's own tools want both
    said = {"format": 1, "kind": dataset.kind, "splits": dict(places), "labels": dataset.labels.to_json()}
    document: dict[str, Any] = {
        **stated,
        "nc": len(dataset.labels),
        "names": dict(enumerate(dataset.labels.names)),
        MARK: msgspec.json.encode(said).decode(),
    }
    return str(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=2**31))


def _write_one(sample: Sample, folder: Path, folders: Mapping[str, str]) -> tuple[str, int]:
    """Write an image and its label file; give the image's name."""
    split = folders.get(sample.name, "")
    truth = None if sample.truth_source is None else sample.truth
    image = store_image(sample, folder / "images" / split)
    if truth is None:
        drop(f"{sample.name}: it has no labels, which YOLO cannot tell from an image without objects")
        return image, 0
    tell_losses(sample.name, truth)
    rows: list[str] = []
    crowds: list[str] = []
    for index, runs in enumerate(truth.masks.run_lengths()):
        row = _row(truth, index, runs, sample.name)
        if row is None:
            continue
        if truth.is_crowd[index]:
            crowds.append(f"{len(rows) + len(crowds)} {row}\n")
            drop(
                f"{sample.name}: object {index + 1} ({truth.names[index]}) is a crowd, for which YOLO has no mark: kept in "
                f"crowds/, which other tools do not read"
            )
        else:
            rows.append(f"{row}\n")
    write_text(folder / "labels" / split / f"{sample.name}.txt", "".join(rows))
    if crowds:
        write_text(folder / "crowds" / split / f"{sample.name}.txt", "".join(crowds))
    return image, len(rows) + len(crowds)


def _row(truth: Segmentation, index: int, runs: Runs, name: str) -> str | None:
    """Write an object as a row, and prove it by reading it back; None where nothing can be written."""
    where = f"{name}: object {index + 1} ({truth.names[index]})"
    outline = one_outline(decode(runs))
    if not len(outline):
        drop(f"{where} has no pixel, and an outline cannot be empty: left out")
        return None
    text = _fractions(outline, runs.size)
    try:
        back = rasterise([_points(text, runs.size)], runs.size)
    except PixelwiseError as error:
        drop(f"{where}: {error}; left out: coco or masks can hold it")
        return None
    if back != runs:
        found = float(intersection_over_union([back], [runs])[0, 0])
        drop(f"{where} is read back with an IoU of {found:.4f}; coco or masks can hold it whole")
    return f"{int(truth.class_ids[index])} {text}"


def _fractions(outline: FloatArray, size: Size) -> str:
    """Write points as fractions with as many digits as the image's size needs to find the very corner again."""
    digits = max(_LEAST_DIGITS, len(str(max(size))) + 2)
    return " ".join(f"{one:.{digits}f}" for one in (outline / (size[1], size[0])).ravel().tolist())


def _points(text: str, size: Size) -> FloatArray:
    """Read a row's points as ``yolo_rows`` does."""
    return np.array([float(word) for word in text.split()]).reshape(-1, 2) * (size[1], size[0])


def _is_own(name: str) -> bool:
    return name in ("images", "labels", "crowds", _CONFIG) or name.endswith(".txt")


def _is_ours(folder: Path) -> bool:
    try:
        return read_yaml(folder / _CONFIG).labels is not None
    except PixelwiseError:
        return False
