"""The box head as a graph: marks in place of lists, and as many rows as there can be, with equal detections."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision.ops import batched_nms

from pixelwise.core.labels import LabelSet
from pixelwise.models.heads import box_pooling
from pixelwise.models.heads import rows as rows_module
from pixelwise.models.heads.box_apart import best_apart
from pixelwise.models.heads.box_pooling import PyramidPooling
from pixelwise.models.heads.rows import Rows
from pixelwise.models.networks import maskrcnn
from pixelwise.models.segmenter import Segmenter

SMALL: dict[str, Any] = {"encoder": "test_efficientnet", "weights": "none", "pyramid": 32, "width": 32, "mask_width": 32}


def boxes_in(count: int, size: float, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(count, 2, generator=generator) * size * 0.4
    return torch.cat([corners, corners + torch.rand(count, 2, generator=generator) * size * 0.6], dim=1)


@pytest.mark.parametrize("seed", range(4))
def test_marks_are_what_torchvision_keeps_of_each_group(seed: int) -> None:
    boxes = boxes_in(120, 50, seed).view(2, 3, 20, 4)
    scores = torch.rand(2, 3, 20, generator=torch.Generator().manual_seed(seed + 50))
    groups = torch.arange(6).repeat_interleave(20)
    kept = batched_nms(boxes.reshape(-1, 4), scores.flatten(), groups, 0.3)
    expected = torch.zeros(120, dtype=torch.bool).index_fill(0, kept, True)
    assert torch.equal(best_apart(boxes, scores, 0.3).flatten(), expected)
    assert 20 < int(expected.sum()) < 120


def test_rows_without_a_score_are_not_marked_and_stand_in_no_others_way() -> None:
    boxes = torch.tensor([0.0, 0, 10, 10]).expand(1, 1, 3, 4)
    assert best_apart(boxes, torch.tensor([[[0.0, 0.2, -1.0]]]), 0.5).tolist() == [[[False, True, False]]]
    assert not best_apart(boxes, torch.zeros(1, 1, 3), 0.5).any()


def pyramid(seed: int) -> list[Tensor]:
    torch.manual_seed(seed)
    return [torch.rand(2, 3, 512 // stride, 512 // stride) for stride in (4, 8, 16, 32)]


@pytest.mark.parametrize("aligned", [True, False])
def test_features_cut_from_the_stack_are_those_of_each_level(aligned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    sides = 6 * 84 ** torch.rand(60, 2, generator=torch.Generator().manual_seed(2))  # 6 to 504 pixels
    sides[0] = 500
    corners = torch.rand(60, 2, generator=torch.Generator().manual_seed(1)) * (512 - sides)
    boxes = torch.cat([corners, corners + sides], dim=1)
    images = torch.arange(2).repeat_interleave(30)
    pooling = PyramidPooling((4, 8, 16, 32), 7, aligned)
    levels = pyramid(0)
    expected = pooling(levels, boxes, images)
    monkeypatch.setattr(box_pooling, "is_recorded", lambda: True)
    found = pooling(levels, boxes, images)
    assert len(set(pooling.levels_of(boxes).tolist())) == 4
    inside = torch.ones(60, dtype=torch.bool) if aligned else (boxes[:, 2:] - boxes[:, :2]).amin(dim=1) >= 32  # a cell or more
    torch.testing.assert_close(found[inside], expected[inside])


@pytest.mark.parametrize("is_varied", [False, True])
def test_rows_go_back_to_their_places(is_varied: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = torch.tensor([[False, False, True], [True, False, True]])
    monkeypatch.setattr(rows_module, "is_recorded", lambda: True)
    monkeypatch.setattr(rows_module, "varies", lambda side: is_varied)
    rows = Rows.of(counts)
    values = torch.arange(1.0, 7.0).view(2, 3)
    assert torch.equal(rows.laid_out(rows.taken(values)), values * counts)
    assert rows.images.tolist() == ([0, 0, 0, 1, 1] if is_varied else [0, 0, 0, 1, 1, 1])


@pytest.fixture(scope="module")
def model() -> Segmenter:
    torch.manual_seed(0)
    labels = LabelSet.of(["cell", "dot", "rod"], things=["cell", "dot", "rod"])
    options = {"anchors": "small", "candidates": (60, 60), "proposals": (50, 20), "detections": 10}
    return maskrcnn.build(labels, **{**SMALL, **options}).eval()


@pytest.fixture(scope="module")
def likelihoods(model: Segmenter) -> dict[str, float]:
    """Find how likely background must be for no detection, for one, and for several."""
    images, found = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(5)), {"many": 0.0}
    low, high = 0.0, 20.0
    with torch.no_grad():
        while not {"none", "one"} <= set(found):
            middle = (low + high) / 2
            model.head.predictor.background.bias.fill_(middle)
            count = int(model(images).counts)
            found.setdefault({0: "none", 1: "one"}.get(count, "some"), middle)
            low, high = (middle, high) if count > 1 else (low, middle)
    return found


@pytest.mark.parametrize("objects", ["none", "one", "many"])
@pytest.mark.parametrize("is_varied", [False, True])
@torch.no_grad()
def test_a_graph_detects_what_eager_code_does(
    objects: str, is_varied: bool, model: Segmenter, likelihoods: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    model.head.predictor.background.bias.fill_(likelihoods[objects])
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(5))
    given = torch.cat([images, torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(6))])
    expected = model(given)
    for module in (rows_module, box_pooling):
        monkeypatch.setattr(module, "is_recorded", lambda: True)
    monkeypatch.setattr(rows_module, "varies", lambda side: is_varied)
    for first, second in zip(model(given), expected, strict=True):
        torch.testing.assert_close(first, second)
    counts = int(expected.counts[0])
    assert {"none": counts == 0, "one": counts == 1, "many": counts > 1}[objects]
