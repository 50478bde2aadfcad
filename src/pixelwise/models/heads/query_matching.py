"""Which query is taught which object: the assignment of the least cost [1], judged at points of the masks [2].

[1] Carion et al., End-to-End Object Detection with Transformers, ECCV 2020, section 3.1.
[2] Cheng et al., Masked-attention Mask Transformer for Universal Image Segmentation, CVPR 2022, section 3.3.
"""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

ALPHA, GAMMA = 0.25, 2.0  # of the focal loss, in MaskFormer and DETR as in RetinaNet


class Pairs(NamedTuple):
    """M pairs of a query and an object over a batch.

    Attributes:
        images, queries: (M,).
        objects: (M,) rows of all images' objects, one image after another.
    """

    images: Tensor
    queries: Tensor
    objects: Tensor


def class_costs(logits: Tensor, classes: Tensor) -> Tensor:
    """Give (…, Q, T): minus the probability (…, Q, L + 1) that a query gives to an object's class (T,)."""
    return -logits.softmax(-1)[..., classes]


def mask_costs(logits: Tensor, truth: Tensor, counted: Tensor, focal: bool = False) -> Tensor:
    """Give (…, Q, T): the mean (focal) binary cross entropy between masks (…, Q, P) and objects (T, P) at P points.

    Args:
        counted: (P,) 1 for points that count, 0 for others.
    """
    present, absent = F.softplus(-logits), F.softplus(logits)  # what a pixel costs that is of the object, and that is not
    if focal:
        inside = logits.sigmoid()
        present, absent = ALPHA * (1 - inside) ** GAMMA * present, (1 - ALPHA) * inside**GAMMA * absent
    costs = (absent * counted).sum(-1, keepdim=True) + ((present - absent) * counted) @ truth.T
    return costs / counted.sum().clamp_min(1)


def dice_costs(logits: Tensor, truth: Tensor, counted: Tensor) -> Tensor:
    """Give (…, Q, T): 1 - Dice between masks (…, Q, P) and objects (T, P); ``counted`` as in ``mask_costs``."""
    inside, truth = logits.sigmoid() * counted, truth * counted
    return 1 - (2 * inside @ truth.T + 1) / (inside.sum(-1, keepdim=True) + truth.sum(-1) + 1)


def assigned(costs: list[Tensor]) -> list[Pairs]:
    """Solve the assignment for each layer and image.

    Args:
        costs: of each image (layers, Q, T). Where there are more objects than queries, the dearest are left out.

    Returns:
        The pairs of each layer.
    """
    from scipy.optimize import linear_sum_assignment

    device = costs[0].device
    found: list[list[tuple[int, int, int]]] = [[] for _ in costs[0]]
    before = 0
    for image, one in enumerate(costs):
        table = np.nan_to_num(one.float().cpu().numpy(), nan=1e30, posinf=1e30, neginf=-1e30)
        for layer, cost in enumerate(table):
            queries, objects = linear_sum_assignment(cost)
            found[layer] += [(image, int(q), before + int(t)) for q, t in zip(queries, objects, strict=True)]
        before += one.shape[-1]
    return [Pairs(*torch.tensor(rows, dtype=torch.long, device=device).reshape(-1, 3).T) for rows in found]
