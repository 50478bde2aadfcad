"""Cut what lies in a box out of a feature pyramid: RoIAlign, from the level that suits the box's size."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pixelwise.models.recorded import is_recorded, repeated

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
        least = [CANONICAL / 16 * self.strides[0] * 2 ** (level - 1e-6) for level in range(1, len(self.strides))]
        return sum((sides >= side for side in least), start=torch.zeros_like(sides, dtype=torch.int64))

    def forward(self, pyramid: Sequence[Tensor], boxes: Tensor, images: Tensor) -> Tensor:
        """Cut boxes (R, 4) in pixels out of their images (R,) of the batch."""
        levels = self.levels_of(boxes)
        return (self._from_stack if is_recorded() else self._by_level)(pyramid, boxes, images, levels)

    def _by_level(self, pyramid: Sequence[Tensor], boxes: Tensor, images: Tensor, levels: Tensor) -> Tensor:
        from torchvision.ops import roi_align

        rois = torch.cat([images[:, None].to(boxes.dtype), boxes], dim=1)
        found = boxes.new_zeros(boxes.shape[0], pyramid[0].shape[1], self.side, self.side)
        for level, stride in enumerate(self.strides):
            chosen = torch.where(levels == level)[0]
            features = pyramid[level].float()  # 16 bits would put corners pixels off
            cut = roi_align(features, rois[chosen], self.side, 1 / stride, 2, self.aligned)
            found = found.index_put((chosen,), cut)
        return found

    def _from_stack(self, pyramid: Sequence[Tensor], boxes: Tensor, images: Tensor, levels: Tensor) -> Tensor:
        """Cut all boxes at once out of a stack of the levels, so that no shape depends on how many boxes a level has.

        Levels become as large as the finest by repeating their edges. What is cut is the same, but for boxes narrower than a
        cell at the right or the lower border where ``aligned`` is False: they reach beyond it, and find the edge and not 0.
        """
        from torchvision.ops import roi_align

        count, _, height, width = pyramid[0].shape
        size = (height, width)
        stack = torch.cat([pyramid[0].float(), *(repeated(level.float(), size) for level in pyramid[1 : len(self.strides)])])
        scale = torch.tensor([1 / stride for stride in self.strides], device=boxes.device)[levels]
        place = (levels * count + images).to(boxes.dtype)
        return roi_align(stack, torch.cat([place[:, None], boxes * scale[:, None]], dim=1), self.side, 1.0, 2, self.aligned)
