"""The class map of a raster, block after block into a store, with void where there is no data."""

from collections.abc import Callable
from typing import Any

import numpy as np

from pixelwise.core.arrays import AnyArray
from pixelwise.core.predictor import Predictor, Request
from pixelwise.core.rasters.salvaged import Salvaged
from pixelwise.predict.rasters.store import Box, Store
from pixelwise.predict.rasters.tally import tally
from pixelwise.predict.tiles.strips import blocks
from pixelwise.predict.tiles.tiling import Tiling


def write_classes(
    predictor: Predictor,
    raster: Salvaged,
    tiling: Tiling,
    request: Request,
    store: Store,
    progress: Callable[[float, int], None] | None = None,
) -> None:
    """Predict what the store does not have; what holds no data at all is not predicted.

    Raises:
        OptionError: the predictor cannot do what the tiles or the request want.
        StorageError: no space is left; what is done stays valid.
    """
    labels, writing = predictor.card.labels, _Writing(predictor, raster, store, progress)
    for block in blocks(predictor, raster, tiling, request, skip=writing.is_done):
        top, left, bottom, right = block.box
        valid = raster.valid(slice(top, bottom), slice(left, right))
        if valid is None:
            writing.put(block.box, block.classes, block.scores)
        else:
            writing.put(block.box, np.where(valid, block.classes, store.dtype.type(labels.void)), block.scores)


class _Writing:
    def __init__(
        self, predictor: Predictor, raster: Salvaged, store: Store, progress: Callable[[float, int], None] | None
    ) -> None:
        self._labels = predictor.card.labels
        self._raster = raster
        self._store = store
        self._progress = progress
        self._pixels = sum((bottom - top) * (right - left) for top, left, bottom, right in store.done)
        self._tell()

    def is_done(self, box: Box) -> bool:
        """Tell whether a block need not be predicted; one that holds no data is written here, as void."""
        if box in self._store.done:
            return True
        top, left, bottom, right = box
        valid = self._raster.valid(slice(top, bottom), slice(left, right))
        if valid is None or valid.any():
            return False
        self.put(box, np.full(valid.shape, self._labels.void, self._store.dtype), None)
        return True

    def put(self, box: Box, classes: AnyArray, scores: AnyArray | None) -> None:
        """Write a block, and tell that it is there."""
        top, left, bottom, right = box
        counts = tally(top, left, classes, len(self._labels), scores)
        told: dict[str, Any] = {
            "classes": counts,
            "has_scores": scores is not None or not counts,
            "lost": [self._raster.lost[one] for one in self._raster.lost_in(slice(top, bottom), slice(left, right))],
        }
        self._store.put(top, left, classes)
        self._store.finish(box, told)
        self._pixels += (bottom - top) * (right - left)
        self._tell()

    def _tell(self) -> None:
        if self._progress is not None:
            height, width = self._raster.size
            self._progress(round(self._pixels / 1e6, 1), max(1, round(height * width / 1e6)))
