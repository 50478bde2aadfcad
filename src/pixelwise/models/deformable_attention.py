"""Attention to a few points of every level of a pyramid, wherever a query wants to look [1], in plain torch.

Values of all levels stand in one row, level after level; places are x and y as shares of the image's sides, so that one place
is the same on every level. There are two ways to the same sums: ``sampled`` reads a level at a time by ``grid_sample``, which
training needs for its quick gradients; ``gathered`` takes the four neighbours of every point as rows by number, in one step for
all levels, and needs no ``GridSample``, which the converter to TensorFlow refuses: Mask DINO's graphs use it.

[1] Zhu, Su, Lu, Li, Wang, Dai: Deformable DETR, ICLR 2021, arXiv 2010.04159, equation 3.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.core.arrays import Size
from pixelwise.models.recorded import is_recorded


class DeformableAttention(nn.Module):
    """Let queries look at ``points`` points of each of ``levels`` levels, with each of ``heads`` heads.

    Attributes:
        shifts: a query to where its points lie from its own place, in units of its reach.
        shares: to how much each point counts.
    """

    def __init__(self, width: int, heads: int, levels: int, points: int = 4) -> None:
        super().__init__()
        self.heads, self.levels, self.points = heads, levels, points
        self.shifts = nn.Linear(width, heads * levels * points * 2)
        self.shares = nn.Linear(width, heads * levels * points)
        self.values = nn.Linear(width, width)
        self.mixed = nn.Linear(width, width)
        self.draw()

    @torch.no_grad()
    def draw(self) -> None:
        """Draw weights as in the paper's appendix A.4: head h looks in direction h, at 1, 2 … units, at all alike."""
        angles = torch.arange(self.heads) * (2 * math.pi / self.heads)
        rays = torch.stack([angles.cos(), angles.sin()], dim=-1)
        rays = rays / rays.abs().amax(-1, keepdim=True)  # onto a square: whole cells along the axes and the diagonals
        steps = torch.arange(1, self.points + 1)[:, None]
        self.shifts.bias.copy_((rays[:, None, None] * steps).expand(-1, self.levels, -1, -1).flatten())
        for layer in (self.shifts.weight, self.shares.weight, self.shares.bias, self.values.bias, self.mixed.bias):
            nn.init.zeros_(layer)
        for linear in (self.values, self.mixed):
            nn.init.xavier_uniform_(linear.weight)

    def forward(self, asked: Tensor, places: Tensor, reach: Tensor, memory: Tensor, sizes: Sequence[Size]) -> Tensor:
        """Give what queries (N, Q, C) find: (N, Q, C).

        Args:
            asked: the queries.
            places: (N, Q, 2) or (1, Q, 2): theirs.
            reach: how far a shift of one goes, x and y, as shares of the sides; broadcasts to (N, Q, 1, levels, 1, 2).
            memory: (N, S, C): the levels' cells.
            sizes: of the levels.
        """
        shape = (self.heads, self.levels, self.points)
        shifts = self.shifts(asked).unflatten(2, (*shape, 2))
        shares = self.shares(asked).unflatten(2, (self.heads, -1)).softmax(-1).unflatten(3, shape[1:])
        at = places[:, :, None, None, None] + shifts * reach
        read = gathered if is_recorded() else sampled
        found: Tensor = self.mixed(read(self.values(memory).unflatten(2, (self.heads, -1)), sizes, at, shares))
        return found


def sampled(values: Tensor, sizes: Sequence[Size], at: Tensor, shares: Tensor) -> Tensor:
    """Add up values bilinearly between the middles of cells, and 0 outside, by ``grid_sample``, as precise as the places are.

    Args:
        values: (N, S, heads, c).
        sizes: of the levels.
        at: (N, Q, heads, levels, points, 2).
        shares: (N, Q, heads, levels, points).

    Returns:
        (N, Q, heads * c).
    """
    count, heads = values.shape[0], values.shape[2]
    planes = values.permute(0, 2, 3, 1).flatten(0, 1).to(at).split([height * width for height, width in sizes], dim=2)
    grids, weights = (2 * at - 1).transpose(1, 2).flatten(0, 1), shares.transpose(1, 2).flatten(0, 1)
    total = None
    for level, (plane, size) in enumerate(zip(planes, sizes, strict=True)):
        read = F.grid_sample(plane.unflatten(2, size), grids[:, :, level], align_corners=False)  # (N heads, c, Q, P)
        part = (read * weights[:, None, :, level]).sum(-1)
        total = part if total is None else total + part
    assert total is not None
    return total.unflatten(0, (count, heads)).permute(0, 3, 1, 2).flatten(2)


def gathered(values: Tensor, sizes: Sequence[Size], at: Tensor, shares: Tensor) -> Tensor:
    """Add up the same by taking rows; arguments and result are those of ``sampled``."""
    length, heads = values.shape[1], values.shape[2]
    rows = values.transpose(1, 2).flatten(0, 2)  # (N heads S, c)
    sides = torch.stack([_numbers([size[1 - axis] for size in sizes], at) for axis in (0, 1)], dim=-1)  # (levels, 2)
    cells = sides[:, 0] * sides[:, 1]
    starts = cells.cumsum(0) - cells
    place = at * sides[:, None] - 0.5
    first = place.floor()
    beyond = place - first
    groups = torch.arange(values.shape[0] * heads, device=values.device).unflatten(0, (-1, 1, heads, 1, 1)) * length
    columns, lines = sides[:, None, 0], sides[:, None, 1]
    total = None
    for right, below in ((0, 0), (1, 0), (0, 1), (1, 1)):  # one after the other: all at once would take four times the memory
        x, y = first[..., 0] + right, first[..., 1] + below
        inside = (x >= 0) & (x < columns) & (y >= 0) & (y < lines)
        column, line = torch.minimum(x.clamp_min(0), columns - 1), torch.minimum(y.clamp_min(0), lines - 1)
        number = starts[:, None] + line * columns + column
        across, down = ((part if step else 1 - part) for part, step in zip(beyond.unbind(-1), (right, below), strict=True))
        weights = shares * across * down * inside
        taken = rows[(number.long() + groups).flatten(3)]  # (N, Q, heads, levels points, c)
        part = weights.flatten(3)[..., None, :] @ taken
        total = part if total is None else total + part
    assert total is not None
    return total.flatten(2)


def _numbers(sides: Sequence[int], like: Tensor) -> Tensor:
    """Give sides as a tensor; of symbols a list would want their values."""
    return torch.cat([like.new_full((1,), side) for side in sides])


def sides_of(size: Size, like: Tensor) -> Tensor:
    """Give the sides (2,) of a level: x, y."""
    return _numbers((size[1], size[0]), like)


def middles_of(size: Size, like: Tensor) -> Tensor:
    """Give the middle (x, y) of each cell of a level (h * w, 2), as shares of its sides."""
    down, across = ((torch.arange(side, device=like.device, dtype=like.dtype) + 0.5) / side for side in size)
    rows, columns = torch.meshgrid(down, across, indexing="ij")
    return torch.stack([columns.flatten(), rows.flatten()], dim=1)


def rows_of_cells(values: Tensor) -> Tensor:
    """Lay (N, C, h, w) out as (N, h w, C)."""
    return values.flatten(2).transpose(1, 2)
