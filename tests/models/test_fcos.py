"""FCOS: which location is an example of which object, and what its towers give."""

import numpy as np
import pytest
import torch
from torch import Tensor

from pixelwise.core.errors import OptionError
from pixelwise.models.heads.fcos import Towers, misfits
from pixelwise.models.heads.fcos_matching import Rules, assigned, centreness, sides_from
from pixelwise.models.heads.locations import locations

STRIDES = (4, 8, 16)
SIZES = [(12, 16), (6, 8), (3, 4)]  # of the levels of an image of 48 x 64
NONE = torch.zeros(0, 4)
PAPER = Rules(outside=0.0)


def boxes_of(count: int, seed: int) -> Tensor:
    """Draw boxes of 1 to 40 pixels a side with whole corners, as masks have them."""
    rng = np.random.default_rng(seed)
    sides = np.rint(1.5 ** rng.uniform(0, 9, (count, 2))).clip(1, 40)
    corners = rng.integers(0, 40, (count, 2))
    return torch.from_numpy(np.concatenate([corners, corners + sides], axis=1)).float()


def by_a_loop(boxes: Tensor, rules: Rules) -> list[int]:
    """Assign location by location, as the paper says it in words."""
    found = []
    for level, stride in enumerate(STRIDES):
        for row in range(SIZES[level][0]):
            for column in range(SIZES[level][1]):
                x, y = (column + 0.5) * stride, (row + 0.5) * stride
                best, smallest = -1, float("inf")
                for index, (left, top, right, bottom) in enumerate(boxes.tolist()):
                    sides = (x - left, y - top, right - x, bottom - y)
                    is_inside = min(sides) > -rules.outside * stride
                    is_near = max(abs(x - (left + right) / 2), abs(y - (top + bottom) / 2)) < rules.radius * stride
                    low = rules.reach * STRIDES[level - 1] if level else 0
                    high = rules.reach * stride if level < len(STRIDES) - 1 else float("inf")
                    area = (right - left) * (bottom - top)
                    if is_inside and is_near and low < max(sides) <= high and area < smallest:
                        best, smallest = index, area
                found.append(best)
    return found


@pytest.mark.parametrize("rules", [PAPER, Rules(), Rules(reach=2.0, radius=3.0, outside=0.25)])
@pytest.mark.parametrize("seed", [0, 1])
def test_locations_are_assigned_as_by_a_loop(rules: Rules, seed: int) -> None:
    points, each = locations(SIZES, STRIDES, NONE)
    boxes = boxes_of(12, seed)
    assert assigned(points, each, STRIDES, boxes, rules).tolist() == by_a_loop(boxes, rules)


def test_objects_in_parts_are_assigned_as_together(monkeypatch: pytest.MonkeyPatch) -> None:
    points, each = locations(SIZES, STRIDES, NONE)
    boxes = boxes_of(30, 3)
    whole = assigned(points, each, STRIDES, boxes, Rules())
    monkeypatch.setattr("pixelwise.models.heads.fcos_matching.AT_ONCE", 4 * len(points))
    assert torch.equal(assigned(points, each, STRIDES, boxes, Rules()), whole)


def test_levels_are_for_the_sizes_of_the_paper() -> None:
    strides = torch.tensor([8.0, 16, 32, 64, 128])
    low, high = Rules().limits((8, 16, 32, 64, 128), strides)
    assert low.tolist() == [0, 64, 128, 256, 512]
    assert high.tolist() == [64, 128, 256, 512, float("inf")]


def test_every_object_has_a_location_however_small_it_is() -> None:
    points, each = locations(SIZES, STRIDES, NONE)
    boxes = boxes_of(200, 4)
    boxes = boxes[(boxes[:, 2] <= 64) & (boxes[:, 3] <= 48)]
    alone = [bool((assigned(points, each, STRIDES, box[None], Rules()) == 0).any()) for box in boxes]
    assert all(alone)
    as_published = [bool((assigned(points, each, STRIDES, box[None], PAPER) == 0).any()) for box in boxes]
    assert not all(as_published)


def test_no_object_leaves_every_location_without_one() -> None:
    points, each = locations(SIZES, STRIDES, NONE)
    assert (assigned(points, each, STRIDES, NONE, Rules()) == -1).all()


def test_centreness_is_that_of_equation_3() -> None:
    sides = torch.tensor([[2.0, 3, 2, 3], [1, 1, 3, 1], [1, 2, 4, 8], [0, 1, 5, 1]])
    assert centreness(sides, torch.zeros(4)).tolist() == pytest.approx([1, (1 / 3) ** 0.5, 0.25, 0])


def test_centreness_outside_of_a_small_object_is_that_of_a_larger_box() -> None:
    box = torch.tensor([[10.0, 10, 11, 11]])
    sides = sides_from(torch.tensor([[12.0, 12.0]]), box)
    assert sides.tolist() == [[2, 2, -1, -1]]
    assert centreness(sides, torch.tensor([2.0])).tolist() == pytest.approx([1 / 4])


def towers(classes: int = 3, shared: bool = False) -> Towers:
    torch.manual_seed(0)
    return Towers(16, STRIDES, classes, 2, shared, Rules()).eval()


