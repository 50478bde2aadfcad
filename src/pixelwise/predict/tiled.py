"""Predict images of any size in overlapping tiles.

Each pixel is decided by the tile in which it lies most central: tiles are cut at the middle of their overlaps, and only the
class map is kept. Where probabilities are wanted they are blended instead, one row of tiles at a time, with weights that fall
towards a tile's border.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby, islice

import numpy as np

from pixelwise.core.arrays import FloatArray, Size
from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.grid import Tile, tiles
from pixelwise.core.image import Image, as_image
from pixelwise.core.predictor import PLAIN, Predictor, Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.predict.decision import Decided, class_type, probabilities_of, threshold_of
from pixelwise.predict.fingerprint import fingerprint

_CALL = 2**20  # pixels of the tiles given to the predictor at once


class Tiled:
    """A predictor that cuts large images into tiles; a ``Predictor``.

    An image that fits into one tile goes through whole. The last tiles of a row and a column are shifted inward, so every tile
    is full; an image narrower than a tile gets tiles of its own width. Tiles start at multiples of the predictor's stride
    where the overlap leaves room for that, so that a network lays its own grid over a tile as over the whole image.
    """

    def __init__(self, predictor: Predictor, tile: Size | int, overlap: int | None = None) -> None:
        """Choose the tiles.

        Args:
            predictor: gives semantic segmentations.
            tile: (height, width) in pixels; one number for a square.
            overlap: what neighbours share at least, in pixels; a quarter of the shorter side if not given.

        Raises:
            OptionError: the overlap is not below the tile's shorter side, or the predictor gives segments that are not joined
                over tiles.
        """
        height, width = (tile, tile) if isinstance(tile, int) else tile
        self.tile: Size = (int(height), int(width))
        self.overlap = min(self.tile) // 4 if overlap is None else int(overlap)
        self.predictor = predictor
        tiles((1, 1), self.tile, self.overlap)  # refuses what cannot be laid
        card = predictor.card
        if card.kind != "semantic":
            raise OptionError(
                f"'{card.name}' gives {card.kind} segments, and tiles join only semantic ones so far: an object on the border "
                f"of two tiles would become two; leave the tiles out"
            )
        stride = max(1, round(card.stride / card.scale))
        self._stride = stride if stride <= min(self.tile) - self.overlap else 1

    @property
    def card(self) -> Card:
        """What the predictor is; no pixel further away than a tile can change a pixel."""
        card = self.predictor.card
        view = card.field_of_view or self.tile
        return replace(card, field_of_view=(min(view[0], self.tile[0]), min(view[1], self.tile[1])))

    def fingerprint(self) -> str:
        """Sum up the predictor and the tiles."""
        text = f"tiled {self.tile} {self.overlap} {fingerprint(self.predictor)}"
        return hashlib.sha256(text.encode()).hexdigest()

    def cuts(self, size: Size) -> bool:
        """Tell whether an image of this size takes more than one tile."""
        return size[0] > self.tile[0] or size[1] > self.tile[1]

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        """Segment each image; those that fit into a tile go to the predictor together.

        With ``request.probabilities`` the classes follow from the blended probabilities; without, from the tiles themselves,
        and a segment's score is the mean of its scores in the tiles, each weighted by the pixels it gave.

        Raises:
            OptionError: prompts are given, which say places in the whole image; or the predictor cannot do what is requested.
        """
        images = [as_image(image) for image in images]
        if request.prompts and any(self.cuts(image.size) for image in images):
            raise OptionError("prompts say places in the whole image and cannot be given to tiles; leave out one of the two")
        if request.probabilities and not self.predictor.card.gives_probabilities:
            raise OptionError(f"'{self.predictor.card.name}' gives no probabilities that could be blended over tiles")
        whole = [row for row, image in enumerate(images) if not self.cuts(image.size)]
        found: dict[int, Segmentation] = {}
        if whole:
            prompts = tuple(request.prompts[row] for row in whole) if request.prompts else ()
            results = self.predictor([images[row] for row in whole], replace(request, prompts=prompts))
            found.update(zip(whole, results, strict=True))
        for row, image in enumerate(images):
            if row not in found:
                found[row] = self._blended(image, request) if request.probabilities else self._cut(image, request)
        return [found[row] for row in range(len(images))]

    def _cut(self, image: Image, request: Request) -> Segmentation:
        labels = self.predictor.card.labels
        classes = np.empty(image.size, class_type(labels))
        counts, sums, has_scores = np.zeros(len(labels)), np.zeros(len(labels)), True
        for tile, found in self._found(image, self._tiles(image), request):
            top, left, bottom, right = tile.core
            core = found.class_map()[top - tile.top : bottom - tile.top, left - tile.left : right - tile.left]
            classes[top:bottom, left:right] = core
            pixels = np.bincount(core.ravel(), minlength=len(labels))[: len(labels)]
            has_scores = has_scores and found.scores is not None
            if found.scores is not None:
                counts += pixels
                sums[found.class_ids] += found.scores * pixels[found.class_ids]
        scores = np.clip(sums / np.maximum(counts, 1), 0, 1) if has_scores else None
        return Segmentation.from_class_map(classes, labels, scores)

    def _blended(self, image: Image, request: Request) -> Segmentation:
        card = self.predictor.card
        decided = Decided(image.size, card.labels, threshold_of(card, request))
        kept = np.empty((len(card.labels), *image.size), np.float32)
        for top, rows in self._blended_rows(image):
            decided.add(top, rows)
            kept[:, top : top + rows.shape[1]] = rows
        return decided.segmentation(kept)

    def _blended_rows(self, image: Image) -> Iterator[tuple[int, FloatArray]]:
        """Give blended probabilities (L, rows, W) from top to bottom, each with its first row.

        Sums are held for one row of tiles: what lies above the next row of tiles is finished.
        """
        request = Request(probabilities=True)
        height, width = min(self.tile[0], image.size[0]), min(self.tile[1], image.size[1])
        weights = np.outer(_ramp(height, self.overlap), _ramp(width, self.overlap))
        sums = np.zeros((len(self.predictor.card.labels), height, image.size[1]), np.float32)
        total = np.zeros((height, image.size[1]), np.float32)
        begin = 0
        for top, row in groupby(self._tiles(image), key=lambda tile: tile.top):
            if top > begin:
                yield begin, sums[:, : top - begin] / total[: top - begin]
                for each in (*sums, total):
                    each[: height - (top - begin)] = each[top - begin :].copy()
                    each[height - (top - begin) :] = 0
                begin = top
            for tile, found in self._found(image, row, request):
                columns = tile.window[1]
                for each, probability in zip(sums, probabilities_of(found, len(sums)), strict=True):
                    each[:, columns] += weights * probability
                total[:, columns] += weights
        yield begin, sums / total

    def _tiles(self, image: Image) -> Iterator[Tile]:
        return tiles(image.size, self.tile, self.overlap, self._stride)

    def _found(self, image: Image, laid: Iterator[Tile], request: Request) -> Iterator[tuple[Tile, Segmentation]]:
        count = max(1, _CALL // (self.tile[0] * self.tile[1]))
        while some := list(islice(laid, count)):
            yield from zip(
                some, self.predictor([Image(image.pixels[tile.window], image.bands) for tile in some], request), strict=True
            )


def _ramp(length: int, overlap: int) -> FloatArray:
    """Weigh the pixels along one side of a tile: rising over the overlap, 1 in the middle, nowhere 0.

    >>> _ramp(6, 2).tolist()
    [0.25, 0.75, 1.0, 1.0, 0.75, 0.25]
    """
    inward = np.arange(length) + 0.5
    return np.minimum(np.minimum(inward, inward[::-1]) / max(overlap, 1), 1).astype(np.float32)
