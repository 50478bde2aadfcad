"""The box head: targets as crops, what is an example of what, and levels for boxes."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.models.detection._utils import BoxCoder, Matcher
from torchvision.models.detection.roi_heads import project_masks_on_boxes
from torchvision.ops import MultiScaleRoIAlign, box_iou

from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks, OverlappingMasks, from_dense
from pixelwise.core.runs import encode
from pixelwise.core.segmentation import Segmentation
from pixelwise.models.heads.box_geometry import decoded, encoded, share_inside
from pixelwise.models.heads.box_masks import MOST, crops, projected
from pixelwise.models.heads.box_matching import matched, sampled
from pixelwise.models.heads.box_pooling import PyramidPooling
from pixelwise.models.heads.box_terms import terms_of
from pixelwise.models.networks import maskrcnn

LABELS = LabelSet.of(["cell", "dot"], things=["cell", "dot"])
NONE = torch.zeros(0, 4)


def discs(size: tuple[int, int], radii: list[float], seed: int) -> np.ndarray:
    """Draw discs (S, H, W), some of them cut off by the border."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: size[0], : size[1]]
    centres = rng.random((len(radii), 2)) * size
    return np.stack([(rows - y) ** 2 + (columns - x) ** 2 <= r * r for (y, x), r in zip(centres, radii, strict=True)])


def near(boxes: Tensor, size: tuple[int, int], seed: int) -> Tensor:
    """Give boxes that overlap those given, each side moved by up to a fifth, within the image."""
    generator = torch.Generator().manual_seed(seed)
    sides = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    moved = boxes + (torch.rand(boxes.shape, generator=generator) - 0.5) * 0.4 * sides
    return moved.clamp(min=0).minimum(torch.tensor([size[1], size[0]] * 2).float())


def projections(masks: np.ndarray, seed: int) -> tuple[Tensor, Tensor]:
    """Give masks seen in boxes near their own: from crops, and from whole masks by torchvision."""
    held = from_dense(masks)
    boxes = held.boxes()
    canvases, places = crops(held, np.arange(len(masks)), boxes)
    given = near(torch.from_numpy(boxes).float(), held.size, seed)
    objects = torch.arange(len(masks))
    own = projected(torch.from_numpy(canvases), torch.from_numpy(places), given, objects, 28, aligned=False)
    return own, project_masks_on_boxes(torch.from_numpy(masks), given, objects, 28)


def test_masks_from_crops_equal_torchvisions_from_whole_masks() -> None:
    own, theirs = projections(discs((120, 150), [3.0, 8, 20, 40, 55, 12, 30, 6], seed=2), seed=0)
    torch.testing.assert_close(own, theirs, rtol=0, atol=1e-5)


def test_masks_from_reduced_crops_of_large_objects_differ_at_their_edges_alone() -> None:
    own, theirs = projections(discs((500, 700), [150.0, 220, 300], seed=4), seed=1)
    assert float((own - theirs).abs().mean()) < 0.005
    assert float(((own > 0.5) != (theirs > 0.5)).float().mean()) < 0.01


def test_aligned_masks_of_the_box_itself_are_the_pixels() -> None:
    mask = np.zeros((1, 40, 40), bool)
    mask[0, 5:33, 7:35] = np.random.default_rng(0).random((28, 28)) < 0.5
    mask[0, [5, 32], [7, 34]] = True
    canvases, places = crops(from_dense(mask), np.arange(1), np.array([[7, 5, 35, 33]]))
    boxes = torch.tensor([[7.0, 5, 35, 33]])
    found = projected(torch.from_numpy(canvases), torch.from_numpy(places), boxes, torch.tensor([0]), 28, aligned=True)
    torch.testing.assert_close(found[0], torch.from_numpy(mask[0, 5:33, 7:35]).float())


def head() -> object:
    return maskrcnn.build(LABELS, encoder="test_efficientnet", weights="none", pyramid=32, width=16, mask_width=8).head


def test_targets_leave_out_objects_without_pixels_and_set_crowds_apart() -> None:
    ids = np.zeros((20, 30), np.uint8)
    ids[2:5, 3:9] = 1
    ids[10:12, 0:30] = 3
    truth = Segmentation("instance", DisjointMasks(ids, 3), np.array([1, 0, 0]), LABELS, crowd=np.array([False, False, True]))
    found = head().targets(truth)  # type: ignore[attr-defined]
    assert found["boxes"].tolist() == [[3, 2, 9, 5]]
    assert found["crowds"].tolist() == [[0, 10, 30, 12]]
    assert found["classes"].tolist() == [1]
    assert found["masks"].shape == (1, 5, 8)
    assert found["masks"].sum() == 18 * 255


