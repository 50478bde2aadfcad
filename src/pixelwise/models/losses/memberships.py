"""What losses are computed from where a pixel may be of several classes: a sigmoid and a yes or no for each class."""

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.models.losses.whole import over_batch

UNKNOWN = 255  # whether a pixel is of a class is not labelled


@dataclass(frozen=True, eq=False)
class Memberships:
    """Logits and truth of a batch, each class a question of its own.

    It has what ``Pixels`` has, so that a loss is written once: where that tells of a pixel and its one class, this tells of a
    pixel and each class, with an axis L more. Cross entropy becomes the binary one of each class, Dice and Jaccard stay
    ratios of sums a class.

    Attributes:
        logits: (N, L, H, W); 16-bit ones are computed with in 32 bits.
        members: (N, L, H, W) 1 where a pixel is of the class, 0 where it is not, ``UNKNOWN`` where that does not count.
        weights: (L,) weights of the classes in the losses that average over pixels; None weighs them alike.
        share: (N,) how much each image counts; None counts each once.
    """

    logits: Tensor
    members: Tensor
    weights: Tensor | None = None
    share: Tensor | None = None

    @cached_property
    def truth(self) -> Tensor:
        """(N, L, H, W): 1 for yes; what does not count is 0."""
        return torch.where(self.labelled, self.members, 0).to(self._logits.dtype)

    @cached_property
    def labelled(self) -> Tensor:
        """(N, L, H, W) booleans: what counts."""
        return self.members != UNKNOWN

    @cached_property
    def counted(self) -> Tensor:
        """(N, L, H, W): how much each answer counts; 0 where none is labelled."""
        return self._by_share(self.labelled.to(self._logits.dtype))

    @cached_property
    def pixels(self) -> Tensor:
        """(L,) how many pixels the truth of the whole batch gives each class."""
        return over_batch(self._by_share(self.truth).sum(dim=(0, 2, 3)))

    @cached_property
    def surprise(self) -> Tensor:
        """(N, L, H, W): minus the logarithm of the true answer's probability; 0 where none is labelled."""
        return F.binary_cross_entropy_with_logits(self._logits, self.truth, reduction="none") * self.labelled

    @cached_property
    def probabilities(self) -> Tensor:
        """(N, L, H, W), 0 where nothing is labelled."""
        return self._logits.sigmoid() * self.labelled

    @cached_property
    def shared(self) -> Tensor:
        """(L,): the probability of each class summed over the whole batch's pixels that are of it."""
        return over_batch(self._by_share(self.probabilities * self.truth).sum(dim=(0, 2, 3)))

    @cached_property
    def predicted(self) -> Tensor:
        """(L,): the probability of each class summed over all its labelled pixels of the whole batch."""
        return over_batch(self._by_share(self.probabilities).sum(dim=(0, 2, 3)))

    @cached_property
    def pixel_weights(self) -> Tensor:
        """(N, L, H, W): the weight of each class; 0 where nothing is labelled."""
        return self.counted if self.weights is None else self.counted * self.weights.to(self.counted.dtype).view(1, -1, 1, 1)

    def smoothed(self, smoothing: float) -> Tensor:
        """Sum the weighted surprise under truths of which ``smoothing`` is spread over yes and no alike."""
        softened = self.truth * (1 - smoothing) + smoothing / 2
        return F.binary_cross_entropy_with_logits(self._logits, softened, self.pixel_weights, reduction="sum")

    def balance(self, alpha: float) -> Tensor:
        """Weigh yes by ``alpha``, no by the rest."""
        return torch.where(self.truth == 1, alpha, 1 - alpha)

    def _by_share(self, values: Tensor) -> Tensor:
        return values if self.share is None else values * self.share.to(values.dtype).view(-1, 1, 1, 1)

    @cached_property
    def _logits(self) -> Tensor:
        return self.logits if self.logits.dtype == torch.float64 else self.logits.float()
