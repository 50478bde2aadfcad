"""What formats that hold one object a pixel refuse, and what they leave out: Pascal VOC and Cityscapes."""

from pathlib import Path

import numpy as np

from pixelwise.core.errors import DataError
from pixelwise.core.masks import as_disjoint
from pixelwise.core.sample import Dataset
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.writing import drop


def refuse_kinds(dataset: Dataset, path: Path, tool: str) -> None:
    """Refuse the kinds that a class a pixel cannot hold.

    Raises:
        DataError: the data set is multilabel or regions.
    """
    if dataset.kind in ("multilabel", "regions"):
        reason = "classes that overlap" if dataset.kind == "multilabel" else "regions without classes"
        raise DataError(f"{path}: {tool} holds one class a pixel, so {reason} would be lost; write coco or masks instead")


def held(truth: Segmentation, name: str, tool: str) -> Segmentation:
    """Take what disjoint masks hold of the truth of the sample ``name``: not what is empty, which is told.

    Raises:
        DataError: objects overlap.
    """
    try:
        masks = as_disjoint(truth.masks)
    except DataError:
        raise DataError(
            f"{name}: objects overlap, and {tool} holds one object a pixel: what lies below would be lost; write coco instead, "
            f"or take .semantic() of the data set first"
        ) from None
    empty = masks.areas() == 0
    for row in np.flatnonzero(empty).tolist():
        drop(f"{name}: object {row + 1} ({truth.names[row]}) has no pixel, and a mask has no place for it: left out")
    if truth.kind == "semantic" and truth.is_crowd.any():
        drop(f"{name}: crowd marks, which a map of classes cannot hold: left out")
    return truth[~empty] if empty.any() else truth
