"""What the logits of a query's classes mean: each class by itself, or one of all of them or none.

Mask DINO has the first for objects, with RetinaNet's focal loss [1], and the second for semantic segmentation.

[1] Lin, Goyal, Girshick, He, Dollár: Focal Loss for Dense Object Detection, ICCV 2017, equation 5.
"""

import math
from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.models.heads.query_loss import Layer, Truth, class_sums
from pixelwise.models.heads.query_matching import ALPHA, GAMMA, Pairs, class_costs

PRIOR = 0.01  # the chance of a class before anything is learnt: nearly all queries have none
_SURE = 20.0  # a logit that says yes


class ClassRule(ABC):
    """How logits (…, K) are read, K being ``outputs`` of the number of classes."""

    @abstractmethod
    def layer(self, width: int, length: int) -> nn.Linear:
        """Make the layer from a query's features to the logits of ``length`` classes."""

    @abstractmethod
    def nothing(self, logits: Tensor) -> Tensor:
        """Give the logits (K,) of a query that is surely no object; ``logits`` have their shape and device."""

    @abstractmethod
    def rank(self, logits: Tensor) -> Tensor:
        """Give (…): the higher, the likelier there is an object."""

    @abstractmethod
    def probabilities(self, logits: Tensor) -> Tensor:
        """Give (…, L + 1): of each class, and last of no object."""

    @abstractmethod
    def costs(self, logits: Tensor, classes: Tensor) -> Tensor:
        """Give (…, Q, T): what it costs to assign objects of classes (T,) to queries of logits (…, Q, K)."""

    @abstractmethod
    def sums(self, layer: Layer, pairs: Pairs, truth: Truth, weights: Tensor, ignored: Tensor) -> tuple[Tensor, Tensor]:
        """Give the sum of the losses of a layer's queries, and what divides it; arguments are those of ``class_sums``."""


class EachClass(ClassRule):
    """A probability for each class by itself."""

    def layer(self, width: int, length: int) -> nn.Linear:
        """Make one that starts from ``PRIOR``."""
        found = nn.Linear(width, length)
        nn.init.constant_(found.bias, -math.log((1 - PRIOR) / PRIOR))
        return found

    def nothing(self, logits: Tensor) -> Tensor:
        """Say no to every class."""
        return logits.new_full(logits.shape[-1:], -_SURE)

    def rank(self, logits: Tensor) -> Tensor:
        """Take the likeliest class."""
        return logits.amax(-1)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Give the classes' by themselves; none is left for no object."""
        return F.pad(logits.sigmoid(), (0, 1))

    def costs(self, logits: Tensor, classes: Tensor) -> Tensor:
        """Give the focal loss of a yes less that of a no."""
        logits = logits[..., classes]
        chance = logits.sigmoid()
        yes, no = (1 - chance) ** GAMMA * F.softplus(-logits), chance**GAMMA * F.softplus(logits)
        return ALPHA * yes - (1 - ALPHA) * no

    def sums(self, layer: Layer, pairs: Pairs, truth: Truth, weights: Tensor, ignored: Tensor) -> tuple[Tensor, Tensor]:
        """Give the sum of the focal losses of all queries and classes, and the number of objects."""
        logits = layer.classes
        wanted = torch.zeros_like(logits)
        wanted[pairs.images, pairs.queries, torch.cat(truth.classes)[pairs.objects]] = 1
        right = (2 * wanted - 1) * logits  # the logit of what is wanted
        loss = (1 - right.sigmoid()) ** GAMMA * F.softplus(-right)
        loss = loss * torch.where(wanted > 0, ALPHA * weights[:-1], 1 - ALPHA)
        counts = (ignored <= 0.5) | wanted.any(-1)
        return (loss.sum(-1) * counts).sum(), logits.new_tensor(float(len(pairs.images)))


class OneClass(ClassRule):
    """One of the classes, or none."""

    def layer(self, width: int, length: int) -> nn.Linear:
        """Make one with a logit for no object, the last."""
        return nn.Linear(width, length + 1)

    def nothing(self, logits: Tensor) -> Tensor:
        """Say that there is no object."""
        is_none = torch.arange(logits.shape[-1], device=logits.device) == logits.shape[-1] - 1
        return torch.where(is_none, _SURE, -_SURE).to(logits)

    def rank(self, logits: Tensor) -> Tensor:
        """Take the likeliest class."""
        return logits.softmax(-1)[..., :-1].amax(-1)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Give them."""
        return logits.softmax(-1)

    def costs(self, logits: Tensor, classes: Tensor) -> Tensor:
        """Give minus the probability."""
        return class_costs(logits, classes)

    def sums(self, layer: Layer, pairs: Pairs, truth: Truth, weights: Tensor, ignored: Tensor) -> tuple[Tensor, Tensor]:
        """Give the sum of the weighted cross entropies, and that of their weights."""
        return class_sums(layer, pairs, truth, weights, ignored)
