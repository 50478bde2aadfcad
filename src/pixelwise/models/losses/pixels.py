"""What losses are computed from: the logits and the truth of a batch, and the softmax that several losses share."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from pixelwise.core.errors import OptionError
from pixelwise.models.losses.whole import over_batch


@dataclass(frozen=True, eq=False)
class Pixels:
    """Logits and truth of a batch.

    Attributes:
        logits: (N, L, H, W); 16-bit ones are computed with in 32 bits.
        classes: (N, H, W), in which ``void`` does not count.
        void: the class id of what is not labelled; not below L.
        weights: (L,) weights of the classes in the losses that average over pixels; None weighs them alike.
        distances: (N, H, W) distance of each pixel to the nearest border between classes, for the losses that want it.
        share: (N,) how much each image counts, in all losses but Lovász's; None counts each once.
    """

    logits: Tensor
    classes: Tensor
    void: int
    weights: Tensor | None = None
    distances: Tensor | None = None
    share: Tensor | None = None

    @cached_property
    def truth(self) -> Tensor:
        """The classes as 64-bit integers, void as L."""
        classes = self.classes.long()
        return torch.where(classes == self.void, self.logits.shape[1], classes)

    @cached_property
    def labelled(self) -> Tensor:
        """(N, H, W) booleans: what counts."""
        return self.classes != self.void

    @cached_property
    def counted(self) -> Tensor:
        """(N, H, W): how much each pixel counts; 0 at void."""
        labelled = self.labelled.to(self._logits.dtype)
        return labelled if self.share is None else labelled * self.share.to(labelled.dtype).view(-1, 1, 1)

    @cached_property
    def pixels(self) -> Tensor:
        """(L,) how many pixels the truth of the whole batch gives each class."""
        count = self.logits.shape[1]
        weights = None if self.share is None else self.counted.flatten().double()
        counts = torch.bincount(self.truth.flatten(), weights, minlength=count + 1)[:count]
        return over_batch(counts.to(self._softmax.predicted.dtype))

    @property
    def surprise(self) -> Tensor:
        """(N, H, W): minus the logarithm of the true class's probability; 0 at void."""
        return self._softmax.surprise

    @property
    def probabilities(self) -> Tensor:
        """(N, L, H, W), 0 at void."""
        return self._softmax.probabilities

    @cached_property
    def shared(self) -> Tensor:
        """(L,): the probability of each class summed over the whole batch's pixels that are of it."""
        if self.share is None:
            return over_batch(self._softmax.shared)
        count = self.logits.shape[1]
        hits = self.probabilities.gather(1, torch.where(self.labelled, self.truth, 0).unsqueeze(1)).squeeze(1) * self.counted
        return over_batch(hits.new_zeros(count + 1).index_add(0, self.truth.flatten(), hits.flatten())[:count])

    @cached_property
    def predicted(self) -> Tensor:
        """(L,): the probability of each class summed over all labelled pixels of the whole batch."""
        if self.share is None:
            return over_batch(self._softmax.predicted)
        return over_batch((self.probabilities * self.counted.unsqueeze(1)).sum(dim=(0, 2, 3)))

    @cached_property
    def pixel_weights(self) -> Tensor:
        """(N, H, W): the weight of each pixel's class; 0 at void."""
        if self.weights is None:
            return self.counted
        table = torch.cat([self.weights.to(self.surprise.dtype), self.weights.new_zeros(1, dtype=self.surprise.dtype)])
        return table[self.truth] if self.share is None else table[self.truth] * self.counted

    def smoothed(self, smoothing: float) -> Tensor:
        """Sum the weighted surprise under truths of which ``smoothing`` is spread over all classes alike."""
        logits = self._logits
        by_class = None if self.weights is None else self.weights.to(logits.dtype)
        count = logits.shape[1]
        way = "sum" if self.share is None else "none"
        surprise = F.cross_entropy(logits, self.truth, by_class, ignore_index=count, reduction=way, label_smoothing=smoothing)
        return surprise if self.share is None else (surprise * self.counted).sum()

    def balance(self, alpha: float) -> Tensor:
        """Weigh the second of two classes by ``alpha``, the first by the rest.

        Raises:
            OptionError: there are not two.
        """
        if self.logits.shape[1] != 2:
            raise OptionError(
                f"focal: alpha weighs two classes against each other, and there are {self.logits.shape[1]}; "
                f"leave it out, and weigh classes with --set train.class_weights=median"
            )
        return torch.where(self.truth == 1, alpha, 1 - alpha)

    @cached_property
    def _logits(self) -> Tensor:
        return self.logits if self.logits.dtype == torch.float64 else self.logits.float()

    @cached_property
    def _softmax(self) -> "_Shared":
        return _Shared(*_Softmax.apply(self._logits, self.truth))


class _Shared(NamedTuple):
    probabilities: Tensor
    surprise: Tensor
    shared: Tensor
    predicted: Tensor


class _Softmax(torch.autograd.Function):
    """One softmax, and one pass back through it, for all that the losses take from it."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, truth: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        count = logits.shape[1]
        is_labelled = truth < count
        index = torch.where(is_labelled, truth, 0).unsqueeze(1)
        labelled = is_labelled.to(logits.dtype)
        logarithms = logits.contiguous().log_softmax(dim=1)
        surprise = logarithms.gather(1, index).squeeze(1).neg_().mul_(labelled)
        probabilities = logarithms.exp_().mul_(labelled.unsqueeze(1))
        hits = probabilities.gather(1, index).squeeze(1)
        shared = torch.bincount(truth.flatten(), hits.flatten().double(), minlength=count + 1)[:count].to(logits.dtype)
        predicted = probabilities.sum(dim=(0, 2, 3))
        ctx.save_for_backward(probabilities, hits, labelled, index)
        ctx.set_materialize_grads(False)
        is_last = logits.is_contiguous(memory_format=torch.channels_last) and not logits.is_contiguous()
        ctx.layout = torch.channels_last if is_last else torch.contiguous_format  # what the step before computes fastest with
        return probabilities, surprise, shared, predicted

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *given: Tensor | None) -> tuple[Tensor, None]:
        """Give the gradient of the logits.

        With g the gradient of the probabilities (of a whole class's sum, of a pixel's own, or of the true class's),
        softmax's rule is p_k (g_k - sum_c p_c g_c); the surprise adds p_k - [k is true].
        """
        probabilities, hits, labelled, index = ctx.saved_tensors
        own, surprise, shared, predicted = given
        at_truth = torch.zeros_like(hits)  # what the true class's logit gets beyond p_k (g_k - mean)
        if shared is not None:
            at_truth += shared[index.squeeze(1)] * hits
        if surprise is not None:
            at_truth -= surprise
        at_truth *= labelled
        by_class = probabilities.new_zeros(probabilities.shape[1]) if predicted is None else predicted
        mean = (by_class @ probabilities.flatten(2)).view_as(at_truth).add_(at_truth)
        if own is not None:
            mean += (probabilities * own).sum(dim=1)
        gradient = by_class.view(1, -1, 1, 1) - mean.unsqueeze(1)
        if own is not None:
            gradient += own
        gradient *= probabilities
        gradient.scatter_add_(1, index, at_truth.unsqueeze(1))
        return gradient.contiguous(memory_format=ctx.layout), None
