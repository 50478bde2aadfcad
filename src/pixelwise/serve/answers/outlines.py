"""Outlines of segments along the sides of their pixels, so that nothing is lost; what the forms with polygons share."""

from collections import defaultdict
from typing import Any

from pixelwise.augment.layers import layers
from pixelwise.core.arrays import IntArray
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.segmentation import Segmentation
from pixelwise.predict.vectors.traced import regions

Rings = tuple[IntArray, ...]


def polygons(found: Segmentation) -> list[list[Rings]]:
    """Give for each segment its parts, each an outline and its holes: (P, 2) of x, y in corners of pixels, not closed.

    Parts are connected by sides of pixels; the top left corner of the image is 0, 0. A segment without pixels has no part.
    """
    masks = found.masks
    if isinstance(masks, DisjointMasks):
        parts = _by_id(masks.ids)
        return [parts[index + 1] for index in range(len(masks))]
    traced: list[list[Rings]] = [[] for _ in range(len(masks))]
    for rows, layer in layers(masks):  # a pass over the image for each few, not for each mask
        parts = _by_id(layer.ids)
        for index, row in enumerate(rows.tolist(), start=1):
            traced[row] = parts[index]
    return traced


def named(found: Segmentation) -> list[dict[str, Any]]:
    """Name each segment's id, class and score, as in ``segments.json``."""
    scores = [None] * len(found) if found.scores is None else [round(float(score), 6) for score in found.scores]
    return [
        {"id": class_id if found.kind == "semantic" else index, "class": name, "class_id": class_id, "score": score}
        for index, (class_id, name, score) in enumerate(
            zip(found.class_ids.tolist(), found.names, scores, strict=True), start=1
        )
    ]


def _by_id(ids: IntArray) -> defaultdict[int, list[Rings]]:
    parts: defaultdict[int, list[Rings]] = defaultdict(list)
    if ids.size:
        for region in regions(lambda first, last: ids[first:last], (ids.shape[0], ids.shape[1]), void=0):
            parts[region.value].append(region.rings)
    return parts
