"""Split objects that touch: a watershed of the distance to their outline, from its peaks [1].

Two peaks part an object where the way between them goes down by more than ``depth`` of the object's largest distance: a neck,
not the wobble of an outline. Parts of an object that do not touch stay one object. Cost: the boxes of the objects; one of more
than 2 megapixels is split on a smaller mask.

[1] Vincent and Soille, Watersheds in digital spaces, IEEE Trans. Pattern Analysis and Machine Intelligence, 1991; peaks by
h-maxima: Soille, Morphological Image Analysis, Springer 2003.
"""

import math

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, IntArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.masks import DisjointMasks, OverlappingMasks, smallest_dtype
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.partition import connected
from pixelwise.methods.reduced import PIXELS
from pixelwise.refine.about import About
from pixelwise.refine.pieces import divided, pieces, runs_at

_LEAST = 0.75  # pixels a neck is lower than the peaks, at least: less is the grid's own wobble
ABOUT = About(
    rules={
        "instance": "each object is split at its necks; its parts keep class and score",
        "panoptic": "the same, of things; stuff stays",
        "semantic": "the connected parts of things become objects, each split at its necks; the other classes are left out",
        "regions": "each region is split at its necks",
    },
    refused={"multilabel": "it has one segment a class, so parts of one would have nowhere to go"},
    cost="n log n in the boxes of the objects, at most 2 megapixels each",
    source="Vincent and Soille, Watersheds in digital spaces, IEEE TPAMI 1991",
    gives={"semantic": "instance"},
)


def refine(image: Image, found: Segmentation, *, depth: float = 0.1) -> Segmentation:
    """Split the objects of ``found`` that touch.

    Args:
        depth: how much lower a neck must be than the lower of two peaks, as a share of the object's largest distance to its
            outline, above 0 to 1; larger splits less.

    Raises:
        OptionError: the depth is out of range, or none of the classes of a semantic segmentation is a thing.
    """
    if not 0 < depth <= 1:
        raise OptionError(f"split: the depth is a share above 0 and up to 1, got {depth}")
    if found.kind == "semantic":
        found = _objects(found)
    if found.kind == "instance":
        return _split_masks(found, depth)
    return _split_map(found, depth)


def _objects(found: Segmentation) -> Segmentation:
    """Make an object of each connected part of each thing."""
    if not found.labels.things:
        raise OptionError(f"split: none of the classes is a thing: {', '.join(found.labels.names)}; it parts touching things")
    things = found[np.isin(found.class_ids, found.labels.things)]
    ids = things.panoptic_ids()
    numbers = np.where(ids > 0, connected(ids), 0)
    present, firsts, flat = np.unique(numbers, return_index=True, return_inverse=True)
    has_none = int(present[:1].sum() == 0 and len(present) > 0)  # number 0 is no object
    owners = ids.ravel()[firsts][has_none:].astype(np.int64) - 1
    objects = flat.reshape(ids.shape) + (1 - has_none)
    masks = DisjointMasks(objects.astype(smallest_dtype(len(owners))), len(owners))
    return divided(things, "instance", owners, masks)


def _split_masks(found: Segmentation, depth: float) -> Segmentation:
    from scipy.ndimage import find_objects

    runs, parents = [], []
    for piece in pieces(found.masks, 1):
        parts = necked(piece.mask, depth)
        top, left = piece.window[0].start, piece.window[1].start
        for part, place in enumerate(find_objects(parts), start=1):
            if place is None:  # it was lost between the pixels of a smaller mask
                continue
            rows, columns = place
            window = slice(top + rows.start, top + rows.stop), slice(left + columns.start, left + columns.stop)
            runs.append(runs_at(parts[rows, columns] == part, window, found.size))
            parents.append(piece.row)
    return divided(found, found.kind, np.array(parents, np.int64), OverlappingMasks(tuple(runs), found.size))


def _split_map(found: Segmentation, depth: float) -> Segmentation:
    ids = found.panoptic_ids()
    is_stuff = ~np.isin(found.class_ids, found.labels.things) & (found.kind == "panoptic")
    held, parents = ids.astype(np.int32), list(range(len(found)))
    for piece in pieces(found.masks, 1):
        if is_stuff[piece.row]:
            continue
        parts = necked(piece.mask, depth)
        others = parts > 1
        held[piece.window][others] = parts[others] + (len(parents) - 1)
        parents += [piece.row] * (int(parts.max()) - 1)
    masks = DisjointMasks(held.astype(smallest_dtype(len(parents))), len(parents))
    return divided(found, found.kind, np.array(parents, np.int64), masks)


def necked(mask: BoolArray, depth: float) -> IntArray:
    """Number the parts (h, w) between the necks of a mask (h, w): 0 outside, 1 the largest of each connected part."""
    if mask.size > PIXELS:
        factor = math.sqrt(PIXELS / mask.size)
        size = (max(1, int(mask.shape[1] * factor)), max(1, int(mask.shape[0] * factor)))
        small = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
        parts = necked(small, depth).astype(np.int32)
        return _spread(cv2.resize(parts.astype(np.float32), mask.shape[::-1], interpolation=cv2.INTER_NEAREST), mask)
    from skimage.measure import label
    from skimage.morphology import local_maxima, reconstruction
    from skimage.segmentation import watershed

    distance = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    if not mask.any() or mask.all():
        return mask.astype(np.int32)
    drop = max(depth * float(distance.max()), _LEAST)
    lowered = reconstruction(np.maximum(distance - drop, 0), distance)
    peaks = label(local_maxima(lowered) & mask, connectivity=2)
    parts = watershed(-distance, peaks, mask=mask)
    return _ranked(parts, connected(mask.astype(np.uint8) + np.uint8(1)), mask)


def _ranked(parts: IntArray, components: IntArray, mask: BoolArray) -> IntArray:
    """Give the largest part of each component the number 1, and the others numbers from 2; without a peak, it is one part."""
    areas = np.bincount(parts.ravel())
    owners = np.zeros(len(areas), np.int64)
    owners[parts[mask]] = components[mask]
    table, chief = np.ones(len(areas), np.int32), np.zeros(int(components.max()) + 1, np.int64)
    order = np.argsort(areas, kind="stable")
    chief[owners[order]] = order
    others = np.setdiff1d(np.flatnonzero(areas), [*chief, 0])
    table[others] = np.arange(2, len(others) + 2)
    return np.asarray(np.where(mask, table[parts], 0))


def _spread(parts: IntArray, mask: BoolArray) -> IntArray:
    """Give the pixels of a mask (h, w) that no part has the number of the nearest that one has, and clear the rest."""
    known = mask & (parts > 0)
    if not known.any():
        return mask.astype(np.int32)
    _, nearest = cv2.distanceTransformWithLabels((~known).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    table = np.zeros(int(nearest.max()) + 1, np.int32)
    table[nearest[known]] = parts[known].astype(np.int32)
    return np.asarray(np.where(mask, table[nearest], 0))
