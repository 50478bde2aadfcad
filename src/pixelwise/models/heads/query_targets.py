"""What a query head is taught of an image: the classes and masks of its segments, and the pixels that do not count.

A mask takes a bit a pixel: 300 objects at 512 x 512 pixels are 10 MB, where bytes would be 80 MB. Nothing is ever unpacked as a
whole: losses look at points, and take their four neighbours' bits.

The authors of MaskFormer, Mask2Former and DETR leave void and crowds out of the segments, and their pixels then count as
negatives of every mask. Here they count for nothing: what a mask says there costs nothing, and a query whose mask lies there
mostly is not taught to be none.

Points that are drawn anywhere miss what has few pixels, so that a ball of one pixel would be taught to be nothing. Small ones
therefore bring a few points of their own, at which the loss and the assignment look besides.
"""

import numpy as np
import torch
from torch import Tensor

from pixelwise.core.arrays import AnyArray, BoolArray, FloatArray, IntArray
from pixelwise.core.segmentation import Kind, Segmentation

OWN = 4  # points that a small object brings
_SMALL = 64  # pixels: a larger object is met often enough


def targets_of(truth: Segmentation, kind: Kind) -> dict[str, AnyArray]:
    """Give ``classes`` (T,), ``masks`` (T, H, ceil(W / 8)) eight pixels a byte, and ``ignore`` (H, W), 1 where no mask counts.

    ``inside`` (T, OWN, 2) has points of small objects, x and y as shares of the sides; -1 stands for none.

    Semantic: one segment for each class that is seen; void does not count. Instance: the objects, but for crowds, whose pixels
    do not count unless an object has them. Panoptic: the segments, but for crowds; no other pixel counts.
    """
    if kind == "semantic":
        classes = truth.class_map()
        present = np.unique(classes)
        present = present[present != truth.labels.void]
        masks = [classes == index for index in present]
        packed, inside = [np.packbits(mask, axis=1) for mask in masks], [_inside(mask) for mask in masks]
        return _rows(present, packed, inside, classes == truth.labels.void)
    kept = kept_rows(truth)
    covered = np.zeros(truth.size, bool)
    packed, inside = [], []
    for index in kept.tolist():
        mask = truth.masks.mask(index)
        covered |= mask
        packed.append(np.packbits(mask, axis=1))
        inside.append(_inside(mask))
    if kind == "panoptic":
        return _rows(truth.class_ids[kept], packed, inside, ~covered)
    crowded = np.zeros(truth.size, bool)
    for index in np.flatnonzero(truth.is_crowd).tolist():
        crowded |= truth.masks.mask(index)
    return _rows(truth.class_ids[kept], packed, inside, crowded & ~covered)


def kept_rows(truth: Segmentation) -> IntArray:
    """Give the rows of the segments that are taught: those with a pixel, but for crowds."""
    return np.flatnonzero(~truth.is_crowd & (truth.masks.areas() > 0))


def _inside(mask: BoolArray) -> FloatArray:
    """Give the middles (OWN, 2) of pixels of a small mask (H, W), evenly apart in reading order; -1 where there are no more.

    >>> _inside(np.array([[False, True]])).tolist()
    [[0.75, 0.5], [-1.0, -1.0], [-1.0, -1.0], [-1.0, -1.0]]
    """
    found = np.full((OWN, 2), -1, np.float32)
    if np.count_nonzero(mask) <= _SMALL:
        pixels = np.argwhere(mask)[:, ::-1]
        count = min(OWN, len(pixels))
        chosen = pixels[((np.arange(count) + 0.5) * len(pixels) / max(count, 1)).astype(int)]
        found[:count] = (chosen + 0.5) / mask.shape[::-1]
    return found


def _rows(classes: AnyArray, packed: list[AnyArray], inside: list[FloatArray], ignored: BoolArray) -> dict[str, AnyArray]:
    height, width = ignored.shape
    masks = np.stack(packed) if packed else np.zeros((0, height, -(-width // 8)), np.uint8)
    own = np.stack(inside) if inside else np.zeros((0, OWN, 2), np.float32)
    return {"classes": classes.astype(np.int64), "masks": masks, "inside": own, "ignore": ignored.astype(np.uint8)}


def truth_at(masks: Tensor, rows: Tensor, points: Tensor, width: int) -> Tensor:
    """Sample packed masks bilinearly.

    Args:
        masks: (T, H, B), eight pixels a byte.
        rows: (M,) which of them.
        points: (M, P, 2), or (1, P, 2) for the same points in all: x and y as shares of the image's sides.
        width: of the image, in pixels.

    Returns:
        (M, P) in [0, 1].
    """
    left, right, across = _neighbours(points[..., 0], width)
    above, below, down = _neighbours(points[..., 1], masks.shape[1])
    rows = rows[:, None]

    def pixel(y: Tensor, x: Tensor) -> Tensor:
        return (masks[rows, y, x >> 3] >> (7 - (x & 7)).to(torch.uint8) & 1).to(points.dtype)

    top = torch.lerp(pixel(above, left), pixel(above, right), across.expand(len(rows), -1))
    bottom = torch.lerp(pixel(below, left), pixel(below, right), across.expand(len(rows), -1))
    return torch.lerp(top, bottom, down.expand(len(rows), -1))


def counted_at(ignore: Tensor, images: Tensor, points: Tensor) -> Tensor:
    """Give (M, P): 1 where the nearest pixel of an image counts, 0 where it is ignored or the point is none.

    Args:
        ignore: (N, H, W).
        images: (M,) which of them.
        points: (M, P, 2), or (1, P, 2) for the same points in all; those below 0 are none, and count for nothing.
    """
    height, width = ignore.shape[-2:]
    x = (points[..., 0] * width).long().clamp_(0, width - 1)
    y = (points[..., 1] * height).long().clamp_(0, height - 1)
    return (1 - ignore[images[:, None], y, x].to(points.dtype)) * (points[..., 0] >= 0)


def _neighbours(share: Tensor, length: int) -> tuple[Tensor, Tensor, Tensor]:
    """Give the pixels before and after a place along a side, and the share of the second."""
    position = (share * length - 0.5).clamp(0, length - 1)
    first = position.long()
    return first, (first + 1).clamp_(max=length - 1), position - first
