"""Run lengths: a lossless mask of any shape in few bytes.

The compressed COCO form (column-major run lengths, variable-length text) is used throughout, by way of pycocotools:
holes, several parts and single pixels all survive. ``Runs`` holds one mask.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as coco

from pixelwise.core.arrays import BoolArray, FloatArray, IntArray, Size
from pixelwise.core.errors import DataError

_MOST_DIGITS = 8  # of 5 bits each: 2^39 pixels
MOST_PIXELS = 2**32 - 1  # what pycocotools counts with
_AT_ONCE = 255  # masks that pycocotools measures: it puts their number into 8 bits, which NumPy 2 refuses for more


@dataclass(frozen=True)
class Runs:
    """One mask over an (H, W) grid as compressed run lengths."""

    size: Size
    counts: bytes

    @property
    def area(self) -> int:
        """The number of pixels in the mask."""
        return int(coco.area(self._coco()))

    @property
    def box(self) -> tuple[int, int, int, int]:
        """The smallest box around the mask: (left, top, right, bottom), right and bottom exclusive; zeros if empty."""
        left, top, width, height = (int(value) for value in coco.toBbox(self._coco()))
        return left, top, left + width, top + height

    def _coco(self) -> dict[str, object]:
        return {"size": list(self.size), "counts": self.counts}


def encode(mask: BoolArray) -> Runs:
    """Encode one mask (H, W).

    >>> runs = encode(np.eye(3, dtype=bool))
    >>> runs.area, runs.box
    (3, (0, 0, 3, 3))
    >>> bool((decode(runs) == np.eye(3, dtype=bool)).all())
    True
    """
    height, width = mask.shape
    if mask.size == 0:
        return Runs((height, width), b"")
    coded = coco.encode(np.asfortranarray(mask, dtype=np.uint8))
    return Runs((height, width), bytes(coded["counts"]))


def decode(runs: Runs) -> BoolArray:
    """Decode to a mask (H, W)."""
    if 0 in runs.size:
        return np.zeros(runs.size, bool)
    return np.ascontiguousarray(coco.decode(runs._coco())).view(bool)


def encode_counts(mask: BoolArray) -> list[int]:
    """Encode one mask (H, W) as uncompressed COCO counts: column by column, starting with the zeros."""
    flat = np.asarray(mask, bool).ravel(order="F")
    change = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate([[0], change, [flat.size]])
    counts: list[int] = np.diff(edges).tolist()
    return [0, *counts] if flat.size and flat[0] else counts


def from_counts(counts: Sequence[int], size: Size) -> Runs:
    """Take uncompressed COCO counts.

    Raises:
        DataError: a count is negative, they do not add up to H * W, or that is more than 32 bits hold.
    """
    if min(counts, default=0) < 0 or min(size) < 0 or sum(counts) != size[0] * size[1]:
        raise DataError(
            f"expected run lengths from 0 up that add up to {size[0]} x {size[1]} = {size[0] * size[1]}, got "
            f"{len(counts)} from {min(counts, default=0)} up that add up to {sum(counts)}"
        )
    if 0 in size:
        return Runs(size, b"")
    if size[0] * size[1] > MOST_PIXELS:
        raise DataError(f"run lengths hold at most {MOST_PIXELS:,} pixels, got {size[0]} x {size[1]}")
    coded = coco.frPyObjects({"size": list(size), "counts": list(_canonical(counts))}, *size)
    return Runs(size, bytes(coded["counts"]))


def from_text(text: bytes, size: Size) -> Runs:
    """Take compressed COCO counts, as other tools wrote them; they are checked before anything decodes them.

    >>> from_text(encode(np.eye(3, dtype=bool)).counts, (3, 3)) == encode(np.eye(3, dtype=bool))
    True

    Raises:
        DataError: the text is cut off or holds a strange character, a count is negative, or they do not add up to H * W.
    """
    codes = np.frombuffer(text, np.uint8).astype(np.int64) - 48
    if not codes.size:
        return from_counts((), size)
    if codes.min() < 0 or codes.max() > 63:
        raise DataError(f"expected compressed run lengths, found the character {chr(text[_first_strange(codes)])!r}")
    ends = np.flatnonzero(codes < 32)  # bit 5 says that the number goes on
    if not ends.size or ends[-1] != codes.size - 1:
        raise DataError("the compressed run lengths are cut off")
    starts = np.concatenate([[0], ends[:-1] + 1])
    if (lengths := ends - starts + 1).max() > _MOST_DIGITS:
        raise DataError("a compressed run length is longer than any image")
    digits = np.arange(codes.size) - np.repeat(starts, lengths)
    counts = np.add.reduceat((codes & 31) << 5 * digits, starts)
    counts -= np.where(codes[ends] & 16, np.int64(1) << 5 * lengths, 0)  # bit 4 of the last digit is the sign
    for first in (1, 2):  # from the fourth on, a count is told as its difference to the one before the last
        counts[first::2] = np.cumsum(counts[first::2])
    if _is_shortest(codes, ends, lengths) and _fit(counts, size):
        return Runs(size, bytes(text))  # what encoding it again would give
    return from_counts(counts.tolist(), size)


def _is_shortest(codes: IntArray, ends: IntArray, lengths: IntArray) -> bool:
    """Tell whether no number has a last character that says nothing: it would repeat the sign of the one before."""
    longer = ends[lengths > 1]
    last, sign = codes[longer] & 31, codes[longer - 1] & 16
    return not (((last == 0) & (sign == 0)) | ((last == 31) & (sign != 0))).any()


def _fit(counts: IntArray, size: Size) -> bool:
    """Tell whether counts fill (H, W) and have no empty run but the first; not of so many that their sum might overflow."""
    is_bounded = len(counts) < 2**23 and size[0] * size[1] <= MOST_PIXELS
    return is_bounded and counts[0] >= 0 and bool((counts[1:] > 0).all()) and int(counts.sum()) == size[0] * size[1]


def _first_strange(codes: IntArray) -> int:
    return int(np.flatnonzero((codes < 0) | (codes > 63))[0])


def _canonical(counts: Sequence[int]) -> Sequence[int]:
    """Drop empty runs and join their neighbours, so that equal masks have equal run lengths."""
    if all(counts[1:]):
        return counts
    found = [0]
    for index, count in enumerate(counts):
        if index % 2 == (len(found) - 1) % 2:
            found[-1] += int(count)
        elif count:
            found.append(int(count))
    return found


def intersection_over_union(first: Sequence[Runs], second: Sequence[Runs]) -> FloatArray:
    """Compare every mask of one list with every mask of another: (len(first), len(second)) IoU in [0, 1]."""
    if not first or not second:
        return np.zeros((len(first), len(second)))
    table = coco.iou([r._coco() for r in first], [r._coco() for r in second], [0] * len(second))
    return np.asarray(table, np.float64)


def areas(masks: Sequence[Runs]) -> IntArray:
    """Give the areas (S,) of several masks in pixels."""
    coded = [mask._coco() for mask in masks]
    parts = [np.asarray(coco.area(coded[start : start + _AT_ONCE]), np.int64) for start in range(0, len(coded), _AT_ONCE)]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def boxes(masks: Sequence[Runs]) -> IntArray:
    """Find the smallest boxes (S, 4) around several masks: left, top, right, bottom, exclusive; zeros for an empty one."""
    if not masks:
        return np.zeros((0, 4), np.int64)
    found = np.asarray(coco.toBbox([mask._coco() for mask in masks])).astype(np.int64)
    found[:, 2:] += found[:, :2]
    return found


def union(masks: Sequence[Runs], size: Size) -> Runs:
    """Join masks over (H, W) into one; none give an empty one.

    >>> union([encode(np.array([[True, False]])), encode(np.array([[False, True]]))], (1, 2)).area
    2
    """
    if not masks or 0 in size:
        return encode(np.zeros(size, bool))
    return Runs(size, bytes(coco.merge([mask._coco() for mask in masks])["counts"]))


def intersection(mask: Runs, other: Runs) -> Runs:
    """Keep the pixels that two masks share."""
    if 0 in mask.size:
        return mask
    return Runs(mask.size, bytes(coco.merge([mask._coco(), other._coco()], intersect=True)["counts"]))


def seen(masks: Sequence[Runs], order: Sequence[int]) -> IntArray:
    """Count the pixels (S,) that are seen of each mask when they are painted in ``order``, later ones over earlier ones.

    Nothing is painted for it: from the top down, a mask shows by what the union of those above it grows.

    >>> seen([encode(np.ones((1, 3), bool)), encode(np.array([[False, True, True]]))], [0, 1]).tolist()
    [1, 2]
    """
    found = np.zeros(len(masks), np.int64)
    above, covered = None, 0
    for index in reversed(order):
        if 0 not in masks[index].size:
            above = masks[index]._coco() if above is None else coco.merge([above, masks[index]._coco()])
            total = int(coco.area(above))
            found[index], covered = total - covered, total
    return found
