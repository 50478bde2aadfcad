"""Decode boxes whose masks are made of maps of the whole image and a few numbers for each.

A mask is made of the cells that lie under its box, brought to the image's own pixels bilinearly, and cut to the box there. So
the work grows with the boxes alone, and memory with neither the image nor the number of objects: a large box is worked off in
parts.

Two forms, as ``models.heads.prototype_masks`` says: a weighted sum of the maps (YOLACT, arXiv 1904.02689), and three layers
whose weights are the numbers (CondInst, arXiv 2003.05664; RTMDet-Ins, arXiv 2212.07784).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray, IntArray, Size
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import Request
from pixelwise.core.runs import Runs
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode.enlarged import Cells, Enlarged
from pixelwise.decode.frame import Frame
from pixelwise.decode.instances import instances, require_scores
from pixelwise.decode.paste import joined

REACH = 8.0  # strides of its level: a point so far from a mask's place is seen at a distance of 1
_HIDDEN = 8  # values of a pixel between the layers of a dynamic mask
_AT_ONCE = 2**20  # pixels of a box that are made at once


class PrototypeReduced(NamedTuple):
    """What a prototype head leaves of a batch: the detections of each image, best first.

    Attributes:
        boxes: (N, D, 4) left, top, right, bottom, in pixels of the batch.
        classes, scores: (N, D).
        numbers: (N, D, B) what each mask is made by.
        places: (N, D, 3) where they were predicted: x, y and the level's stride, in pixels of the batch.
        prototypes: (N, K, h, w) the maps, over the batch's images and their padding.
        counts: (N,) how many of the D rows are detections.
        padded: (N, 2) height and width that the maps lie over, in pixels of the batch.
    """

    boxes: FloatArray
    classes: IntArray
    scores: FloatArray
    numbers: FloatArray
    places: FloatArray
    prototypes: FloatArray
    counts: IntArray
    padded: IntArray


def layer_sizes(prototypes: int) -> tuple[tuple[int, int], ...]:
    """Give what the layers of a dynamic mask make and take: of the maps and a pixel's x and y, one logit.

    >>> layer_sizes(8)
    ((8, 10), (8, 8), (1, 8))
    """
    return (_HIDDEN, prototypes + 2), (_HIDDEN, _HIDDEN), (1, _HIDDEN)


def decode(
    reduced: PrototypeReduced,
    frames: Sequence[Frame],
    labels: LabelSet,
    request: Request,
    form: Literal["prototype", "dynamic"] = "prototype",
) -> list[Segmentation]:
    """Make one instance segmentation an image.

    With ``request.threshold``, only detections of at least that score are kept; those that the network's own threshold has
    dropped do not come back. A detection without a pixel is left out.

    Raises:
        DataError: a score is not a number.
    """
    require_scores(reduced.scores)
    found = []
    for index, frame in enumerate(frames):
        scores = reduced.scores[index, : int(reduced.counts[index])].astype(np.float64)
        rows = np.flatnonzero(scores >= (request.threshold or 0.0))
        padded = (int(reduced.padded[index, 0]), int(reduced.padded[index, 1]))
        enlarged = Enlarged(np.asarray(reduced.prototypes[index], np.float32), frame, padded)
        masks = []
        for row in rows.tolist():
            make = _Maker(form, reduced.numbers[index, row], reduced.places[index, row], enlarged.masks, padded)
            box = reduced.boxes[index, row].astype(np.float64) / np.tile(frame.scale[::-1], 2)
            masks.append(_mask(make, enlarged, box))
        found.append(instances(masks, reduced.classes[index, rows], scores[rows], frame.size, labels))
    return found


@dataclass(frozen=True, eq=False)
class _Maker:
    """Makes one mask's logits of cells of the maps."""

    form: str
    numbers: FloatArray
    place: FloatArray
    maps: FloatArray
    padded: Size

    def __call__(self, cells: Cells) -> FloatArray:
        """Give the logits (h', w') of rows and columns of cells."""
        maps = self.maps[:, cells.rows, cells.columns]
        flat = maps.reshape(len(maps), -1)
        if self.form == "prototype":
            return np.asarray((self.numbers @ flat).reshape(maps.shape[1:]))
        values = np.concatenate([flat, self._seen(cells).astype(np.float32)])
        first = 0
        for made, given in layer_sizes(len(maps)):
            weights = self.numbers[first : first + made * given].reshape(made, given)
            first += made * given
            values = weights @ values + self.numbers[first : first + made, None]
            first += made
            values = values if made == 1 else np.maximum(values, 0)
        return np.asarray(values.reshape(maps.shape[1:]))

    def _seen(self, cells: Cells) -> FloatArray:
        """Give x and y (2, h' * w') of the cells' middles as seen from the mask's place."""
        x, y, stride = self.place.astype(np.float64)
        steps = [whole / count for whole, count in zip(self.padded, self.maps.shape[1:], strict=True)]
        down = (np.arange(cells.rows.start, cells.rows.stop) + 0.5) * steps[0] - y
        across = (np.arange(cells.columns.start, cells.columns.stop) + 0.5) * steps[1] - x
        grid = np.broadcast_arrays(across[None, :], down[:, None])
        return np.asarray(np.stack(grid).reshape(2, -1) / (REACH * stride))


def _mask(make: _Maker, enlarged: Enlarged, box: FloatArray) -> Runs:
    """Give the pixels in a box (4,), in the image's own pixels, at which a mask lies above a logit of 0."""
    rows, columns = (_pixels(box[side], box[side + 2], enlarged.size[1 - side]) for side in (1, 0))

    def parts() -> Iterator[tuple[int, BoolArray]]:
        wide = max(1, _AT_ONCE // max(1, rows.stop - rows.start))
        for left in range(columns.start, columns.stop, wide):
            part = slice(left, min(left + wide, columns.stop))
            yield left, enlarged.made(make, rows, part) > 0

    return joined(parts(), rows.start, enlarged.size)


def _pixels(low: float, high: float, side: int) -> slice:
    """Give the pixels with their middle from ``low`` to ``high``; where there is none, the one between the two.

    >>> _pixels(0.6, 2.4, 9), _pixels(1.6, 2.4, 9), _pixels(-3.0, 99.0, 9)
    (slice(1, 2, None), slice(2, 3, None), slice(0, 9, None))
    """
    first, last = math.ceil(low - 0.5), math.ceil(high - 0.5)
    if last <= first:
        first = math.floor((low + high) / 2)
        last = first + 1
    return slice(min(max(first, 0), side), min(max(last, 0), side))
