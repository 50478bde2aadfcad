"""UPSNet's panoptic logits [1] for true objects, and the two terms of the loss that are its own.

[1] Xiong et al., UPSNet, CVPR 2019, arXiv 1901.03784, sections 3.1 and 3.2.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.core.arrays import Size
from pixelwise.models.losses.whole import over_batch

VOID = -1  # of segments: neither stuff nor an object
SIDE = 28  # cells of a box whose pixels are classified


class Layout(NamedTuple):
    """Which classes are things and which stuff, and the stride of the semantic logits."""

    things: tuple[int, ...]
    stuff: tuple[int, ...]
    stride: int


def panoptic_logits(semantic: Tensor, masks: Tensor, boxes: Tensor, classes: Tensor, layout: Layout) -> Tensor:
    """Give the logits (S + K + 1, h, w) of stuff, K objects and unknown for one image.

    An object's are X + Y inside its box, X the semantic logits of its class and Y its mask's, and 0 outside; unknown's are the
    highest of the things less the highest of the objects' X ([1], equation 1 and what follows it).

    Args:
        semantic: (L, h, w).
        masks: (K, m, m) logits, spread over boxes (K, 4) in pixels.
        classes: (K,) among the things.
    """
    size = (semantic.shape[1], semantic.shape[2])
    spread, inside = _spread(masks, boxes, size, layout.stride)
    things = semantic[list(layout.things)]
    own = torch.where(inside, things[classes], 0.0)
    highest = own.amax(dim=0) if len(own) else torch.zeros_like(semantic[0])
    unknown = things.amax(dim=0) - highest
    return torch.cat([semantic[list(layout.stuff)], own + torch.where(inside, spread, 0.0), unknown[None]])


def _spread(masks: Tensor, boxes: Tensor, size: Size, stride: int) -> tuple[Tensor, Tensor]:
    """Spread masks over their boxes, on cells of ``stride`` pixels: values (K, h, w), and which cells' middles are inside."""
    rows, columns = ((torch.arange(side, device=masks.device, dtype=torch.float32) + 0.5) * stride for side in size)
    left, top, right, bottom = (one[:, None] for one in boxes.float().unbind(1))
    across = (columns - left) / (right - left).clamp(min=1e-6)  # (K, w), from 0 to 1 inside
    down = (rows - top) / (bottom - top).clamp(min=1e-6)
    inside = ((down >= 0) & (down < 1))[:, :, None] & ((across >= 0) & (across < 1))[:, None]
    places = torch.stack([across[:, None].expand(inside.shape), down[:, :, None].expand(inside.shape)], dim=-1)
    grid = (2 * places - 1).clamp(-1, 1)
    return F.grid_sample(masks[:, None], grid, "bilinear", "border", align_corners=False)[:, 0], inside


def panoptic_loss(
    semantic: Tensor,
    masks: Sequence[Tensor],
    boxes: Sequence[Tensor],
    classes: Sequence[Tensor],
    rows: Sequence[Tensor],
    segments: Any,
    layout: Layout,
) -> Tensor:
    """Give the mean cross entropy of the cells' classification among stuff, known objects and unknown.

    Args:
        semantic: (N, L, h, w).
        masks: an image each, (K, m, m) of its known objects.
        boxes, classes, rows: an image each, of all objects shown; the known ones come first, and the rest are unknown.
        segments: (N, H, W) as ``PanopticHead.targets`` gives them.
    """
    total, cells = semantic.sum() * 0, semantic.new_zeros(())
    truth = _at_cells(segments, (semantic.shape[2], semantic.shape[3]), layout.stride)
    for image, known in enumerate(masks):
        count = len(known)
        logits = panoptic_logits(semantic[image], known, boxes[image][:count], classes[image][:count], layout)
        wanted = _wanted(truth[image], rows[image], count, len(layout.stuff))
        total = total + F.cross_entropy(logits[None], wanted[None], ignore_index=VOID, reduction="sum")
        cells = cells + (wanted != VOID).sum()
    return over_batch(total) / over_batch(cells).clamp(min=1)


def _wanted(segments: Tensor, rows: Tensor, known: int, stuff: int) -> Tensor:
    """Turn segments (h, w) into channels of the panoptic logits; objects that are not shown do not count."""
    most = int(torch.cat([segments.flatten(), rows + stuff]).max()) if segments.numel() else 0
    table = torch.full((max(most, stuff) + 2,), VOID, device=segments.device, dtype=torch.int64)
    table[:stuff] = torch.arange(stuff, device=table.device)
    places = torch.arange(len(rows), device=table.device).clamp(max=known)  # the hidden ones share the last channel
    table[rows + stuff] = places + stuff
    table[-1] = VOID  # what VOID, that is -1, points at
    return table[segments]


def _at_cells(segments: Tensor, size: Size, stride: int) -> Tensor:
    """Take the segment (N, h, w) at the middle of each cell; of cells whose middle lies in the padding, ``VOID``."""
    height, width = segments.shape[-2:]
    rows, columns = (torch.arange(side, device=segments.device) * stride + stride // 2 for side in size)
    found = segments.long()[:, rows.clamp(max=height - 1)[:, None], columns.clamp(max=width - 1)]
    return torch.where((rows < height)[:, None] & (columns < width), found, VOID)


def roi_loss(semantic: Tensor, boxes: Sequence[Tensor], truth: Tensor, void: int, stride: int) -> Tensor:
    """Give the mean cross entropy of the classes in 28 x 28 cells of each true box, so that things weigh more ([1], 3.1).

    Args:
        semantic: (N, L, h, w).
        truth: (N, H, W) classes.
    """
    from torchvision.ops import roi_align

    found = roi_align(semantic, [one.float() for one in boxes], SIDE, 1 / stride, 2, True)
    images = torch.cat([torch.full((len(one),), image, device=semantic.device) for image, one in enumerate(boxes)])
    left, top, right, bottom = torch.cat([one.float() for one in boxes]).unbind(1)
    middles = (torch.arange(SIDE, device=semantic.device) + 0.5) / SIDE
    rows, columns = (
        (low[:, None] + (high - low)[:, None] * middles).long().clamp(0, side - 1)
        for low, high, side in ((top, bottom, truth.shape[-2]), (left, right, truth.shape[-1]))
    )
    wanted = truth.long()[images[:, None, None], rows[:, :, None], columns[:, None]]
    wanted = torch.where(wanted == void, VOID, wanted)
    total = F.cross_entropy(found, wanted, ignore_index=VOID, reduction="sum") + semantic.sum() * 0
    return over_batch(total) / over_batch((wanted != VOID).sum().to(total.dtype)).clamp(min=1)
