"""Segments one by one: each taken out with a window around it, changed, and put back into a segmentation of the same kind.

Windows keep the cost of a change that of the segments' boxes, not of the image times their number; of masks that may overlap,
each is decoded whole once.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple, TypeAlias

import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray, IntArray, Size
from pixelwise.core.masks import DisjointMasks, Masks, OverlappingMasks, smallest_dtype
from pixelwise.core.runs import Runs, from_counts
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.effort import advance

Window: TypeAlias = tuple[slice, slice]


class Piece(NamedTuple):
    """The segment at ``row`` of a segmentation, as a mask (h, w) in a window of the image."""

    row: int
    window: Window
    mask: BoolArray


def pieces(masks: Masks, margin: int | Callable[[int], int]) -> Iterator[Piece]:
    """Give each segment that has pixels in a window that reaches ``margin`` pixels beyond its box, within the image.

    ``margin`` may be a function of the box's longer side.
    """
    height, width = masks.size
    boxes = masks.boxes()
    for index, (left, top, right, bottom) in enumerate(boxes.tolist()):
        advance(index / len(boxes))
        if right > left and bottom > top:
            around = margin if isinstance(margin, int) else margin(max(right - left, bottom - top))
            rows = slice(max(0, top - around), min(height, bottom + around))
            columns = slice(max(0, left - around), min(width, right + around))
            if isinstance(masks, DisjointMasks):
                mask = np.asarray(masks.ids[rows, columns] == index + 1)
            else:
                mask = masks.mask(index)[rows, columns]
            yield Piece(index, (rows, columns), mask)


def reshaped(found: Segmentation, change: Callable[[Piece], BoolArray], margin: int | Callable[[int], int]) -> Segmentation:
    """Give each segment the mask (h, w) that ``change`` makes of it, whatever the others are; those left empty go."""
    runs = [Runs(found.size, b"") if 0 in found.size else from_counts([found.size[0] * found.size[1]], found.size)] * len(found)
    for piece in pieces(found.masks, margin):
        runs[piece.row] = runs_at(change(piece), piece.window, found.size)
    return rebuilt(found, OverlappingMasks(tuple(runs), found.size))


def contested(found: Segmentation, strength: Callable[[Piece], FloatArray], margin: int) -> Segmentation:
    """Give each pixel to the segment whose ``strength`` (h, w) is largest there, the first of equals; above 0 it must be.

    Pixels under no segment are a segment of their own in this.
    """
    ids = found.panoptic_ids()
    empty = bool((ids == 0).any())
    shifted = ids.astype(smallest_dtype(len(found) + 1)) + empty
    best, winner = np.zeros(found.size, np.float32), shifted.copy()
    for piece in pieces(DisjointMasks(shifted, len(found) + empty), margin):
        own, held = strength(piece), best[piece.window]
        is_stronger = own > held
        np.copyto(held, own, where=is_stronger)
        np.copyto(winner[piece.window], piece.row + 1, where=is_stronger, casting="unsafe")
    return with_ids(found, winner - winner.dtype.type(empty))


def with_ids(found: Segmentation, ids: IntArray) -> Segmentation:
    """Give the segments of a partition the pixels of an id map (H, W): 0 for none, k for segment k - 1."""
    return rebuilt(found, DisjointMasks(ids, len(found)))


def rebuilt(found: Segmentation, masks: Masks) -> Segmentation:
    """Give the segments other masks; those left empty go, and so does what was stated of the old masks."""
    changed = replace(found, masks=masks, boxes=None, areas=None, probabilities=None)
    kept = masks.areas() > 0
    return changed if kept.all() else changed[kept]


def runs_at(mask: BoolArray, window: Window, size: Size) -> Runs:
    """Code a mask (h, w) that lies at ``window`` of an image (H, W).

    >>> runs_at(np.ones((1, 2), bool), (slice(1, 2), slice(0, 2)), (3, 3)).box
    (0, 1, 2, 2)
    """
    if 0 in size:
        return Runs(size, b"")
    turns = np.flatnonzero(np.diff(np.pad(mask, ((1, 1), (0, 0))).view(np.int8), axis=0).T.ravel())
    column, row = np.divmod(turns, mask.shape[0] + 1)
    places = (column + window[1].start) * size[0] + row + window[0].start
    return from_counts(np.diff(np.concatenate([[0], places, [size[0] * size[1]]])).tolist(), size)


def divided(found: Segmentation, kind: Kind, parents: IntArray, masks: Masks) -> Segmentation:
    """Give new segments of ``kind``, each with class, score and mark of the old one it is part of, ``parents`` (S,)."""
    rows = {name: None if (value := getattr(found, name)) is None else value[parents] for name in ("scores", "crowd")}
    attributes = tuple(found.attributes[index] for index in parents.tolist()) if found.attributes else ()
    classes = found.class_ids[parents]
    made = Segmentation(kind, masks, classes, found.labels, attributes=attributes, notes=found.notes, **rows)
    return rebuilt(made, made.masks)
