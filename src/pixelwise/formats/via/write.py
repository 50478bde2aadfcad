"""Write the VGG Image Annotator's projects: ``images/`` and one ``via_<split>.json`` a split, which VIA 2 opens as they are.

VIA has polygons alone. Each part of an object is one, along the sides of its pixels, and holes are reached over bridges of no
width (``core.polygons.keyholes``), so that every mask is read back bit for bit. Parts of one object carry the same number in
the attribute ``object``. What VIA has no place for (the kind, the order of classes, the split) stands in the project's
settings, which the tool keeps.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from pixelwise.core.errors import DataError, PixelwiseError
from pixelwise.core.files import make_folder, write_json
from pixelwise.core.polygons import keyholes, rasterise
from pixelwise.core.runs import Runs, decode, intersection_over_union
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.exports.stage import entries_by_file
from pixelwise.formats.losses import tell_losses
from pixelwise.formats.output import require_names, store_image
from pixelwise.formats.via.file import MARK, METADATA, open_via
from pixelwise.formats.via.regions import CLASS, CROWD, OBJECT
from pixelwise.formats.writing import Writing, Written, drop, staged

FORM = "pixelwise via 1"
_OWN = (CLASS, OBJECT, CROWD)
_NOTHING = [np.zeros((3, 2))]  # a polygon of no area, for a mask without pixels


def write(dataset: Dataset, path: Path, writing: Writing | None = None) -> Written:
    """Write a data set, all at once.

    Args:
        dataset: of any kind; regions, having no class, are called ``region``. Images without a truth are
            stored, but listed nowhere.
        path: the folder to make; one that Pixelwise wrote is replaced.
        writing: how.

    Raises:
        DataError: a name cannot be a file's, or an image cannot be stored.
        StorageError: the folder holds something else, or cannot be written.
    """
    path = Path(path)
    require_names(dataset)
    with staged(path, _is_own, _is_ours, writing) as stage:
        written = list(stage.each(dataset, _write_one))
        for split, images in entries_by_file(dataset, written, "").items():
            name = f"via_{split}.json" if split else "via.json"
            write_json(stage.folder / name, _project(dataset, split, images))
    return stage.written


def _write_one(sample: Sample, folder: Path) -> tuple[dict[str, Any] | None, int]:
    """Store an image; give its entry."""
    images = make_folder(folder / "images")
    if sample.truth_source is None:
        store_image(sample, images)
        return None, 0
    truth = sample.truth
    name = store_image(sample, images)
    regions = [region for index in range(len(truth)) for region in _regions(truth, index, sample.name)]
    tell_losses(sample.name, truth, holds=("attributes",))
    if changed := {
        key for said in truth.attributes for key, value in said.items() if key not in _OWN and not isinstance(value, str)
    }:
        drop(f"{sample.name}: attributes that are read back as text, as VIA has no other: {', '.join(sorted(changed))}")
    return {"filename": name, "size": (images / name).stat().st_size, "regions": regions, "file_attributes": {}}, len(truth)


def _regions(truth: Segmentation, index: int, name: str) -> list[dict[str, Any]]:
    """Outline one segment; what is not read back as it is, is told."""
    runs = truth.masks.run_lengths()[index]
    outlines = keyholes(decode(runs)) or _NOTHING
    try:
        back = rasterise(outlines, runs.size)
    except DataError as error:
        drop(f"{name}: object {index + 1} is left out, as VIA has polygons alone and {error}")
        return []
    if back != runs:
        drop(
            f"{name}: object {index + 1} is read back with a mask IoU of {_overlap(back, runs):.4f}, as VIA has polygons alone"
        )
    said = {CLASS: truth.names[index], **_attributes(truth, index, name)}
    if truth.is_crowd[index]:
        said[CROWD] = "1"
    if len(outlines) > 1:
        said[OBJECT] = str(index + 1)
    return [{"shape_attributes": _polygon(one), "region_attributes": said} for one in outlines]


def _overlap(one: Runs, other: Runs) -> float:
    return float(intersection_over_union([one], [other])[0, 0])


def _polygon(outline: Any) -> dict[str, Any]:
    xs, ys = outline.astype(int).T.tolist()
    return {"name": "polygon", "all_points_x": xs, "all_points_y": ys}


def _attributes(truth: Segmentation, index: int, name: str) -> dict[str, str]:
    """Give what else is said of a segment, as text: VIA's attributes are."""
    said = truth.attributes[index] if truth.attributes else {}
    if taken := [key for key in said if key in _OWN]:
        drop(f"{name}: object {index + 1}: its attributes {', '.join(taken)} are not kept: VIA needs these names for itself")
    return {key: _text(value) for key, value in said.items() if key not in _OWN}


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _project(dataset: Dataset, split: str, images: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    about = {"format": FORM, "kind": dataset.kind, "split": split, "labels": dataset.labels.to_json()}
    entries = {f"{one['filename']}{one['size']}": one for one in images}
    return {
        "_via_settings": {
            "core": {"default_filepath": "images/"},
            "project": {"name": split or dataset.name, MARK: msgspec.json.encode(about).decode()},
        },
        METADATA: entries,
        "_via_attributes": {"region": _described(dataset, images), "file": {}},
        "_via_data_format_version": "2.0.10",
        "_via_image_id_list": list(entries),
    }


def _described(dataset: Dataset, images: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Describe the attributes of regions: the class is chosen from a list, all else is text."""
    options = {name: name for name in dataset.labels.names}
    found: dict[str, Any] = {CLASS: {"type": "dropdown", "description": "", "options": options, "default_options": {}}}
    words = {OBJECT: "regions of one number are parts of one object", CROWD: "1 where it stands for a group"}
    for image in images:
        for region in image["regions"]:
            for key in region["region_attributes"]:
                found.setdefault(key, {"type": "text", "description": words.get(key, ""), "default_value": ""})
    return found


def _is_own(name: str) -> bool:
    return name == "images" or (name.startswith("via") and name.endswith(".json"))


def _is_ours(folder: Path) -> bool:
    """Tell a folder that ``write`` made: every file says so."""
    files = list(folder.glob("via*.json"))
    try:
        return bool(files) and all(open_via(one).about.get("format") == FORM for one in files)
    except PixelwiseError:
        return False
