"""One truth out of several, of which another one is seen at each pixel; and their pixels likewise.

The truth of every pixel stays the one of the image that the pixel came from: masks are cut where another image is seen, void
stays void, holes stay holes, and what overlapped still does. Objects of two images are never one; the parts of a class that has
one segment (semantic, multilabel, the stuff of panoptic truth) are. What is left of a thing may be too little to tell what it
is: below ``LEAST`` of its pixels it is marked as crowd, so that it is neither taught nor taken for background.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np

from pixelwise.augment.colour import top_of
from pixelwise.augment.layers import by_layers
from pixelwise.core import runs
from pixelwise.core.arrays import AnyArray, BoolArray, IntArray, Size
from pixelwise.core.errors import DataError
from pixelwise.core.idmaps import lookup
from pixelwise.core.masks import DisjointMasks, Masks, OverlappingMasks, smallest_dtype
from pixelwise.core.runs import Runs
from pixelwise.core.segmentation import Segmentation

LEAST = 0.1  # of a thing's pixels


def joined_pixels(parts: Sequence[AnyArray], shown: IntArray) -> AnyArray:
    """Take each pixel from the part (H, W, C) that ``shown`` (H, W) names; the first one gives the type."""
    found = parts[0].copy()
    for index, part in enumerate(parts[1:], start=1):
        cv2.copyTo(as_type(part, found.dtype), (shown == index).view(np.uint8), found)
    return found


def as_type(pixels: AnyArray, dtype: "np.dtype[np.generic]") -> AnyArray:
    """Bring pixels to another type, by their share of its full scale.

    >>> as_type(np.array([[[255]]], np.uint8), np.dtype(np.uint16)).item()
    65535
    """
    if pixels.dtype == dtype:
        return pixels
    values = pixels * (top_of(np.empty(0, dtype)) / top_of(pixels))
    return np.rint(values).astype(dtype) if dtype.kind == "u" else values.astype(dtype)


def joined(parts: Sequence[Segmentation], shown: IntArray) -> Segmentation:
    """Take the truth of each pixel from the part that ``shown`` (H, W) names.

    Classes and crowd marks are kept; numbers and boxes that the sources stated no longer hold. Of a class of multilabel truth
    that is marked as crowd in one part, nothing is known in the others either.

    Raises:
        DataError: the parts differ in kind, classes or size.
    """
    first = parts[0]
    if any((one.kind, one.labels.names, one.size) != (first.kind, first.labels.names, shown.shape) for one in parts):
        raise DataError("truths that are put together must be of one kind, one label set and one size")
    if first.kind == "semantic":
        return Segmentation.from_class_map(_chosen([one.class_map() for one in parts], shown), first.labels)
    classes, crowds = _rows(parts)
    before = np.concatenate([one.masks.areas() for one in parts])
    segments, count = _segments(first, classes, crowds)
    masks = _joined_masks([one.masks for one in parts], shown, segments, count)
    left = masks.areas()
    class_ids = np.zeros(count, np.int64)
    class_ids[segments] = classes
    crowd = np.bincount(segments, crowds & (before > 0), count) > 0
    if first.kind in ("instance", "panoptic"):
        is_thing = np.isin(class_ids, first.labels.things) | (first.kind == "instance")
        crowd |= is_thing & (left < LEAST * np.bincount(segments, before, count))
    found = Segmentation(first.kind, masks, class_ids, first.labels, crowd=crowd)
    return found if (left > 0).all() else found[left > 0]


def _rows(parts: Sequence[Segmentation]) -> tuple[IntArray, BoolArray]:
    """List the classes (S,) and the crowd marks (S,) of the segments of all parts."""
    return np.concatenate([one.class_ids for one in parts]), np.concatenate([one.is_crowd for one in parts])


def _segments(first: Segmentation, classes: IntArray, crowds: BoolArray) -> tuple[IntArray, int]:
    """Give the new segment (S,) that each becomes, or becomes a part of, and how many there are."""
    keys: IntArray = np.arange(len(classes)) + 2 * len(first.labels)  # beyond those of classes
    if first.kind == "multilabel":
        keys = classes
    elif first.kind == "panoptic":
        keys = np.where(np.isin(classes, first.labels.things), keys, 2 * classes + crowds)
    distinct, segments = np.unique(keys, return_inverse=True)
    return segments, len(distinct)


def _joined_masks(parts: Sequence[Masks], shown: IntArray, segments: IntArray, count: int) -> Masks:
    cuts = np.cumsum([0, *map(len, parts)]).tolist()
    owns = [segments[begin:end] for begin, end in pairwise(cuts)]
    disjoint = [one for one in parts if isinstance(one, DisjointMasks)]
    if len(disjoint) == len(parts):
        dtype = smallest_dtype(count)
        tables = [np.concatenate([[0], own + 1]).astype(dtype) for own in owns]
        maps = [lookup(table, one.ids) for table, one in zip(tables, disjoint, strict=True)]
        return DisjointMasks(_chosen(maps, shown), count)
    pieces: list[list[Runs]] = [[] for _ in range(count)]
    for index, (masks, own) in enumerate(zip(parts, owns, strict=True)):
        for segment, piece in zip(own.tolist(), _cut(masks, shown == index), strict=True):
            pieces[segment].append(piece)
    size = parts[0].size
    return OverlappingMasks(tuple(one[0] if len(one) == 1 else runs.union(one, size) for one in pieces), size)


def _cut(masks: Masks, region: BoolArray) -> list[Runs]:
    """Keep of each mask what lies in a region (H, W); only those near its border are looked at pixel by pixel."""
    inside, boxes, nothing = runs.encode(region), masks.boxes(), runs.encode(np.zeros(region.shape, bool))
    is_in, is_out = _touch(boxes, inside.box), _touch(boxes, runs.encode(~region).box)
    found = list(masks.run_lengths())
    for row in np.flatnonzero(~is_in).tolist():
        found[row] = nothing
    for row in np.flatnonzero(is_in & is_out).tolist():
        found[row] = runs.intersection(found[row], inside)
    return found


def _touch(boxes: IntArray, box: tuple[int, int, int, int]) -> BoolArray:
    """Tell which boxes (S, 4) share a pixel with another one."""
    left, top, right, bottom = box
    across = (boxes[:, 0] < right) & (boxes[:, 2] > left)
    return np.asarray(across & (boxes[:, 1] < bottom) & (boxes[:, 3] > top))


def _chosen(maps: Sequence[IntArray], shown: IntArray) -> IntArray:
    found = maps[0].copy()
    for index, one in enumerate(maps[1:], start=1):
        np.copyto(found, one, where=shown == index)
    return found


def laid(truth: Segmentation, corner: tuple[int, int], size: Size) -> Segmentation:
    """Lay a truth into a larger grid (H, W), its first pixel at ``corner`` (row, column); around it is no segment."""
    place = slice(corner[0], corner[0] + truth.size[0]), slice(corner[1], corner[1] + truth.size[1])

    def into(ids: IntArray) -> IntArray:
        found = np.zeros(size, ids.dtype)
        found[place] = ids
        return found

    masks = truth.masks
    moved = DisjointMasks(into(masks.ids), masks.count) if isinstance(masks, DisjointMasks) else by_layers(masks, size, into)
    return replace(truth, masks=moved, boxes=None, areas=None, probabilities=None)


def both(first: Segmentation, second: Segmentation) -> Segmentation:
    """Keep the objects of two instance truths over one another, as two images that are seen at once show them [1].

    [1] Ge et al., YOLOX: Exceeding YOLO Series in 2021, 2021, arXiv 2107.08430, section 2.1.
    """
    classes, crowds = _rows([first, second])
    coded = first.masks.run_lengths() + second.masks.run_lengths()
    return Segmentation("instance", OverlappingMasks(coded, first.size), classes, first.labels, crowd=crowds)


def union(masks: Masks, rows: IntArray) -> BoolArray:
    """Mark the pixels (H, W) of some of the masks."""
    if isinstance(masks, DisjointMasks):
        table = np.zeros(masks.count + 1, np.uint8)
        table[np.asarray(rows) + 1] = 1
        return lookup(table, masks.ids).view(bool)
    coded = masks.run_lengths()
    return runs.decode(runs.union([coded[int(row)] for row in rows], masks.size))
