"""Find images that show the same pixels at different places: a tile and its photo, or two tiles that overlap.

Corners of each image are described by ORB [1], at its own scale, as tiles are cut and not resized. Two descriptions that agree
in one of eight 32-bit words are a vote for a pair of images and a shift; votes for one shift make a candidate. Candidates are
compared where they overlap: of one photo, also after JPEG, the fine detail is the same there, block by block. Of two frames
of a film it is not, as a shift by whole pixels does not bring a moving camera's pictures together.

[1] Rublee et al., ORB: an efficient alternative to SIFT or SURF, ICCV 2011.
"""

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from pixelwise.core.arrays import AnyArray, FloatArray, IntArray
from pixelwise.core.errors import PixelwiseError
from pixelwise.core.sample import Dataset
from pixelwise.curate.looks import grey_of
from pixelwise.curate.progress import Progress

_LEAST_SIDE = 64  # of an image that has corners to tell
_PER_CELL = 6  # corners are kept evenly: so many in each square
_CELLS = (64, 128)  # least and most side of such a square; larger ones would leave too few corners in a tile
_MOST_CORNERS = 5_000_000  # of all images: half a gigabyte of memory while they are compared
_BUCKET = 12  # a word that more descriptions have tells nothing
_VOTES = 6  # for one shift, at least
_CHECKED = 5000  # candidates compared in full, those with most votes first
_WHOLE = 0.9  # of both images: they are copies or frames, which ``duplicates`` tells apart
_LEAST_SHARED = 48  # pixels, of either side of the overlap
_BLOCK = 32
_LEAST_BLOCKS = 4  # with detail
_DETAIL = 2.0  # grey levels, standard deviation of a block's fine detail
_SAME = 0.75  # correlation of a block's detail
_SAME_SHARE = 0.85  # of the blocks


@dataclass(frozen=True)
class Overlap:
    """Samples ``row`` and ``of`` share ``height`` x ``width`` pixels; those start at (top, left) of ``of``.

    ``inside`` says that all of ``row`` is in ``of``.
    """

    row: int
    of: int
    top: int
    left: int
    height: int
    width: int
    inside: bool


@dataclass(frozen=True, eq=False)
class _Corners:
    """The corners of all images: descriptions (D, 8) of 32-bit words, places (D, 2) of x, y, and images (D,)."""

    words: AnyArray
    places: IntArray
    rows: IntArray


def find_overlaps(dataset: Dataset, groups: IntArray, progress: Progress | None = None) -> list[Overlap]:
    """Find overlaps between samples of different groups (N,); samples of a negative group are not looked at."""
    rows = np.flatnonzero(groups >= 0).tolist()
    cell = cell_side(dataset, rows)
    if cell is None or len(np.unique(groups[rows])) < 2:
        return []
    corners = _described(dataset, rows, cell, progress)
    candidates = _voted(corners, groups)

    @lru_cache(maxsize=64)
    def grey(row: int) -> FloatArray | None:
        return _grey(dataset, row)

    found: dict[tuple[int, int], Overlap] = {}
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        compared = pool.map(lambda one: _compared(one, grey(one[0]), grey(one[1])), candidates)
        for done, overlap in enumerate(compared, 1):
            if overlap is not None:
                found.setdefault((min(overlap.row, overlap.of), max(overlap.row, overlap.of)), overlap)
            if progress is not None:
                progress("overlaps", done, len(candidates))
    return [found[pair] for pair in sorted(found)]


