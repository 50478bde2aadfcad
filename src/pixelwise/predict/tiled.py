"""Predict images of any size in overlapping tiles.

Each pixel is decided by the tile in which it lies most central: tiles are cut at the middle of their overlaps, and only the
class map is kept. Where probabilities are wanted they are blended instead, with weights that fall towards a tile's border.
Rasters too large for memory go the same way, block by block: ``strips.blocks``. Objects are joined by ``joined.Joined``.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pixelwise.core.arrays import Size
from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image, as_image
from pixelwise.core.predictor import PLAIN, Predictor, Request
from pixelwise.core.rasters.raster import ImageRaster
from pixelwise.core.segmentation import Segmentation
from pixelwise.core.streaming import Streaming
from pixelwise.predict.decision import class_type
from pixelwise.predict.fingerprint import fingerprint
from pixelwise.predict.tiles.choice import JoinOption, Plan, choose, plan
from pixelwise.predict.tiles.joined import KINDS, Joined
from pixelwise.predict.tiles.strips import blocks
from pixelwise.predict.tiles.tiling import JOINS, Tiling


class Tiled(Streaming):
    """A predictor that cuts large images into tiles; a ``Predictor``.

    An image that fits into one tile goes through whole. The last tiles of a row and a column are moved inward, so that none
    leaves the image, and an image narrower than a tile gets tiles of its own width: nothing is padded but what the whole image
    would be. Tiles start at multiples of the predictor's stride where the overlap leaves room for that, so that a network lays
    its own grid over a tile as over the whole image; the last ones are then shorter, by less than the stride.
    """

    def __init__(
        self,
        predictor: Predictor,
        tile: Size | int | None = None,
        overlap: int | None = None,
        join: JoinOption = "auto",
        memory: int | None = None,
    ) -> None:
        """Choose the tiles.

        Args:
            predictor: gives segmentations of any kind but regions.
            tile: (height, width) in pixels; one number for a square; None chooses by field of view, training crop and memory.
            overlap: what neighbours share at least, in pixels; if not given, the field of view where that is known and at most
                half the tile, else a quarter of the shorter side and at most 128 pixels as the network sees them.
            join: of classes: ``cut`` at the middle of the overlap, blended by ``hann`` or ``gaussian`` weights; ``auto`` cuts,
                unless probabilities are requested of which the overlap does not cover the field of view.
            memory: in bytes, what may be held besides the model, the image and the result: an estimate.

        Raises:
            OptionError: the overlap is not below the tile's shorter side, no tile keeps to the memory limit, or the predictor
                gives segments that are not joined over tiles, or no probabilities to blend.
        """
        card = predictor.card
        if card.kind != "semantic" and card.kind not in KINDS:
            raise OptionError(
                f"'{card.name}' gives {card.kind} segments without classes, and nothing tells which of two tiles are one; "
                f"leave the tiles out"
            )
        if join not in ("auto", *JOINS):
            raise OptionError(f"expected tiles to be joined by one of auto, {', '.join(JOINS)}, got {join!r}")
        if join != "auto" and card.kind != "semantic":
            raise OptionError(
                f"'{card.name}' gives {card.kind} segments, which are joined by their masks; leave join={join!r} out"
            )
        if join not in ("auto", "cut") and not card.gives_probabilities:
            raise OptionError(f"'{card.name}' gives no probabilities that could be blended over tiles; join them by cut")
        given = (tile, tile) if isinstance(tile, int) else tile
        self.predictor = predictor
        self.join, self.memory = join, memory
        self._choice = choose(card, None if given is None else (int(given[0]), int(given[1])), overlap, memory)
        self.tile, self.overlap = self._choice.tile, self._choice.overlap
        self._objects = Joined(predictor, self.tiling()) if card.kind in KINDS else None

    @property
    def card(self) -> Card:
        """What the predictor is; no pixel further away than a tile can change a pixel's class."""
        if self._objects is not None:
            return self._objects.card
        card = self.predictor.card
        tile = [max(1, round((2 * side - 1) * card.scale)) for side in self.tile]
        view = card.field_of_view or tile
        return replace(card, field_of_view=(min(view[0], tile[0]), min(view[1], tile[1])))

    def fingerprint(self) -> str:
        """Sum up the predictor and the tiles."""
        if self._objects is not None:
            return self._objects.fingerprint()
        text = f"tiled {self.tile} {self.overlap} {self.join} {fingerprint(self.predictor)}"
        return hashlib.sha256(text.encode()).hexdigest()

    def cuts(self, size: Size) -> bool:
        """Tell whether an image of this size takes more than one tile."""
        return size[0] > self.tile[0] or size[1] > self.tile[1]

    def tiling(self, request: Request = PLAIN, size: Size | None = None) -> Tiling:
        """Give the tiles and how they are joined, as ``blocks`` takes them; of an image of (H, W), where that is told."""
        choice = self._choice if size is None else self._choice.evened(size)
        return choice.tiling(choice.join(self.join, request)[0])

    def plan(self, size: Size, request: Request = PLAIN) -> Plan:
        """Say what will be done with an image of (H, W), what it takes and why; ``str`` of it is one sentence."""
        return plan(self.predictor.card, self._choice, self.join, size, request)

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        """Segment each image; those that fit into a tile go to the predictor together.

        Where tiles are blended the classes follow from the blended probabilities; a cut takes them from the tiles themselves,
        and a segment's score is then the mean of its scores in the tiles, each weighted by the pixels it gave.

        Raises:
            OptionError: prompts are given, which say places in the whole image; or the predictor cannot do what is requested.
        """
        if self._objects is not None:
            return self._objects(images, request)
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
        return [found[row] if row in found else self._joined(image, request) for row, image in enumerate(images)]

    def _joined(self, image: Image, request: Request) -> Segmentation:
        labels = self.predictor.card.labels
        classes = np.empty(image.size, class_type(labels))
        probabilities = np.empty((len(labels), *image.size), np.float32) if request.probabilities else None
        counts, sums, has_scores = np.zeros(len(labels)), np.zeros(len(labels)), True
        for block in blocks(self.predictor, ImageRaster(image), self.tiling(request, image.size), request):
            top, left, bottom, right = block.box
            classes[top:bottom, left:right] = block.classes
            if probabilities is not None and block.probabilities is not None:
                probabilities[:, top:bottom, left:right] = block.probabilities
            has_scores = has_scores and block.scores is not None
            if block.scores is not None:
                pixels = np.bincount(block.classes.ravel(), minlength=len(labels))[: len(labels)]
                counts += pixels
                sums += block.scores * pixels
        scores = np.clip(sums / np.maximum(counts, 1), 0, 1) if has_scores else None
        return Segmentation.from_class_map(classes, labels, scores, probabilities)
