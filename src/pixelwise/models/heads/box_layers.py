"""The layers behind the proposals: what a box's features become before its class, its corners and its mask are read off.

All but the last are torchvision's, in two versions: that of the paper, and a second one with convolutions before the box's
linear layer and norms throughout, after [1], by which torchvision's published weights rose from 34.6 to 41.8 mask AP.

[1] Li, Xie, Chen, Dollár, He, Girshick: Benchmarking Detection Transfer Learning with Vision Transformers, 2021, arXiv
    2111.11429.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.models.pyramid import Norm, norm_layer


@dataclass(frozen=True)
class BoxLayers:
    """The layers behind the proposals.

    Attributes:
        boxes: features (R, C, s, s) of a box to ``width`` numbers.
        width: of them.
        masks: features (R, C, m, m) to as many again, of ``mask_width`` channels.
        mask_width: of them, and of the layer that doubles their size.
        box_side, mask_side: cells that a box is cut into for each.
    """

    boxes: nn.Module
    width: int
    masks: nn.Module
    mask_width: int
    box_side: int = 7
    mask_side: int = 14


def layers_of(version: str, channels: int, width: int, mask_width: int, mask_side: int, norm: Norm) -> BoxLayers:
    """Build the layers of ``version`` ``v1`` or ``v2`` for a pyramid of ``channels``."""
    from torchvision.models.detection.faster_rcnn import FastRCNNConvFCHead, TwoMLPHead
    from torchvision.models.detection.mask_rcnn import MaskRCNNHeads

    side = 7
    if version == "v1":
        boxes: nn.Module = TwoMLPHead(channels * side**2, width)
    else:
        boxes = FastRCNNConvFCHead((channels, side, side), [channels] * 4, [width], norm_layer=norm_layer(norm))
    masks = MaskRCNNHeads(channels, [mask_width] * 4, 1, norm_layer=norm_layer(norm))
    return BoxLayers(boxes, width, masks, mask_width, side, mask_side)


class BoxPredictor(nn.Module):
    """From ``width`` numbers to logits (R, L + 1), background last, and shifts (R, L, 4) of the box for each class.

    Background has a layer of its own, so that the others have a row a class.
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.classify = nn.Linear(width, classes)
        self.background = nn.Linear(width, 1)
        self.shifts = nn.Parameter(torch.empty(classes, 4, width))
        self.shift_bias = nn.Parameter(torch.zeros(classes, 4))
        for layer in (self.classify, self.background):  # as Detectron begins: no class is likelier than another
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
        nn.init.normal_(self.shifts, std=0.001)

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Give logits and shifts, in 32 bits."""
        logits = torch.cat([self.classify(values), self.background(values)], dim=1)
        shifts = F.linear(values, self.shifts.flatten(0, 1), self.shift_bias.flatten())
        return logits.float(), shifts.unflatten(1, (-1, 4)).float()
