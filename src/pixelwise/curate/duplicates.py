"""Find images that are copies of others: the same pixels, or re-encoded, resized, brightened, slightly cropped or mirrored.

Two frames of one video are no copies, however alike they are, so a hash alone cannot decide. Hashes give candidates; each
is then checked by registration: the one image is moved onto the other by an affine map (found by maximising the enhanced
correlation [1], coarse to fine), its tones are mapped by the curve that fits best, and what differs is measured in 16 x 12
blocks at a third of the size, where noise and what JPEG leaves of a texture average out. Whatever was done to a copy,
little is left anywhere. Between frames the camera moved (parallax: much is left in *most* blocks) or something else did
(very much is left in *some*).

The thresholds stand between what was measured on CamVid's frames, 1/15 s to 1 s apart, with standing and moving camera,
and on copies of them by JPEG of quality 30 and 60, halving, crops of 2 to 5 %, +10 to +30 brightness, gamma, noise and blur.

[1] Evangelidis and Psarakis, Parametric image alignment using enhanced correlation coefficient maximization, PAMI 2008.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from pixelwise.core.arrays import AnyArray, FloatArray, IntArray
from pixelwise.core.errors import PixelwiseError
from pixelwise.core.sample import Dataset
from pixelwise.curate.looks import Look, Looked, grey_of, known
from pixelwise.curate.progress import Progress

RADIUS = 14  # bits of 64 in which the hashes of a copy may differ; those cropped by 3 % and brightened are the furthest
_STRIP = 256  # rows compared at a time: 40 MB with 20,000 images
_SIDES = (64, 160)  # the least and the most width at which candidates are compared; the height is three quarters of it
_BLOCKS = 16  # in the width
_MIDDLE = 1.6  # residual of the median block, for a spread of grey of 60; with a moving camera it is over 2.1
_MOST = 12.0  # of all but the worst 2 % of the blocks; with moving things it is over 16
_ANYWHERE = 5.8  # of the same: where so little is left everywhere, noise may be in the median block; frames are over 6.8
_ALIKE = 0.85  # correlation of the thumbnails of a copy, at least; with crops of 5 % it is above 0.95
_COARSE = 10.0  # mean residual of the thumbnails beyond which no closer look is taken: of all but few copies it is under 5
_HALFWAY = 3.5  # and at half the width: copies stay under 1.9, all but one frame in ten are beyond
_LEAST_SHARED = 0.6  # of the frame, which both must show


@dataclass(frozen=True)
class Copy:
    """Sample ``row`` is a copy of the earlier sample ``of``."""

    row: int
    of: int
    exact: bool
    mirrored: bool = False


def find_copies(dataset: Dataset, looks: Sequence[Looked], progress: Progress | None = None, near: bool = True) -> list[Copy]:
    """Find each sample that is a copy of an earlier one; of many copies each is listed once, with the first.

    Without ``near`` only images of the very same pixels are found; no image is read then.
    """
    rows = [(row, one) for row, one in known(looks) if one.tells]
    first: dict[str, int] = {}
    copies = [Copy(row, first[one.digest], exact=True) for row, one in rows if first.setdefault(one.digest, row) != row]
    if not near:
        return copies
    single = [(row, one) for row, one in rows if first[one.digest] == row]
    copies += _near(dataset, single, progress)
    return sorted(copies, key=lambda copy: copy.row)


def candidates(hashes: AnyArray, others: AnyArray, radius: int = RADIUS) -> Iterator[tuple[int, int]]:
    """Give the pairs (i, j), i < j, whose 64-bit hashes (``hashes[j]``, ``others[i]``) differ in at most ``radius`` bits.

    >>> list(candidates(np.array([0, 7, 2**63], np.uint64), np.array([0, 7, 2**63], np.uint64), radius=2))
    [(0, 2)]
    """
    for start in range(0, len(hashes), _STRIP):
        differing = np.bitwise_count(others[start : start + _STRIP, None] ^ hashes[None, start:])
        for one, other in np.argwhere(differing <= radius):
            if one < other:
                yield start + int(one), start + int(other)


def _near(dataset: Dataset, images: Sequence[tuple[int, Look]], progress: Progress | None) -> list[Copy]:
    """Check all candidates by registration; the thumbnails sort out most of them before an image is read again."""
    plain, mirrored = (np.array([one.hashes[way] for _, one in images], np.uint64) for way in (0, 1))
    pairs = [(i, j, False) for i, j in candidates(plain, plain)]
    seen = {(i, j) for i, j, _ in pairs}
    pairs += [(i, j, True) for i, j in candidates(plain, mirrored) if (i, j) not in seen]

    @lru_cache(maxsize=256)
    def small(place: int, width: int) -> FloatArray | None:
        return _small(dataset, images[place][0], width)

    def judge(pair: tuple[int, int, bool]) -> bool:
        return _is_copy(images, pair, small)

    original: dict[int, tuple[int, bool]] = {}
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for done, ((i, j, is_mirrored), is_copy) in enumerate(zip(pairs, pool.map(judge, pairs), strict=True), 1):
            if is_copy and (j not in original or i < original[j][0]):
                original[j] = i, is_mirrored
            if progress is not None:
                progress("copies", done, len(pairs))
    return [Copy(images[j][0], images[i][0], False, is_mirrored) for j, (i, is_mirrored) in original.items()]


def _is_copy(
    images: Sequence[tuple[int, Look]], pair: tuple[int, int, bool], small: Callable[[int, int], FloatArray | None]
) -> bool:
    """Decide on a candidate, by the cheapest means that can: most are sorted out before they are compared in full."""
    one, other, is_mirrored = pair
    first, second = (_smooth(images[place][1].thumbnail(), 1) for place in (one, other))
    if is_mirrored:
        second = second[:, ::-1].copy()
    if np.corrcoef(first.ravel(), second.ravel())[0, 1] < _ALIKE or _mean(residuals(first, second, 1, 5)) > _COARSE:
        return False
    longer = min(max(images[place][1].size) for place in (one, other))
    width = min(max(longer // 3, _SIDES[0]), _SIDES[1]) // _BLOCKS * _BLOCKS
    left, right = small(one, width), small(other, width)
    if left is None or right is None:
        return False
    if is_mirrored:
        right = right[:, ::-1].copy()
    if width < 2 * _SIDES[0]:
        found = residuals(left, right, 2, width // _BLOCKS)
    elif _mean(residuals(cv2.pyrDown(left), cv2.pyrDown(right), 2, width // _BLOCKS // 2)) > _HALFWAY:
        return False
    else:
        found = residuals(left, right, 3, width // _BLOCKS)
    return found is not None and _little_is_left(found)


def _little_is_left(found: FloatArray) -> bool:
    worst = float(np.quantile(found, 0.98))
    return worst < _ANYWHERE or (worst < _MOST and float(np.median(found)) < _MIDDLE)


def _smooth(picture: FloatArray, width: float) -> FloatArray:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), width), np.float32)


def _mean(found: FloatArray | None) -> float:
    return float("inf") if found is None else float(found.mean())


def _small(dataset: Dataset, row: int, width: int) -> FloatArray | None:
    """Read an image at the width at which two are compared; None if it went away meanwhile."""
    try:
        grey = grey_of(dataset[row].image)
    except PixelwiseError:
        return None
    small = cv2.resize(grey, (width, width * 3 // 4), interpolation=cv2.INTER_AREA)
    return _smooth(small, 0.8) * 255


def residuals(first: FloatArray, second: FloatArray, levels: int = 3, block: int = 10) -> FloatArray | None:
    """Move ``second`` onto ``first`` (both (H, W)), fit its tones, and give what differs in each block where both are seen.

    Root mean squares, scaled as if the spread of ``first`` were 60 grey levels. None where no affine map brings them together.
    """
    warp = _registered(first, second, levels)
    if warp is None:
        return None
    height, width = first.shape
    flags = cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(second, warp, (width, height), flags=cv2.INTER_CUBIC | flags)
    inside = cv2.warpAffine(np.ones((height, width), np.uint8), warp, (width, height), flags=cv2.INTER_NEAREST | flags)
    margin = 3 if levels > 1 else 1
    framed = cv2.copyMakeBorder(inside, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=0)
    seen = cv2.erode(framed, np.ones((2 * margin + 1,) * 2, np.uint8))[margin:-margin, margin:-margin] > 0
    if seen.mean() < _LEAST_SHARED or (spread := float(first[seen].std())) < 1e-3:
        return None
    off = np.where(seen, first - _toned(moved, first[seen], moved[seen]), 0)
    return np.asarray(_by_block(off, seen, block) * (60 / spread), np.float32)


def _registered(first: FloatArray, second: FloatArray, levels: int) -> AnyArray | None:
    pyramid = [(first, second)]
    for _ in range(levels - 1):
        pyramid.append((cv2.pyrDown(pyramid[-1][0]), cv2.pyrDown(pyramid[-1][1])))
    warp = np.eye(2, 3, dtype=np.float32)
    try:
        for level in range(levels - 1, -1, -1):
            stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 60 if level == 0 and levels > 2 else 30, 1e-5)
            _, warp = cv2.findTransformECC(*pyramid[level], warp, cv2.MOTION_AFFINE, stop, None, 3 if level else 1)
            if level:
                warp[:, 2] *= 2
    except cv2.error:  # it does not converge: these are different images
        return None
    return np.asarray(warp)


def _toned(picture: FloatArray, wanted: FloatArray, given: FloatArray, bins: int = 24) -> FloatArray:
    """Map the tones of ``picture`` by the rising curve that brings ``given`` nearest to ``wanted``, pixel by pixel."""
    edges = np.quantile(given, np.linspace(0, 1, bins + 1)[1:-1])
    bin_of = np.searchsorted(edges, given, side="right")
    counts = np.bincount(bin_of, minlength=bins)
    held = counts > 0
    goal = np.maximum.accumulate(np.bincount(bin_of, wanted, bins)[held] / counts[held])
    tone = np.bincount(bin_of, given, bins)[held] / counts[held]
    slope = float(np.cov(wanted, given)[0, 1] / max(float(given.var()), 1e-6))  # beyond the outermost bins
    low, high = float(given.min()) - 1e-3, float(given.max()) + 1e-3
    goal = np.concatenate([[goal[0] - slope * (tone[0] - low)], goal, [goal[-1] + slope * (high - tone[-1])]])
    return np.asarray(np.interp(picture, np.concatenate([[low], tone, [high]]), goal), np.float32)


def _by_block(off: FloatArray, seen: AnyArray, block: int) -> FloatArray:
    height, width = (side // block * block for side in off.shape)
    shape = (height // block, block, width // block, block)
    counts: IntArray = seen[:height, :width].reshape(shape).sum(axis=(1, 3))
    squares = (off * off)[:height, :width].reshape(shape).sum(axis=(1, 3))
    full = counts > block * block // 2
    return np.asarray(np.sqrt(squares[full] / counts[full]), np.float32)
