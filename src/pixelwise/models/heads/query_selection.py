"""Which cells of an encoder start a decoder's queries, and with which boxes.

Every cell is asked what it sees; those that are the surest of an object start the queries, with their features and with the box
that they give [1]. Masks are easier to learn than boxes, so that after a few epochs the box around a cell's mask is the better
start: the mask-enhanced anchor [2].

[1] Zhang et al., DINO, ICLR 2023, arXiv 2203.03605, section 3.4, after Zhu et al., Deformable DETR, ICLR 2021, section 4.2.
[2] Li et al., Mask DINO, CVPR 2023, arXiv 2206.02777, section 3.3.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from pixelwise.models.deformable_attention import middles_of
from pixelwise.models.deformable_encoder import Memory
from pixelwise.models.heads.rows import rows_at
from pixelwise.models.recorded import holds

SIDE = 0.05  # of a cell's first box at stride 8, as a share of the image's


class Chosen(NamedTuple):
    """The cells that start queries.

    Attributes:
        queries: (N, Q, C) features.
        boxes: (N, Q, 4) logits of their first boxes.
        lacking: (N, Q) true where the image has too few cells: no query is meant to be there.
    """

    queries: Tensor
    boxes: Tensor
    lacking: Tensor


class CellFeatures(nn.Module):
    """Cells of the encoder to features as queries have them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer, self.norm = nn.Linear(width, width), nn.LayerNorm(width)
        nn.init.xavier_uniform_(self.layer.weight)

    def forward(self, cells: Tensor) -> Tensor:
        """Give (N, S, C)."""
        result: Tensor = self.norm(self.layer(cells))
        return result


def first_boxes(memory: Memory, grows: bool) -> Tensor:
    """Give each cell's box (S, 4), as shares: around its middle, its sides ``SIDE`` at stride 8 and twice that a level on.

    Args:
        memory: the encoder's.
        grows: otherwise the coarsest level has the smallest boxes, and the finest the largest.
    """
    levels, full = len(memory.sizes), memory.cells.new_zeros((), dtype=torch.float32)
    found = []
    for level, size in enumerate(memory.sizes):
        middles = middles_of(size, full)
        side = SIDE * 2.0 ** (level - levels + 4 if grows else levels - 1 - level)
        found.append(torch.cat([middles, torch.full_like(middles, side)], dim=1))
    return torch.cat(found)


def chosen(features: Tensor, boxes: Tensor, rank: Tensor, queries: int) -> Chosen:
    """Take the cells of the highest rank.

    Args:
        features: (N, S, C).
        boxes: (N, S, 4) logits.
        rank: (N, S).
        queries: how many; an image may have fewer cells.
    """
    count, length = rank.shape
    if not holds(length >= queries):  # always as many, so that a graph's shapes follow from nothing but the image's size
        rank = torch.cat([rank, rank.new_full((count, queries), -torch.inf)], dim=1)
        features = torch.cat([features, features.new_zeros(count, queries, features.shape[2])], dim=1)
        boxes = torch.cat([boxes, boxes.new_zeros(count, queries, 4)], dim=1)
    best = rank.topk(queries, dim=1)[1]
    return Chosen(rows_at(features, best), rows_at(boxes, best), best >= length)


def boxes_around(masks: Tensor, otherwise: Tensor) -> Tensor:
    """Give the box (N, Q, 4), as shares, around the cells where logits (N, Q, h, w) are above 0; ``otherwise`` where none is.

    Boxes are of 32 bits whatever the masks are: in bfloat16, which counts to 256, a small object's would be off by half of it.

    >>> masks = torch.tensor([[[[-1.0, 1.0, 1.0, -1.0]]]])
    >>> boxes_around(masks, torch.zeros(1, 1, 4)).tolist()
    [[[0.5, 0.5, 0.5, 1.0]]]
    """
    inside = masks > 0
    ends = []
    for dimension in (2, 3):  # of what is left: columns, then rows
        lines = inside.any(dimension)
        side = lines.shape[2]
        numbers = torch.arange(side, device=masks.device, dtype=torch.float32)
        first = torch.where(lines, numbers, torch.inf).amin(2)
        last = torch.where(lines, numbers + 1, 0.0).amax(2)
        ends.append((first / side, last / side))
    (left, right), (top, bottom) = ends
    found = torch.stack([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top], dim=-1)
    return torch.where(inside.flatten(2).any(2)[..., None], found, otherwise)