def test_targets_stay_small_however_large_the_objects() -> None:
    large = np.zeros((600, 800), bool)
    large[10:590, 10:790] = True
    runs = (encode(large),) * 100
    truth = Segmentation("instance", OverlappingMasks(runs, (600, 800)), np.zeros(100, int), LABELS)
    assert head().targets(truth)["masks"].nbytes == 100 * (MOST + 2) ** 2 < 1.4e6  # type: ignore[attr-defined]


def test_boxes_are_encoded_as_torchvision_does_and_come_back() -> None:
    torch.manual_seed(0)
    boxes, anchors = (torch.cat([c, c + torch.rand(50, 2) * 30 + 1], 1) for c in torch.rand(2, 50, 2) * 40)
    weights = (10.0, 10.0, 5.0, 5.0)
    shifts = encoded(boxes, anchors, weights)
    torch.testing.assert_close(shifts, BoxCoder(weights).encode_single(boxes, anchors))
    torch.testing.assert_close(decoded(shifts, anchors, weights), boxes, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("low", "high", "nearest"), [(0.3, 0.7, True), (0.5, 0.5, False)])
@pytest.mark.parametrize("at_once", [2**23, 300])
def test_boxes_are_matched_as_torchvision_does(
    low: float, high: float, nearest: bool, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pixelwise.models.heads.box_matching.AT_ONCE", at_once)
    torch.manual_seed(1)
    boxes, objects = (
        torch.cat([c, c + torch.rand(len(c), 2) * 30 + 1], 1) for c in (torch.rand(120, 2) * 60, torch.rand(9, 2) * 60)
    )
    found = matched(boxes, objects, NONE, low, high, nearest)
    theirs = Matcher(high, low, nearest)(box_iou(objects, boxes))
    assert torch.equal(found.states, torch.where(theirs >= 0, 1, torch.where(theirs == -1, 0, -1)))
    assert torch.equal(found.objects[theirs >= 0], theirs[theirs >= 0])


def test_boxes_mostly_in_a_crowd_are_no_examples_of_background() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10], [100, 0, 110, 10]])
    crowds = torch.tensor([[0.0, 0, 26, 10], [41, 0, 60, 10]])
    assert share_inside(boxes, crowds).tolist() == pytest.approx([1, 0.6, 0.9, 0])
    objects = torch.tensor([[0.0, 0, 10, 9]])
    assert matched(boxes, objects, crowds, 0.5, 0.5, False).states.tolist() == [1, 0, -1, 0]
    assert matched(boxes, NONE, crowds, 0.5, 0.5, False).states.tolist() == [-1, 0, -1, 0]


def test_an_object_that_no_anchor_meets_makes_none_an_example() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10]])
    assert matched(boxes, torch.tensor([[50.0, 50, 60, 60]]), NONE, 0.3, 0.7, True).states.tolist() == [0, 0]


def test_samples_are_filled_with_background() -> None:
    states = torch.tensor([1] * 5 + [0] * 50 + [-1] * 20)
    positive, negative = sampled(states, 16, 0.25)
    assert (len(positive), len(negative)) == (4, 12)
    assert set(states[positive].tolist()) == {1}
    assert set(states[negative].tolist()) == {0}


def test_features_are_cut_as_torchvision_does_where_not_aligned() -> None:
    torch.manual_seed(0)
    levels = [torch.rand(2, 3, 256 // stride, 256 // stride) for stride in (4, 8, 16, 32)]
    corners = torch.rand(40, 2) * 200
    boxes = torch.cat([corners, (corners + torch.rand(40, 2) ** 3 * 256).clamp(max=256)], dim=1)
    images = torch.arange(2).repeat_interleave(20)
    theirs = MultiScaleRoIAlign(["0", "1", "2", "3"], 7, 2)(
        dict(zip("0123", levels, strict=True)), [boxes[:20], boxes[20:]], [(256, 256)] * 2
    )
    pooling = PyramidPooling((4, 8, 16, 32), 7, aligned=False)
    assert len(set(pooling.levels_of(boxes).tolist())) > 1
    assert torch.equal(pooling(levels, boxes, images), theirs)


def test_features_of_16_bits_are_cut_at_exact_corners() -> None:
    rows = torch.arange(64.0).expand(1, 1, 64, 64)
    box = torch.tensor([[100.3, 100.3, 200.7, 200.7]])
    pooling = PyramidPooling((4,), 7, aligned=True)
    whole, half = (pooling([level], box, torch.zeros(1)) for level in (rows, rows.bfloat16()))
    torch.testing.assert_close(whole, half, rtol=0, atol=1e-3)


def test_terms_read_as_people_write_them() -> None:
    assert terms_of("rpn_box+0.5*masks + 2 * boxes") == {"rpn_box": 1, "masks": 0.5, "boxes": 2}
