"""Of boxes that overlap, the best: one operator whose result is as large as what it is given.

How many boxes are left depends on the data, and a graph whose shapes do is more than most exporters take. So the boxes are only
marked, and what comes after goes on with all of them. In a graph that is recorded the operator is one node; an exporter says
what stands for it among its own operators.
"""

import torch
from torch import Tensor


def best_apart(boxes: Tensor, scores: Tensor, overlap: float) -> Tensor:
    """Mark the boxes (N, G, B, 4) of each group that no better one of it overlaps by more than an IoU of ``overlap``.

    Rows with a score (N, G, B) of 0 or less are no boxes: they are not marked, and stand in no other's way.

    >>> boxes = torch.tensor([[0.0, 0, 10, 10], [1, 0, 10, 10], [20, 0, 30, 10]])
    >>> best_apart(boxes[None, None], torch.tensor([[[0.8, 0.9, 0.1]]]), 0.5).tolist()
    [[[False, True, True]]]
    """
    marks: Tensor = _operator(boxes.detach(), scores.detach(), overlap)
    return marks


def best_of_classes(boxes: Tensor, classes: Tensor, scores: Tensor, count: int, overlap: float) -> Tensor:
    """Mark (N, C) the boxes (N, C, 4), each of one of ``count`` classes, that no better one of their class overlaps."""
    every = torch.arange(count, device=classes.device)[:, None]
    own = torch.where(classes[:, None] == every, scores[:, None], 0.0)  # (N, L, C)
    return best_apart(boxes[:, None].expand(-1, count, -1, -1), own, overlap).any(dim=1)


def told_if_broken(best: Tensor, scores: Tensor) -> Tensor:
    """Give ``best`` (N, D); all NaN for an image of whose ``scores`` (N, …) one is: what is no number is above no threshold,
    and broken weights would look like an empty image. Decoding tells of it.
    """
    return torch.where(scores.flatten(1).isnan().any(dim=1, keepdim=True), torch.nan, best)


@torch.library.custom_op("pixelwise::best_apart", mutates_args=())
def _operator(boxes: Tensor, scores: Tensor, overlap: float) -> Tensor:
    from torchvision.ops import nms

    exact = torch.float32 if boxes.device.type == "mps" else torch.float64  # groups are laid far apart, without rounding
    marks = torch.zeros_like(scores, dtype=torch.bool)
    for own, values, found in zip(boxes, scores, marks, strict=True):
        group, row = torch.where(values > 0)
        chosen = own[group, row].to(exact)
        if len(chosen):
            apart = group.to(exact) * (chosen.amax() - chosen.amin() + 1)
            kept = nms(chosen + apart[:, None], values[group, row].to(exact), overlap)
            found[group[kept], row[kept]] = True
    return marks


@_operator.register_fake
def _(boxes: Tensor, scores: Tensor, overlap: float) -> Tensor:
    return torch.empty_like(scores, dtype=torch.bool)


def register() -> None:
    """Make torch know the operators that the graph of a box head calls: the one here, and torchvision's."""
    import torchvision.ops

    assert torchvision.ops.roi_align
