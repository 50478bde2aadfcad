"""Dice loss."""

import torch
from torch import Tensor


def dice(logits: Tensor, classes: Tensor, void: int, smooth: float = 1.0) -> Tensor:
    """Give 1 - the soft Dice coefficient, averaged over the classes that the batch's truth holds [1].

    Logits (N, L, H, W), classes (N, H, W) in which ``void`` does not count. Sums run over the whole batch, so that a class
    with few pixels in one image is not judged on those alone.

    [1] Milletari et al., V-Net, 3DV 2016, section 3.
    """
    valid = classes != void
    safe = torch.where(valid, classes, 0).unsqueeze(1)
    probabilities = logits.float().softmax(dim=1) * valid.unsqueeze(1)
    hit = torch.zeros_like(probabilities).scatter_(1, safe, 1.0) * valid.unsqueeze(1)
    shared = (probabilities * hit).sum(dim=(0, 2, 3))
    truth = hit.sum(dim=(0, 2, 3))
    total = probabilities.sum(dim=(0, 2, 3)) + truth
    coefficient = (2 * shared + smooth) / (total + smooth)
    present = truth > 0
    return ((1 - coefficient) * present).sum() / present.sum().clamp_min(1)
