"""A segmenter: a network, a head and a card."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.core.arrays import Size
from pixelwise.core.card import Card
from pixelwise.core.predictor import PLAIN, Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode.frame import Frame
from pixelwise.models.heads.base import Head, Targets
from pixelwise.models.network import Network


class Segmenter(nn.Module):
    """Images in [0, 1] to raw output. Final: vary the network or the head.

    Images (N, C, H, W) of any H and W: the segmenter normalises them by its card, pads them at the bottom and the right to
    the network's stride by repeating the edge, and cuts the padding off again.
    """

    def __init__(self, network: Network, head: Head, card: Card) -> None:
        super().__init__()
        self.network: Network = network
        self.head = head
        self.card = card
        self.head.temperature = card.temperature
        self.register_buffer("mean", torch.tensor(card.mean, dtype=torch.float32).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(card.deviation, dtype=torch.float32).view(1, -1, 1, 1), persistent=False)

    def forward(self, images: Tensor, targets: Targets | None = None) -> NamedTuple:
        """Give raw output; with targets it may also hold what only the loss needs."""
        size = (images.shape[-2], images.shape[-1])
        bottom, right = -size[0] % self.card.stride, -size[1] % self.card.stride
        values = (images - self.mean) / self.deviation  # type: ignore[operator]
        if bottom or right:
            values = F.pad(values, (0, right, 0, bottom), mode="replicate")
        raw = self.head(self.network(values), size, targets)
        if not self.head.is_dense or not (bottom or right):
            return raw
        return _cut(raw, size, (size[0] + bottom, size[1] + right))

    def loss(self, images: Tensor, targets: Targets) -> dict[str, Tensor]:
        """Give the head's named, weighted loss terms."""
        return self.head.loss(self(images, targets), targets)

    def predict(self, images: Tensor, frames: Sequence[Frame], request: Request = PLAIN) -> list[Segmentation]:
        """Segment images (N, C, H, W) of one size; ``frames`` say what each was before it was laid into the batch."""
        wants = request.probabilities or request.threshold is not None
        reduced = self.head.reduce(self(images), (images.shape[-2], images.shape[-1]), wants)
        arrays = [_to_numpy(part) for part in reduced]
        return self.head.decoder(arrays, frames, self.card.labels, request)


def _cut(raw: Any, size: Size, padded: Size) -> Any:
    """Cut the padding off every dense part of a raw output: a part at 1/k of the padded size keeps ceil(size / k).

    Where k does not divide the size, the last row or column stands for pixels of which some are padding; resizing is then
    done at the padded size first, so that pixels keep their places.
    """
    parts = []
    for part in raw:
        if isinstance(part, Tensor) and part.ndim == 4:
            if part.shape[-2:] != torch.Size(padded):
                part = F.interpolate(part.float(), size=padded, mode="bilinear", align_corners=False)
            part = part[..., : size[0], : size[1]]
        parts.append(part)
    return type(raw)(*parts)


def _to_numpy(part: Tensor) -> np.ndarray[Any, Any]:
    part = part.detach()
    return (part.float() if part.dtype == torch.bfloat16 else part).cpu().numpy()
