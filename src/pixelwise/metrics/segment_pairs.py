"""Which segments of a truth and of a prediction share pixels, and how many: what scores of segments are made of.

Maps are looked at in strips, so that what is made of them stays in a core's cache and an image of any size costs a few
megabytes beside its two maps. Where a strip is mostly runs of equal pixels, as masks are, only the ends of runs are visited;
where it is not, OpenCV's histogram counts maps of bytes pixel by pixel. All ways give the same integers.
"""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

from pixelwise.core.arrays import AnyArray, FloatArray, IntArray
from pixelwise.core.errors import DataError, SizeMismatch
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.metrics.class_rows import ClassRows

_STRIP = 2**19  # pixels
_MOST_CELLS = 2**18  # of a table of all pairs; above, only the pairs that occur are kept
_MOST_CHANGED = 0.6  # of the eights of pixels in a strip; where more hold a border, it is counted pixel by pixel


class Pairs(NamedTuple):
    """The K pairs of ids that occur together, in rising order: ids of the first map and the second, and their pixels (K,)."""

    first: IntArray
    second: IntArray
    pixels: IntArray


def joint(first: IntArray, second: IntArray, highest: tuple[int, int]) -> Pairs:
    """Count the pixels of each pair of ids of two maps (H, W); ids run from 0 to the ``highest`` of each map.

    >>> joint(np.array([[1, 1, 0]], np.uint8), np.array([[2, 2, 0]], np.uint8), (1, 2))
    Pairs(first=array([0, 1]), second=array([0, 2]), pixels=array([1, 2]))
    """
    columns = highest[1] + 1
    cells = (highest[0] + 1) * columns
    flat = first.reshape(-1), second.reshape(-1)
    strips = ((flat[0][start : start + _STRIP], flat[1][start : start + _STRIP]) for start in range(0, first.size, _STRIP))
    places, pixels = _in_table(strips, cells, columns) if cells <= _MOST_CELLS else _in_list(strips, columns)
    return Pairs(places // columns, places % columns, pixels)


def _in_table(strips: Iterator[tuple[IntArray, IntArray]], cells: int, columns: int) -> tuple[IntArray, IntArray]:
    table = np.zeros(cells, np.int64)
    for one, other in strips:
        eights = _changes(one, other)
        words = (eights != 0).nonzero()[0]
        if one.dtype == other.dtype == np.uint8 and len(words) > _MOST_CHANGED * len(eights):
            size = [cells // columns, columns]
            found = cv2.calcHist([one[None], other[None]], [0, 1], None, size, [0, size[0], 0, size[1]]).reshape(-1)
        else:
            found = np.bincount(*_runs(one, other, eights, words, columns), cells)
        table += found.astype(np.int64)  # float32, too, is exact up to 2^24, and a strip is smaller
    places = table.nonzero()[0]
    return places, table[places]


def _in_list(strips: Iterator[tuple[IntArray, IntArray]], columns: int) -> tuple[IntArray, IntArray]:
    found = []
    for one, other in strips:
        eights = _changes(one, other)
        found.append(_added(*_runs(one, other, eights, (eights != 0).nonzero()[0], columns)))
    nothing = np.zeros(0, np.int64)
    return _added(*(np.concatenate([nothing, *(each[side] for each in found)]) for side in (0, 1)))


def _changes(one: IntArray, other: IntArray) -> IntArray:
    """Mark the last pixel of each run, in which neither map changes: a byte a pixel, eight in a word, which is mostly 0."""
    size = one.size
    changes = np.empty(-(-size // 8) * 8, bool)
    inner = changes[: size - 1]
    np.not_equal(one[1:], one[:-1], out=inner)
    np.logical_or(inner, other[1:] != other[:-1], out=inner)
    changes[size - 1 :] = False
    changes[size - 1] = True
    return changes.view(np.uint64)


def _runs(one: IntArray, other: IntArray, eights: IntArray, words: IntArray, columns: int) -> tuple[IntArray, IntArray]:
    """Give the place of each run's pair in a table of all pairs, and the run's length; ``words`` are those with changes."""
    within = eights.take(words).view(bool).nonzero()[0]
    ends = words.take(within >> 3) * 8 + (within & 7)
    lengths = ends.copy()
    lengths[1:] -= ends[:-1]
    lengths[:1] += 1
    return one.take(ends) * np.int64(columns) + other.take(ends), lengths


def _added(places: IntArray, lengths: IntArray) -> tuple[IntArray, IntArray]:
    found, which = np.unique(places, return_inverse=True)
    return found, np.bincount(which, lengths, len(found)).astype(np.int64)


def require_comparable(prediction: Segmentation, truth: Segmentation, kinds: tuple[Kind, ...]) -> None:
    """Refuse what cannot be compared segment by segment.

    Raises:
        SizeMismatch: the two differ in size.
        DataError: one is of another kind, or a predicted score is not in [0, 1].
    """
    for role, each in (("prediction", prediction), ("truth", truth)):
        if each.kind not in kinds:
            raise DataError(f"this score wants {' or '.join(kinds)} segments, and this {role} is of kind '{each.kind}'")
    if prediction.size != truth.size:
        raise SizeMismatch(f"the prediction is {prediction.size}, the truth {truth.size} (height, width); predict at full size")
    scores = prediction.scores
    if scores is not None and (bad := np.flatnonzero(~((scores >= 0) & (scores <= 1)))).size:
        raise DataError(f"expected scores in [0, 1]; that of predicted segment {bad[0]} is {float(scores[bad[0]])}")


def classes_under(segmentation: Segmentation, labels: LabelSet) -> IntArray:
    """Number the class of each segment (S,) as in ``labels``, by name; ``labels.VOID`` where there is none of that name."""
    if segmentation.labels.same_classes(labels):
        return segmentation.class_ids
    return np.asarray(segmentation.labels.map_to(labels)[segmentation.class_ids])


def ordered_sums(groups: IntArray, values: AnyArray, count: int) -> AnyArray:
    """Add fractions up by group (count,), smaller ones first, so that the order they come in makes no difference."""
    order = np.lexsort((values, groups))
    return np.bincount(groups[order], values[order], count)


def exact_totals(rows: ClassRows) -> FloatArray:
    """Add up all images (V, L), fractions too, to the same last bit in whatever order they were added."""
    return np.stack([ordered_sums(rows.classes, column, len(rows.labels)) for column in rows.values.T])
