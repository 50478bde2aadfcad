"""The pixel head: one logit a class and pixel; cross entropy and Dice."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.core.arrays import AnyArray, Size
from pixelwise.core.errors import OptionError
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode import pixel as decoding
from pixelwise.decode.frame import Frame
from pixelwise.decode.pixel import PixelReduced
from pixelwise.models.heads.base import Head
from pixelwise.models.losses.dice import dice


class PixelRaw(NamedTuple):
    """Logits (N, L, h, w), at the input's size or a fraction of it."""

    logits: Tensor


class PixelHead(Head):
    """Classify every pixel: a 3x3 convolution to L logits (1x1 for ``kernel=1``), brought to the input's size bilinearly."""

    def __init__(
        self,
        channels: int,
        labels: LabelSet,
        kernel: int = 3,
        dropout: float = 0.0,
        class_weights: Sequence[float] | None = None,
        cross_entropy: float = 1.0,
        dice: float = 1.0,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 <= dropout < 1 or not 0 <= label_smoothing < 1:
            raise OptionError(f"expected dropout and label_smoothing from 0 to below 1, got {dropout} and {label_smoothing}")
        if cross_entropy < 0 or dice < 0 or cross_entropy + dice == 0:
            raise OptionError("cross_entropy and dice are weights of at least 0, and not both 0: the loss would be empty")
        self.void = labels.void
        self.drop = nn.Dropout2d(dropout) if dropout else nn.Identity()
        self.classify = nn.Conv2d(channels, len(labels), kernel, padding=kernel // 2)
        weights = torch.tensor(class_weights, dtype=torch.float32) if class_weights is not None else torch.ones(len(labels))
        if len(weights) != len(labels):
            raise OptionError(f"expected {len(labels)} class weights, one a class, got {len(weights)}")
        self.register_buffer("class_weights", weights, persistent=False)  # an option of training, not part of the model
        self.terms = {"cross_entropy": cross_entropy, "dice": dice}
        self.label_smoothing = label_smoothing

    def forward(self, features: Tensor, size: Size, targets: object = None) -> PixelRaw:
        """Give logits for features (N, C, h, w)."""
        return PixelRaw(self.classify(self.drop(features)))

    def targets(self, truth: Segmentation) -> dict[str, AnyArray]:
        """Give the class map (H, W), void as ``labels.void``."""
        return {"classes": truth.class_map()}

    def loss(self, raw: PixelRaw, targets: dict[str, Tensor]) -> dict[str, Tensor]:
        """Give cross entropy (weighted by class, void left out) and Dice, at the targets' resolution."""
        classes = targets["classes"].long()
        logits = _resized(raw.logits, (classes.shape[-2], classes.shape[-1]))
        terms = {}
        if self.terms["cross_entropy"]:
            weight: Tensor = self.class_weights  # type: ignore[assignment]
            total = F.cross_entropy(
                logits, classes, weight, ignore_index=self.void, reduction="sum", label_smoothing=self.label_smoothing
            )
            counted = F.embedding(classes.clamp_max(len(weight)), F.pad(weight, (0, 1))[:, None]).sum()
            terms["cross_entropy"] = self.terms["cross_entropy"] * total / counted.clamp_min(1e-6)  # an all-void crop is 0
        if self.terms["dice"]:
            terms["dice"] = self.terms["dice"] * dice(logits, classes, self.void)
        return terms

    def reduce(self, raw: PixelRaw, size: Size, probabilities: bool = False) -> PixelReduced:
        """Give the class of every pixel of (H, W), the mean probability of each class, and all probabilities if asked."""
        logits = _resized(raw.logits, size)
        top, classes = logits.max(dim=1)  # on CPUs several times faster than argmax
        spread = logits.softmax(dim=1) if probabilities else logits[:, :0]
        highest = 1 / (logits - top.unsqueeze(1)).exp_().sum(dim=1)  # softmax at the winner alone
        count, length = logits.shape[:2]
        flat = classes.reshape(count, -1)
        sums = torch.zeros(count, length, device=logits.device).scatter_add(1, flat, highest.reshape(count, -1))
        pixels = torch.zeros(count, length, device=logits.device).scatter_add(1, flat, torch.ones_like(flat, dtype=sums.dtype))
        return PixelReduced(classes, sums / pixels.clamp_min(1), spread)  # type: ignore[arg-type]

    def decode(self, reduced: PixelReduced, frames: Sequence[Frame], labels: LabelSet, request: Request) -> list[Segmentation]:
        """Make one semantic segmentation an image."""
        arrays = PixelReduced(*(np.asarray(part) for part in reduced))
        return decoding.decode(arrays, frames, labels, request)


def _resized(logits: Tensor, size: Size) -> Tensor:
    logits = logits.float()
    if logits.shape[-2:] == torch.Size(size):
        return logits
    return F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
