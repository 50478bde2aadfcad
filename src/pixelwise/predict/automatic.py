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
from pixelwise.core.streaming import Streaming
from pixelwise.predict.fingerprint import fingerprint
from pixelwise.predict.flipped import Flipped
from pixelwise.predict.refined import Refined
from pixelwise.predict.tiled import Tiled
from pixelwise.predict.tiles.choice import JoinOption, Plan, pixel_bytes, sides_of
from pixelwise.predict.views import Views
from pixelwise.refine.refiner import Refiner

HUGE = 2**23  # pixels as the network sees them: above, one forward pass takes gigabytes


def arranged(
    predictor: Predictor,
    tile: Size | Literal["auto"] | None = "auto",
    overlap: int | None = None,
    flips: bool = False,
    turns: bool = False,
    refiners: Sequence[Refiner] = (),
    say: Callable[[str], None] | None = None,
    join: JoinOption = "auto",
    memory: int | None = None,
    scales: Sequence[float] = (),
) -> Predictor:
    """Wrap a predictor: views within tiles, and refiners around them.

    The first refiners, as far as they work on probabilities, are put within the tiles, so that no probabilities of a whole
    image are held; the others see the image whole.

    Args:
        tile: (height, width), ``auto`` to cut only images too large for one pass of a trained network, or None for never.
        overlap: of the tiles.
        flips: average over the mirror image.
        turns: average over mirror images and quarter turns.
        refiners: applied in this order.
        say: called with one sentence when an image is cut though no tile was asked for.
        join: how tiles are put together; see ``Tiled``.
        memory: in bytes, what may be held besides model, image and result; larger images are cut to keep to it.
        scales: average over views at these scales; none for the image's own alone.

    Raises:
        OptionError: an overlap comes without a tile, or a memory limit with tiles turned off, or the predictor cannot be tiled,
            flipped or refined.
    """
    if memory is not None and tile is None:
        raise OptionError("a memory limit is kept to by cutting images into tiles: leave --tile none out, or --memory")
    if overlap is not None and not isinstance(tile, tuple):
        raise OptionError(f"an overlap of {overlap} is that of tiles: give their size too, as in --tile 512,768")
    if scales:
        predictor = Views(predictor, flips, scales, turns)
    elif flips or turns:
        predictor = Flipped(predictor, vertical=turns, turns=turns)
    inner = tuple(takewhile(lambda refiner: refiner.about.uses_probabilities, refiners))
    outer = tuple(refiners)[len(inner) :]
    predictor = Refined(predictor, *inner) if inner else predictor
    if isinstance(tile, tuple):
        predictor = Tiled(predictor, tile, overlap, join, memory)
    elif memory is not None and automatic_tile(predictor.card) is None:
        raise OptionError(f"'{predictor.card.name}' sees images whole unless tiles are asked for: give --tile with --memory")
    elif tile == "auto" and automatic_tile(predictor.card) is not None:
        predictor = _CutIfHuge(predictor, Tiled(predictor, None, None, join, memory), say)
    return Refined(predictor, *outer) if outer else predictor


def automatic_tile(card: Card) -> Size | None:
    """Choose tiles for huge images: at least what a network was trained on; None for what must see the image whole.

    A method finds its levels and clusters in the whole image, and a network says in its card what it was trained on.
    """
    crop: Any = card.training.get("crop")
    if card.kind != "semantic" or not isinstance(crop, list | tuple) or len(crop) != 2:
        return None
    return sides_of(card, (crop[0], crop[1]))


class _CutIfHuge(Streaming):
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
        images = [as_image(image) for image in images]
        huge = [row for row, image in enumerate(images) if self._is_huge(image.size)]
        if not huge:
            return self.predictor(images, request)
        if self._say is not None:
            height, width = images[huge[0]].size
            self._say(
                f"images as large as {width} x {height} are cut into {self.tiled.plan((height, width), request)} "
                f"(--tile sets other tiles, --tile none turns this off)"
            )
            self._say = None
        found = []
        for row, image in enumerate(images):
            chosen = self.tiled if row in huge else self.predictor
            found += chosen([image], replace(request, prompts=request.prompts[row : row + 1]))
        return found

    def plan(self, size: Size, request: Request = PLAIN) -> Plan | None:
        """Say how an image of (H, W) is cut; None where it is not."""
        return self.tiled.plan(size, request) if self._is_huge(size) else None

    def _is_huge(self, size: Size) -> bool:
        pixels = size[0] * size[1]
        if self.tiled.memory is not None and pixels * pixel_bytes(self.card) > self.tiled.memory:
            return True
        return pixels * self.card.scale**2 > HUGE
