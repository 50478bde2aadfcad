"""How alike predicted and true objects are: IoU of masks, of boxes, and of masks and their boundaries.

Each function takes a prediction and a truth, and gives a function that compares some predicted objects (D,) with some true
ones (G,): (D, G) in [0, 1]. Beside a crowd, a predicted object's own area stands in the place of the union, so that the
crowd may hold many of them [1].

[1] Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014, and the evaluation code that came with it.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeAlias, cast

import numpy as np
from pycocotools import mask as coco

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.runs import Runs
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.average_precision.borders import Borders, border_width
from pixelwise.metrics.average_precision.tables import THRESHOLDS

Compare: TypeAlias = Callable[[IntArray, IntArray], FloatArray]
Overlap: TypeAlias = Callable[[Segmentation, Segmentation], Compare]
_Coded: TypeAlias = dict[str, Any]
_MOST_DIGITS = 8  # of the sides of boxes: what a file states with more is taken from its corners


def of_masks(prediction: Segmentation, truth: Segmentation) -> Compare:
    """Compare masks."""
    predicted, true = _coded(prediction.masks.run_lengths()), _coded(truth.masks.run_lengths())
    crowd, is_empty = truth.is_crowd, 0 in truth.size

    def compare(rows: IntArray, columns: IntArray) -> FloatArray:
        if is_empty:
            return np.zeros((len(rows), len(columns)))
        chosen = [predicted[row] for row in rows], [true[column] for column in columns]
        return np.asarray(mask_iou()(*chosen, crowd[columns].tolist()), np.float64)

    return compare


def of_boxes(prediction: Segmentation, truth: Segmentation) -> Compare:
    """Compare boxes, as their source stated them; else those of the masks."""
    predicted, true, crowd = sides(prediction), sides(truth), truth.is_crowd.astype(np.uint8)

    def compare(rows: IntArray, columns: IntArray) -> FloatArray:
        # pycocotools itself, and not NumPy: the same sums, to the last bit, also where a compiler fuses them.
        return np.asarray(coco.iou(predicted[rows], true[columns], crowd[columns]), np.float64)

    return compare


def of_boundaries(prediction: Segmentation, truth: Segmentation) -> Compare:
    """Take the smaller one of the IoU of masks and that of their boundaries; beside crowds, that of masks [1].

    A boundary is what of a mask lies within 2 % of the image's diagonal of its outside.

    [1] Cheng et al., Boundary IoU: Improving Object-Centric Image Segmentation Evaluation, CVPR 2021, section 5.2.
    """
    of_whole, crowd, width = of_masks(prediction, truth), truth.is_crowd, border_width(truth.size)
    predicted, true = (Borders(one.masks.run_lengths(), width) for one in (prediction, truth))

    def compare(rows: IntArray, columns: IntArray) -> FloatArray:
        table = of_whole(rows, columns)
        for row, column in np.argwhere((table >= THRESHOLDS[0]) & ~crowd[columns]).tolist():  # the others match nowhere
            inner = predicted.of(int(rows[row])).iou(true.of(int(columns[column])))
            table[row, column] = min(table[row, column], inner)
        return table

    return compare


@cache
def mask_iou() -> Callable[..., FloatArray]:
    """Find what compares run lengths: hotcoco, or pycocotools where that has no wheel; their figures are the same."""
    try:
        from hotcoco.primitives import mask_iou as faster
    except ImportError:
        return cast(Callable[..., FloatArray], coco.iou)
    return cast(Callable[..., FloatArray], faster)


def sides(one: Segmentation) -> FloatArray:
    """Give the boxes (S, 4) as left, top, width, height.

    A file states these four, and what is kept are corners; ``right - left`` differs from the width that was stated in the
    last bits. The width was the decimal with the fewest digits that leads to the same corner, if one of at most 8 does.

    >>> from pixelwise.core.labels import LabelSet
    >>> box = np.array([[473.07, 0, 473.07 + 38.65, 7]])
    >>> cat = Segmentation.from_masks("instance", np.ones((1, 9, 9), bool), [0], LabelSet.of(["cat"]), boxes=box)
    >>> float(box[0, 2] - box[0, 0]), float(sides(cat)[0, 2])
    (38.64999999999998, 38.65)
    """
    found = np.zeros((len(one), 4)) if 0 in one.size else one.stated_boxes()
    corners, far = found[:, :2].copy(), found[:, 2:].copy()
    found[:, 2:] -= corners
    is_open = np.ones(corners.shape, bool)
    for digits in range(_MOST_DIGITS + 1):
        short = np.round(far - corners, digits)
        is_hit = is_open & (corners + short == far)
        found[:, 2:][is_hit] = short[is_hit]
        is_open &= ~is_hit
        if not is_open.any():
            break
    return found


def areas_of(prediction: Segmentation) -> FloatArray:
    """Give the areas (S,) by which predicted objects count as small, medium or large, whatever is compared.

    They are those of the boxes where a source stated boxes, else those of the masks: so pycocotools reads results.
    """
    if prediction.boxes is None:
        return prediction.masks.areas().astype(np.float64)
    _, _, width, height = sides(prediction).T
    return np.asarray(width * height)


def _coded(masks: Sequence[Runs]) -> list[_Coded]:
    return [{"size": [*each.size], "counts": each.counts} for each in masks]
