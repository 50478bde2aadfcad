"""Predict objects of images of any size in overlapping tiles: an object that a seam cuts is one object again.

Masks are moved into the image as run lengths and are compared where tiles overlap, so an image of 20,000 x 20,000 pixels with
10,000 objects takes memory by their outlines; of panoptic segments one id map of the image is held. ``joined_matching`` says
which pieces are of one object, ``joined_instances`` and ``joined_panoptic`` what becomes of its pixels and scores.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from pixelwise.core.arrays import Size
from pixelwise.core.card import Card
from pixelwise.core.errors import DataError, OptionError, TooLarge
from pixelwise.core.grid import Tile, tiles
from pixelwise.core.image import Image, as_image
from pixelwise.core.predictor import PLAIN, Predictor, Request
from pixelwise.core.rasters.raster import ImageRaster, Raster
from pixelwise.core.runs import MOST_PIXELS
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.core.streaming import Streaming
from pixelwise.predict.fingerprint import fingerprint
from pixelwise.predict.tiles.instances import join_instances, join_multilabel
from pixelwise.predict.tiles.matching import Rules
from pixelwise.predict.tiles.panoptic import join_panoptic
from pixelwise.predict.tiles.tiling import Tiling

KINDS: tuple[Kind, ...] = ("instance", "panoptic", "multilabel")  # what is joined here
_CALL = 2**20  # pixels of the tiles given to the predictor at once
Progress = Callable[[int, int], None]  # tiles done, tiles in all


class Joined(Streaming):
    """A predictor that cuts large images into tiles and joins the objects it finds in them; a ``Predictor``.

    An image that fits into one tile goes through whole. Whatever ``tiling`` says of joining probabilities is of no use here:
    masks are matched, and cut at the middle of the overlap where they must be. Two parts of an object that never show in one
    tile, and are not linked through others, stay two objects.
    """

    def __init__(self, predictor: Predictor, tiling: Tiling, rules: Rules | None = None) -> None:
        """Choose the tiles, and when two pieces are of one object.

        Raises:
            OptionError: the predictor gives semantic segments or regions, or the tiles do not overlap.
        """
        card = predictor.card
        if card.kind == "regions":
            raise OptionError(
                f"'{card.name}' gives regions without classes, and nothing tells which of two tiles are one; "
                f"leave the tiles out"
            )
        if card.kind not in KINDS:
            raise OptionError(f"'{card.name}' gives {card.kind} segments, which are joined pixel by pixel: use Tiled")
        if tiling.overlap < 1 and card.kind != "multilabel":
            raise OptionError(
                "objects of neighbouring tiles are matched by what both tiles show: expected an overlap above 0, got 0"
            )
        self.predictor = predictor
        self.tiling = tiling
        self.rules = rules or Rules()

    @property
    def card(self) -> Card:
        """What the predictor is; an object is joined over any distance, and there are no probabilities."""
        return replace(self.predictor.card, field_of_view=None, gives_probabilities=False)

    def fingerprint(self) -> str:
        """Sum up the predictor, the tiles and the rules."""
        laid = f"{self.tiling.tile} {self.tiling.overlap} {self.tiling.stride}"
        return hashlib.sha256(f"joined {laid} {self.rules} {fingerprint(self.predictor)}".encode()).hexdigest()

    def cuts(self, size: Size) -> bool:
        """Tell whether an image of this size takes more than one tile."""
        return size[0] > self.tiling.tile[0] or size[1] > self.tiling.tile[1]

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        """Segment each image; those that fit into a tile go to the predictor together.

        Raises:
            OptionError: prompts or probabilities are requested of an image that is cut, or the predictor cannot do what is
                requested.
            TooLarge: an image has more pixels than run lengths can count.
        """
        images = [as_image(image) for image in images]
        whole = [row for row, image in enumerate(images) if not self.cuts(image.size)]
        found: dict[int, Segmentation] = {}
        if whole:
            prompts = tuple(request.prompts[row] for row in whole) if request.prompts else ()
            results = self.predictor([images[row] for row in whole], replace(request, prompts=prompts))
            found.update(zip(whole, results, strict=True))
        for row, image in enumerate(images):
            if row not in found:
                found[row] = self.segment(ImageRaster(image), request)
        return [found[row] for row in range(len(images))]

    def segment(self, raster: Raster, request: Request = PLAIN, progress: Progress | None = None) -> Segmentation:
        """Segment a picture that is read by windows.

        Args:
            raster: of any size; only tiles of it are in memory.
            request: its threshold is the predictor's, in each tile.
            progress: called after each tile.

        Raises:
            OptionError: prompts or probabilities are requested, or the predictor cannot do what is requested.
            TooLarge: the raster has more pixels than run lengths can count.
            UnreadableFile: a part of the raster is damaged.
        """
        name, size = self.predictor.card.name, raster.size
        if request.prompts:
            raise OptionError("prompts say places in the whole image and cannot be given to tiles; leave out one of the two")
        if request.probabilities:
            raise OptionError(
                f"tiles of '{name}' are joined by their masks and give no probabilities; leave out one of the two"
            )
        if size[0] * size[1] > MOST_PIXELS:
            raise TooLarge(
                f"objects are joined in images of up to {MOST_PIXELS:,} pixels, got {size[0]} x {size[1]}; cut it into parts"
            )
        laid = list(tiles(size, self.tiling.tile, self.tiling.overlap, self.tiling.stride))
        labels, found = self.predictor.card.labels, _Noting(self._found(raster, laid, request, progress))
        match self.predictor.card.kind:
            case "panoptic":
                joined = join_panoptic(found, size, labels, self.rules)
            case "multilabel":
                joined = join_multilabel(found, size, labels)
            case _:
                joined = join_instances(found, size, labels, self.rules)
        return replace(joined, notes=tuple(found.notes))

    def _found(
        self, raster: Raster, laid: Sequence[Tile], request: Request, progress: Progress | None
    ) -> Iterator[tuple[Tile, Segmentation]]:
        """Predict the tiles in order, several at once."""
        count, kind = max(1, _CALL // (self.tiling.tile[0] * self.tiling.tile[1])), self.predictor.card.kind
        rest, done = iter(laid), 0
        while some := list(islice(rest, count)):
            images = [raster.read(*tile.window) for tile in some]
            for tile, image, found in zip(some, images, self.predictor(images, request), strict=True):
                if found.size != image.size or found.kind != kind:
                    raise DataError(
                        f"expected {kind} segments of a tile of {image.size}, got {found.kind} ones of {found.size}"
                    )
                yield tile, found
                done += 1
                if progress is not None:
                    progress(done, len(laid))


class _Noting:
    """The tiles and what was found in them, once, keeping what the predictor notes of it."""

    def __init__(self, found: Iterator[tuple[Tile, Segmentation]]) -> None:
        self._found = found
        self.notes: dict[str, None] = {}  # as a set that keeps its order

    def __iter__(self) -> Iterator[tuple[Tile, Segmentation]]:
        for tile, one in self._found:
            self.notes.update(dict.fromkeys(one.notes))
            yield tile, one
