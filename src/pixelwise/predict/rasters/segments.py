"""The segments of a raster, joined over its tiles, painted into a store window by window."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pixelwise.core.arrays import IntArray
from pixelwise.core.idmaps import stretches
from pixelwise.core.masks import DisjointMasks, Masks
from pixelwise.core.predictor import Request
from pixelwise.core.rasters.salvaged import Salvaged
from pixelwise.core.segmentation import Segmentation
from pixelwise.predict.rasters.store import Store
from pixelwise.predict.tiles.joined import Joined

_WINDOW = 2**23  # pixels painted at once


def write_segments(
    predictor: Joined,
    raster: Salvaged,
    request: Request,
    store: Store,
    pixel_area: float | None,
    progress: Callable[[float, int], None] | None = None,
) -> tuple[list[dict[str, Any]], list[str]]:
    """Predict the raster, and paint its segments: k where segment k is, the smaller on top; give them described, and notes."""
    megapixels = max(1, round(raster.size[0] * raster.size[1] / 1e6))

    def tell(done: int, of: int) -> None:
        if progress is not None:
            progress(round(megapixels * done / of, 1), megapixels)

    found = predictor.segment(raster, request, tell)
    for top, left, ids in painted(found):
        bottom, right = top + ids.shape[0], left + ids.shape[1]
        valid = raster.valid(slice(top, bottom), slice(left, right))
        store.put(top, left, ids if valid is None else np.where(valid, ids, 0))
    height, width = raster.size
    store.finish(
        (0, 0, height, width), {"classes": {}, "has_scores": True, "lost": [raster.lost[box] for box in sorted(raster.lost)]}
    )
    return list(segment_entries(found, pixel_area)), list(found.notes)


def painted(found: Segmentation) -> Iterator[tuple[int, int, IntArray]]:
    """Give the ids of the segments by windows, each with its top and left: crowds below, then larger below smaller ones."""
    masks = found.masks
    if isinstance(masks, DisjointMasks):
        step = max(1, _WINDOW // max(found.size[1], 1))
        for top in range(0, found.size[0], step):
            yield top, 0, masks.ids[top : top + step]
        return
    order = np.lexsort((-masks.areas(), ~found.is_crowd))
    yield from ((0, left, ids) for left, ids in _columns(masks, order))


def _columns(masks: Masks, order: IntArray) -> Iterator[tuple[int, IntArray]]:
    """Paint masks in an order, by windows of whole columns: run lengths go down columns, so a window is one stretch of them."""
    height, width = masks.size
    firsts, lasts, cuts = stretches(masks.run_lengths())
    owners = np.repeat(np.arange(len(masks)), np.diff(cuts))
    rank = np.empty(len(masks), np.int64)
    rank[order] = np.arange(len(masks))
    by_rank = np.argsort(rank[owners], kind="stable")
    firsts, lasts, owners = firsts[by_rank], lasts[by_rank], owners[by_rank]
    step = max(1, _WINDOW // max(height, 1))
    for left in range(0, width, step):
        right = min(left + step, width)
        begin, end = left * height, right * height
        flat = np.zeros(end - begin, np.uint32)
        rows = np.flatnonzero((firsts < end) & (lasts > begin))
        low, high = np.maximum(firsts[rows], begin) - begin, np.minimum(lasts[rows], end) - begin
        for first, last, owner in zip(low.tolist(), high.tolist(), owners[rows].tolist(), strict=True):
            flat[first:last] = owner + 1
        yield left, np.ascontiguousarray(flat.reshape(right - left, height).T)


def segment_entries(found: Segmentation, pixel_area: float | None) -> Iterator[dict[str, Any]]:
    """Describe each segment as ``predict`` does; what it would take the raster's pixels for is null."""
    areas, boxes, runs = found.masks.areas(), found.masks.boxes(), found.masks.run_lengths()
    for index, (area, box) in enumerate(zip(areas.tolist(), boxes.tolist(), strict=True)):
        class_id = int(found.class_ids[index])
        yield {
            "id": index + 1,
            "class": found.labels.names[class_id] if len(found.labels) else None,
            "class_id": class_id,
            "score": None if found.scores is None else round(float(found.scores[index]), 6),
            "area": area,
            **({} if pixel_area is None else {"area_m2": round(area * pixel_area, 4)}),
            "box": box,
            "centroid": None,
            "perimeter": None,
            "mean_colour": None,
            "run_lengths": {"size": list(found.size), "counts": runs[index].counts.decode("ascii")},
        }
