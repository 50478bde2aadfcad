"""Find masks that lie under the name of another image, by where edges are.

A mask's borders lie on edges of the image it was drawn for. So each image's edge strength and each mask's borders are kept
as small maps (128 x 128 bytes), freed of whatever is smooth in them, and every image is correlated with every mask. The
own mask stands far above the rest: on CamVid at least 7 deviations above the median of all masks, and it fits better than
that of the next frame, 1/15 s later. No class and no colour is involved, so any kind of label can be checked.

Which mask belongs to which image is then an assignment problem [1], in which staying as one is has a small bonus: whoever
is better off with another partner was swapped, be it in pairs, in rings or by a shift of the whole list. Besides, a mask
that fits its image no better than any other mask does is named even where the right one is not there.

Sets whose masks follow edges too little to tell (or that are smaller than 8) are not judged. Large sets are judged in parts
of at most 2048 samples in order, which bounds memory and time; a mask swapped into another part is found, its partner not.

[1] Crouse, On implementing 2D rectangular assignment algorithms, IEEE TAES 2016.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np

from pixelwise.core.arrays import AnyArray, BoolArray, FloatArray, IntArray
from pixelwise.core.errors import PixelwiseError
from pixelwise.core.sample import Dataset, Sample
from pixelwise.curate.looks import grey_of
from pixelwise.curate.progress import Progress

SIDE = 128  # of the maps that are compared
_WIDE = 5.0  # pixels of a map: what is smoother than that says nothing about a border
_PART = 2048
_LEAST = 8  # samples with which a set can be judged
_CLEAR = 5.0  # deviations: where the usual own mask stands lower, edges and masks agree too little to judge by
_STAY = 0.4  # deviations: the bonus of the own mask; a swap of two must gain twice that
_POOR = 0.35  # of the usual agreement: below it a mask fits its image no better than others do …
_TAIL = 3.0  # … if that is also so many standard deviations below it


@dataclass(frozen=True)
class Misfit:
    """The mask of sample ``row`` belongs to another image; its own seems to be that of ``better``, where it is there.

    ``own`` and ``usual`` say by how many deviations it, and the set's usual mask, stand above the masks of other images.
    """

    row: int
    better: int | None
    own: float
    usual: float


def find_swapped(dataset: Dataset, rows: Sequence[int], progress: Progress | None = None) -> list[Misfit]:
    """Find the samples, of those at ``rows``, whose mask was drawn for another image."""
    found: list[Misfit] = []
    done = 0
    for part in np.array_split(np.asarray(rows, np.int64), max(1, -(-len(rows) // _PART))):
        chunk = part.tolist()
        traced, images, masks = [], [], []
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            for row, trace in zip(chunk, pool.map(lambda row: _trace(dataset[row]), chunk), strict=True):
                if trace is not None:
                    traced.append(row)
                    images.append(trace[0])
                    masks.append(trace[1])
                done += 1
                if progress is not None:
                    progress("partners", done, len(rows))
        if len(traced) >= _LEAST:
            found += _judge(agreement(np.stack(images), np.stack(masks)), traced)
    return found


def _trace(sample: Sample) -> tuple[AnyArray, AnyArray] | None:
    """Give the maps of an image and its mask; None where either has no edge or cannot be read."""
    try:
        label_map = ids_of(sample)
        edges = edge_map(grey_of(sample.image))
    except PixelwiseError:
        return None  # it is listed already, or went away meanwhile
    borders = None if label_map is None else border_map(label_map)
    return None if edges is None or borders is None else (edges, borders)


def ids_of(sample: Sample) -> IntArray | None:
    """Give the labels of a sample as one map (H, W) in which different segments differ; None where it has none."""
    if sample.labels.encoding == "id" and sample.source.truths:
        raw = sample.raw()
        return raw[0] if raw else None
    truths = sample.truths
    if not truths:
        return None
    return truths[0].panoptic_ids()


def edge_map(grey: FloatArray) -> AnyArray | None:
    """Map the edges of a grey image (H, W) into (128, 128) signed bytes of unit norm; None if there are none."""
    longer = max(grey.shape)
    if longer > 1024:
        scale = 1024 / longer
        size = max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale))
        grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.float32)
    steps = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    return _map_of(cv2.GaussianBlur(np.log1p(255 * steps), (0, 0), 1))


def border_map(ids: IntArray) -> AnyArray | None:
    """Map the borders between labels (H, W) into (128, 128) signed bytes of unit norm; None if there are none."""
    border = np.zeros(ids.shape, np.uint8)
    border[:, 1:] |= ids[:, 1:] != ids[:, :-1]
    border[1:] |= ids[1:] != ids[:-1]
    return _map_of(cv2.dilate(border, np.ones((3, 3), np.uint8)).astype(np.float32))


def _map_of(strength: AnyArray) -> AnyArray | None:
    small = cv2.resize(strength, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    sharp = small - cv2.GaussianBlur(small, (0, 0), _WIDE)
    spread = float(np.abs(sharp).max())
    return None if spread < 1e-4 else np.asarray(np.rint(sharp * (127 / spread)), np.int8)


def agreement(edges: AnyArray, borders: AnyArray) -> FloatArray:
    """Correlate N images with N masks, (N, 128, 128) each: [i, j] is by how many deviations mask j beats image i's median."""
    left, right = (each.reshape(len(each), -1) for each in (edges, borders))
    raw = np.zeros((len(left), len(right)), np.float32)
    norms = [np.linalg.norm(each.astype(np.float32), axis=1) for each in (left, right)]
    for start in range(0, len(left), 256):  # as floats, all maps would take four times their memory
        strip = left[start : start + 256].astype(np.float32)
        for begin in range(0, len(right), 256):
            raw[start : start + 256, begin : begin + 256] = strip @ right[begin : begin + 256].astype(np.float32).T
    raw /= norms[0][:, None] * norms[1][None]
    low, middle, high = np.quantile(raw, (0.16, 0.5, 0.84), axis=1)
    return np.asarray((raw - middle[:, None]) / np.maximum((high - low) / 2, 1e-6)[:, None], np.float32)


