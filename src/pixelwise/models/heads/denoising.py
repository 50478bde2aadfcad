"""Objects made noisy, for a decoder to clean: queries that know which object they are for, beside those that must be assigned.

In the first epochs of training it changes from step to step which query is taught which object. Noisy queries skip that: each
starts from the box of an object, moved and stretched, and from its class, sometimes another one, and is taught that object [1].
A group has every object once; there are as many groups as fit. With contrast [2], a group has for every object a second box
that is further off, and is taught that nothing is there. Masks are taught as well [3].

No query may see a group that it does not belong to: it would read the answer there. Groups see nothing but themselves; in [1]
they see the queries that are assigned as well, and the authors find no difference.

[1] Li, Zhang, Liu, Guo, Ni, Zhang: DN-DETR, CVPR 2022, arXiv 2203.01305, section 4.
[2] Zhang et al., DINO, ICLR 2023, arXiv 2203.03605, section 3.3.
[3] Li et al., Mask DINO, CVPR 2023, arXiv 2206.02777, section 3.4.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from pixelwise.core.errors import OptionError
from pixelwise.models.heads.query_matching import Pairs


@dataclass(frozen=True)
class Noise:
    """How much noise, and for how many queries.

    Attributes:
        queries: with an object in all groups of an image together; of more objects than that, as many are drawn. 0 for none.
        boxes: a middle moves by up to this share of half a side, a side grows or shrinks by up to this share of itself.
        classes: the share of classes that are drawn anew.
        contrast: whether groups have boxes without an object, moved by once to twice as much.
    """

    queries: int = 100
    boxes: float = 0.4
    classes: float = 0.2
    contrast: bool = True

    def __post_init__(self) -> None:
        if self.queries < 0:
            raise OptionError(f"[model] noisy: expected a number of queries, or 0 for none, got {self.queries}")
        if not 0 <= self.boxes < (0.5 if self.contrast else 1):
            most = "half of it with contrast" if self.contrast else "its whole side"
            raise OptionError(
                f"[model] box_noise: expected 0 to below what shrinks a side to nothing, {most}, got {self.boxes}"
            )
        if not 0 <= self.classes <= 1:
            raise OptionError(f"[model] class_noise: expected a share from 0 to 1, got {self.classes}")


class Noisy(NamedTuple):
    """D noisy queries an image.

    Attributes:
        classes: (N, D) what they start from.
        boxes: (N, D, 4) middle x and y, width, height.
        known: (N, D) false for queries that only fill up: images have different numbers of objects.
        pairs: the queries that are taught an object, and which.
        group: (D,) the number of their group.
    """

    classes: Tensor
    boxes: Tensor
    known: Tensor
    pairs: Pairs
    group: Tensor


def noisy_queries(classes: Sequence[Tensor], boxes: Sequence[Tensor], length: int, noise: Noise) -> Noisy:
    """Make objects noisy.

    Args:
        classes: of each image (T,).
        boxes: of each image (T, 4).
        length: the number of classes.
        noise: how much.
    """
    device = boxes[0].device
    most = min(max(map(len, classes)), noise.queries)
    width = most * (2 if noise.contrast else 1)
    groups = noise.queries // most if most else 0
    count = len(classes), groups * width
    found_classes = torch.zeros(count, dtype=torch.long, device=device)
    found_boxes = torch.full((*count, 4), 0.5, device=device)
    known = torch.zeros(count, dtype=torch.bool, device=device)
    images, queries, objects = [], [], []
    before = 0
    for image, (own, each) in enumerate(zip(classes, boxes, strict=True)):
        chosen = torch.randperm(len(own), device=device)[:most] if len(own) > most else torch.arange(len(own), device=device)
        for further in range(1 + noise.contrast):
            places = torch.arange(groups, device=device)[:, None] * width + further * most
            places = (places + torch.arange(len(chosen), device=device)).flatten()
            rows = chosen.repeat(groups)
            found_classes[image, places] = _other_classes(own[rows], length, noise.classes)
            found_boxes[image, places] = _moved(each[rows], noise.boxes, further)
            known[image, places] = True
            if not further:
                images.append(torch.full_like(places, image))
                queries.append(places)
                objects.append(rows + before)
        before += len(own)
    pairs = Pairs(torch.cat(images), torch.cat(queries), torch.cat(objects))
    return Noisy(found_classes, found_boxes, known, pairs, torch.arange(count[1], device=device) // max(width, 1))


def blocked(group: Tensor, queries: int) -> Tensor:
    """Give (D + Q, D + Q): where a query (row) may not see another (column), the D noisy ones of ``group`` (D,) first.

    >>> blocked(torch.tensor([0, 1]), 1).int().tolist()
    [[0, 1, 1], [1, 0, 1], [1, 1, 0]]
    """
    every = torch.cat([group, group.new_full((queries,), -1)])
    return every[:, None] != every


def _other_classes(classes: Tensor, length: int, share: float) -> Tensor:
    drawn = torch.randint(length, classes.shape, device=classes.device)
    return torch.where(torch.rand(classes.shape, device=classes.device) < share, drawn, classes)


def _moved(boxes: Tensor, share: float, further: int) -> Tensor:
    """Move and stretch boxes (M, 4) by up to ``share``, or by that and up to as much again."""
    amount = torch.rand_like(boxes) + further
    sign = torch.randint(2, boxes.shape, device=boxes.device) * 2 - 1
    unit = torch.cat([boxes[:, 2:] / 2, boxes[:, 2:]], dim=1)
    return (boxes + sign * amount * share * unit).clamp(0, 1)
