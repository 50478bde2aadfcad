"""Which places of a pyramid learn which objects: those that would report them best, by class and box together [1].

How well a place is aligned with an object is s^alpha * u^beta, with its score s for the object's class and the IoU u of its box
with the object's. The ``top`` best aligned places in an object's box are its examples; a place that several objects want is of
the one that its box overlaps most. An example's wanted score is its alignment, scaled so that the best one of an object wants
the object's highest IoU.

Two things are for objects of a few pixels. One smaller than a cell may hold no place: each box is therefore taken to be at
least as large as the cells of a level when places of that level are looked for. And boxes are compared with a rim of a pixel
around both: the first boxes overlap an object of one pixel by a hundredth, which as the score it should have would teach that
nothing is there.

[1] Feng, Zhong, Gao, Scott, Huang: TOOD: Task-aligned One-stage Object Detection, ICCV 2021, arXiv 2108.07755, section 3.2;
    alpha 1, beta 6 and 13 places there.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from pixelwise.core.errors import OptionError

AT_ONCE = 2**22  # pairs of an object and a place that are compared at once
RIM = 1.0  # pixels around boxes that are compared


@dataclass(frozen=True)
class AlignmentRule:
    """The exponents of score and IoU, and how many places an object has at most."""

    alpha: float = 0.5
    beta: float = 6.0
    top: int = 10

    def __post_init__(self) -> None:
        for name in ("alpha", "beta"):
            if not getattr(self, name) >= 0:
                raise OptionError(f"[model] {name}: expected 0 or more, got {getattr(self, name)}")
        if self.top < 1:
            raise OptionError(f"[model] top: expected 1 or more, got {self.top}")


class Places(NamedTuple):
    """What the places of one image say: scores (A, L) and boxes (A, 4); their middles (A, 2) and their levels' strides (A,)."""

    scores: Tensor
    boxes: Tensor
    middles: Tensor
    strides: Tensor


class Assigned(NamedTuple):
    """The examples of each object.

    Attributes:
        places: (T, k) numbers of places.
        shares: (T, k) their alignments as parts of the object's sum of them; 0 where ``counts`` is False.
        wanted: (T, k) scores they should have for the object's class.
        counts: (T, k) which of them are examples.
    """

    places: Tensor
    shares: Tensor
    wanted: Tensor
    counts: Tensor


@torch.no_grad()
def aligned(found: Places, boxes: Tensor, classes: Tensor, rule: AlignmentRule) -> Assigned:
    """Assign places to the objects of one image, with boxes (T, 4) and classes (T,)."""
    count, step = len(found.middles), max(1, AT_ONCE // max(1, len(found.middles)))
    kept = min(rule.top, count)
    parts = [
        _best(found, boxes[first : first + step], classes[first : first + step], rule, kept)
        for first in range(0, len(boxes), step)
    ]
    if not parts:
        none = boxes.new_zeros(0, kept)
        return Assigned(none.long(), none, none, none.bool())
    places, alignments, overlaps, counts = (torch.cat(part) for part in zip(*parts, strict=True))
    counts = counts & _is_won(places, torch.where(counts, overlaps, -1.0), count)
    alignments, overlaps = (torch.where(counts, part, 0.0) for part in (alignments, overlaps))
    highest = alignments.amax(1, keepdim=True).clamp_min(torch.finfo(alignments.dtype).tiny)
    relative = alignments / highest
    shares = relative / relative.sum(1, keepdim=True).clamp_min(1)  # the best is 1, unless there is none
    return Assigned(places, shares, relative * overlaps.amax(1, keepdim=True), counts)


def _best(found: Places, boxes: Tensor, classes: Tensor, rule: AlignmentRule, kept: int) -> tuple[Tensor, ...]:
    """Give the best aligned places (T, k) of a few objects, their alignments and IoUs, and which of them are candidates."""
    from torchvision.ops import box_iou

    rim = boxes.new_tensor([-RIM, -RIM, RIM, RIM])
    overlaps = box_iou(boxes + rim, found.boxes + rim)
    alignments = found.scores[:, classes].T ** rule.alpha * overlaps**rule.beta
    middles, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    reach = torch.maximum(sides[:, None], found.strides[:, None]) / 2
    is_candidate = ((found.middles - middles[:, None]).abs() <= reach).all(-1)
    best = torch.where(is_candidate, alignments, -1.0).topk(kept, dim=1)
    return best.indices, best.values, overlaps.gather(1, best.indices), best.values >= 0


def _is_won(places: Tensor, overlaps: Tensor, count: int) -> Tensor:
    """Tell which of the objects that want a place (T, k) overlaps it most; of equal ones, the first."""
    flat, values = places.flatten(), overlaps.flatten()
    highest = values.new_full((count,), -1.0).scatter_reduce(0, flat, values, "amax")
    rows = torch.arange(len(places), device=places.device)[:, None].expand_as(places).flatten()
    rows = torch.where(values == highest[flat], rows, len(places))
    first = rows.new_full((count,), len(places)).scatter_reduce(0, flat, rows, "amin")
    return (rows == first[flat]).view_as(places) & (overlaps >= 0)
