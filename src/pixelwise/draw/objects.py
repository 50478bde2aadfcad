"""Objects over an image: each in its own colour, or by what became of it.

Pictures are drawn at the size they are shown at. What became of objects is told by more than hue: objects of a wrong class are
striped, crowds are hatched without an outline, and where few objects are shown words say it too.
"""

from collections.abc import Iterable
from typing import NamedTuple

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, ByteArray, IntArray
from pixelwise.core.segmentation import Segmentation
from pixelwise.draw.colours import Picture, background_classes, rgb_bytes, segment_colours
from pixelwise.draw.compare import EXTRA, RIGHT, VOIDED, WRONG
from pixelwise.draw.labels import Colour, Plate, lettered, width_with_plate
from pixelwise.draw.overlay import check_sizes
from pixelwise.draw.scaled import faded, image_at, masks_at, shown_size

CONFUSED, SHARED = (26, 28, 34), (120, 120, 120)
LINE = 2  # pixels of an outline
_FEW = 20  # objects up to which each has words
_FILL, _SOLID = 0.3, 0.55
_LETTERS = 16  # pixels of height that a name needs


class Outcome(NamedTuple):
    """What became of the objects of an image, as rows of the prediction (hits, confused, invented) and of the truth.

    Attributes:
        hits: predicted objects that hit a true one of their class.
        confused: predicted objects that lie on a true one of another class.
        invented: predicted objects that hit nothing.
        missed: true objects that nothing hit and nothing was confused with.
        crowds: true groups, which do not count.
        mistaken: for each confused object, the row of the true one.
    """

    hits: IntArray
    confused: IntArray
    invented: IntArray
    missed: IntArray
    crowds: IntArray
    mistaken: IntArray


def objects(image: Picture, segmentation: Segmentation, side: int = 480) -> ByteArray:
    """Show each segment in its own colour with an outline, and its class where there is room: (h, w, 3), longer side ``side``.

    Void and a class called background stay as they are; where masks overlap, the smaller is on top; crowds are hatched.

    Raises:
        SizeMismatch: image and segmentation differ in height or width.
    """
    check_sizes(rgb_bytes(image).shape[:2], segmentation.size)
    size = shown_size(segmentation.size, side)
    canvas, colours = image_at(image, size), segment_colours(segmentation)
    areas = segmentation.masks.areas()
    rows = np.flatnonzero((areas > 0) & ~np.isin(segmentation.class_ids, background_classes(segmentation.labels)))
    rows = rows[np.argsort(-areas[rows], kind="stable")]
    masks = masks_at(segmentation.masks, rows, size)
    for row, mask in zip(rows.tolist(), masks, strict=True):
        if segmentation.is_crowd[row]:
            _hatch(canvas, mask, _colour(colours[row]))
            continue
        _tint(canvas, mask, _colour(colours[row]), _SOLID)
        canvas[_edge(mask)] = colours[row]
    return lettered(canvas, _names(segmentation, rows, masks, colours))


def object_errors(image: Picture, prediction: Segmentation, truth: Segmentation, found: Outcome, side: int = 480) -> ByteArray:
    """Show what became of objects over the image in light grey: (h, w, 3), longer side ``side``.

    Hits are blue, missed objects orange, invented ones pink, those of a wrong class dark and striped, crowds hatched grey. Of
    few objects, scores and classes stand beside them.

    Raises:
        SizeMismatch: image, prediction and truth differ in height or width.
    """
    check_sizes(rgb_bytes(image).shape[:2], truth.size)
    check_sizes(prediction.size, truth.size)
    size = shown_size(truth.size, side)
    canvas = faded(image_at(image, size))
    for mask in masks_at(truth.masks, found.crowds, size):
        _hatch(canvas, mask, VOIDED)
    groups = [
        (RIGHT, masks_at(prediction.masks, found.hits, size)),
        (EXTRA, masks_at(prediction.masks, found.invented, size)),
        (WRONG, masks_at(truth.masks, found.missed, size)),
        (CONFUSED, masks_at(prediction.masks, found.confused, size)),
    ]
    taken = np.zeros(size, bool)  # an object found once more must not hide the hit under it, nor one invented what is missed
    for mask in (*groups[0][1], *groups[2][1]):
        taken |= mask
    for colour, masks in groups:
        for mask in masks:
            if colour == CONFUSED:
                _stripe(canvas, mask)
            else:
                _tint(canvas, mask & ~taken if colour == EXTRA else mask, colour, _FILL)
    for colour, masks in groups:  # outlines last: no filling may hide one
        for mask in masks:
            canvas[_edge(mask)] = colour
    few = sum(len(masks) for _, masks in groups) <= _FEW
    return lettered(canvas, _words(prediction, truth, found, groups)) if few else canvas


