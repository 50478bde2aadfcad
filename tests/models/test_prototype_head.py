"""The prototype head: who learns what, against exhaustive search; boxes against their expectation; masks against einsum."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import sigmoid_focal_loss

from pixelwise.core.errors import OptionError
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Segmentation
from pixelwise.models.heads.box_masks import targets_of
from pixelwise.models.heads.locations import locations
from pixelwise.models.heads.prototype_assignment import RIM, AlignmentRule, Places, aligned
from pixelwise.models.heads.prototype_boxes import boxes_at, distances, distances_to, distribution_losses, first_numbers
from pixelwise.models.heads.prototype_loss import quality_focal
from pixelwise.models.heads.prototype_masks import drawn_points, logits_at, maps_at, seen_from, truth_at
from pixelwise.models.losses.whole import gathering
from pixelwise.models.networks import yolo
from pixelwise.train.loader import collate

LABELS = LabelSet.of(["cell", "dot"], things=["cell", "dot"])


def iou(one: list[float], other: list[float]) -> float:
    wide = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    high = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return wide * high / (sum(areas) - wide * high)


def searched(found: Places, boxes: Tensor, classes: Tensor, rule: AlignmentRule) -> dict[tuple[int, int], float]:
    """Find the wanted score of each pair of an object and a place, by looking at all pairs one after another."""
    aligned_with: list[dict[int, float]] = []
    rim = torch.tensor([-RIM, -RIM, RIM, RIM])
    overlaps = [[iou(box, own) for own in (found.boxes + rim).tolist()] for box in (boxes + rim).tolist()]
    for number, (left, top, right, bottom) in enumerate(boxes.tolist()):
        chances = {}
        for place, ((x, y), stride) in enumerate(zip(found.middles.tolist(), found.strides.tolist(), strict=True)):
            near_x = abs(x - (left + right) / 2) <= max(right - left, stride) / 2
            if near_x and abs(y - (top + bottom) / 2) <= max(bottom - top, stride) / 2:
                score = float(found.scores[place, classes[number]])
                chances[place] = score**rule.alpha * overlaps[number][place] ** rule.beta
        aligned_with.append(dict(sorted(chances.items(), key=lambda pair: -pair[1])[: rule.top]))
    wanted = {}
    for number, chances in enumerate(aligned_with):
        rivals = {place: [n for n, other in enumerate(aligned_with) if place in other] for place in chances}
        own = [place for place in chances if max(rivals[place], key=lambda n: overlaps[n][place]) == number]
        highest = max((chances[place] for place in own), default=0.0) or 1.0
        most = max((overlaps[number][place] for place in own), default=0.0)
        wanted.update({(number, place): chances[place] / highest * most for place in own})
    return wanted


def crowded(seed: int, objects: int) -> tuple[Places, Tensor, Tensor]:
    """Give predictions at the places of two levels, and objects of 1 to 30 pixels that overlap."""
    draw = torch.Generator().manual_seed(seed)
    middles, strides = locations([(8, 8), (4, 4)], [8, 16], torch.zeros(()))
    boxes = boxes_at(middles, strides, torch.rand(len(middles), 4, generator=draw) * 2)
    corners = torch.rand(objects, 2, generator=draw) * 40
    sides = 1 + 29 * torch.rand(objects, 2, generator=draw)
    scores = torch.rand(len(middles), 2, generator=draw)
    of_class = torch.randint(2, (objects,), generator=draw)
    return Places(scores, boxes, middles, strides), torch.cat([corners, corners + sides], dim=1), of_class


@pytest.mark.parametrize("rule", [AlignmentRule(), AlignmentRule(1.0, 6.0, 13), AlignmentRule(0.5, 2.0, 1)])
def test_assignment_is_what_an_exhaustive_search_finds(rule: AlignmentRule, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixelwise.models.heads.prototype_assignment.AT_ONCE", 300)  # three objects at once
    found, boxes, classes = crowded(0, 14)
    given = aligned(found, boxes, classes, rule)
    pairs = {
        (int(number), int(given.places[number, column])): float(given.wanted[number, column])
        for number, column in given.counts.nonzero()
    }
    expected = searched(found, boxes, classes, rule)
    assert pairs == pytest.approx(expected, rel=1e-4)
    assert not given.wanted[~given.counts].any()
    torch.testing.assert_close(given.shares.sum(1), (given.wanted > 0).any(1).float())


def test_every_object_has_a_place_even_one_of_a_pixel_between_four() -> None:
    middles, strides = locations([(4, 4)], [8], torch.zeros(()))
    found = Places(torch.full((16, 1), 0.1), boxes_at(middles, strides, torch.ones(16, 4)), middles, strides)
    given = aligned(found, torch.tensor([[7.6, 7.6, 8.4, 8.4]]), torch.tensor([0]), AlignmentRule())
    assert int(given.counts.sum()) >= 1


def test_no_object_has_no_example() -> None:
    found, boxes, classes = crowded(0, 1)
    given = aligned(found, boxes[:0], classes[:0], AlignmentRule())
    assert given.counts.shape == (0, 10)


def test_a_distance_is_the_expectation_of_its_distribution() -> None:
    numbers = torch.randn(5, 4 * 16)
    chances = np.exp(numbers.numpy().reshape(5, 4, 16).astype(np.float64))
    chances /= chances.sum(-1, keepdims=True)
    expected = (chances * (np.arange(16) - 0.5)).sum(-1)
    np.testing.assert_allclose(distances(numbers, "distribution"), expected, rtol=1e-5)


@pytest.mark.parametrize("form", ["distribution", "plain"])
def test_boxes_begin_at_two_strides_a_side(form: str) -> None:
    first = distances(torch.tensor(first_numbers(form, 16)), form)  # type: ignore[arg-type]
    torch.testing.assert_close(first, torch.ones(4), atol=0.01, rtol=0)


def test_the_distribution_loss_is_least_where_the_two_nearest_bins_share_the_distance() -> None:
    wanted = torch.tensor([[0.0, 1.2, 3.7, 90.0]])
    shares = torch.full((4, 16), 1e-9)
    for side, (bin_of, share) in enumerate([(0, 0.5), (1, 0.3), (4, 0.8), (15, 1.0)]):
        shares[side, bin_of] = share
        shares[side, bin_of - 1 if bin_of == 15 else bin_of + 1] = 1 - share if share < 1 else 1e-9
    best = shares.log().flatten()[None].requires_grad_()
    loss = distribution_losses(best, wanted).sum()
    loss.backward()
    torch.testing.assert_close(best.grad, torch.zeros_like(best), atol=1e-6, rtol=0)
    torch.testing.assert_close(distances(best.detach(), "distribution")[0, :3], wanted[0, :3], atol=1e-5, rtol=0)


def test_the_quality_focal_loss_is_the_focal_loss_where_there_is_all_or_nothing_and_least_at_the_wanted_score() -> None:
    logits = torch.linspace(-6, 6, 25)
    for wanted in (torch.zeros(25), torch.ones(25)):
        torch.testing.assert_close(quality_focal(logits, wanted), sigmoid_focal_loss(logits, wanted, alpha=-1, gamma=2))
    score = torch.tensor(0.3)
    assert quality_focal(score.logit(), score) < 1e-12
    expected = 0.2**2 * -(0.3 * math.log(0.5) + 0.7 * math.log(0.5))  # equation 2 written out for a score of 0.5
    assert float(quality_focal(torch.tensor(0.0), score)) == pytest.approx(expected)


def test_boxes_and_their_distances_are_inverse_even_for_a_place_outside_of_its_object() -> None:
    places, strides = torch.tensor([[8.0, 8.0], [8.0, 8.0]]), torch.tensor([8.0, 4.0])
    boxes = torch.tensor([[9.0, 2.0, 11.0, 30.0], [5.0, 6.0, 9.0, 9.0]])
    torch.testing.assert_close(boxes_at(places, strides, distances_to(boxes, places, strides)), boxes)


def test_masks_of_prototypes_are_their_weighted_sum() -> None:
    torch.manual_seed(0)
    numbers, maps = torch.randn(3, 2, 5), torch.randn(3, 5, 7)
    found = logits_at("prototype", numbers, maps, torch.zeros(3, 2, 7, 2))
    torch.testing.assert_close(found, torch.einsum("tkb,tbs->tks", numbers, maps))


def test_dynamic_masks_are_three_convolutions_of_maps_and_places() -> None:
    torch.manual_seed(0)
    numbers, maps, seen = torch.randn(2, 3, 169), torch.randn(2, 8, 6), torch.randn(2, 3, 6, 2)
    found = logits_at("dynamic", numbers, maps, seen)
    for of in range(2):
        for k in range(3):
            values = torch.cat([maps[of], seen[of, k].T])[None, :, :, None]
            parts = numbers[of, k].split([80, 8, 64, 8, 8, 1])
            values = F.conv2d(values, parts[0].view(8, 10, 1, 1), parts[1]).relu()
            values = F.conv2d(values, parts[2].view(8, 8, 1, 1), parts[3]).relu()
            expected = F.conv2d(values, parts[4].view(1, 8, 1, 1), parts[5])
            torch.testing.assert_close(found[of, k], expected[0, 0, :, 0], atol=1e-5, rtol=1e-5)


def test_points_are_seen_from_a_masks_place_in_strides_of_its_level() -> None:
    seen = seen_from(torch.tensor([[[8.0, 16.0]]]), torch.tensor([[4.0]]), torch.tensor([[[40.0, 0.0]]]))
    assert seen.tolist() == [[[[1.0, -0.5]]]]


def test_points_lie_one_in_each_cell_of_a_grid_around_the_box() -> None:
    points = drawn_points(torch.tensor([[10.0, 20.0, 30.0, 60.0]]), torch.tensor([99.0, 99.0]), grid=4)[0]
    low, extent = torch.tensor([6.5, 14.5]), torch.tensor([27.0, 51.0])
    cells = ((points - low) / extent * 4).long()
    assert sorted(map(tuple, cells.tolist())) == [(x, y) for x in range(4) for y in range(4)]


def test_what_the_images_border_cuts_off_does_not_end_there() -> None:
    mask = np.zeros((12, 16), bool)
    mask[3:9, :6] = True  # cut off at the left
    given = {
        name: torch.from_numpy(part)
        for name, part in targets_of(Segmentation.from_masks("instance", mask[None], [0], LABELS)).items()
    }
    torch.manual_seed(0)
    points = drawn_points(given["boxes"], torch.tensor([16.0, 12.0]))
    assert points.min() == 0.5
    found = truth_at(given["masks"], given["places"], points)[0]
    across, down = points[0].T
    inside = (across < 5) & (down > 4) & (down < 8)
    assert inside.sum() > 50
    assert (found[inside] > 0.999).all()


def test_maps_and_truth_are_read_alike_at_the_middles_of_pixels() -> None:
    mask = np.random.default_rng(0).random((12, 16)) > 0.5
    truth = Segmentation.from_masks("instance", mask[None], [0], LABELS)
    given = {name: torch.from_numpy(part) for name, part in targets_of(truth).items()}
    down, across = np.meshgrid(np.arange(12) + 0.5, np.arange(16) + 0.5, indexing="ij")
    points = torch.from_numpy(np.stack([across, down], -1).reshape(1, -1, 2)).float()
    expected = torch.from_numpy(mask.reshape(1, -1)).float()
    torch.testing.assert_close(truth_at(given["masks"], given["places"], points), expected, atol=1e-5, rtol=0)
    read = maps_at(torch.from_numpy(mask[None]).float(), points, (12, 16))
    torch.testing.assert_close(read[:, 0], expected, atol=1e-5, rtol=0)


def small(**options: object) -> yolo.Segmenter:
    torch.manual_seed(0)
    given = {"encoder": "test_efficientnet", "weights": "none", **options}
    return yolo.build(LABELS, **given).train()  # type: ignore[arg-type]


def batch(model: yolo.Segmenter, truths: list[Segmentation]) -> dict[str, object]:
    items = [(np.zeros((*truth.size, 3), np.uint8), model.head.targets(truth), "") for truth in truths]
    return collate(items, model.head.ragged).targets


def scene(crowd: bool = False) -> Segmentation:
    masks = np.zeros((2, 64, 64), bool)
    masks[0, 4:20, 4:20] = masks[1, 30:60, 30:60] = True
    return Segmentation.from_masks("instance", masks, [0, 1], LABELS, crowd=np.array([False, crowd]))


def test_boxes_in_a_crowd_are_no_examples_of_nothing() -> None:
    model = small()
    with torch.no_grad():
        raw = model(torch.rand(1, 3, 64, 64), {})
        targets = batch(model, [scene(crowd=True)])
        middles, before = raw.middles, model.head.loss(raw, targets)["classes"]
        within = ((middles > 36) & (middles < 54)).all(1)  # the first boxes of these lie in the crowd's
        raw.logits[0, within & (raw.strides < 8)] += 3
        torch.testing.assert_close(model.head.loss(raw, targets)["classes"], before)


def test_parts_of_a_batch_add_up_to_the_whole() -> None:
    model, truths = small().eval(), [scene(), scene(crowd=True)]
    model.head.weights = {name: weight for name, weight in model.head.weights.items() if name in ("classes", "boxes")}
    with torch.no_grad():
        images = torch.rand(2, 3, 64, 64)
        whole = model.head.loss(model(images, {}), batch(model, truths))
        sums: list[Tensor] = []

        def note(part: Tensor, follows: bool) -> Tensor:
            sums.append(part)
            return part

        for turn in range(2):
            with gathering(note if not turn else lambda part, follows: sums[0] + sums[1]):
                for image, truth in zip(images, truths, strict=True):
                    found = model.head.loss(model(image[None], {}), batch(model, [truth]))
        for name, value in whole.items():
            torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-5)


def test_300_objects_teach_a_crop_of_256_pixels() -> None:
    ids = np.zeros((300, 256, 256), bool)
    for number in range(300):
        ids[number, 12 * (number // 20) : 12 * (number // 20) + 9, 12 * (number % 20) : 12 * (number % 20) + 9] = True
    model = small()
    truth = Segmentation.from_masks("instance", ids, [0] * 300, LABELS)
    total = torch.stack(list(model.loss(torch.rand(1, 3, 256, 256), batch(model, [truth])).values())).sum()
    total.backward()
    assert torch.isfinite(total.detach())


@pytest.mark.parametrize(("name", "value"), [("alpha", -1.0), ("top", 0)])
def test_a_rule_that_does_not_fit_is_refused(name: str, value: float) -> None:
    with pytest.raises(OptionError, match=name):
        AlignmentRule(**{name: value})  # type: ignore[arg-type]
