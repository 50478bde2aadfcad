"""Partitions without classes: their borders over an image, and which borders two of them share."""

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, ByteArray
from pixelwise.core.segmentation import Segmentation
from pixelwise.draw.colours import Picture, rgb_bytes
from pixelwise.draw.compare import EXTRA, RIGHT, WRONG
from pixelwise.draw.labels import Colour
from pixelwise.draw.objects import SHARED
from pixelwise.draw.overlay import boundaries, check_sizes
from pixelwise.draw.scaled import faded, ids_at, image_at, shown_size

NEAR = 0.0075  # of the diagonal: how far borders may lie apart and still be the same, as BSDS500 has it
_BRIGHT, _CASING = (255, 236, 92), (20, 22, 28)
_MANY = 400  # regions above which lines are one pixel: wider ones would hide the image


def outlined(image: Picture, segmentation: Segmentation, side: int = 480) -> ByteArray:
    """Draw the borders of regions over an image, bright with dark sides: (h, w, 3), longer side ``side``.

    Raises:
        SizeMismatch: image and segmentation differ in height or width.
    """
    check_sizes(rgb_bytes(image).shape[:2], segmentation.size)
    size = shown_size(segmentation.size, side)
    canvas, edge = image_at(image, size), _borders(segmentation, size)
    if len(segmentation) <= _MANY:
        canvas[_grown(edge, 1)] = _CASING
    canvas[edge] = _BRIGHT
    return canvas


def border_errors(image: Picture, prediction: Segmentation, truth: Segmentation, side: int = 480) -> ByteArray:
    """Draw borders that both have blue, those of the truth alone orange, those of the prediction alone pink.

    Two borders are the same within ``NEAR`` of the picture's diagonal.

    Raises:
        SizeMismatch: image, prediction and truth differ in height or width.
    """
    return _paired(image, truth, prediction, (WRONG, EXTRA, RIGHT), side)


def border_differences(image: Picture, a: Segmentation, b: Segmentation, side: int = 480) -> ByteArray:
    """Draw borders that A alone has orange, those of B alone blue, and those of both grey.

    Raises:
        SizeMismatch: image, A and B differ in height or width.
    """
    return _paired(image, a, b, (WRONG, RIGHT, SHARED), side)


def _paired(
    image: Picture, one: Segmentation, other: Segmentation, colours: tuple[Colour, Colour, Colour], side: int
) -> ByteArray:
    """Draw the borders that one alone has, the other alone has, and both have."""
    check_sizes(rgb_bytes(image).shape[:2], one.size)
    check_sizes(other.size, one.size)
    size = shown_size(one.size, side)
    canvas = faded(image_at(image, size))
    first, second = _borders(one, size), _borders(other, size)
    reach = max(1, round(NEAR * float(np.hypot(*size))))
    near_first, near_second = _grown(first, reach), _grown(second, reach)
    for marked, colour in zip((first & ~near_second, second & ~near_first, first & near_second), colours, strict=True):
        canvas[marked] = colour
    return canvas


def _borders(segmentation: Segmentation, size: tuple[int, int]) -> BoolArray:
    """Mark both sides of each border: two pixels; one where there are many regions."""
    ids = ids_at(segmentation.panoptic_ids(), size)
    if len(segmentation) <= _MANY:
        return boundaries(ids)
    edge = np.zeros(ids.shape, bool)
    edge[:, 1:] |= ids[:, 1:] != ids[:, :-1]
    edge[1:] |= ids[1:] != ids[:-1]
    return edge


def _grown(edge: BoolArray, reach: int) -> BoolArray:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return np.asarray(cv2.dilate(edge.astype(np.uint8), disc) > 0)