def object_differences(
    image: Picture, truth: Segmentation, found: tuple[BoolArray, BoolArray], crowds: IntArray, side: int = 480
) -> ByteArray:
    """Show which of two predictions finds each true object: (h, w, 3), longer side ``side``.

    What A alone finds is orange, what B alone finds blue, what neither does dark and striped, what both do outlined in grey.

    Args:
        found: (S,) for A and for B, whether each true object is hit.

    Raises:
        SizeMismatch: image and truth differ in height or width.
    """
    check_sizes(rgb_bytes(image).shape[:2], truth.size)
    size = shown_size(truth.size, side)
    canvas, (by_a, by_b) = faded(image_at(image, size)), found
    for mask in masks_at(truth.masks, crowds, size):
        _hatch(canvas, mask, VOIDED)
    counts = (truth.masks.areas() > 0) & ~np.isin(np.arange(len(truth)), crowds)
    groups = [
        (colour, masks_at(truth.masks, np.flatnonzero(counts & chosen), size))
        for colour, chosen in ((SHARED, by_a & by_b), (CONFUSED, ~by_a & ~by_b), (RIGHT, by_b & ~by_a), (WRONG, by_a & ~by_b))
    ]
    for colour, masks in groups:
        for mask in masks:
            if colour == CONFUSED:
                _stripe(canvas, mask)
            elif colour != SHARED:
                _tint(canvas, mask, colour, _SOLID)
    for colour, masks in groups:
        for mask in masks:
            canvas[_edge(mask)] = colour
    return canvas


def _words(
    prediction: Segmentation, truth: Segmentation, found: Outcome, groups: list[tuple[Colour, list[BoolArray]]]
) -> Iterable[Plate]:
    """Say what was found wrong, then the scores of hits: what is said first has its place."""
    scores, told, true = prediction.scores, prediction.names, truth.names

    def with_score(row: int, text: str) -> str:
        return text if scores is None else f"{text} {scores[row]:.2f}".strip()

    (_, hits), (_, invented), (_, missed), (_, confused) = groups
    for row, other, mask in zip(found.confused.tolist(), found.mistaken.tolist(), confused, strict=True):
        yield _at_corner(mask, f"{with_score(row, told[row])}, is {true[other]}", CONFUSED)
    for row, mask in zip(found.missed.tolist(), missed, strict=True):
        yield _at_corner(mask, true[row], WRONG)
    for row, mask in zip(found.invented.tolist(), invented, strict=True):
        yield _at_corner(mask, with_score(row, told[row]), EXTRA)
    for row, mask in zip(found.hits.tolist(), hits, strict=True):
        yield _at_corner(mask, with_score(row, "" if scores is not None else told[row]), RIGHT)


def _at_corner(mask: BoolArray, text: str, colour: Colour) -> Plate:
    left, top, _, _ = cv2.boundingRect(mask.astype(np.uint8))
    return Plate(text, left, top, colour)


def _names(segmentation: Segmentation, rows: IntArray, masks: list[BoolArray], colours: ByteArray) -> Iterable[Plate]:
    """Put the class in the widest place of each segment it fits into, larger segments first."""
    for row, mask in zip(rows.tolist(), masks, strict=True):
        text = segmentation.names[row]
        _, _, width, height = cv2.boundingRect(mask.astype(np.uint8))
        if len(segmentation.labels) == 1 or height < _LETTERS or width < 0.9 * width_with_plate(text):
            continue
        depth = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
        y, x = np.unravel_index(int(depth.argmax()), depth.shape)
        yield Plate(text, int(x), int(y), _colour(colours[row]), is_centred=True)


def _colour(row: ByteArray) -> Colour:
    red, green, blue = row.tolist()
    return red, green, blue


def _edge(mask: BoolArray) -> BoolArray:
    core = cv2.erode(np.pad(mask, LINE).astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)), iterations=LINE)
    return np.asarray(mask & (core[LINE:-LINE, LINE:-LINE] == 0))


def _tint(canvas: ByteArray, mask: BoolArray, colour: Colour, opacity: float) -> None:
    canvas[mask] = np.rint(canvas[mask] * (1 - opacity) + np.array(colour) * opacity).astype(np.uint8)


def _stripe(canvas: ByteArray, mask: BoolArray) -> None:
    rows, columns = np.ogrid[: mask.shape[0], : mask.shape[1]]
    _tint(canvas, mask & ((rows + columns) % 9 < 3), CONFUSED, 0.8)


def _hatch(canvas: ByteArray, mask: BoolArray, colour: Colour) -> None:
    rows, columns = np.ogrid[: mask.shape[0], : mask.shape[1]]
    _tint(canvas, mask, colour, _FILL)
    _tint(canvas, mask & ((rows - columns) % 8 < 2), (95, 95, 95), 0.8)
