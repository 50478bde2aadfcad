"""Cut what lies in a box out of a feature pyramid: RoIAlign, from the level that suits the box's size."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

CANONICAL = 224.0  # pixels: a box of such sides is cut out of the level of stride 16


class PyramidPooling(nn.Module):
    """Give features (R, C, side, side) for boxes, each cut out of one level of a pyramid [1].

    Args:
        strides: of the levels that are cut from, finest first, each twice the one before.
        side: cells of what is cut out.
        aligned: whether a pixel's value stands at its centre. torchvision's own networks read features half a cell off, and
            their published weights want it so.

    [1] Lin et al., CVPR 2017, arXiv 1612.03144, equation 1; RoIAlign with 2 x 2 samples a cell: He et al., ICCV 2017.
    """

    def __init__(self, strides: Sequence[int], side: int, aligned: bool) -> None:
        super().__init__()
        self.strides, self.side, self.aligned = tuple(strides), side, aligned

    def levels_of(self, boxes: Tensor) -> Tensor:
        """Choose a level (R,) for each box."""
        sides = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1).clamp(min=0).sqrt()
        octaves = torch.floor(torch.log2(sides / CANONICAL * 16 / self.strides[0]) + 1e-6)
        return octaves.clamp(0, len(self.strides) - 1).to(torch.int64)  # log2(0) is -inf, which is clamped as well

    def forward(self, pyramid: Sequence[Tensor], boxes: Tensor, images: Tensor) -> Tensor:
        """Cut boxes (R, 4) in pixels out of their images (R,) of the batch."""
        from torchvision.ops import roi_align

        levels = self.levels_of(boxes)
        rois = torch.cat([images[:, None].to(boxes.dtype), boxes], dim=1)
        found = boxes.new_zeros(boxes.shape[0], pyramid[0].shape[1], self.side, self.side)
        for level, stride in enumerate(self.strides):
            chosen = torch.where(levels == level)[0]
            features = pyramid[level].float()  # 16 bits would put corners pixels off
            cut = roi_align(features, rois[chosen], self.side, 1 / stride, 2, self.aligned)
            found = found.index_put((chosen,), cut)
        return found
