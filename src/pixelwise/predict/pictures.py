"""Write the pictures of a segmented image: its id map, and the overlay where one is wanted."""

from pathlib import Path

import numpy as np

from pixelwise.core.arrays import IntArray
from pixelwise.core.image import Image, write_ids, write_image
from pixelwise.core.labels import VOID, LabelSet, colour_of, foreground_of
from pixelwise.core.segmentation import Segmentation
from pixelwise.predict.inputs import Job

_LONGEST_JPEG = 65_500


def write_pictures(out: Path, job: Job, image: Image, found: Segmentation, binary: bool) -> dict[str, str | None]:
    """Write what ``job`` names, and give the names by what they are; no overlay of a side too long for JPEG.

    Raises:
        StorageError: the folder cannot be written.
    """
    drawn = job.overlay if job.overlay and 0 < max(found.size) <= _LONGEST_JPEG else None
    ids, colours = _binary(found) if binary else coloured_ids(found)
    write_ids(out / job.mask, ids, colours)
    if drawn is not None:
        from pixelwise.draw.overlay import overlay

        write_image(out / drawn, overlay(image, found))
    return {"mask": job.mask, "overlay": drawn}


def coloured_ids(found: Segmentation) -> tuple[IntArray, IntArray]:
    """Give the ids (H, W) of the id map, classes of a semantic segmentation and else segments, and its table of colours."""
    if found.kind == "semantic":
        return found.class_map(), found.labels.colours
    colours = np.array([(0, 0, 0), *(colour_of(index) for index in range(min(len(found), 255)))], np.uint8)
    return found.panoptic_ids(), colours


def _binary(found: Segmentation) -> tuple[IntArray, None]:
    mask = np.zeros(found.size, np.uint8)
    for index in np.flatnonzero(found.class_ids == foreground_of(found.labels)):
        mask[found.masks.mask(int(index))] = 255
    return mask, None


def stored_labels(labels: LabelSet, binary: bool) -> LabelSet:
    """Say what the values of the PNGs stand for: the predictor's classes, whatever its training data stored."""
    if not binary:
        return LabelSet(labels.labels, {**{index: index for index in range(len(labels))}, labels.void: VOID})
    foreground = foreground_of(labels)
    other = 1 - foreground if len(labels) == 2 else VOID
    return LabelSet(labels.labels, {0: other, 255: foreground})
