"""Predict a raster tile by tile, and give what is finished from top to bottom, in memory that does not grow with its height.

A block is a strip of rows over the whole width; where that alone would pass the memory limit, the raster is worked on in
panels of columns, one after the other. Every block follows from the raster, the predictor and the tiling alone: a run that
leaves out what an earlier one finished gives the other blocks bit for bit.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.errors import DataError, OptionError
from pixelwise.core.grid import Span
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN, Predictor, Request
from pixelwise.core.rasters.raster import Raster
from pixelwise.core.segmentation import Segmentation
from pixelwise.predict.decision import BLOCK, class_type, decide, probabilities_of, threshold_of
from pixelwise.predict.tiles.blending import Blend
from pixelwise.predict.tiles.tiling import JOINS, Join, Tiling

__all__ = ["JOINS", "Block", "Box", "Join", "Tiling", "blocks"]

Box = tuple[int, int, int, int]  # top, left, bottom, right


@dataclass(frozen=True, eq=False)
class Block:
    """A finished part (h, w) of a raster's segmentation.

    Attributes:
        top, left: its place.
        classes: (h, w), ``labels.void`` where the predictor gives no class.
        highest: (h, w) the probability of the chosen class, where probabilities were requested.
        probabilities: (L, h, w), where they were requested.
        scores: (L,) the mean probability of each class over the pixels it has here; None where the predictor gives none.
    """

    top: int
    left: int
    classes: IntArray
    highest: FloatArray | None = None
    probabilities: FloatArray | None = None
    scores: FloatArray | None = None

    @property
    def box(self) -> Box:
        """Top, left, bottom and right."""
        return self.top, self.left, self.top + self.classes.shape[0], self.left + self.classes.shape[1]


def blocks(
    predictor: Predictor,
    raster: Raster,
    tiling: Tiling,
    request: Request = PLAIN,
    *,
    skip: Callable[[Box], bool] | None = None,
) -> Iterator[Block]:
    """Segment a raster; the blocks partition it, and come from top to bottom of one panel of columns after the other.

    Args:
        predictor: gives semantic segmentations, and probabilities where tiles are blended or those are requested.
        raster: of any size; only windows of it are read.
        tiling: the tiles, how they are joined, and the memory that the panels keep to.
        request: with ``probabilities``, a block holds them, and its classes follow from them.
        skip: called with (top, left, bottom, right) of a block; where it says True, the block is not given, and no tile is
            predicted that only such blocks need.

    Raises:
        OptionError: here, not at the first block: the predictor's segments are not semantic, it gives no probabilities though
            they are needed, prompts are given, or the threshold does not fit.
    """
    card = predictor.card
    if card.kind != "semantic":
        raise OptionError(f"'{card.name}' gives {card.kind} segments; blocks of class maps are joined of semantic ones alone")
    if request.prompts:
        raise OptionError("prompts say places in the whole image and cannot be given to tiles; leave out one of the two")
    if (tiling.blends or request.probabilities) and not card.gives_probabilities:
        raise OptionError(f"'{card.name}' gives no probabilities that could be blended over tiles")
    threshold = threshold_of(card, request)
    work = _Work(predictor, raster, tiling, request, threshold, *tiling.spans(raster.size))
    one_panel = work.blended if tiling.blends else work.cut
    divided = tiling.panels(raster.size, len(card.labels), request)
    return (block for panel in divided for block in one_panel(panel, skip or _never))


def _never(_: Box) -> bool:
    return False


@dataclass(frozen=True)
class _Work:
    """What is the same for all panels of a raster."""

    predictor: Predictor
    raster: Raster
    tiling: Tiling
    request: Request
    threshold: float | None
    rows: Sequence[Span]
    columns: Sequence[Span]

    def cut(self, panel: range, skip: Callable[[Box], bool]) -> Iterator[Block]:
        """Give the blocks of a panel, each pixel from the tile that has it in its core."""
        for row, box in zip(self.rows, self._boxes(panel), strict=True):
            if skip(box):
                continue
            making = _Making(box, self.labels, self.request.probabilities)
            for index, found in self._found(row, panel):
                column = self.columns[index]
                down, along = (slice(each.first - each.start, each.last - each.start) for each in (row, column))
                if self.request.probabilities:
                    probabilities = probabilities_of(found, len(self.labels))
                    making.decide(column.first, probabilities[:, down, along], self.threshold)
                else:
                    making.take(column.first, found, down, along)
            yield making.block()

    def blended(self, panel: range, skip: Callable[[Box], bool]) -> Iterator[Block]:
        """Give the blocks of a panel, each pixel decided by the mean over its tiles."""
        boxes = self._boxes(panel)
        is_wanted = [not skip(box) for box in boxes]
        reaching = self.tiling.needed(self.raster.size, panel)
        blend = Blend(len(self.labels), self.tiling, self.rows, self.columns, reaching)
        lefts = [left for left, _ in self.tiling.supports(self.columns)]
        ends = [end for _, end in self.tiling.supports(self.rows)]
        for index, (row, box) in enumerate(zip(self.rows, boxes, strict=True)):
            if not any(
                wanted and top < ends[index] for wanted, (top, *_) in zip(is_wanted[index:], boxes[index:], strict=True)
            ):
                continue
            making = _Making(box, self.labels, self.request.probabilities) if is_wanted[index] else None
            for place, found in self._found(row, reaching):
                ready = blend.add(index, place, probabilities_of(found, len(self.labels)))
                if making is not None and place in panel:
                    making.decide(lefts[place], ready, self.threshold)
            if making is not None:
                yield making.block()

    @property
    def labels(self) -> LabelSet:
        return self.predictor.card.labels

    def _boxes(self, panel: range) -> list[Box]:
        parts = self.tiling.owned(self.columns)
        left, right = parts[panel[0]][0], parts[panel[-1]][1]
        return [(top, left, bottom, right) for top, bottom in self.tiling.owned(self.rows)]

    def _found(self, row: Span, panel: range) -> Iterator[tuple[int, Segmentation]]:
        """Predict the tiles of a row that lie in a panel, several at once: those that a run skips change no batch."""
        wants = self.tiling.blends or self.request.probabilities
        asked = replace(self.request, probabilities=wants, threshold=None if wants else self.request.threshold)
        count = max(1, self.tiling.call // (self.tiling.tile[0] * self.tiling.tile[1]))
        for first in range(panel.start, panel.stop, count):
            some = self.columns[first : min(first + count, panel.stop)]
            read = self.raster.read(slice(row.start, row.stop), slice(some[0].start, some[-1].stop))
            origin = some[0].start
            images = [Image(read.pixels[:, each.start - origin : each.stop - origin], read.bands) for each in some]
            for index, (image, found) in enumerate(zip(images, self.predictor(images, asked), strict=True), start=first):
                if found.size != image.size:
                    raise DataError(f"expected a segmentation of a tile of {image.size}, got one of {found.size}")
                yield index, found


class _Making:
    """A block in the making: parts of its full height go in."""

    def __init__(self, box: Box, labels: LabelSet, keeps: bool) -> None:
        self._top, self._left, bottom, right = box
        size = (bottom - self._top, right - self._left)
        self._labels = labels
        self._classes = np.empty(size, class_type(labels))
        self._highest = np.empty(size, np.float32) if keeps else None
        self._probabilities = np.empty((len(labels), *size), np.float32) if keeps else None
        self._counts, self._sums = np.zeros(len(labels)), np.zeros(len(labels))
        self._has_scores = True

    def take(self, left: int, found: Segmentation, down: slice, along: slice) -> None:
        """Take a window of a tile's classes, and its scores as those of the window."""
        classes = found.class_map()[down, along]
        self._classes[:, left - self._left : left - self._left + classes.shape[1]] = classes
        if found.scores is None:
            self._has_scores = False
            return
        pixels = np.bincount(classes.ravel(), minlength=len(self._labels))[: len(self._labels)]
        self._counts += pixels
        self._sums[found.class_ids] += found.scores * pixels[found.class_ids]

    def decide(self, left: int, probabilities: FloatArray, threshold: float | None) -> None:
        """Take probabilities (L, h, w), and decide by them, block after block of rows that stays in the cache."""
        length, height, width = probabilities.shape
        columns, step = slice(left - self._left, left - self._left + width), max(1, BLOCK // max(width, 1))
        for first in range(0, height, step):
            rows = slice(first, first + step)
            classes, highest = decide(probabilities[:, rows], self._labels, threshold)
            self._classes[rows, columns] = classes
            flat = classes.ravel()
            self._counts += np.bincount(flat, minlength=length)
            self._sums += np.bincount(flat, weights=highest.ravel(), minlength=length)
            if self._highest is not None:
                self._highest[rows, columns] = highest
        if self._probabilities is not None:
            self._probabilities[:, :, columns] = probabilities

    def block(self) -> Block:
        """Give the block."""
        scores = np.clip(self._sums / np.maximum(self._counts, 1), 0, 1) if self._has_scores else None
        return Block(self._top, self._left, self._classes, self._highest, self._probabilities, scores)
