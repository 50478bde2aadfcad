"""Write GeoJSON in pixels, along the sides of pixels, so that nothing is lost; see ``geojson``."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray
from pixelwise.core.errors import DataError
from pixelwise.core.files import write_bytes
from pixelwise.core.labels import LabelSet
from pixelwise.core.polygons import borders
from pixelwise.core.runs import Runs, decode
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.geojson.file import MARK
from pixelwise.formats.losses import tell_losses
from pixelwise.formats.output import require_names, store_image
from pixelwise.formats.shapes import Polygons, Union
from pixelwise.formats.splits import write_lists
from pixelwise.formats.stated import NAME, Stated, is_stated, state
from pixelwise.formats.writing import Writing, Written, staged

FORMAT = "pixelwise geojson 1"
_FOLDER = "geojson"


def write(dataset: Dataset, path: Path, writing: Writing | None = None) -> Written:
    """Write a data set of any kind as features in pixels.

    Raises:
        DataError: a name cannot be a file's, an image cannot be stored, or attributes are no JSON values.
        StorageError: the folder holds something else, or cannot be written.
    """
    path = Path(path)
    require_names(dataset)
    work = partial(_write_one, labels=dataset.labels)
    with staged(path, _is_own, lambda folder: is_stated(folder, FORMAT), writing) as stage:
        images = list(stage.each(dataset, work))
        state(stage.folder, FORMAT, Stated(dataset.kind, dataset.labels))
        write_lists(dataset, stage.folder, [None if one is None else f"images/{one}" for one in images])
    return stage.written


def _write_one(sample: Sample, folder: Path, labels: LabelSet) -> tuple[str, int]:
    """Write an image and its features; give the image's name."""
    truth = None if sample.truth_source is None else sample.truth
    image = store_image(sample, folder / "images")
    if truth is None:
        return image, 0
    tell_losses(sample.name, truth, holds=("source_ids", "track_ids", "attributes"))
    features = [_feature(truth, index, runs, sample.name) for index, runs in enumerate(truth.masks.run_lengths())]
    document = {"type": "FeatureCollection", MARK: {"format": FORMAT, "coordinates": "pixels"}, "features": features}
    try:
        data = msgspec.json.encode(document)
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(f"{sample.name}: an attribute is no JSON value: {error}") from None
    write_bytes(folder / _FOLDER / f"{sample.name}.geojson", data)
    return image, len(features)


def _feature(truth: Segmentation, index: int, runs: Runs, name: str) -> dict[str, Any]:
    """Write one segment as QuPath writes an annotation, with what else we know of it."""
    properties: dict[str, Any] = {"objectType": "annotation"}
    if truth.kind != "regions":
        label = truth.labels.labels[int(truth.class_ids[index])]
        properties["classification"] = {"name": label.name, "color": list(label.colour)}
    if truth.is_crowd[index]:
        properties["crowd"] = True
    for key, numbers in (("source_id", truth.source_ids), ("track_id", truth.track_ids)):
        if numbers is not None:
            properties[key] = int(numbers[index])
    if truth.attributes and truth.attributes[index]:
        properties["attributes"] = truth.attributes[index]
    return {"type": "Feature", "geometry": _geometry(runs, f"{name}: object {index + 1}"), "properties": properties}


def _geometry(runs: Runs, where: str) -> dict[str, Any] | None:
    mask = decode(runs)
    parts = outlined(mask)
    if not parts:
        return None
    if Union(tuple(Polygons((outer,), tuple(holes)) for outer, holes in parts)).runs(runs.size) != runs:
        raise DataError(f"{where} would not be read back as it is from its outlines, and would be lost; write coco")
    polygons = [[_closed(ring) for ring in (outer, *holes)] for outer, holes in parts]
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}


def outlined(mask: BoolArray) -> list[tuple[FloatArray, list[FloatArray]]]:
    """Trace the parts of a mask (H, W) along the sides of their pixels: (outer ring (P, 2), its holes), in x, y.

    Parts, and holes, are connected by sides; those that meet at a corner are apart, so no ring touches itself.

    >>> ring = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool)
    >>> [(outer.astype(int).tolist(), len(holes)) for outer, holes in outlined(ring)]
    [([[0, 0], [0, 3], [3, 3], [3, 0]], 1)]
    """
    from scipy import ndimage  # on first use: `import pixelwise` stays light

    numbers, _ = ndimage.label(mask)
    found: list[tuple[FloatArray, list[FloatArray]]] = []
    for index, place in enumerate(ndimage.find_objects(numbers), start=1):
        offset = np.array([place[1].start, place[0].start], np.float64)
        part = numbers[place] == index
        whole = ndimage.binary_fill_holes(part)
        outer, holes = borders(whole), borders(whole & ~part)
        if outer is None or len(outer) != 1 or holes is None:
            raise DataError("a part of a mask cannot be outlined")
        found.append((outer[0] + offset, [hole + offset for hole in holes]))
    return found


def _closed(ring: FloatArray) -> Sequence[list[int]]:
    """Repeat the first point at the end, as GeoJSON wants it."""
    points: list[list[int]] = ring.astype(np.int64).tolist()
    return [*points, points[0]]


def _is_own(name: str) -> bool:
    return name in ("images", _FOLDER, NAME) or name.endswith(".txt")
