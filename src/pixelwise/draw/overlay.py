"""Masks over an image."""

import cv2
import numpy as np

from pixelwise.core.arrays import AnyArray, BoolArray, ByteArray, IntArray, Size
from pixelwise.core.errors import OptionError, SizeMismatch
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.segmentation import Segmentation
from pixelwise.draw.colours import Picture, background_classes, rgb_bytes, segment_colours


def overlay(image: Picture, segmentation: Segmentation, opacity: float = 0.5, outline: bool = True) -> ByteArray:
    """Tint the segments of an image with their colours: (H, W, 3) uint8.

    Void and a class called background stay as they are. Outlines are drawn in the segment's full colour; where masks
    overlap, the smaller is on top.

    Raises:
        SizeMismatch: image and segmentation differ in height or width.
        OptionError: the opacity is not between 0 and 1.
    """
    base = rgb_bytes(image)
    if not 0 <= opacity <= 1:
        raise OptionError(f"the opacity must lie between 0 and 1, got {opacity}")
    check_sizes(base.shape[:2], segmentation.size)
    shown = np.flatnonzero(~np.isin(segmentation.class_ids, background_classes(segmentation.labels)))
    if segmentation.kind == "regions":
        shown = np.arange(len(segmentation))
    if isinstance(segmentation.masks, DisjointMasks):
        return _tint_ids(base, segmentation.masks.ids, segment_colours(segmentation), shown, opacity, outline)
    canvas, colours = base.copy(), segment_colours(segmentation)
    areas, boxes = segmentation.masks.areas(), segmentation.masks.boxes()
    for index in shown[np.argsort(-areas[shown], kind="stable")]:
        left, top, right, bottom = boxes[index]
        box = slice(top, bottom), slice(left, right)
        mask = segmentation.masks.mask(int(index))[box]
        part = canvas[box]
        part[mask] = _mix(part[mask], colours[index], opacity)
        if outline:
            part[_inner_edge(mask, line_width(segmentation.size))] = colours[index]
    return canvas


def check_sizes(image: Size, mask: Size) -> None:
    """Refuse two sizes that differ.

    Raises:
        SizeMismatch: they do.
    """
    if tuple(image) != tuple(mask):
        raise SizeMismatch(
            f"expected an image and masks of one size, got an image of {image[0]} x {image[1]} and masks of "
            f"{mask[0]} x {mask[1]} (height x width); draw each mask over the image it was made for"
        )


def line_width(size: Size) -> int:
    """Choose how thick an outline is, in pixels, so that it is seen when a large picture is shown small."""
    return max(1, round(min(size) / 500))


def boundaries(ids: IntArray) -> BoolArray:
    """Mark the pixels (H, W) that have a neighbour, of four, with another id.

    >>> boundaries(np.array([[1, 1, 1, 2]])).astype(int)
    array([[0, 0, 1, 1]])
    """
    edge = np.zeros(ids.shape, bool)
    across, down = ids[:, 1:] != ids[:, :-1], ids[1:] != ids[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return edge


def _tint_ids(base: ByteArray, ids: IntArray, colours: ByteArray, shown: IntArray, opacity: float, outline: bool) -> ByteArray:
    table = np.zeros((len(colours) + 1, 3), np.uint8)
    table[1:] = colours
    is_shown = np.zeros(len(table), bool)
    is_shown[shown + 1] = True
    painted, colour = is_shown[ids], table[ids]
    canvas = np.where(painted[:, :, None], _mix(base, colour, opacity), base)
    if outline:
        edge = boundaries(ids)
        if (width := line_width(base.shape[:2])) > 1:
            edge = cv2.dilate(edge.astype(np.uint8), np.ones((width, width), np.uint8)) > 0
        edge &= painted
        canvas[edge] = colour[edge]
    return canvas


def _mix(under: AnyArray, over: AnyArray, opacity: float) -> ByteArray:
    share = round(opacity * 256)  # in integers: a float copy of a large photograph is four times its size
    return ((under.astype(np.uint16) * np.uint16(256 - share) + over.astype(np.uint16) * np.uint16(share) + 128) >> 8).astype(
        np.uint8
    )


def _inner_edge(mask: BoolArray, width: int) -> BoolArray:
    core = cv2.erode(np.pad(mask, 1).astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)), iterations=width)
    return np.asarray(mask & (core[1:-1, 1:-1] == 0))
