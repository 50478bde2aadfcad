"""Measure segments: area, box, centroid, perimeter, mean colour and run lengths.

Disjoint segments are measured all at once, in one pass over the id map; overlapping ones each inside its own box.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from pixelwise.core.arrays import AnyArray, BoolArray, FloatArray, IntArray
from pixelwise.core.image import Image
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.segmentation import Segmentation

_BLOCK = 2**18  # pixels measured at once: what they need stays in the processor's cache
_FEW = 24  # segments: as many masks take the time of one pass over all segments
_CV_BANDS = 4  # whose means OpenCV gives
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
        boxes: (S, 4) left, top, right, bottom, exclusive, zeros for an empty segment; None where another pass is needed.
    """

    areas: IntArray
    centroids: FloatArray
    perimeters: FloatArray
    colours: FloatArray
    boxes: IntArray | None = None


def figures(ids: IntArray, count: int, pixels: AnyArray) -> Figures:
    """Measure the segments 1 to ``count`` of an id map (H, W) over pixels (H, W, C), in blocks of rows."""
    height, width = ids.shape
    bands = pixels.shape[2]
    sums = np.zeros((4 + bands, count + 1))  # pixels, x, y, outline, one row a band
    boxes = None
    if count <= _FEW and pixels.dtype == np.uint8 and bands <= _CV_BANDS:
        boxes = np.tile([width, height, 0, 0], (count + 1, 1))
    step = max(1, _BLOCK // max(width, 1))
    for top in range(0, height, step):
        block = ids[top : top + step], count, pixels[top : top + step]
        part = _by_bins(*block) if boxes is None else _by_masks(*block, boxes, top)
        sums[:3] += part[:3]
        sums[2] += top * part[0]
        sums[3] += _outlines(ids, top, min(top + step, height), count)
        sums[4:] += part[3:]
    sums = sums[:, 1:]
    with np.errstate(invalid="ignore"):  # 0 / 0 of an empty segment
        means = sums / sums[0]
    found = None if boxes is None else np.where(sums[0][:, None] > 0, boxes[1:], 0)
    return Figures(sums[0].astype(np.int64), means[1:3].T, sums[3], means[4:].T, found)


def _by_masks(ids: IntArray, count: int, pixels: AnyArray, boxes: IntArray, top: int) -> FloatArray:
    """Sum pixels, x, y and each band (3 + C, count + 1) over the segments of a block, one mask at a time: fast for few.

    ``boxes`` (count + 1, 4) are widened, in place, by what the block, whose first row is ``top``, has of each segment.
    """
    sums = np.zeros((3 + pixels.shape[2], count + 1))
    pixels = np.ascontiguousarray(pixels)
    across, down = np.arange(ids.shape[1], dtype=np.float64), np.arange(ids.shape[0], dtype=np.float64)
    for index in range(1, count + 1):
        mask = (ids == index).view(np.uint8)
        columns = cv2.reduce(mask, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[0]
        area = int(columns.sum())
        if not area:
            continue
        rows = cv2.reduce(mask, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[:, 0]
        colours = np.array(cv2.mean(pixels, mask)[: pixels.shape[2]])
        sums[:, index] = area, columns @ across, rows @ down, *np.rint(colours * area)
        wide, high = np.flatnonzero(columns), np.flatnonzero(rows)
        first, last = (wide[0], top + high[0]), (wide[-1] + 1, top + high[-1] + 1)
        boxes[index, :2] = np.minimum(boxes[index, :2], first)
        boxes[index, 2:] = np.maximum(boxes[index, 2:], last)
    return sums


def _by_bins(ids: IntArray, count: int, pixels: AnyArray) -> FloatArray:
    """Sum the same in one pass over all segments: as fast for thousands as for ten, and for any depth and number of bands."""
    height, width = ids.shape
    flat = ids.ravel().astype(np.intp)
    across = np.tile(np.arange(width, dtype=np.float64), height)
    down = np.repeat(np.arange(height, dtype=np.float64), width)
    bands = _on_255(pixels).reshape(len(flat), -1)
    return np.stack([np.bincount(flat, values, count + 1) for values in (None, across, down, *bands.T)])


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
    together = figures(masks.ids, len(masks), image.pixels) if isinstance(masks, DisjointMasks) else None
    boxes = masks.boxes() if together is None or together.boxes is None else together.boxes
    runs = masks.run_lengths()
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
