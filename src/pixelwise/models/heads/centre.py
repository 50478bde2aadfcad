"""The centre head: a class for each pixel, a heat map of the objects' centres, and from each pixel the way to its own [1].

Nothing is proposed and nothing overlaps: a pixel of a thing belongs to the centre that its offset points nearest to, and a
group of pixels has the class that most of them have (``decode.centre``). The network before it gives two kinds of features, one
for classes and one for objects.

[1] Cheng, Collins, Zhu, Liu, Huang, Adam, Chen: Panoptic-DeepLab, CVPR 2020, arXiv 1911.10194, section 3.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.core.arrays import AnyArray, Size
from pixelwise.core.errors import OptionError
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.decode.centre import CentreReduced, Rules
from pixelwise.decode.decoders import Decoder
from pixelwise.models.dual_decoder import Separable, plain
from pixelwise.models.heads.base import Head, Targets, class_weights_of
from pixelwise.models.heads.centre_loss import Owned, Weights, centre_sums, offset_sums, semantic_sums
from pixelwise.models.heads.centre_targets import targets_of
from pixelwise.models.losses.whole import over_batch
from pixelwise.models.recorded import cut, is_recorded

_STRIP = 2**24  # logits that are held enlarged at once where no graph is recorded


class CentreFeatures(NamedTuple):
    """What a network gives: features (N, C, h, w) for classes, and (N, D, h, w) for objects."""

    classes: Tensor
    objects: Tensor


class CentreRaw(NamedTuple):
    """Maps at a fraction of the size, padding and all.

    Attributes:
        semantic: (N, L, h, w) logits of the classes; for instances (N, L + 1, h, w), the last for no object.
        heat: (N, 1, h, w), 1 at a centre.
        offsets: (N, 2, h, w) rows and columns to go from a pixel to its centre, in pixels.
    """

    semantic: Tensor
    heat: Tensor
    offsets: Tensor


class Sizes(NamedTuple):
    """Of a centre head.

    Attributes:
        classes, objects: channels of the features for each.
        width: of the layers before heat and offsets.
        plain_heat: whether the layers before heat are two plain 3x3 convolutions, and not one separable one of 5x5.
        stride: of the features.
    """

    classes: int
    objects: int
    width: int
    plain_heat: bool
    stride: int


@dataclass(frozen=True)
class Marking:
    """How centres are marked, and found again.

    Attributes:
        sigma: of the Gaussians in the heat map, in pixels.
        kernel: a centre is the highest of so many pixels along each side.
        centres: at most so many an image.
    """

    sigma: float = 8.0
    kernel: int = 7
    centres: int = 200

    def __post_init__(self) -> None:
        if not 0 < self.sigma < math.inf:
            raise OptionError(f"[model] sigma: expected a number of pixels above 0, got {self.sigma}")
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise OptionError(f"[model] kernel: expected an odd number of pixels, got {self.kernel}")
        if self.centres < 1:
            raise OptionError(f"[model] centres: expected 1 or more, got {self.centres}")


class CentreHead(Head):
    """Classify pixels, mark centres, and point to them.

    Args:
        rules: of decoding.
        class_weights: one a class, in the loss of classes; the pixels of no object weigh 1.
    """

    ragged = frozenset({"objects"})
    class_rows = ("classify.weight", "classify.bias")
    is_dense = False

    def __init__(
        self,
        labels: LabelSet,
        sizes: Sizes,
        marking: Marking,
        weights: Weights,
        rules: Rules,
        class_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.kind: Kind = rules.kind
        self.count, self.stride = len(labels), sizes.stride
        self.marking, self.weights, self.rules = marking, weights, rules
        self.before_classes = Separable(sizes.classes, sizes.classes, 5)
        self.classify = nn.Conv2d(sizes.classes, self.count, 1)
        self.none = nn.Conv2d(sizes.classes, 1, 1) if self.kind == "instance" else None
        self.before_heat = (_two if sizes.plain_heat else _separable)(sizes.objects, sizes.width)
        self.heat = _from_zero(nn.Conv2d(sizes.width, 1, 1))
        self.before_offsets = _separable(sizes.objects, sizes.width)
        self.offsets = _from_zero(nn.Conv2d(sizes.width, 2, 1))
        self.register_buffer("class_weights", None, persistent=False)  # an option of training, not part of the model
        if class_weights is not None:
            self.weigh(class_weights)

    def forward(self, features: CentreFeatures, size: Size, targets: Any = None) -> CentreRaw:
        """Give the three maps; training and prediction have the same."""
        of_classes = self.before_classes(features.classes)
        logits = self.classify(of_classes)
        if self.none is not None:
            logits = torch.cat([logits, self.none(of_classes)], dim=1)
        before = self.before_heat(features.objects)
        with torch.autocast(before.device.type, enabled=False):  # of neighbours that round to one height both would be centres
            heat = self.heat(before.float())
        offsets = self.offsets(self.before_offsets(features.objects))
        return CentreRaw(logits, heat, offsets * self.stride)

    def targets(self, truth: Segmentation) -> dict[str, AnyArray]:
        """Give classes, owners, heat and objects: see ``heads.centre_targets``."""
        return targets_of(truth, self.kind, self.marking.sigma)

    def loss(self, raw: CentreRaw, targets: Targets) -> dict[str, Tensor]:
        """Give ``semantic``, ``centre`` and ``offset``, all at the targets' resolution."""
        given: Any = targets
        owned = Owned.of(given["owners"].long(), given["objects"])
        size = (owned.rows.shape[1], owned.rows.shape[2])
        with torch.autocast(raw.heat.device.type, enabled=False):
            semantic, heat, offsets = (self._at_size(part.float(), size) for part in raw)
            sums = [
                semantic_sums(semantic, given["classes"].long(), owned, self.weights, self._weights_of_classes()),
                centre_sums(heat[:, 0], given["heat"].float(), owned.counted),
                offset_sums(offsets, owned),
            ]
            flat = over_batch(torch.stack([one.float() for pair in sums for one in pair]))
        means = flat[0::2] / flat[1::2].clamp_min(1)
        named = {name: getattr(self.weights, name) for name in ("semantic", "centre", "offset")}
        return {name: weight * mean for (name, weight), mean in zip(named.items(), means.unbind(), strict=True)}

    def _weights_of_classes(self) -> Tensor | None:
        if self.class_weights is None or self.none is None:
            return self.class_weights
        return F.pad(self.class_weights, (0, 1), value=1.0)

    def weigh(self, weights: Sequence[float]) -> None:
        """Set the weights of the classes in the loss of classes."""
        self.class_weights = class_weights_of(weights, self.count, self.classify.weight)

    def reduce(self, raw: CentreRaw, size: Size, probabilities: bool = False) -> CentreReduced:
        """Give each pixel's class and how sure it is, the offsets as they are, and the centres.

        A centre is a pixel of the heat map, brought to the image's size, that is the highest around it and above the least
        score. There are always as many rows of them; those of no centre are all zeros.
        """
        classes, sure = self._won(raw.semantic.float(), size)
        places, scores = self._centres(self._at_size(raw.heat.float(), size)[:, 0])
        count, device = classes.shape[0], classes.device  # len() would make a number of a symbol
        sides = [side * self.stride for side in raw.heat.shape[-2:]]
        padded = torch.stack([torch.full((count,), side, dtype=torch.int64, device=device) for side in sides], dim=1)
        return CentreReduced(classes, sure, raw.offsets.float(), places, scores, padded)  # type: ignore[arg-type]

    def _won(self, logits: Tensor, size: Size) -> tuple[Tensor, Tensor]:
        """Give each pixel's class (N, H, W) and how sure it is; strip by strip, or at once where a graph is recorded."""
        if is_recorded():
            return _winners(self._at_size(logits, size))
        count, channels, rows, columns = logits.shape
        step = max(1, _STRIP // max(1, count * channels * columns * self.stride**2))
        parts = []
        for first in range(0, rows, step):
            last = min(first + step, rows)
            above, below = max(first - 1, 0), min(last + 1, rows)  # a pixel looks at the rows beside its own
            values = self._at_size(logits[:, :, above:below], ((below - above) * self.stride, size[1]))
            parts.append(_winners(values[:, :, (first - above) * self.stride : (last - above) * self.stride]))
        classes, sure = (torch.cat(part, dim=1)[:, : size[0]] for part in zip(*parts, strict=True))
        return classes, sure

    def _centres(self, heat: Tensor) -> tuple[Tensor, Tensor]:
        """Find the centres in heat maps (N, H, W): their rows and columns (N, K, 2) and heights (N, K), highest first.

        Of equally high ones within a kernel, the first is one.
        """
        kernel, count = self.marking.kernel, self.marking.centres
        around = F.max_pool2d(heat[:, None], kernel, stride=1, padding=kernel // 2)[:, 0]
        is_centre = (heat == around) & (heat > self.rules.centre_score) & (heat > _before(heat, kernel // 2))
        found = torch.where(is_centre, heat, 0.0).flatten(1)
        found = F.pad(found, (0, count))  # so that there are as many as wanted, however small the image
        scores, indices = found.topk(count, dim=1)
        down, across = (torch.arange(side, device=heat.device) for side in heat.shape[-2:])
        pixels = torch.stack(torch.meshgrid(down, across, indexing="ij"), dim=-1).flatten(0, 1)
        places = torch.cat([pixels, pixels.new_zeros(count, 2)])[indices]  # remainders by a symbol are nothing ONNX can write
        return torch.where(scores[..., None] > 0, places, 0), scores

    def _at_size(self, values: Tensor, size: Size) -> Tensor:
        """Bring maps (N, C, h, w) to the pixels, and cut the padding off."""
        whole = (values.shape[-2] * self.stride, values.shape[-1] * self.stride)
        if self.stride > 1:
            values = F.interpolate(values, size=whole, mode="bilinear", align_corners=False)
        if is_recorded():
            return cut(values, size)
        return values[..., : size[0], : size[1]]

    @property
    def decoder(self) -> Decoder:
        """One segmentation an image, of the head's kind."""
        return Decoder("centre", self.rules.to_json())


def _winners(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Give the class (N, H, W) of the highest of logits (N, L, H, W), and the softmax there."""
    top, classes = logits.max(dim=1)
    sure = 1 / (logits - top.unsqueeze(1)).exp().sum(dim=1)
    return classes.to(torch.uint8) if logits.shape[1] <= 256 else classes.to(torch.int32), sure


def _before(heat: Tensor, reach: int) -> Tensor:
    """Give the highest of (N, H, W) within ``reach`` of each pixel among those above it, and left of it in its own row."""
    least = torch.finfo(heat.dtype).min
    if not reach:
        return torch.full_like(heat, least)
    above = F.max_pool2d(F.pad(heat, (reach, reach, reach, 0), value=least), (reach, 2 * reach + 1), stride=1)[:, :-1]
    left = F.max_pool2d(F.pad(heat, (reach, 0, 0, 0), value=least), (1, reach), stride=1)[..., :-1]
    return torch.maximum(above, left)


def _two(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(plain(before, before, 3), plain(before, after, 3))


def _separable(before: int, after: int) -> nn.Sequential:
    return Separable(before, after, 5)


def _from_zero(layer: nn.Conv2d) -> nn.Conv2d:
    """Draw a layer so that it begins with next to nothing: the published deviation is 0.001."""
    nn.init.normal_(layer.weight, std=0.001)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer
