"""Lay tiles, flips and refiners around a predictor as the command line asks for them; cut huge images even unasked."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any, Literal

from pixelwise.core.arrays import Size
from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image, as_image
from pixelwise.core.predictor import PLAIN, Predictor, Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.predict.fingerprint import fingerprint
from pixelwise.predict.flipped import Flipped
from pixelwise.predict.refined import Refined
from pixelwise.predict.tiled import Tiled
from pixelwise.refine.refiner import Refiner

HUGE = 2**23  # pixels as the network sees them: above, one forward pass takes gigabytes
LEAST_SIDE = 1024  # of a tile that is chosen here: a small crop in training is no reason for small tiles


def arranged(
    predictor: Predictor,
    tile: Size | Literal["auto"] | None = "auto",
    overlap: int | None = None,
    flips: bool = False,
    turns: bool = False,
    refiners: Sequence[Refiner] = (),
    say: Callable[[str], None] | None = None,
) -> Predictor:
    """Wrap a predictor: flips within tiles, and refiners around them.

    The first refiners, as far as they work on probabilities, are put within the tiles, so that no probabilities of a whole
    image are held; the others see the image whole.

    Args:
        tile: (height, width), ``auto`` to cut only images too large for one pass of a trained network, or None for never.
        overlap: of the tiles.
        flips: average over the mirror image.
        turns: average over mirror images and quarter turns.
        refiners: applied in this order.
        say: called with one sentence when an image is cut though no tile was asked for.

    Raises:
        OptionError: an overlap comes without a tile, or the predictor cannot be tiled, flipped or refined.
    """
    if overlap is not None and not isinstance(tile, tuple):
        raise OptionError(f"an overlap of {overlap} is that of tiles: give their size too, as in --tile 512,768")
    if flips or turns:
        predictor = Flipped(predictor, vertical=turns, turns=turns)
    inner = tuple(takewhile(lambda refiner: refiner.about.uses_probabilities, refiners))
    outer = tuple(refiners)[len(inner) :]
    predictor = Refined(predictor, *inner) if inner else predictor
    if isinstance(tile, tuple):
        predictor = Tiled(predictor, tile, overlap)
    elif tile == "auto" and (chosen := automatic_tile(predictor.card)) is not None:
        predictor = _CutIfHuge(predictor, Tiled(predictor, chosen), say)
    return Refined(predictor, *outer) if outer else predictor


def automatic_tile(card: Card) -> Size | None:
    """Choose tiles for huge images: at least what a network was trained on; None for what must see the image whole.

    A method finds its levels and clusters in the whole image, and a network says in its card what it was trained on.
    """
    crop: Any = card.training.get("crop")
    if card.kind != "semantic" or not isinstance(crop, list | tuple) or len(crop) != 2:
        return None
    height, width = (int(-(-max(side, LEAST_SIDE) // card.stride) * card.stride / card.scale) for side in crop)
    return height, width


class _CutIfHuge:
    """Give images to a predictor whole, and to its tiles where they are huge."""

    def __init__(self, predictor: Predictor, tiled: Tiled, say: Callable[[str], None] | None) -> None:
        self.predictor = predictor
        self.tiled = tiled
        self._say = say

    @property
    def card(self) -> Card:
        return self.predictor.card

    def fingerprint(self) -> str:
        return fingerprint(self.tiled)

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        scale, images = self.card.scale, [as_image(image) for image in images]
        huge = [row for row, image in enumerate(images) if image.size[0] * image.size[1] * scale**2 > HUGE]
        if not huge:
            return self.predictor(images, request)
        if self._say is not None:
            height, width = images[huge[0]].size
            self._say(
                f"images as large as {width} x {height} are cut into tiles of {self.tiled.tile[1]} x {self.tiled.tile[0]} with "
                f"an overlap of {self.tiled.overlap} (--tile sets others, --tile none turns this off)"
            )
            self._say = None
        found = []
        for row, image in enumerate(images):
            chosen = self.tiled if row in huge else self.predictor
            found += chosen([image], replace(request, prompts=request.prompts[row : row + 1]))
        return found
