"""At which points of a mask a loss looks [1], and what the masks are there.

A point is (x, y) as shares of the image's sides. Masks lie over the image and the padding below and to the right of it, so that
a point of the image is found at ``extent`` times its shares.

[1] Kirillov, Wu, He, Girshick: PointRend, CVPR 2020, section 3.2; with the numbers of Mask2Former: 3 times as many points are
    drawn as wanted, 75 % of the wanted are the least certain of them, the others are drawn anywhere.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.core.errors import OptionError
from pixelwise.models.heads.query_targets import counted_at
from pixelwise.models.heads.rows import rows_at

MOST = 12_544  # points a mask in the paper: 112 x 112
_TOGETHER = 2**22  # points of all masks that are judged at once: with hundreds of objects they would take gigabytes


@dataclass(frozen=True)
class Points:
    """How many points are looked at, and which.

    Attributes:
        count: for a mask; 0 takes one for each of so many ``cells`` of the masks, at most the paper's 12,544.
        everywhere: look into every cell once instead, at a place that is drawn anew each time. The middle of the cell would do
            for nothing finer: where in a cell an object ends would never be taught.
        oversample, importance: the paper's factor 3 and share 0.75.
    """

    count: int = 0
    everywhere: bool = False
    oversample: float = 3.0
    importance: float = 0.75
    cells: int = 1

    def __post_init__(self) -> None:
        if self.count < 0:
            raise OptionError(f"[model] points: expected a number of points, or 0 to choose, got {self.count}")

    def drawn(self, masks: Tensor) -> Tensor:
        """Draw points (1, P, 2) without regard to the masks (…, h, w)."""
        height, width = masks.shape[-2:]
        if self.everywhere:
            return _in_each_cell(height, width, masks.device)
        return torch.rand(1, self.count or min(MOST, max(1, height * width // self.cells)), 2, device=masks.device)

    @torch.no_grad()
    def uncertain(self, masks: Tensor, extent: Tensor, ignore: Tensor, images: Tensor) -> Tensor:
        """Draw points (M, P, 2), or (1, P, 2): most of them where the masks (M, h, w) are the least certain.

        Ignored pixels are avoided: ``ignore`` (N, H, W) of the ``images`` (M,).
        """
        points = self.drawn(masks)
        if self.everywhere or not len(masks):
            return points
        count = points.shape[1]
        sought = round(count * self.importance)
        drawn = max(sought, round(count * self.oversample))
        step = max(1, _TOGETHER // drawn)
        near = [
            _least_certain(masks[row : row + step], extent, ignore, images[row : row + step], drawn, sought)
            for row in range(0, len(masks), step)
        ]
        return torch.cat([torch.cat(near), torch.rand(len(masks), count - sought, 2, device=masks.device)], dim=1)


def _least_certain(masks: Tensor, extent: Tensor, ignore: Tensor, images: Tensor, drawn: int, sought: int) -> Tensor:
    """Draw points for each mask, and give those that it is the least certain of (M, sought, 2)."""
    candidates = torch.rand(len(masks), drawn, 2, device=masks.device)
    certainty = masks_at(masks, candidates, extent).abs_()
    certainty.masked_fill_(counted_at(ignore, images, candidates) == 0, torch.inf)
    best = certainty.topk(sought, dim=1, largest=False, sorted=False)[1]
    return rows_at(candidates, best)


def masks_at(masks: Tensor, points: Tensor, extent: Tensor) -> Tensor:
    """Sample masks (M, h, w) bilinearly at points (M, P, 2), or (1, P, 2) for the same in all: (M, P)."""
    grid = points * (2 * extent) - 1
    if len(points) == 1:  # masks as channels of one image: the places are worked out once
        return F.grid_sample(masks[None], grid[:, None], padding_mode="border", align_corners=False)[0, :, 0]
    return F.grid_sample(masks[:, None], grid[:, None], padding_mode="border", align_corners=False)[:, 0, 0]


def _in_each_cell(height: int, width: int, device: torch.device) -> Tensor:
    y = (torch.arange(height, device=device)[:, None] + torch.rand(height, width, device=device)) / height
    x = (torch.arange(width, device=device) + torch.rand(height, width, device=device)) / width
    return torch.stack([x, y], dim=-1).reshape(1, -1, 2)
