"""Write Pascal VOC: class masks, object masks, XML and lists, as its own tools read them.

Semantic, panoptic and instance truth that does not overlap is read back bit for bit. What VOC has no place for is told to
Pixelwise alone: the label set and the kind in a remark of ``labelmap.txt``, crowds and an unusual order in extra elements of
the XML, where other tools see ``difficult`` objects in the order of their numbers.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from pixelwise.core.arrays import IntArray
from pixelwise.core.errors import DataError
from pixelwise.core.files import write_text
from pixelwise.core.image import write_ids
from pixelwise.core.labels import VOID, Colour, LabelSet, pack_colour
from pixelwise.core.masks import as_disjoint
from pixelwise.core.sample import Dataset, ImageArray, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.boxed import Boxed
from pixelwise.formats.disjoint import held, refuse_kinds
from pixelwise.formats.losses import tell_losses
from pixelwise.formats.output import require_names, store_image
from pixelwise.formats.voc.labels import BORDER, BORDER_COLOUR, COLOURS, is_ours, labelmap
from pixelwise.formats.voc.xml import CROWD, FLAGS, page_text, written_name
from pixelwise.formats.writing import Writing, Written, drop, staged

_OWN = ("JPEGImages", "SegmentationClass", "SegmentationObject", "Annotations", "ImageSets", "labelmap.txt")


def write(dataset: Dataset, path: Path, writing: Writing | None = None) -> Written:
    """Write a data set, all at once.

    Raises:
        DataError: it is multilabel or regions, has more classes or an image more objects than 8 bits number, objects overlap, a
            name cannot be a file's, or an image cannot be stored.
        StorageError: the folder holds something else, or cannot be written.
    """
    path = Path(path)
    refuse_kinds(dataset, path, "VOC")
    require_names(dataset)
    first = 1 if dataset.kind == "instance" else 0  # the value 0 is what lies under no object
    count = len(dataset.labels)
    if count + first > BORDER:
        raise DataError(f"{path}: VOC's masks number {BORDER - first} classes in 8 bits; {count} would be lost; write coco")
    labels = replace(dataset.labels, values={**{index + first: index for index in range(count)}, BORDER: VOID}, encoding="id")
    colours = _colours(labels, first)
    with staged(path, lambda name: name in _OWN, is_ours, writing) as stage:
        done = list(stage.each(dataset, partial(_write_one, first=first, colours=colours)))
        rows = [*([("background", _triple(colours, 0))] if first else []), *_rows(labels, colours, first)]
        write_text(stage.folder / "labelmap.txt", labelmap(labels, dataset.kind, rows))
        folders = ("Segmentation",) if dataset.kind == "semantic" else ("Segmentation", "Main")
        for name, members in dataset.splits.items():
            text = "".join(f"{done[row]}\n" for row in members if done[row] is not None)
            for folder in folders:
                write_text(stage.folder / "ImageSets" / folder / f"{name}.txt", text)
    return stage.written


def _rows(labels: LabelSet, colours: IntArray, first: int) -> list[tuple[str, Colour]]:
    return [(name, _triple(colours, index + first)) for index, name in enumerate(labels.names)]


def _triple(colours: IntArray, value: int) -> Colour:
    red, green, blue = colours[value].tolist()
    return red, green, blue


def _colours(labels: LabelSet, first: int) -> IntArray:
    """Choose the colour table (256, 3): the classes' own colours where they can be told apart, else VOC's."""
    own = [pack_colour(label.colour) for label in labels.labels]
    taken = [*own, BORDER_COLOUR, *([0] if first else [])]
    colours = COLOURS.copy()
    if len(set(taken)) == len(taken):
        colours[first : first + len(labels)] = labels.colours
    return colours


def _write_one(sample: Sample, folder: Path, first: int, colours: IntArray) -> tuple[str, int]:
    """Write an image, its masks and its XML; give its name."""
    truth = None if sample.truth_source is None else sample.truth
    if truth is None:
        store_image(sample, folder / "JPEGImages")
        return sample.name, 0
    truth = held(truth, sample.name, "VOC")
    masks = as_disjoint(truth.masks)
    numbers = _numbers(truth, sample.name)
    _tell(truth, numbers, sample.name)
    image = store_image(sample, folder / "JPEGImages")
    table = np.full(len(truth) + 1, 0 if first else BORDER, np.uint8)
    table[1:] = truth.class_ids + first
    write_ids(folder / "SegmentationClass" / f"{sample.name}.png", table[masks.ids], colours)
    if truth.kind != "semantic":
        table[1:] = numbers
        write_ids(folder / "SegmentationObject" / f"{sample.name}.png", table[masks.ids], COLOURS)
        order = list(zip(truth.class_ids.tolist(), numbers.tolist(), strict=True))
        usual = sorted(order, key=lambda one: (one[1], one[0]))
        text = page_text(image, truth.size, _bands(sample), _boxed(truth, numbers), () if order == usual else order)
        write_text(folder / "Annotations" / f"{sample.name}.xml", text)
    return sample.name, len(truth)


def _bands(sample: Sample) -> int:
    """Count the bands of an image in memory; a file's are three to VOC, and not worth decoding it for."""
    return len(sample.image.bands) if isinstance(sample.pixels, ImageArray) else 3


