"""Matrix NMS [1]: all masks of an image at once lower the scores of those they overlap, and none waits for another.

Everything is dense and of a shape that follows from the number of candidates, so that a graph can hold it.

[1] Wang, Zhang, Kong, Li, Shen: SOLOv2: Dynamic and Fast Instance Segmentation, NeurIPS 2020, arXiv 2003.10152, section 3.4.
"""

from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor

Decay: TypeAlias = Literal["gaussian", "linear"]
_TOGETHER = 2**24  # values of all masks that are held at once where no graph is recorded


class Measures(NamedTuple):
    """What is known of the masks of K candidates.

    Attributes:
        areas: (N, K) cells inside.
        inner: (N, K) sum of the probabilities there.
        shared: (N, K, K) cells inside of two.
    """

    areas: Tensor
    inner: Tensor
    shared: Tensor

    @property
    def maskness(self) -> Tensor:
        """How sure masks are of their inside (N, K), from 0 to 1."""
        return self.inner / self.areas.clamp(min=1)

    @property
    def overlaps(self) -> Tensor:
        """The IoU (N, K, K) of all masks with one another."""
        union = self.areas[:, :, None] + self.areas[:, None] - self.shared
        return self.shared / union.clamp(min=1)


def measured(columns: Tensor, kernels: Tensor, logit: float, counted: Tensor, at_once: bool = False) -> Measures:
    """Measure the masks that kernels (N, K, E) make of features (N, E, P); their inside lies above ``logit``.

    Args:
        counted: (P,) which cells count; those of the padding do not, as nothing teaches what masks are there.
        at_once: hold all masks together, as a graph must; else strips of them, so that 500 candidates of a large photo take
            300 MB and not gigabytes.
    """
    if at_once:
        return _measured(columns, kernels, logit, counted)
    step = max(1, _TOGETHER // kernels.shape[1])
    strips = zip(columns.split(step, dim=2), counted.split(step), strict=True)
    parts = [_measured(part, kernels, logit, own) for part, own in strips]
    return Measures(*(torch.stack(sums).sum(0) for sums in zip(*parts, strict=True)))


def _measured(columns: Tensor, kernels: Tensor, logit: float, counted: Tensor) -> Measures:
    masks = torch.bmm(kernels, columns)
    inside = ((masks > logit) & counted).to(masks.dtype)
    return Measures(inside.sum(2), (masks.sigmoid() * inside).sum(2), torch.bmm(inside, inside.transpose(1, 2)))


def decayed(scores: Tensor, classes: Tensor, overlaps: Tensor, decay: Decay = "gaussian", sigma: float = 0.5) -> Tensor:
    """Lower scores (N, K) by the masks of the same class that have higher ones ([1], equations 5 and 6).

    A mask j is multiplied by the least, over all better i, of f(IoU of i and j) / f(the most that a still better mask overlaps
    i): what is likely to be dropped itself drops nothing. f is exp(-IoU² / sigma), or 1 - IoU where it is linear.

    Args:
        overlaps: (N, K, K) IoU.

    >>> overlaps = torch.tensor([[[1.0, 0.5], [0.5, 1.0]]])
    >>> decayed(torch.tensor([[0.8, 0.6]]), torch.zeros(1, 2), overlaps, "linear").tolist()
    [[0.800000011920929, 0.30000001192092896]]
    """
    places = torch.arange(scores.shape[1], device=scores.device)
    better = scores[:, :, None] > scores[:, None]
    ties = (scores[:, :, None] == scores[:, None]) & (places[:, None] < places)
    rules = (better | ties) & (classes[:, :, None] == classes[:, None])  # [n, i, j]: i may lower j
    found = torch.where(rules, overlaps, 0.0)
    worst = found.amax(dim=1)[:, :, None]
    if decay == "gaussian":
        factors = torch.exp((worst**2 - found**2) / sigma)
    else:
        factors = (1 - found) / (1 - worst).clamp(min=1e-6)
    return scores * torch.where(rules, factors, 1.0).amin(dim=1)
