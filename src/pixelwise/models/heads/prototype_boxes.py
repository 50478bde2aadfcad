"""Boxes as distances from a place to their four sides, each a number or a distribution over bins [1].

Distances are in strides of the place's level and begin at ``LEAST``, below 0: a place may lie outside of an object smaller than
its cell, by half a stride at most, and such an object could not be boxed otherwise. [1] begins at 0.

[1] Li et al., Generalized Focal Loss, NeurIPS 2020, arXiv 2006.04388, equations 3 to 6.
"""

import math
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

BoxForm: TypeAlias = Literal["distribution", "plain"]
LEAST = -0.5  # strides
_FIRST = 1.0  # the distances, in strides, before anything is learnt


def first_numbers(form: BoxForm, bins: int) -> list[float]:
    """Give the biases of the layer that predicts boxes: sides of about two strides.

    >>> round(float(distances(torch.tensor(first_numbers("distribution", 16)), "distribution")[0]), 1)
    1.0
    """
    if form == "plain":
        return [math.log(math.expm1(_FIRST - LEAST))] * 4
    decay = math.log1p(1 / (_FIRST - LEAST))  # a geometric distribution over endless bins has this mean
    return [-decay * place for place in range(bins)] * 4


def distances(numbers: Tensor, form: BoxForm) -> Tensor:
    """Give the distances (…, 4) in strides to the left, top, right and bottom: of a distribution (…, 4 * bins) its mean.

    >>> distances(torch.tensor([0.0, 50.0, 0.0] * 4), "distribution").tolist()
    [0.5, 0.5, 0.5, 0.5]
    """
    if form == "plain":
        return F.softplus(numbers) + LEAST
    chances = numbers.unflatten(-1, (4, -1)).softmax(-1)
    bins = torch.arange(chances.shape[-1], device=numbers.device, dtype=chances.dtype)
    return (chances * bins).sum(-1) + LEAST


def boxes_at(places: Tensor, strides: Tensor, found: Tensor) -> Tensor:
    """Give the boxes (…, A, 4) at places (A, 2), x and y, of levels with strides (A,), with distances ``found`` in strides."""
    reach = found * strides[:, None]
    low = places - reach[..., :2]
    return torch.cat([low, torch.maximum(places + reach[..., 2:], low)], dim=-1)


def distances_to(boxes: Tensor, places: Tensor, strides: Tensor) -> Tensor:
    """Give the distances (K, 4) in strides from places (K, 2) to the sides of boxes (K, 4)."""
    return torch.cat([places - boxes[:, :2], boxes[:, 2:] - places], dim=1) / strides[:, None]


def distribution_losses(numbers: Tensor, wanted: Tensor) -> Tensor:
    """Give the distribution focal loss (K,) of numbers (K, 4 * bins), a mean over the four sides ([1], equation 6).

    It is the cross entropy with the two bins beside the wanted distance (K, 4), each by its nearness; what lies beyond the
    last bin is taken for it.
    """
    logits = numbers.unflatten(-1, (4, -1))
    place = (wanted - LEAST).clamp(0, logits.shape[-1] - 1)
    left = place.floor().clamp(max=logits.shape[-1] - 2).long()
    share = place - left
    surprises = -logits.log_softmax(-1)
    near, far = (surprises.gather(-1, bins[..., None])[..., 0] for bins in (left, left + 1))
    return ((1 - share) * near + share * far).mean(-1)
