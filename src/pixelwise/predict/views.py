"""Average a predictor's probabilities over views of an image: mirrored, turned by quarters, and at several scales."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from pixelwise.augment import geometry
from pixelwise.core.arrays import FloatArray, Size
from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image, as_image
from pixelwise.core.masks import Masks
from pixelwise.core.predictor import PLAIN, Predictor, Request
from pixelwise.core.scale import scale_image, scaled_size
from pixelwise.core.segmentation import Segmentation
from pixelwise.core.streaming import Streaming
from pixelwise.predict.decision import probabilities_of
from pixelwise.predict.fingerprint import fingerprint
from pixelwise.predict.opinions.committee import VALUES, Opinion, refuse_prompts, require_classes, segmented, shares_of
from pixelwise.predict.opinions.voted import voted

SCALES = (0.75, 1.0, 1.25)
_LARGEST = 4.0  # sixteen times the pixels


@dataclass(frozen=True)
class View:
    """An image mirrored left to right or not, then turned counter-clockwise by so many quarters, at a scale."""

    scale: float = 1.0
    turn: int = 0
    mirrored: bool = False

    def shown(self, image: Image) -> Image:
        """Give the image as it is seen: reduced by areas or enlarged bilinearly, mirrored, turned."""
        pixels = _resized(image, self.scale).pixels
        pixels = np.rot90(pixels[:, ::-1] if self.mirrored else pixels, self.turn)
        return Image(np.ascontiguousarray(pixels), image.bands)

    def undone(self, probabilities: FloatArray, size: Size) -> Iterator[FloatArray]:
        """Bring probabilities (L, h, w) of what is seen back to the image's (H, W), class by class, bilinearly."""
        for plane in probabilities:
            back = np.rot90(plane, -self.turn)
            back = back[:, ::-1] if self.mirrored else back
            if back.shape != size:
                back = cv2.resize(np.ascontiguousarray(back), (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
            yield back

    def masks_undone(self, masks: Masks, size: Size) -> Masks:
        """Bring masks over what is seen back to the image's (H, W): each pixel's nearest."""
        turned, seen = geometry.quarter_turns(masks.size, -self.turn)
        mirrored = geometry.flip(seen[1]) if self.mirrored else geometry.IDENTITY
        larger = geometry.scale(size[0] / seen[0], size[1] / seen[1])
        return geometry.warp_masks(masks, larger @ mirrored @ turned, size)


class Views(Streaming):
    """A predictor that sees each image several times, and takes the mean of what it says; a ``Predictor``.

    Of classes the mean of the probabilities is taken, at the image's own size. Of objects, those that views agree on are
    joined, and lose score by the views that do not see them (``predict.voted``). For large images put it inside ``Tiled``, so
    that probabilities are held for a tile at a time.
    """

    notes: tuple[str, ...] = ()

    def __init__(
        self,
        predictor: Predictor,
        flips: bool = True,
        scales: Sequence[float] = SCALES,
        turns: bool = False,
        weights: Sequence[float] | None = None,
        *,
        vertical: bool = False,
    ) -> None:
        """Choose the views: every scale with every turn, as it is and mirrored.

        Args:
            predictor: gives probabilities of semantic segmentations, or instances.
            flips: also mirrored left to right.
            scales: of the image's sides, above 0 and up to 4.
            turns: also by quarter turns, for images without an up.
            weights: what each view counts, in the order of ``views``; all alike if not given.
            vertical: also upside down, mirrored and not; ``turns`` have that among them.

        Raises:
            OptionError: the predictor gives nothing that views could be joined by, or a scale or the weights do not fit.
        """
        if predictor.card.kind != "instance":
            require_classes(predictor.card, "views take the mean of class probabilities, so leave them out")
        self.scales = tuple(float(scale) for scale in scales)
        if not self.scales or not all(0 < scale <= _LARGEST for scale in self.scales):
            raise OptionError(f"expected scales above 0 and up to {_LARGEST:g}, such as 0.75,1,1.25; got {list(scales)}")
        self.predictor = predictor
        quarters = range(4) if turns else (0, 2) if vertical else (0,)
        mirrors = (False, True) if flips or vertical else (False,)
        self.views = tuple(View(scale, turn, mirrored) for scale in self.scales for turn in quarters for mirrored in mirrors)
        self.shares = shares_of(weights, len(self.views), "view")

    @property
    def card(self) -> Card:
        """What the predictor is; through a smaller view it looks further."""
        card = self.predictor.card
        if card.field_of_view is None:
            return card
        sides = card.field_of_view
        if any(view.turn % 2 for view in self.views):
            sides = (max(sides), max(sides))
        height, width = (math.ceil(side / min(self.scales)) for side in sides)
        return replace(card, field_of_view=(height, width))

    def fingerprint(self) -> str:
        """Sum up the predictor and the views."""
        return hashlib.sha256(f"views {self.views} {self.shares} {fingerprint(self.predictor)}".encode()).hexdigest()

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        """Segment each image by the mean of its views.

        Raises:
            OptionError: prompts are given, a threshold to a predictor of more than two classes, or probabilities are wanted of
                objects.
        """
        refuse_prompts(request, "views")
        if self.card.kind != "instance":
            return segmented(self, images, request, int(VALUES / max(1.0, *self.scales) ** 2))
        if request.probabilities:
            raise OptionError(f"'{self.card.name}' gives objects, and no probabilities of classes")
        return [self._voted(as_image(image), request) for image in images]

    def opinions(self, images: Sequence[Image]) -> Iterator[Opinion]:
        """Give the probabilities of each image, view after view."""
        length, sizes = len(self.card.labels), [image.size for image in images]
        for view, share in zip(self.views, self.shares, strict=True):
            if share:
                found = self.predictor([view.shown(image) for image in images], Request(probabilities=True))
                yield share, [view.undone(probabilities_of(one, length), size) for one, size in zip(found, sizes, strict=True)]

    def _voted(self, image: Image, request: Request) -> Segmentation:
        seen = []
        for view in self.views:
            (found,) = self.predictor([view.shown(image)])  # the threshold is for what all views say together
            seen.append(replace(found, masks=view.masks_undone(found.masks, image.size), boxes=None, areas=None))
        return voted(seen, self.shares, request.threshold)


def _resized(image: Image, scale: float) -> Image:
    if scale <= 1:
        return scale_image(image, scale)
    height, width = scaled_size(image.size, scale)
    pixels = cv2.resize(image.pixels, (width, height), interpolation=cv2.INTER_LINEAR)
    return replace(image, pixels=pixels[:, :, None] if pixels.ndim == 2 else pixels)