def cell_side(dataset: Dataset, rows: Sequence[int]) -> int | None:
    """Choose the side of the squares in which corners are kept; None where the images are too many to be compared."""
    pixels = 0
    for row in rows:
        try:
            height, width = dataset[row].size
        except (PixelwiseError, OSError):
            continue
        pixels += height * width
    side = max(_CELLS[0], math.isqrt(_PER_CELL * pixels // _MOST_CORNERS))
    return side if side <= _CELLS[1] else None


def _grey(dataset: Dataset, row: int) -> FloatArray | None:
    try:
        return grey_of(dataset[row].image) * np.float32(255)
    except (PixelwiseError, OSError):
        return None


def _described(dataset: Dataset, rows: Sequence[int], cell: int, progress: Progress | None) -> _Corners:
    words: list[AnyArray] = [np.zeros((0, 8), np.uint32)]
    places: list[IntArray] = [np.zeros((0, 2), np.int64)]
    images: list[IntArray] = [np.zeros(0, np.int64)]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for done, (row, one) in enumerate(
            zip(rows, pool.map(lambda row: corners_of(_grey(dataset, row), cell), rows), strict=True), 1
        ):
            words.append(one[0])
            places.append(one[1])
            images.append(np.full(len(one[0]), row, np.int64))
            if progress is not None:
                progress("corners", done, len(rows))
    return _Corners(np.concatenate(words), np.concatenate(places), np.concatenate(images))


def corners_of(grey: FloatArray | None, cell: int) -> tuple[AnyArray, IntArray]:
    """Describe the best corners in each square of an image (H, W) of 0 to 255: words (D, 8) and places (D, 2)."""
    nothing = np.zeros((0, 8), np.uint32), np.zeros((0, 2), np.int64)
    if grey is None or min(grey.shape) < _LEAST_SIDE:
        return nothing
    orb = cv2.ORB.create(nfeatures=max(5000, grey.size // 100), nlevels=1, edgeThreshold=20, patchSize=31, fastThreshold=12)
    picture = cv2.GaussianBlur(np.clip(grey, 0, 255).astype(np.uint8), (0, 0), 1.0)
    corners = orb.detect(picture, None)
    taken: dict[tuple[int, int], int] = {}
    kept: list[cv2.KeyPoint] = []
    for one in sorted(corners, key=lambda corner: (-corner.response, corner.pt)):
        square = int(one.pt[0]) // cell, int(one.pt[1]) // cell
        if taken.setdefault(square, 0) < _PER_CELL:
            taken[square] += 1
            kept.append(one)
    told, described = orb.compute(picture, kept)
    if described is None or not len(told):
        return nothing
    return np.ascontiguousarray(described).view(np.uint32), np.array([one.pt for one in told]).round().astype(np.int64)


def _voted(corners: _Corners, groups: IntArray) -> list[tuple[int, int, int, int]]:
    """Give (row, other, shift down, shift across) with enough votes, the most voted first."""
    pairs = [np.zeros((0, 2), np.int64)]
    for table in range(corners.words.shape[1]):
        order = np.argsort(corners.words[:, table], kind="stable")
        words = corners.words[order, table]
        _, place, sizes = np.unique(words, return_inverse=True, return_counts=True)
        small = sizes[place] <= _BUCKET
        for lag in range(1, _BUCKET):
            same = (words[lag:] == words[:-lag]) & small[lag:]
            one, other = order[:-lag][same], order[lag:][same]
            wanted = groups[corners.rows[one]] != groups[corners.rows[other]]
            pairs.append(np.stack([one[wanted], other[wanted]], axis=1))
    found = np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0)
    one, other = found[:, 0], found[:, 1]
    shift = corners.places[one] - corners.places[other]
    bins = np.concatenate([np.stack([corners.rows[one], corners.rows[other]], axis=1), np.floor_divide(shift + 2, 4)], axis=1)
    unique, place, votes = np.unique(bins, axis=0, return_inverse=True, return_counts=True)
    mean = np.stack([np.bincount(place.ravel(), shift[:, axis], len(unique)) / np.maximum(votes, 1) for axis in (1, 0)], axis=1)
    chosen = np.flatnonzero(votes >= _VOTES)
    chosen = chosen[np.argsort(-votes[chosen], kind="stable")][:_CHECKED]
    return [(int(unique[k, 0]), int(unique[k, 1]), round(mean[k, 0]), round(mean[k, 1])) for k in chosen]


def _compared(candidate: tuple[int, int, int, int], one: FloatArray | None, other: FloatArray | None) -> Overlap | None:
    """Compare two images, the second moved down and across by a shift, and by up to a pixel more."""
    if one is None or other is None:
        return None
    row, of, down, across = candidate
    best = max(
        ((same_detail(one, other, down + dy, across + dx), down + dy, across + dx) for dy in (0, -1, 1) for dx in (0, -1, 1)),
        key=lambda found: found[0],
    )
    if best[0] < _SAME_SHARE:
        return None
    _, down, across = best
    top, left, height, width = _shared(one, other, down, across)
    if (height, width) == one.shape:
        return Overlap(row, of, top - down, left - across, height, width, True)
    return Overlap(of, row, top, left, height, width, (height, width) == other.shape)


def _shared(one: FloatArray, other: FloatArray, down: int, across: int) -> tuple[int, int, int, int]:
    """Give top, left, height and width, in ``one``, of what both show."""
    top, left = max(0, down), max(0, across)
    bottom, right = min(one.shape[0], other.shape[0] + down), min(one.shape[1], other.shape[1] + across)
    return top, left, max(0, bottom - top), max(0, right - left)


def same_detail(one: FloatArray, other: FloatArray, down: int, across: int) -> float:
    """Give the share of blocks, where both images show something, in which fine detail is the same; 0 if that is little."""
    top, left, height, width = _shared(one, other, down, across)
    if min(height, width) < _LEAST_SHARED or height * width >= _WHOLE * max(one.size, other.size):
        return 0.0
    first = _detail(one[top : top + height, left : left + width])
    second = _detail(other[top - down : top - down + height, left - across : left - across + width])
    a, b = _blocks(first), _blocks(second)
    spread = a.std(axis=1), b.std(axis=1)
    told = (spread[0] > _DETAIL) & (spread[1] > _DETAIL)
    if told.sum() < _LEAST_BLOCKS:
        return 0.0
    product = ((a - a.mean(axis=1, keepdims=True)) * (b - b.mean(axis=1, keepdims=True))).mean(axis=1)
    return float((product[told] / (spread[0] * spread[1])[told] > _SAME).mean())


def _detail(picture: FloatArray) -> FloatArray:
    """Take off what is smooth; a little blur first takes off the noise of JPEG."""
    soft = cv2.GaussianBlur(np.ascontiguousarray(picture), (0, 0), 0.7)
    return np.asarray(soft - cv2.GaussianBlur(soft, (0, 0), 2.5), np.float32)


def _blocks(picture: FloatArray) -> FloatArray:
    """Cut into whole blocks: (B, pixels)."""
    block = min(_BLOCK, min(picture.shape) // 2)
    height, width = (side // block * block for side in picture.shape)
    cut = picture[:height, :width].reshape(height // block, block, width // block, block)
    return np.asarray(cut.transpose(0, 2, 1, 3).reshape(-1, block * block))
