"""Write CVAT's XML 1.1 for images: ``images/`` and ``annotations.xml``, which CVAT imports as they are.

Every segment is a ``<mask>``, whose run lengths lose nothing; ``z_order`` keeps the order. Splits are subsets, of which CVAT
knows one an image. Crowds have the attribute ``is_crowd``, as CVAT's import of COCO gives it. What CVAT has no place for (the
kind, which classes are things) is an element of ``<meta>``, which the tool passes over.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring
from xml.sax.saxutils import quoteattr

import msgspec

from pixelwise.core.errors import DataError, PixelwiseError
from pixelwise.core.files import replacing
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.cvat.file import MARK, survey
from pixelwise.formats.cvat.shapes import CROWD, OCCLUDED, row_counts
from pixelwise.formats.exports.note import first_splits
from pixelwise.formats.losses import tell_losses
from pixelwise.formats.output import require_names, store_image
from pixelwise.formats.writing import Writing, Written, drop, staged

FORM = "pixelwise cvat 1"
_FILE = "annotations.xml"
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # characters that no XML may hold


def write(dataset: Dataset, path: Path, writing: Writing | None = None) -> Written:
    """Write a data set, all at once.

    Args:
        dataset: of any kind; regions, having no class, are called ``region``. Images without a truth are
            stored, but listed nowhere.
        path: the folder to make; one that Pixelwise wrote is replaced.
        writing: how.

    Raises:
        DataError: a name cannot be a file's or stand in XML, or an image cannot be stored.
        StorageError: the folder holds something else, or cannot be written.
    """
    path = Path(path)
    require_names(dataset)
    _require_xml([*dataset.labels.names, *dataset.splits, *(sample.name for sample in dataset)])
    work = partial(_write_one, subsets=first_splits(dataset))
    with staged(path, lambda name: name in ("images", _FILE), _is_ours, writing) as stage:
        written = [one for one in stage.each(dataset, work) if one is not None]
        with replacing(stage.folder / _FILE) as file, open(file, "w", encoding="utf-8", newline="\n") as out:
            out.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n')
            out.write(_meta(dataset, written))
            for number, one in enumerate(written):
                head = " ".join(f"{key}={quoteattr(str(value))}" for key, value in one["image"].items())
                out.write(f'  <image id="{number}" {head}>\n{"".join(one["shapes"])}  </image>\n')
            out.write("</annotations>\n")
    return stage.written


def _require_xml(names: Iterable[str]) -> None:
    for name in names:
        if _NOT_XML.search(name):
            raise DataError(f"{name!r}: the name holds a character that XML cannot; rename it")


def _write_one(sample: Sample, folder: Path, subsets: Mapping[str, Sequence[str]]) -> tuple[dict[str, Any] | None, int]:
    """Store an image; give its element's parts."""
    if sample.truth_source is None:
        store_image(sample, folder / "images")
        return None, 0
    truth = sample.truth
    height, width = truth.size
    image = {"name": store_image(sample, folder / "images"), "width": width, "height": height}
    splits = subsets.get(sample.name, ())
    if splits:
        image["subset"] = splits[0]
    if len(splits) > 1:
        drop(f"{sample.name}: it is in {', '.join(splits)}; CVAT knows one subset an image, so it stays in {splits[0]} alone")
    shapes: list[str] = []
    said: dict[str, list[str]] = {}
    changed: set[str] = set()
    for index, name in enumerate(truth.names):
        attributes = _attributes(truth, index, sample.name)
        shapes.append(_mask(truth, index, attributes))
        said[name] = sorted({*said.get(name, ()), *attributes})
        stated = truth.attributes[index] if truth.attributes else {}
        changed |= {key for key in stated.keys() & attributes.keys() if _read_back(attributes[key]) != stated[key]}
    if changed:
        drop(f"{sample.name}: attributes that are read back as bare text, as CVAT has no other: {', '.join(sorted(changed))}")
    tell_losses(sample.name, truth, holds=("attributes",))
    return {"image": image, "shapes": shapes, "attributes": said}, len(truth)


def _attributes(truth: Segmentation, index: int, name: str) -> dict[str, str]:
    said = truth.attributes[index] if truth.attributes else {}
    found = {}
    for key, value in said.items():
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        if key == CROWD or _NOT_XML.search(key) or _NOT_XML.search(text):
            drop(f"{name}: object {index + 1}: its attribute {key!r} is not kept, as CVAT cannot hold it")
        elif key != OCCLUDED or value is not True:  # which is CVAT's own mark
            found[key] = text
    return {**found, CROWD: "true"} if truth.is_crowd[index] else found


def _read_back(text: str) -> str:
    """Give what a reader of XML makes of a text."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _mask(truth: Segmentation, index: int, attributes: Mapping[str, str]) -> str:
    """Write a segment as an element; one pixel of zeros stands for an empty mask."""
    mask = truth.masks.mask(index)
    left, top, right, bottom = truth.masks.run_lengths()[index].box if mask.any() else (0, 0, 1, 1)
    is_occluded = bool(truth.attributes) and truth.attributes[index].get(OCCLUDED) is True
    element = Element(
        "mask",
        label=truth.names[index],
        source="manual",
        occluded=str(int(is_occluded)),
        rle=row_counts(mask[top:bottom, left:right]),
        left=str(left),
        top=str(top),
        width=str(right - left),
        height=str(bottom - top),
        z_order=str(index),
    )
    for key, value in attributes.items():
        SubElement(element, "attribute", name=key).text = value
    return f"    {tostring(element, encoding='unicode')}\n"


def _meta(dataset: Dataset, written: Sequence[Mapping[str, Any]]) -> str:
    """Describe the project: its subsets, its labels and their attributes."""
    meta = Element("meta")
    project = SubElement(meta, "project")
    SubElement(project, "name").text = _NOT_XML.sub("?", dataset.name)
    SubElement(project, "subsets").text = "\n".join(dataset.splits)
    labels = SubElement(project, "labels")
    for label in dataset.labels.labels:
        element = SubElement(labels, "label")
        SubElement(element, "name").text = label.name
        SubElement(element, "color").text = "#{:02x}{:02x}{:02x}".format(*label.colour)
        SubElement(element, "type").text = "any"
        attributes = SubElement(element, "attributes")
        for name in sorted({name for one in written for name in one["attributes"].get(label.name, ())}):
            is_crowd = name == CROWD
            attribute = SubElement(attributes, "attribute")
            SubElement(attribute, "name").text = name
            SubElement(attribute, "mutable").text = "False"
            SubElement(attribute, "input_type").text = "checkbox" if is_crowd else "text"
            SubElement(attribute, "default_value").text = "false" if is_crowd else ""
            SubElement(attribute, "values").text = "false" if is_crowd else ""
    about = {"format": FORM, "kind": dataset.kind, "labels": dataset.labels.to_json()}
    SubElement(meta, MARK).text = msgspec.json.encode(about).decode()
    indent(meta, level=1)
    return f"  {tostring(meta, encoding='unicode').rstrip()}\n"


def _is_ours(folder: Path) -> bool:
    try:
        return survey(folder / _FILE).about.get("format") == FORM
    except PixelwiseError:
        return False
