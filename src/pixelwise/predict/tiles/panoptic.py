"""Join the panoptic segments of tiles into one id map: stuff by its class, things by being the same object.

Each pixel is decided by the tile in whose core it lies, so segments stay disjoint, and the map of the image is held once,
whatever the tiles overlap. What a tile says outside its core only tells which thing is which.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray, IntArray, Size
from pixelwise.core.grid import Tile
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks, smallest_dtype
from pixelwise.core.segmentation import Segmentation
from pixelwise.predict.tiles.matching import Matcher, Rules
from pixelwise.predict.tiles.pieces import pieces_of

_STRIP = 2**22  # pixels whose ids are looked up at once


def join_panoptic(found: Iterable[tuple[Tile, Segmentation]], size: Size, labels: LabelSet, rules: Rules) -> Segmentation:
    """Join the segments of tiles, which come row by row, over (H, W)."""
    making, matcher, gives = _Making(size, labels), Matcher(rules), [np.zeros(0, bool)]
    for number, (tile, one) in enumerate(found):
        things, is_rim = making.add(tile, one)
        matcher.add(tile, replace(pieces_of(one[things], tile, number, size, rules.margin), is_rim=is_rim))
        gives.append(~is_rim)
    return making.finish(matcher.objects()[np.concatenate(gives)])


class _Making:
    """An id map in the making: ids 1 to L are stuff of that class, those above are pieces of things, as they came."""

    def __init__(self, size: Size, labels: LabelSet) -> None:
        self._labels = labels
        self._ids = np.zeros(size, np.uint16)
        self._groups = [np.arange(len(labels)) * 2]  # of each id but 0: twice the class, and one more for a crowd
        self._areas = [np.zeros(len(labels), np.int64)]
        self._sums = [np.zeros(len(labels))]
        self._count = len(labels)
        self._has_scores: bool | None = None

    def add(self, tile: Tile, found: Segmentation) -> tuple[IntArray, BoolArray]:
        """Take a tile's core, and give the rows of all its things, and which of them have no pixel in the core."""
        ids = found.panoptic_ids()
        top, left, bottom, right = tile.core
        own = ids[top - tile.top : bottom - tile.top, left - tile.left : right - tile.left]
        everywhere, areas = (np.bincount(each.ravel(), minlength=len(found) + 1)[1:] for each in (ids, own))
        is_stuff = ~np.isin(found.class_ids, self._labels.things) & ~found.is_crowd
        things = np.flatnonzero(~is_stuff & (everywhere > 0))
        given = things[areas[things] > 0]
        table = np.zeros(len(found) + 1, np.uint32)
        table[1:][is_stuff] = found.class_ids[is_stuff] + 1
        table[given + 1] = self._count + 1 + np.arange(len(given))
        self._count += len(given)
        if self._count > np.iinfo(self._ids.dtype).max:
            self._ids = self._ids.astype(np.uint32)
        self._ids[top:bottom, left:right] = table[own]
        self._groups.append(2 * found.class_ids[given] + found.is_crowd[given])
        self._areas.append(areas[given])
        np.add.at(self._areas[0], found.class_ids[is_stuff], areas[is_stuff])
        self._add_scores(found, areas, is_stuff, given)
        return things, areas[things] == 0

    def _add_scores(self, found: Segmentation, areas: IntArray, is_stuff: BoolArray, given: IntArray) -> None:
        if found.scores is None:
            self._has_scores = self._has_scores if len(found) == 0 else False  # a tile without segments says nothing
            self._sums.append(np.zeros(len(given)))
            return
        self._has_scores = self._has_scores is not False
        weighted = found.scores * areas
        np.add.at(self._sums[0], found.class_ids[is_stuff], weighted[is_stuff])
        self._sums.append(weighted[given])

    def finish(self, objects: IntArray) -> Segmentation:
        """Join the pieces of things that are one object (P,), and give the whole."""
        stuff = len(self._labels)
        joined = np.append(np.arange(stuff), stuff + objects)
        areas, sums = (np.bincount(joined, np.concatenate(each)) for each in (self._areas, self._sums))
        present = np.flatnonzero(areas)
        groups = np.zeros(len(areas), np.int64)
        groups[joined[::-1]] = np.concatenate(self._groups)[::-1]  # an object's first piece tells its class
        table = np.zeros(len(areas) + 1, smallest_dtype(len(present)))
        table[present + 1] = np.arange(1, len(present) + 1)
        masks = DisjointMasks(self._looked_up(np.append(0, table[joined + 1])), len(present))
        scores: FloatArray | None = np.clip(sums[present] / areas[present], 0, 1) if self._has_scores else None
        crowd = (groups[present] % 2).astype(bool)
        return Segmentation("panoptic", masks, groups[present] // 2, self._labels, scores, crowd if crowd.any() else None)

    def _looked_up(self, table: IntArray) -> IntArray:
        """Renumber the map, in place where the type allows, so that a huge one is never held three times."""
        dtype = smallest_dtype(int(table.max()))
        found = self._ids if dtype == self._ids.dtype else np.empty(self._ids.shape, dtype)
        step = max(1, _STRIP // max(1, self._ids.shape[1]))
        for top in range(0, self._ids.shape[0], step):
            found[top : top + step] = table[self._ids[top : top + step]]
        return found
