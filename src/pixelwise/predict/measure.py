"""Measure segments: area, box, centroid, perimeter, mean colour and run lengths.

Disjoint segments are measured all at once, in one pass over the id map; overlapping ones each inside its own box.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pixelwise.core.arrays import AnyArray, BoolArray, FloatArray, IntArray
from pixelwise.core.image import Image
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.segmentation import Segmentation

_BLOCK = 2**18  # pixels measured at once: what they need stays in the processor's cache
_AROUND = ((-1, 0, 2), (1, 0, 2), (0, -1, 2), (0, 1, 2), (-1, -1, 10), (-1, 1, 10), (1, -1, 10), (1, 1, 10))
_STEPS = np.zeros(50)  # by 1 + 2 for each of four neighbours on the outline + 10 for each diagonal one
_STEPS[[5, 7, 15, 17, 25, 27]] = 1.0
_STEPS[[21, 33]] = np.sqrt(2)
_STEPS[[13, 23]] = (1 + np.sqrt(2)) / 2


@dataclass(frozen=True)
class Figures:
    """What S segments measure.

    Attributes:
        areas: (S,) pixels.
        centroids: (S, 2) x, y; NaN for an empty segment.
        perimeters: (S,) in pixels.
        colours: (S, C) the mean of each band, from 0 to 255; NaN for an empty segment.
    """

    areas: IntArray
    centroids: FloatArray
    perimeters: FloatArray
    colours: FloatArray


def figures(ids: IntArray, count: int, pixels: AnyArray) -> Figures:
    """Measure the segments 1 to ``count`` of an id map (H, W) over pixels (H, W, C), in blocks of rows."""
    height, width = ids.shape
    sums = np.zeros((4 + pixels.shape[2], count + 1))  # pixels, x, y, outline, one row a band
    across = np.arange(width, dtype=np.float64)
    step = max(1, _BLOCK // max(width, 1))
    for top in range(0, height, step):
        block = ids[top : top + step]
        flat = block.ravel().astype(np.intp)
        rows = np.repeat(np.arange(top, top + len(block), dtype=np.float64), width)
        bands = _on_255(pixels[top : top + step]).reshape(len(flat), -1)
        for row, values in zip(sums, (None, np.tile(across, len(block)), rows), strict=False):
            row += np.bincount(flat, values, count + 1)
        sums[3] += _outlines(ids, top, min(top + step, height), count)
        for row, band in zip(sums[4:], bands.T, strict=True):
            row += np.bincount(flat, band, count + 1)
    sums = sums[:, 1:]
    with np.errstate(invalid="ignore"):  # 0 / 0 of an empty segment
        means = sums / sums[0]
    return Figures(sums[0].astype(np.int64), means[1:3].T, sums[3], means[4:].T)


def _on_255(pixels: AnyArray) -> AnyArray:
    if pixels.dtype.kind == "u":
        return pixels if pixels.dtype == np.uint8 else pixels / (np.iinfo(pixels.dtype).max / 255)
    return np.clip(np.nan_to_num(pixels), 0, 1) * 255.0


def _outlines(ids: IntArray, top: int, bottom: int, count: int) -> FloatArray:
    """Sum the outline (count + 1,) of each segment over the rows from ``top`` to ``bottom`` of its id map."""
    above, below = min(2, top), min(2, len(ids) - bottom)  # outlines of the rows beside them count, and these need theirs
    block = np.pad(ids[top - above : bottom + below], ((2 - above, 2 - below), (2, 2)))
    edge = np.zeros(block.shape, bool)
    inner = edge[1:-1, 1:-1]
    centre = block[1:-1, 1:-1]
    for beside in (block[:-2, 1:-1], block[2:, 1:-1], block[1:-1, :-2], block[1:-1, 2:]):
        inner |= centre != beside
    places = np.flatnonzero((edge[2:-2, 2:-2] & (block[2:-2, 2:-2] > 0)).ravel())
    wide = block.shape[1]
    places = (places // (wide - 4) + 2) * wide + places % (wide - 4) + 2
    flat, on_edge = block.ravel(), edge.ravel()
    own = flat[places]
    codes = np.ones(len(places), np.uint8)
    for down, right, weight in _AROUND:
        beside = places + (down * wide + right)
        codes += ((flat[beside] == own) & on_edge[beside]) * np.uint8(weight)
    return np.bincount(own.astype(np.intp), _STEPS[codes], count + 1)


def perimeter(mask: BoolArray) -> float:
    """Estimate the length of the outline of ``mask`` (H, W) in pixels, holes included [1]; 0 for a single pixel.

    The outline runs through the centres of the pixels that have a neighbour, of four, outside the mask; the border of the
    image is outside.

    >>> perimeter(np.ones((4, 5), bool))
    14.0

    [1] Benkrid and Crookes, Design and FPGA implementation of a perimeter estimator, 2000.
    """
    ids = np.asarray(mask, np.uint8)
    return float(_outlines(ids, 0, len(ids), 1)[1])


def measure(image: Image, found: Segmentation) -> Iterator[dict[str, Any]]:
    """Describe each segment as plain JSON values.

    ``id`` is its value in the id map: the class id of a semantic segmentation, else its place from 1. ``box`` is left, top,
    right, bottom, exclusive; ``centroid`` is x, y of pixel centres; ``perimeter`` is as ``perimeter`` estimates it;
    ``mean_colour`` has one number a band, from 0 to 255.
    """
    masks = found.masks
    boxes, runs = masks.boxes(), masks.run_lengths()
    together = figures(masks.ids, len(masks), image.pixels) if isinstance(masks, DisjointMasks) else None
    for index, (left, top, right, bottom) in enumerate(boxes.tolist()):
        if together is None:
            crop = masks.mask(index)[top:bottom, left:right].astype(np.uint8)
            one, row = figures(crop, 1, image.pixels[top:bottom, left:right]), 0
            one.centroids[:] += left, top
        else:
            one, row = together, index
        class_id, area = int(found.class_ids[index]), int(one.areas[row])
        yield {
            "id": class_id if found.kind == "semantic" else index + 1,
            "class": found.labels.names[class_id] if len(found.labels) else None,
            "class_id": class_id,
            "score": None if found.scores is None else round(float(found.scores[index]), 6),
            "area": area,
            "box": [left, top, right, bottom],
            "centroid": _rounded(one.centroids[row]) if area else None,
            "perimeter": round(float(one.perimeters[row]), 4),
            "mean_colour": _rounded(one.colours[row]) if area else None,
            "run_lengths": {"size": list(found.size), "counts": runs[index].counts.decode("ascii")},
        }


def _rounded(values: FloatArray) -> list[float]:
    return [round(float(value), 4) for value in values]