def pyramid(count: int = 2) -> list[Tensor]:
    generator = torch.Generator().manual_seed(5)
    return [torch.randn(count, 16, *size, generator=generator) for size in SIZES]


@torch.no_grad()
def test_rows_lie_as_torchvisions_head_lays_them() -> None:
    model, levels = towers(), pyramid()
    seen = model(levels)
    torch.testing.assert_close(seen.classes, model.classify(levels))
    torch.testing.assert_close(seen.centres, model.regress(levels)[1][..., 0])


@torch.no_grad()
def test_a_box_is_the_exponential_of_what_the_layer_gives_in_strides() -> None:
    model = towers()
    model.regress.bbox_reg.weight.zero_()
    model.regress.bbox_reg.bias.copy_(torch.log(torch.tensor([1.0, 2.0, 3.0, 4.0])))
    seen = model(pyramid(1))
    half = model.rules.outside
    for place, stride in ((0, 4), (12 * 16, 8)):
        x, y = seen.points[place].tolist()
        wanted = [x - (1 - half) * stride, y - (2 - half) * stride, x + (3 - half) * stride, y + (4 - half) * stride]
        assert seen.boxes[0, place].tolist() == pytest.approx(wanted)


@torch.no_grad()
def test_corners_never_lie_on_the_wrong_side_of_one_another() -> None:
    model = towers()
    model.regress.bbox_reg.bias.fill_(-8.0)  # every side is less than nothing
    seen = model(pyramid(1))
    assert (seen.boxes[..., 2:] > seen.boxes[..., :2]).all()


def test_boxes_that_fit_cost_nothing_and_others_do() -> None:
    model = towers()
    seen = model(pyramid(1))
    boxes = [torch.tensor([[4.0, 4, 20, 24]])]
    objects = model.assign(seen, boxes)
    exact = seen._replace(boxes=boxes[0].expand(1, seen.boxes.shape[1], 4))
    classes, crowds = [torch.tensor([1])], [NONE]
    assert float(model.losses(exact, objects, boxes, classes, crowds, None)[1].detach()) == pytest.approx(0, abs=1e-6)
    assert float(model.losses(seen, objects, boxes, classes, crowds, None)[1].detach()) > 0.1


def test_a_box_of_an_object_much_smaller_than_itself_shrinks_by_iou_and_hardly_by_giou() -> None:
    goal, pulls = torch.tensor([[8.0, 8, 9, 9]]), {}
    for loss in ("iou", "giou"):
        box = torch.tensor([[0.0, 0, 20, 20]], requires_grad=True)
        misfits(box, goal, loss).sum().backward()  # type: ignore[arg-type]
        pulls[loss] = float(box.grad.abs().max())  # type: ignore[union-attr]
    assert pulls["iou"] > 50 * pulls["giou"]


def test_a_box_beside_its_object_is_pulled_towards_it() -> None:
    box = torch.tensor([[20.0, 0, 24, 4]], requires_grad=True)
    misfits(box, torch.tensor([[0.0, 0, 4, 4]]), "iou").sum().backward()
    assert float(box.grad[0, 0]) > 0  # type: ignore[index]  # a step goes against it, to the left


def test_locations_in_a_crowd_are_no_background() -> None:
    model = towers()
    seen = model(pyramid(1))
    boxes, classes = [torch.tensor([[4.0, 4, 20, 24]])], [torch.tensor([1])]
    objects = model.assign(seen, boxes)
    crowd = torch.tensor([[32.0, 0, 64, 48]])
    inside = (seen.points[:, 0] > 48) & (objects[0] < 0)  # every level's cells there lie in the crowd
    louder = seen._replace(classes=seen.classes + 3.0 * inside[None, :, None])
    quiet, loud = (float(model.losses(one, objects, boxes, classes, [crowd], None)[0].detach()) for one in (seen, louder))
    assert quiet == pytest.approx(loud)
    assert float(model.losses(louder, objects, boxes, classes, [NONE], None)[0].detach()) > loud + 0.1


def test_classes_weigh_as_they_are_told() -> None:
    model = towers()
    seen = model(pyramid(1))
    boxes, classes = [torch.tensor([[4.0, 4, 20, 24]])], [torch.tensor([1])]
    objects = model.assign(seen, boxes)
    each = [float(model.losses(seen, objects, boxes, classes, [NONE], torch.eye(3)[row])[0].detach()) for row in range(3)]
    assert float(model.losses(seen, objects, boxes, classes, [NONE], None)[0].detach()) == pytest.approx(sum(each))


def test_shared_towers_have_one_tower() -> None:
    assert not list(towers(shared=True).classify.conv.parameters())
    assert towers(shared=True)(pyramid()).classes.shape == (2, sum(h * w for h, w in SIZES), 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reach": 0.0}, "reach: expected strides above 0, got 0"),
        ({"radius": -1.0}, "radius: expected strides above 0, got -1"),
        ({"outside": 2.0}, "outside: expected 0 to 1 stride, got 2"),
    ],
)
def test_rules_that_cannot_be_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Rules(**options)
