"""Proposals: boxes that may hold an object of any class, found by a small network that slides over a feature pyramid [1].

The layers are torchvision's. What follows them is written so that shapes depend on the input's size alone: every image gets as
many proposals, and those that are none have the score -1.

[1] Ren, He, Girshick, Sun: Faster R-CNN: Towards Real-Time Object Detection with Region Proposal Networks, NeurIPS 2015, arXiv
    1506.01497; on a pyramid: Lin et al., CVPR 2017, arXiv 1612.03144, section 4.1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.core.arrays import Size
from pixelwise.core.errors import OptionError
from pixelwise.models.heads.box_apart import best_apart
from pixelwise.models.heads.box_geometry import clipped, decoded, encoded, has_sides
from pixelwise.models.heads.box_matching import matched, sampled
from pixelwise.models.heads.rows import rows_at
from pixelwise.models.losses.whole import over_batch
from pixelwise.models.recorded import varies

LEAST_SIDE = 1e-3  # pixels: a proposal with a shorter side is none
WEIGHTS = (1.0, 1.0, 1.0, 1.0)
BETA = 1 / 9  # where the loss of a box turns from a square into a line


@dataclass(frozen=True)
class ProposalOptions:
    """How many proposals there are.

    Attributes:
        candidates: a level and image, by score, before overlapping ones are dropped: in training, in prediction.
        kept: an image, after that.
        overlap: IoU above which the lower scored of two is dropped.
        anchors: an image that a training step learns from, half of them on objects if there are as many.
    """

    candidates: tuple[int, int] = (2000, 1000)
    kept: tuple[int, int] = (2000, 1000)
    overlap: float = 0.7
    anchors: int = 256

    def __post_init__(self) -> None:
        if min(*self.candidates, *self.kept, self.anchors) < 1:
            raise OptionError("[model] candidates, proposals, anchor_samples: expected 1 or more of each")
        if not 0 < self.overlap <= 1:
            raise OptionError(f"[model] proposal_overlap: expected above 0 and at most 1, got {self.overlap}")


class Slid(NamedTuple):
    """What the network gives for the A anchors of each level of an image.

    Attributes:
        objectness: (N, A) logits.
        shifts: (N, A, 4) that move anchors to proposals.
        anchors: (A, 4).
    """

    objectness: tuple[Tensor, ...]
    shifts: tuple[Tensor, ...]
    anchors: tuple[Tensor, ...]


class Proposer(nn.Module):
    """Slide over the levels of a pyramid and propose boxes.

    Args:
        strides: of the levels.
        sizes: of anchors, the square root of their area in pixels, for each level.
        ratios: of their height to their width, at every level.
        depth: convolutions before the last ones.
    """

    def __init__(
        self,
        channels: int,
        strides: Sequence[int],
        sizes: Sequence[Sequence[float]],
        ratios: Sequence[float],
        depth: int,
        options: ProposalOptions,
    ) -> None:
        from torchvision.models.detection.rpn import RPNHead

        super().__init__()
        self.strides, self.options = tuple(strides), options
        self.layers = RPNHead(channels, len(sizes[0]) * len(ratios), conv_depth=depth)
        cells = torch.stack([_cell_anchors(level, ratios) for level in sizes])
        self.register_buffer("cells", cells, persistent=False)  # (levels, anchors of a place, 4)

    def forward(self, pyramid: Sequence[Tensor]) -> Slid:
        """Give objectness and shifts of all anchors."""
        objectness, shifts = self.layers(list(pyramid))
        places = [level.shape[-2:] for level in pyramid]
        return Slid(
            tuple(one.permute(0, 2, 3, 1).flatten(1).float() for one in objectness),
            tuple(_rows_of_four(one).float() for one in shifts),
            tuple(self._anchors(level, size) for level, size in enumerate(places)),
        )

    def _anchors(self, level: int, size: Sequence[int]) -> Tensor:
        """Lay the anchors of a level around the upper left corners of its cells."""
        stride, device = self.strides[level], self.cells.device
        rows, columns = (torch.arange(side, device=device, dtype=torch.float32) * stride for side in size)
        down, across = torch.meshgrid(rows, columns, indexing="ij")
        corners = torch.stack([across, down, across, down], dim=-1).reshape(-1, 1, 4)
        return (corners + self.cells[level]).reshape(-1, 4)

    @torch.no_grad()
    def propose(self, slid: Slid, size: Size, trains: bool) -> tuple[Tensor, Tensor]:
        """Give the best boxes (N, P, 4) within images of ``size``, best first, and their scores (N, P).

        Of boxes from one level that overlap, the best is kept. Rows with the score -1 are no proposals.
        """
        options, which = self.options, 0 if trains else 1
        scores, boxes = [], []
        for objectness, shifts, anchors in zip(*slid, strict=True):
            best, index = highest(objectness, options.candidates[which])
            moved = decoded(rows_at(shifts, index), anchors[index], WEIGHTS)
            found = clipped(moved, size)
            values = torch.where(has_sides(found, LEAST_SIDE), best.sigmoid(), -1.0)
            kept = best_apart(found[:, None], values[:, None], options.overlap)[:, 0]
            scores.append(torch.where(kept, values, -1.0))
            boxes.append(found)
        every = torch.cat(scores, dim=1)
        top, index = every.topk(min(options.kept[which], every.shape[1]), dim=1)
        return rows_at(torch.cat(boxes, dim=1), index), top

    def losses(self, slid: Slid, objects: Sequence[Tensor], crowds: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Give the losses of objectness and of boxes, over anchors drawn in each image."""
        count = self.options.anchors
        objectness, moves = (torch.cat(part, dim=1) for part in (slid.objectness, slid.shifts))
        anchors = torch.cat(slid.anchors)
        logits, states, shifts, goals = [], [], [], []
        for index, (boxes, crowd) in enumerate(zip(objects, crowds, strict=True)):
            found = matched(anchors, boxes, crowd, 0.3, 0.7, nearest=True)
            positive, negative = sampled(found.states, count, 0.5)
            logits.append(objectness[index, torch.cat([positive, negative])])
            states.append(torch.cat([torch.ones_like(positive), torch.zeros_like(negative)]))
            shifts.append(moves[index, positive])
            goals.append(encoded(boxes[found.objects[positive]], anchors[positive], WEIGHTS))
        every = torch.cat(logits)
        drawn = over_batch(every.new_tensor(float(len(every)))).clamp(min=1)
        found_ones = F.binary_cross_entropy_with_logits(every, torch.cat(states).to(every.dtype), reduction="sum")
        moved = F.smooth_l1_loss(torch.cat(shifts), torch.cat(goals), beta=BETA, reduction="sum")
        return over_batch(found_ones) / drawn, over_batch(moved) / drawn


def _cell_anchors(sizes: Sequence[float], ratios: Sequence[float]) -> Tensor:
    """Give the anchors (A, 4) of one place, around 0, rounded to whole pixels."""
    from torchvision.models.detection.anchor_utils import AnchorGenerator

    return AnchorGenerator((tuple(sizes),), (tuple(ratios),)).cell_anchors[0]


def _rows_of_four(shifts: Tensor) -> Tensor:
    """Lay (N, A * 4, h, w) out as (N, h * w * A, 4)."""
    return shifts.unflatten(1, (-1, 4)).permute(0, 3, 4, 1, 2).flatten(1, 3)


def highest(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Give the ``count`` highest of values (N, A), or all of them, and where they are.

    Where a graph is recorded in which A may vary, there are always as many: what fills them up is -inf, at some place.
    """
    length = values.shape[1]
    if not varies(length):
        best = values.topk(min(count, length), dim=1)
        return best.values, best.indices
    best = F.pad(values, (0, count), value=-torch.inf).topk(count, dim=1)
    return best.values, best.indices.clamp(max=length - 1)
