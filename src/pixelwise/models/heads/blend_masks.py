"""How BlendMask makes a mask: bases cut to an object's box, each weighed by the object's own attention to it [1].

Attention is predicted where an object is found: one convolution beside that of the box, K x M x M numbers a location. It is
computed at those few locations alone, from their neighbourhoods, and not for all of the pyramid: that is the same numbers, for
100 locations in place of some 20,000.

[1] Chen, Sun, Tian, Shen, Huang, Yan: BlendMask: Top-Down Meets Bottom-Up for Instance Segmentation, CVPR 2020, arXiv
    2001.00309, section 3.3.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def blended(bases: Tensor, attentions: Tensor) -> Tensor:
    """Give the logits (R, s, s) of masks from bases (R, K, s, s) cut to boxes and attentions (R, K, M, M).

    Attentions are enlarged to the bases' cells, softmax makes them shares of the K bases, and the bases are added up by them
    [1, equations 2 to 5].
    """
    shares = F.interpolate(attentions, size=bases.shape[-2:], mode="bilinear", align_corners=False).softmax(dim=1)
    return (bases * shares).sum(dim=1)


def cut_out(bases: Tensor, boxes: Tensor, images: Tensor, side: int, stride: int) -> Tensor:
    """Cut boxes (R, 4) out of the bases (N, K, h, w) of their ``images`` (R,): (R, K, side, side), one sample a cell [1]."""
    from torchvision.ops import roi_align

    rois = torch.cat([images[:, None].to(boxes.dtype), boxes], dim=1)
    return roi_align(bases.float(), rois, side, 1 / stride, 1, True)


class Attend(nn.Module):
    """The top module: attention (R, K, M, M) of a few locations of a pyramid.

    Args:
        channels: of the features.
        bases: K.
        side: M.
    """

    def __init__(self, channels: int, bases: int, side: int) -> None:
        super().__init__()
        self.shape = (bases, side, side)
        self.convolve = nn.Conv2d(channels, bases * side * side, 3, padding=1)
        nn.init.normal_(self.convolve.weight, std=0.01)
        nn.init.zeros_(self.convolve.bias)  # type: ignore[arg-type]

    def forward(self, levels: Sequence[Tensor], images: Tensor, places: Tensor) -> Tensor:
        """Give what the convolution over ``levels`` (N, C, h, w) has at ``places`` (R,) of ``images`` (R,).

        Places are counted over all levels, row by row, finest first.
        """
        padded = torch.cat([F.pad(level, (1, 1, 1, 1)).flatten(2) for level in levels], dim=2)
        length = padded.shape[2]
        corners, widths = self._corners(levels)
        steps = torch.arange(3, device=places.device)
        around = corners[places][:, None, None] + steps[:, None] * widths[places][:, None, None] + steps  # (R, 3, 3)
        rows = images[:, None] * length + around.flatten(1)
        found = padded.transpose(1, 2).flatten(0, 1).index_select(0, rows.flatten())  # (9 R, C)
        patches = found.unflatten(0, (places.shape[0], 9)).transpose(1, 2).flatten(1)  # (R, 9 C), in the order of its weights
        values = F.linear(patches, self.convolve.weight.flatten(1), self.convolve.bias)
        return values.float().unflatten(1, self.shape)

    @staticmethod
    def _corners(levels: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Give, for each place, where its neighbourhood begins among the padded levels, and how wide its level is (A,)."""
        corners, widths, start = [], [], 0
        for level in levels:
            height, width = level.shape[-2:]
            down, across = (torch.arange(side, device=level.device) for side in (height, width))
            corners.append((start + down[:, None] * (width + 2) + across).flatten())
            widths.append(torch.full_like(corners[-1], width + 2))
            start = start + (height + 2) * (width + 2)
        return torch.cat(corners), torch.cat(widths)
