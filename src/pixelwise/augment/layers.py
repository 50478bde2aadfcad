"""Masks that may overlap as few id maps, each of masks that share no pixel: what costs a pass over the image is done once each.

Of 300 nuclei few overlap, so they make six or seven maps; one by one they would be 300 masks of the whole image.
"""

from collections.abc import Callable, Iterator

import numpy as np

from pixelwise.augment.rare import pixels_of
from pixelwise.core.arrays import IntArray, Size
from pixelwise.core.idmaps import encode_ids, lookup
from pixelwise.core.masks import DisjointMasks, Masks, OverlappingMasks, paint
from pixelwise.core.runs import Runs, encode

_FEW = 4  # masks: a layer of no more costs as much as they do one by one


def layers(masks: Masks) -> Iterator[tuple[IntArray, DisjointMasks]]:
    """Give layers and the rows (K,) of the masks in each; every mask is whole, and in one layer.

    Painted from the largest to the smallest, the masks that are seen whole share no pixel: they are a layer, and the rest are
    painted anew, for as long as that pays; masks that are few or nested deep are given one by one.
    """
    areas = masks.areas()
    rows, found = np.argsort(-areas, kind="stable"), len(masks)
    while len(rows) > _FEW and found > _FEW:
        painted = paint(masks.select(rows), range(len(rows)))
        is_whole = pixels_of(painted) == areas[rows]
        found = int(is_whole.sum())
        numbers = np.where(is_whole, np.cumsum(is_whole), 0)
        table = np.concatenate([[0], numbers]).astype(painted.ids.dtype)
        yield rows[is_whole], DisjointMasks(lookup(table, painted.ids), found)
        rows = rows[~is_whole]
    for row in rows:
        yield np.array([row]), DisjointMasks(masks.mask(int(row)).view(np.uint8), 1)


def by_layers(masks: Masks, size: Size, change: Callable[[IntArray], IntArray]) -> OverlappingMasks:
    """Change masks by a function of id maps that looks at each pixel's id alone; what it gives is of ``size``."""
    found: dict[int, Runs] = {}
    for rows, layer in layers(masks):
        ids = change(layer.ids)
        coded = (encode(ids > 0),) if len(layer) == 1 else encode_ids(ids, len(layer))
        found.update(zip(rows.tolist(), coded, strict=True))
    return OverlappingMasks(tuple(found[row] for row in range(len(masks))), size)
