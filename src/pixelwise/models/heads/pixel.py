"""The pixel head: one logit a class and pixel, and a weighted sum of losses by name."""

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
from pixelwise.models.losses import weighted
from pixelwise.models.losses.boundary import border_distances
from pixelwise.models.losses.pixels import Pixels


class PixelRaw(NamedTuple):
    """Logits (N, L, h, w), at the input's size or a fraction of it."""

    logits: Tensor


class PixelHead(Head):
    """Classify every pixel: a 3x3 convolution to L logits (1x1 for ``kernel=1``), brought to the input's size bilinearly.

    Args:
        loss: a weighted sum of the losses of ``pixelwise.models.losses``, as in ``"0.5*focal(gamma=3) + lovasz"``.
        class_weights: one a class, in the losses that average over pixels.
        label_smoothing: of the cross entropy, where ``loss`` does not say ``cross_entropy(smoothing=…)`` itself.
    """

    class_rows = ("classify.weight", "classify.bias")

    def __init__(
        self,
        channels: int,
        labels: LabelSet,
        kernel: int = 3,
        dropout: float = 0.0,
        loss: str = "cross_entropy + dice",
        class_weights: Sequence[float] | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise OptionError(f"[model] dropout: expected 0 to below 1, got {dropout}")
        self.void = labels.void
        self.drop = nn.Dropout2d(dropout) if dropout else nn.Identity()
        self.classify = nn.Conv2d(channels, len(labels), kernel, padding=kernel // 2)
        self.register_buffer("class_weights", None, persistent=False)  # an option of training, not part of the model
        if class_weights is not None:
            self.weigh(class_weights)
        self.terms = weighted.parse(loss)
        if label_smoothing:
            self.terms = weighted.with_option(self.terms, "cross_entropy", "smoothing", label_smoothing)
        weighted.check(self.terms, len(labels))
        self.wants_distances = any(term.name == "boundary" for term in self.terms)

    def forward(self, features: Tensor, size: Size, targets: object = None) -> PixelRaw:
        """Give logits for features (N, C, h, w)."""
        return PixelRaw(self.classify(self.drop(features)))

    def targets(self, truth: Segmentation) -> dict[str, AnyArray]:
        """Give the class map (H, W), void as ``labels.void``, and the distances to borders if the loss wants them."""
        classes = truth.class_map()
        if not self.wants_distances:
            return {"classes": classes}
        return {"classes": classes, "distances": border_distances(classes, self.void)}

    def loss(self, raw: PixelRaw, targets: dict[str, Tensor]) -> dict[str, Tensor]:
        """Give each weighted term of the loss by its name, at the targets' resolution; void pixels do not count."""
        classes = targets["classes"]
        logits = _resized(raw.logits, (classes.shape[-2], classes.shape[-1]))
        pixels = Pixels(logits, classes, self.void, self.class_weights, targets.get("distances"))
        return {term.name: term(pixels) for term in self.terms}

    def weigh(self, weights: Sequence[float]) -> None:
        """Set the weights of the classes in the losses that average over pixels."""
        count = self.classify.out_channels
        if len(weights) != count:
            raise OptionError(f"[model] class_weights: expected {count} class weights, one a class, got {len(weights)}")
        self.class_weights = torch.tensor(weights, dtype=torch.float32, device=self.classify.weight.device)

    def reduce(self, raw: PixelRaw, size: Size, probabilities: bool = False) -> PixelReduced:
        """Give the class of every pixel of (H, W), the mean probability of each class, and all probabilities if asked."""
        # softmax takes half the time on class planes, max and sum on pixels
        logits = _resized(raw.logits.contiguous() if probabilities else raw.logits, size)
        top, classes = logits.max(dim=1)  # on CPUs several times faster than argmax
        if probabilities:
            spread = logits.softmax(dim=1)
            highest = spread.gather(1, classes.unsqueeze(1)).squeeze(1)
        else:
            spread = logits[:, :0]
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
