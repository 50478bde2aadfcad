"""Find where classes meet in a class map, and how far the edges of two maps lie from one another: all classes in one pass.

Void pixels of the truth belong to no class and are no edge: in both maps they are taken as a continuation of whatever is beside
them. So nothing that is predicted there, and no border between a class and void, can change what is found here.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray, IntArray, Size
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.overlap import one_class_a_pixel

CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)  # the four neighbours


class Gaps(NamedTuple):
    """How far each edge pixel of one class is from the nearest of the other map.

    Attributes:
        class_id: the class.
        told: (P,) from the edge of the prediction to that of the truth; infinite where that has none.
        true: (T,) from the edge of the truth to that of the prediction.
    """

    class_id: int
    told: FloatArray
    true: FloatArray


def class_maps(prediction: Segmentation, truth: Segmentation) -> tuple[IntArray, IntArray]:
    """Give the class maps (H, W) of prediction and truth, both numbered as the truth is; classes are joined by name.

    The highest value of the maps' type is void in the truth, and in the prediction where it is void or of another class.

    Raises:
        SizeMismatch: the two differ in size.
        DataError: one of them may have several classes a pixel.
    """
    one_class_a_pixel(prediction, truth)
    own, labels = prediction.labels, truth.labels
    told, true = prediction.class_map(), truth.class_map()
    if own.same_classes(labels):
        return told, true
    table = np.full(own.void + 1, labels.void, true.dtype)
    places = own.map_to(labels)
    table[: len(own)] = np.where(places < 0, labels.void, places)
    return table[told], true


def unlike(classes: IntArray, is_void: BoolArray, around: IntArray) -> BoolArray:
    """Mark the pixels (H, W) that have another class among their neighbours ``around``; void is no class.

    The smallest and the largest class around a pixel differ exactly there, so two passes serve all classes.

    >>> unlike(np.array([[0, 0, 1, 1]], np.uint8), np.zeros((1, 4), bool), CROSS).astype(int)
    array([[0, 1, 1, 0]])
    """
    if not classes.size:
        return np.zeros(classes.shape, bool)
    lowest = cv2.erode(np.where(is_void, np.iinfo(classes.dtype).max, classes), around)  # what is outside counts for nothing
    highest = cv2.dilate(np.where(is_void, classes.dtype.type(0), classes), around)
    return np.asarray((lowest != highest) & ~is_void)


def square(reach: int) -> IntArray:
    """Make the neighbourhood of all pixels at most ``reach`` rows and columns away."""
    return np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)


def framed(marks: BoolArray, is_void: BoolArray, reach: int = 1) -> BoolArray:
    """Mark, besides, the pixels within ``reach`` of what lies outside the image, void ones excepted."""
    found = marks.copy()
    for side in np.s_[:reach], np.s_[-reach:], np.s_[:, :reach], np.s_[:, -reach:]:
        found[side] = True
    return np.asarray(found & ~is_void)


def gaps(
    told: IntArray,
    true: IntArray,
    edges: tuple[BoolArray, BoolArray],
    classes: int,
    spacing: tuple[float, float] = (1, 1),
    below: float = math.inf,
) -> Iterator[Gaps]:
    """Measure, class by class, between the centres of edge pixels: ``edges`` of the prediction, of the truth (H, W).

    Distances are Euclidean in units of ``spacing``, exact to the last bits of float64; those of ``below`` or more are infinite.
    A class without an edge pixel in either map is passed over.
    """
    shared = (edges[0] & edges[1] & (told == true)).reshape(-1)
    of_told, of_true = (_by_class(each, marks, classes) for each, marks in zip((told, true), edges, strict=True))
    for class_id, (ours, theirs) in enumerate(zip(of_told, of_true, strict=True)):
        if len(ours) or len(theirs):
            from_told, from_true = np.zeros(len(ours)), np.zeros(len(theirs))
            is_apart = [~shared[places] for places in (ours, theirs)]  # most edges lie where they should: search for the others
            points = [np.stack(np.divmod(places, true.shape[1]), axis=1) * spacing for places in (ours, theirs)]
            from_told[is_apart[0]] = _nearest(points[0][is_apart[0]], points[1], below)
            from_true[is_apart[1]] = _nearest(points[1][is_apart[1]], points[0], below)
            yield Gaps(class_id, from_told, from_true)


def diagonal(size: Size) -> float:
    """Measure an image's diagonal in pixels."""
    return math.hypot(*size)


def _by_class(classes: IntArray, marks: BoolArray, count: int) -> list[IntArray]:
    """Give the places in the flat map of the marked pixels of each class."""
    places = np.flatnonzero(marks)
    own = classes.reshape(-1)[places]
    order = np.argsort(own, kind="stable")
    parts: list[IntArray] = [*np.split(places[order], np.searchsorted(own[order], np.arange(1, count + 1)))]
    return parts[:count]


def _nearest(points: FloatArray, targets: FloatArray, below: float) -> FloatArray:
    """Measure from each point (P, 2) to the nearest of the targets (T, 2)."""
    if not len(points) or not len(targets):
        return np.full(len(points), math.inf)
    from scipy.spatial import cKDTree  # on first use: `import pixelwise` stays light

    tree = cKDTree(targets, balanced_tree=False, compact_nodes=False)  # quicker to build, and asked but once
    return np.asarray(tree.query(points, distance_upper_bound=below)[0])
