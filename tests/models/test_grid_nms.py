"""Matrix NMS equals the paper's formula worked out by loops, and sequential soft-NMS where one pair overlaps."""

import math
from typing import Literal

import pytest
import torch
from torch import Tensor

from pixelwise.models.heads import grid_nms
from pixelwise.models.heads.grid_nms import Decay, decayed, measured

SIGMA = 0.5


def candidates(seed: int, count: int = 7) -> tuple[Tensor, Tensor, Tensor]:
    """Draw scores, classes and the IoU of random masks, of which two are equal."""
    generator = torch.Generator().manual_seed(seed)
    masks = torch.rand(count, 30, generator=generator) > 0.4
    masks[1] = masks[0]
    both = (masks[:, None] & masks).sum(-1).double()
    overlaps = both / (masks[:, None] | masks).sum(-1)
    return torch.rand(count, generator=generator, dtype=torch.float64), torch.arange(count) % 2 * (seed % 2), overlaps


def by_the_paper(scores: Tensor, classes: Tensor, overlaps: Tensor, decay: Decay) -> list[float]:
    """Work equation 5 of the paper out for one mask after another."""

    def kept(overlap: float) -> float:
        return math.exp(-(overlap**2) / SIGMA) if decay == "gaussian" else 1 - overlap

    def better(than: int) -> list[int]:
        return [i for i in range(len(scores)) if scores[i] > scores[than] and classes[i] == classes[than]]

    found = []
    for j in range(len(scores)):
        factors = [1.0]
        for i in better(j):
            survives = min((kept(float(overlaps[k, i])) for k in better(i)), default=1.0)
            factors.append(kept(float(overlaps[i, j])) / max(survives, 1e-6))
        found.append(float(scores[j]) * min(factors))
    return found


def by_soft_nms(scores: list[float], overlaps: list[list[float]]) -> list[float]:
    """Take the best, lower those that overlap it, take the best of the rest, and so on (Bodla et al., ICCV 2017)."""
    found, left = list(scores), list(range(len(scores)))
    while left:
        best = max(left, key=found.__getitem__)
        left.remove(best)
        for other in left:
            found[other] *= math.exp(-(overlaps[best][other] ** 2) / SIGMA)
    return found


@pytest.mark.parametrize("decay", ["gaussian", "linear"])
@pytest.mark.parametrize("seed", range(6))
def test_matrix_nms_equals_the_papers_formula(seed: int, decay: Literal["gaussian", "linear"]) -> None:
    scores, classes, overlaps = candidates(seed)
    found = decayed(scores[None], classes[None], overlaps[None], decay, SIGMA)[0]
    assert found.tolist() == pytest.approx(by_the_paper(scores, classes, overlaps, decay), rel=1e-9)


@pytest.mark.parametrize("overlap", [0.0, 0.3, 0.9, 1.0])
def test_where_one_pair_overlaps_it_equals_sequential_soft_nms(overlap: float) -> None:
    scores, overlaps = [0.4, 0.9, 0.7], [[1.0, 0.0, 0.0], [0.0, 1.0, overlap], [0.0, overlap, 1.0]]
    given = torch.tensor([overlaps], dtype=torch.float64)
    found = decayed(torch.tensor([scores], dtype=torch.float64), torch.zeros(1, 3), given, "gaussian", SIGMA)[0]
    assert found.tolist() == pytest.approx(by_soft_nms(scores, overlaps), rel=1e-12)


def test_what_is_likely_to_be_dropped_itself_drops_nothing() -> None:
    chain = torch.tensor([[[1.0, 0.9, 0.0], [0.9, 1.0, 0.9], [0.0, 0.9, 1.0]]])
    found = decayed(torch.tensor([[0.9, 0.8, 0.7]]), torch.zeros(1, 3), chain)[0]
    assert float(found[1]) < 0.2  # the second is a copy of the first
    assert float(found[2]) == pytest.approx(0.7)  # and the third one of the second, but not of the first


def test_masks_of_other_classes_and_of_equal_later_rank_lower_nothing() -> None:
    same = torch.ones(1, 2, 2)
    assert decayed(torch.tensor([[0.9, 0.8]]), torch.tensor([[0, 1]]), same)[0].tolist() == pytest.approx([0.9, 0.8])
    tied = decayed(torch.tensor([[0.5, 0.5]]), torch.zeros(1, 2), same)[0]
    assert tied.tolist() == pytest.approx([0.5, 0.5 * math.exp(-2)])


def test_masks_measured_in_strips_are_those_measured_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    columns, kernels = torch.randn(2, 5, 41), torch.randn(2, 6, 5)
    counted = torch.rand(columns.shape[2]) < 0.8
    whole = measured(columns, kernels, 0.1, counted, at_once=True)
    monkeypatch.setattr(grid_nms, "_TOGETHER", 6 * 7)
    for one, other in zip(whole, measured(columns, kernels, 0.1, counted), strict=True):
        torch.testing.assert_close(one, other)
    inside = ((kernels @ columns) > 0.1) & counted
    torch.testing.assert_close(whole.shared[:, 2, 3], (inside[:, 2] & inside[:, 3]).sum(-1).float())
    chances = (kernels @ columns).sigmoid()
    torch.testing.assert_close(whole.maskness[1, 4], chances[1, 4][inside[1, 4]].mean())
