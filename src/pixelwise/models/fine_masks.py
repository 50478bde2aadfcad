"""Masks finer than a quarter of the input, for objects of a few pixels and thin parts.

Mask2Former and its kin predict masks at stride 4, where an object of 8 pixels a side has four cells. Here the masks at stride 4
are enlarged, and what they lack is added: the product of each query with features that go on to stride 2, or to the image's own
pixels, as a feature pyramid [1] does. As the coarse masks are a part of the sum, they are learnt with it, and the decoder's
attention goes on looking at them.

[1] Lin et al., Feature Pyramid Networks for Object Detection, CVPR 2017, section 3.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Finest: TypeAlias = Literal[1, 2, 4]
STEM = 16  # channels of the image's own features
_GROUPS = 8  # of the norms


class FineMasks(nn.Module):
    """Features finer than stride 4, and the masks they make.

    Args:
        width: channels of the features at stride 4, and of what queries are multiplied by there.
        channels: of the encoder's features at stride 2.
        bands: of the image.
        finest: 2, or 1 for the image's own pixels.
    """

    def __init__(self, width: int, channels: int, bands: int, finest: Literal[1, 2]) -> None:
        super().__init__()
        beside = [channels, STEM][: 3 - finest]
        widths = [width, *(max(_GROUPS, width // 2 ** (step + 1)) for step in range(len(beside)))]
        self.stem = _layer(bands, STEM) if finest == 1 else None
        self.narrow = nn.ModuleList(nn.Conv2d(one, other, 1) for one, other in pairwise(widths))
        self.lateral = nn.ModuleList(nn.Conv2d(one, other, 1) for one, other in zip(beside, widths[1:], strict=True))
        self.smooth = nn.ModuleList(_layer(one, one) for one in widths[1:])
        self.embed = nn.Linear(width, widths[-1])

    def forward(self, coarse: Tensor, halves: Tensor, images: Tensor) -> Tensor:
        """Give the finest features (N, c, H', W') of those at stride 4 (N, C, h, w) and 2, and of the images."""
        found = coarse
        beside = [halves] if self.stem is None else [halves, self.stem(images)]
        for narrow, lateral, smooth, own in zip(self.narrow, self.lateral, self.smooth, beside, strict=True):
            size = own.shape[-2:]
            found = smooth(F.interpolate(narrow(found), size=size, mode="bilinear", align_corners=False) + lateral(own))
        return found

    def masks(self, embedded: Tensor, masks: Tensor, features: Tensor) -> Tensor:
        """Give masks (N, Q, H', W') of embedded queries (N, Q, C), their masks at stride 4, and the finest features."""
        size = features.shape[-2:]
        enlarged = F.interpolate(masks, size=size, mode="bilinear", align_corners=False)
        return enlarged + torch.einsum("nqc,nchw->nqhw", self.embed(embedded), features)


def _layer(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, padding=1, bias=False), nn.GroupNorm(_GROUPS, after), nn.ReLU())


def levels_for(finest: Finest, coarse: Sequence[int]) -> tuple[int, ...]:
    """Give the levels (powers of 2) that the encoder must have: those of the decoder, and 1 for masks finer than stride 4.

    >>> levels_for(4, (2, 3)), levels_for(1, (2, 3))
    ((2, 3), (1, 2, 3))
    """
    return tuple(coarse) if finest == 4 else (1, *coarse)