def _judge(fits: FloatArray, rows: Sequence[int]) -> list[Misfit]:
    own = np.diag(fits).copy()
    partner = assigned(fits)
    best = fits[np.arange(len(fits)), partner]
    usual = float(np.median(best))
    if usual < _CLEAR:
        return []
    spread = 1.4826 * float(np.median(np.abs(best - usual)))
    low = min(_POOR * usual, usual - _TAIL * spread)  # sets of objects large and tiny spread so far that none is low
    found = []
    for place, row in enumerate(rows):
        better = int(partner[place])
        moved = better != place and fits[place, better] > max(own[place], 0.5 * usual)
        rank = float((fits[place] >= own[place]).mean())  # 1 / N where the own mask fits best
        poor = own[place] < low and rank > max(0.02, 2.5 / len(rows))
        if moved or poor:
            found.append(Misfit(row, rows[better] if moved else None, float(own[place]), usual))
    return found


def assigned(fits: FloatArray) -> IntArray:
    """Give each image (row) the mask (column) with which all together fit best, the own one unless another is clearly better.

    >>> assigned(np.array([[1, 9, 0], [9, 1, 0], [0, 0, 9]], np.float32))
    array([1, 0, 2])
    """
    from scipy.optimize import linear_sum_assignment  # on first use: importing it takes a fifth of a second

    partner = np.arange(len(fits))
    tempted: BoolArray = (fits > np.diag(fits)[:, None]).any(axis=1)  # the others cannot gain; they may be needed by those
    taking = np.unique(np.concatenate([np.flatnonzero(tempted), fits[tempted].argmax(axis=1)]).astype(np.int64))
    if len(taking):
        gains = fits[np.ix_(taking, taking)] + _STAY * np.eye(len(taking), dtype=np.float32)
        partner[taking] = taking[linear_sum_assignment(gains, maximize=True)[1]]
    return partner
