"""Touch up outlines by GrabCut [1]: colours of inside and outside are learned around each object, and a cut is made between.

Only a band along the outline is decided anew; what is deeper inside or further away stays. Objects are taken one after the
other. Cost: a few minimal cuts in the window of each object, on at most 250,000 pixels of it.

[1] Rother, Kolmogorov, Blake: "GrabCut", SIGGRAPH 2004; OpenCV's implementation.
"""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, ByteArray, IntArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.grey import grey_levels
from pixelwise.methods.reduced import enlarged, reduced
from pixelwise.refine.about import About
from pixelwise.refine.pieces import Piece, pieces, reshaped, with_ids

_PIXELS = 250_000  # of one object's window
ABOUT = About(
    rules={
        "instance": "each object against what is around it",
        "panoptic": "each thing against what is around it; it takes pixels of stuff and of nothing, and gives lost ones to "
        "the nearest other segment",
        "semantic": "the same, for each class that is a thing",
    },
    refused={
        "regions": "none of them is an object before a background",
        "multilabel": "classes that overlap are not each other's background",
    },
    cost="minimal cuts in the objects' windows, of at most 250,000 pixels each",
    source='Rother, Kolmogorov, Blake, "GrabCut", SIGGRAPH 2004',
)


def refine(image: Image, found: Segmentation, *, band: int = 4, rounds: int = 2) -> Segmentation:
    """Touch up the outlines of the objects of ``found``.

    Args:
        band: how far from the outline pixels are decided anew, in pixels, from 1 to 100.
        rounds: of learning colours and cutting, from 1 to 20.

    Raises:
        OptionError: an option is out of range, or no class is a thing.
    """
    if not 1 <= band <= 100:
        raise OptionError(f"grabcut: the band is in pixels, from 1 to 100, got {band}")
    if not 1 <= rounds <= 20:
        raise OptionError(f"grabcut: rounds are from 1 to 20, got {rounds}")

    shrunk: list[int] = []

    def change(piece: Piece) -> BoolArray:
        if piece.mask.size > _PIXELS:
            shrunk.append(piece.row)
        return _cut(Image(image.pixels[piece.window], image.bands), piece.mask, band, rounds)

    def margin(side: int) -> int:
        return 2 * band + side // 4

    refined = reshaped(found, change, margin) if found.kind == "instance" else _exchanged(found, change, margin)
    told = f"grabcut: objects in windows of more than {_PIXELS:,} pixels were cut on fewer, and brought back along edges"
    return replace(refined, notes=(*found.notes, told)) if shrunk else refined


def _exchanged(found: Segmentation, change: Callable[[Piece], BoolArray], margin: Callable[[int], int]) -> Segmentation:
    """Change the things of a partition one after the other.

    Raises:
        OptionError: no class is a thing.
    """
    is_thing = np.isin(found.class_ids, found.labels.things)
    if not is_thing.any() and not found.labels.things:
        raise OptionError(f"grabcut: none of the classes is a thing: {', '.join(found.labels.names)}; 'crf' refines stuff too")
    ids = found.panoptic_ids().copy()
    takes = np.append(True, ~is_thing)  # what a thing may take pixels from
    for piece in pieces(found.masks, margin):
        if is_thing[piece.row]:
            _exchange(ids[piece.window], piece, change(piece), takes)
    return with_ids(found, ids)


def _exchange(held: IntArray, piece: Piece, drawn: BoolArray, takes: BoolArray) -> None:
    """Give a thing the pixels drawn, in the id map of its window, and what it leaves to the nearest other segment."""
    own = held == piece.row + 1
    lost, rest = own & ~drawn, ~own
    gained = drawn & ~own & takes[held]
    if lost.any() and rest.any():
        _, nearest = cv2.distanceTransformWithLabels(own.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
        table = np.zeros(int(nearest.max()) + 1, held.dtype)
        table[nearest[rest]] = held[rest]
        held[lost] = table[nearest[lost]]
    held[gained] = piece.row + 1


def _cut(image: Image, mask: BoolArray, band: int, rounds: int) -> BoolArray:
    """Give the mask (h, w) cut anew in a band along its outline; one without an inside or an outside stays as it is."""
    small, notes = reduced(image, _PIXELS)
    shown = mask
    if notes:
        shown = cv2.resize(mask.astype(np.uint8), small.size[::-1], interpolation=cv2.INTER_NEAREST) > 0
        band = max(1, round(band * small.size[0] / image.size[0]))
    depth = cv2.distanceTransform(np.pad(shown, 1, mode="edge").astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    gap = cv2.distanceTransform(np.pad(~shown, 1, mode="edge").astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    if not (depth > band).any() or not (gap > band).any():
        return mask  # nothing is sure, so that nothing could be learned
    trimap = np.where(shown, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    trimap[depth > band] = cv2.GC_FGD
    trimap[gap > band] = cv2.GC_BGD
    cv2.setRNGSeed(0)  # the colours' first clusters are drawn by chance
    cv2.grabCut(_three_bytes(small), trimap, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), rounds, cv2.GC_INIT_WITH_MASK)
    inside = ((trimap == cv2.GC_FGD) | (trimap == cv2.GC_PR_FGD)).astype(np.uint8)
    drawn = (enlarged(inside, small, image) if notes else inside) > 0
    return drawn if drawn.any() else mask


def _three_bytes(image: Image) -> ByteArray:
    """Give three bands of bytes (H, W, 3), which is what OpenCV takes: colours, or the grey levels three times."""
    if len(image.bands) == 3:
        return np.ascontiguousarray(image.bytes())
    levels = np.rint(np.clip(grey_levels(image), 0, 1) * 255).astype(np.uint8)
    return np.repeat(levels[:, :, None], 3, axis=2)
