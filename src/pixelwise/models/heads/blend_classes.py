"""The classes of pixels, which BlendMask's bottom module is taught besides, so that its bases follow objects sooner [1].

Nothing of this is needed for prediction.

[1] Chen, Sun, Tian, Shen, Huang, Yan: BlendMask: Top-Down Meets Bottom-Up for Instance Segmentation, CVPR 2020, arXiv
    2001.00309, section 4: a semantic loss with the weight 0.3, after YOLACT.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.core.arrays import AnyArray
from pixelwise.core.segmentation import Segmentation
from pixelwise.models.losses.whole import over_batch

VOID = -1


class PixelClasses(nn.Module):
    """Logits of the classes of objects and, last, of background.

    Args:
        width: channels of the features.
        stride: of the features.
    """

    def __init__(self, width: int, classes: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.classify, self.background = nn.Conv2d(width, classes, 1), nn.Conv2d(width, 1, 1)  # a row a class, and one more
        for layer in (self.classify, self.background):  # no class is likelier than another to begin with
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        """Give logits (N, L + 1, h, w) of features (N, C, h, w)."""
        return torch.cat([self.classify(features), self.background(features)], dim=1).float()

    def loss(self, logits: Tensor, classes: Tensor, class_weights: Tensor | None) -> Tensor:
        """Give the mean cross entropy against classes (N, H, W), at the pixel in the middle of each cell."""
        bottom, right = (cells * self.stride - side for cells, side in zip(logits.shape[2:], classes.shape[1:], strict=True))
        padded = F.pad(classes.long(), (0, right, 0, bottom), value=VOID)
        wanted = padded[:, self.stride // 2 :: self.stride, self.stride // 2 :: self.stride]
        weights = None if class_weights is None else F.pad(class_weights, (0, 1), value=1.0)
        counted = (wanted != VOID).to(logits.dtype)
        each = counted if weights is None else weights[wanted.clamp(min=0)] * counted
        total = F.cross_entropy(logits, wanted, weights, ignore_index=VOID, reduction="sum")
        return over_batch(total) / over_batch(each.sum()).clamp(min=1e-6)


def classes_seen(truth: Segmentation) -> AnyArray:
    """Give the class (H, W) of each pixel, L for background and ``VOID`` in crowds; smaller objects lie on larger ones."""
    found = np.full(truth.size, len(truth.labels), np.int16)
    for row in np.lexsort((-truth.masks.areas(), ~truth.is_crowd)).tolist():  # crowds first: none hides an object
        found[truth.masks.mask(row)] = VOID if truth.is_crowd[row] else truth.class_ids[row]
    return found