def _tell(truth: Segmentation, numbers: IntArray, name: str) -> None:
    """Tell what is lost of the fields beside masks: the XML has a place for objects that have a number."""
    stuff = truth[numbers == 0]
    is_boxed = stuff.boxes is not None and not np.array_equal(stuff.boxes, stuff.masks.boxes())
    tell_losses(name, truth, holds=("attributes",) if is_boxed else ("boxes", "attributes"))
    others = {
        key
        for one, number in zip(truth.attributes, numbers.tolist(), strict=False)
        for key, value in one.items()
        if not (number and _is_held(key, value))
    }
    if others:
        drop(f"{name}: the attributes {', '.join(sorted(map(str, others)))}, which VOC has no place for: left out")


def _is_held(key: str, value: object) -> bool:
    """Tell whether an attribute comes back from the XML: a flag of VOC's that is set or not, or a pose in words."""
    if key == "pose":
        return isinstance(value, str) and value != "" and written_name(value) == value
    return key in FLAGS and key != CROWD and isinstance(value, int | float) and value in (0, 1)


def _numbers(truth: Segmentation, name: str) -> IntArray:
    """Number the objects from 1; stuff, once a class, has 0, as background has in VOC, and so have classes alone."""
    if truth.kind == "semantic":
        return np.zeros(len(truth), np.int64)
    is_thing = np.isin(truth.class_ids, truth.labels.things) if truth.kind == "panoptic" else np.ones(len(truth), bool)
    numbers = np.zeros(len(truth), np.int64)
    seen: set[int] = set()
    count = 0
    for row, index in enumerate(truth.class_ids.tolist()):
        if is_thing[row] or index in seen or truth.is_crowd[row]:
            count += 1
            numbers[row] = count
        else:
            seen.add(index)
    if count >= BORDER:
        raise DataError(
            f"{name}: it has {count} objects, and VOC's masks number {BORDER - 1} in 8 bits: the rest would be lost; write coco"
        )
    return numbers


def _boxed(truth: Segmentation, numbers: IntArray) -> list[Boxed]:
    """List the numbered objects with the boxes that the source states, else those of their masks."""
    boxes = truth.stated_boxes()
    found = []
    for row in np.flatnonzero(numbers).tolist():
        stated = truth.attributes[row] if truth.attributes else {}
        attributes = {key: value for key, value in stated.items() if _is_held(key, value)}
        if truth.is_crowd[row]:
            attributes |= {"difficult": True, CROWD: True}
        left, top, right, bottom = boxes[row].tolist()
        found.append(Boxed(truth.names[row], (left, top, right, bottom), attributes))
    return found
