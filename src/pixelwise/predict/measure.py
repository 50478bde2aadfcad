"""Measure segments: area, box, centroid, perimeter, mean colour and run lengths, each inside its own box only."""

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, IntArray
from pixelwise.core.image import Image
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.segmentation import Segmentation

_NEIGHBOURS = np.array([[10, 2, 10], [2, 1, 2], [10, 2, 10]], np.float32)
_STEPS = np.zeros(50)
_STEPS[[5, 7, 15, 17, 25, 27]] = 1.0
_STEPS[[21, 33]] = np.sqrt(2)
_STEPS[[13, 23]] = (1 + np.sqrt(2)) / 2


def perimeter(mask: BoolArray) -> float:
    """Estimate the length of the outline of ``mask`` (H, W) in pixels, holes included [1]; 0 for a single pixel.

    >>> perimeter(np.ones((4, 5), bool))
    14.0

    [1] Benkrid and Crookes, Design and FPGA implementation of a perimeter estimator, 2000.
    """
    padded = np.pad(mask.astype(np.uint8), 1)
    edge = padded - cv2.erode(padded, cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)))
    codes = cv2.filter2D(edge, cv2.CV_32F, _NEIGHBOURS, borderType=cv2.BORDER_CONSTANT)
    return float(np.bincount(codes.astype(np.int64).ravel(), minlength=len(_STEPS))[: len(_STEPS)] @ _STEPS)


def measure(image: Image, found: Segmentation) -> Iterator[dict[str, Any]]:
    """Describe each segment as plain JSON values.

    ``id`` is its value in the id map: the class id of a semantic segmentation, else its place from 1. ``box`` is left, top,
    right, bottom, exclusive; ``centroid`` is x, y of pixel centres; ``mean_colour`` has one number a band, from 0 to 255.
    """
    pixels = image.bytes()
    boxes, runs = found.masks.boxes(), found.masks.run_lengths()
    for index, (left, top, right, bottom) in enumerate(boxes.tolist()):
        crop = _crop(found, index, (top, bottom, left, right))
        area = int(np.count_nonzero(crop))
        class_id = int(found.class_ids[index])
        yield {
            "id": class_id if found.kind == "semantic" else index + 1,
            "class": found.labels.names[class_id] if len(found.labels) else None,
            "class_id": class_id,
            "score": None if found.scores is None else round(float(found.scores[index]), 6),
            "area": area,
            "box": [left, top, right, bottom],
            "centroid": _centroid(crop, left, top) if area else None,
            "perimeter": round(perimeter(crop), 4),
            "mean_colour": _mean_colour(pixels[top:bottom, left:right], crop) if area else None,
            "run_lengths": {"size": list(found.size), "counts": runs[index].counts.decode("ascii")},
        }


def _crop(found: Segmentation, index: int, box: tuple[int, int, int, int]) -> BoolArray:
    top, bottom, left, right = box
    if isinstance(found.masks, DisjointMasks):
        return np.asarray(found.masks.ids[top:bottom, left:right] == index + 1)
    return found.masks.mask(index)[top:bottom, left:right]


def _centroid(crop: BoolArray, left: int, top: int) -> list[float]:
    down, across = np.count_nonzero(crop, axis=1), np.count_nonzero(crop, axis=0)
    x = left + float(across @ np.arange(len(across))) / float(across.sum())
    y = top + float(down @ np.arange(len(down))) / float(down.sum())
    return [round(x, 4), round(y, 4)]


def _mean_colour(pixels: IntArray, crop: BoolArray) -> list[float]:
    mask = crop.astype(np.uint8)
    return [round(cv2.mean(np.ascontiguousarray(pixels[:, :, band]), mask=mask)[0], 4) for band in range(pixels.shape[2])]
