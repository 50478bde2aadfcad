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
