"""The centre head: what it is taught of an image, what that costs, and which centres it finds."""

import numpy as np
import pytest
import torch

from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.predictor import PLAIN
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode.centre import Rules
from pixelwise.decode.frame import Frame
from pixelwise.models.heads import centre as centre_head
from pixelwise.models.heads.centre import CentreHead, CentreRaw, Marking, Sizes
from pixelwise.models.heads.centre_loss import Owned, Weights, hardest_sums, offset_sums, semantic_sums
from pixelwise.models.heads.centre_targets import VOID, heat_of, targets_of

LABELS = LabelSet.of(["sky", "car", "dog"], things=["car", "dog"])
SKY, CAR, DOG = range(3)


def truth(ids, classes, kind="panoptic", crowd=None) -> Segmentation:
    return Segmentation(kind, DisjointMasks(np.array(ids, np.uint8), len(classes)), np.array(classes), LABELS, crowd=crowd)


def head(centres: int = 4, stride: int = 1) -> CentreHead:
    return CentreHead(LABELS, Sizes(8, 8, 4, False, stride), Marking(1.0, 3, centres), Weights(), Rules())


def test_centres_are_mean_pixels_and_stuff_has_none() -> None:
    found = targets_of(truth([[1, 1, 2, 2, 2], [1, 3, 3, 0, 0]], [SKY, CAR, DOG]), "panoptic", 1.0)
    assert found["classes"].tolist() == [[0, 0, 1, 1, 1], [0, 2, 2, VOID, VOID]]
    assert found["owners"].tolist() == [[0, 0, 1, 1, 1], [0, 2, 2, VOID, VOID]]
    assert found["objects"].tolist() == [[0.0, 3.0, 3.0], [1.0, 1.5, 2.0]]
    assert found["heat"][0, 3] == found["heat"][1, 2] == 1.0


def test_crowds_teach_nothing_and_the_pixels_of_no_object_are_a_class_of_instances() -> None:
    given = truth([[1, 1, 2, 0]], [CAR, DOG], "instance", np.array([False, True]))
    found = targets_of(given, "instance", 1.0)
    assert found["classes"].tolist() == [[CAR, CAR, VOID, len(LABELS)]]
    assert found["owners"].tolist() == [[1, 1, VOID, 0]]
    assert found["objects"].tolist() == [[0.0, 0.5, 2.0]]


def test_heat_is_the_highest_of_the_gaussians_that_loops_give() -> None:
    centres, size, sigma = np.array([[2.0, 3.4], [7.6, 0.0], [2.0, 5.0]]), (9, 8), 1.3
    wanted = np.zeros(size)
    for row, column in np.ndindex(size):
        for centre in np.rint(centres):
            far = max(abs(row - centre[0]), abs(column - centre[1]))
            value = np.exp(-((row - centre[0]) ** 2 + (column - centre[1]) ** 2) / (2 * sigma**2))
            wanted[row, column] = max(wanted[row, column], value if far <= np.ceil(3 * sigma) else 0)
    np.testing.assert_allclose(heat_of(centres, size, sigma), wanted, atol=1e-3)


def test_offsets_of_the_truth_cost_nothing_and_others_their_distance() -> None:
    given = targets_of(truth([[1, 1, 1, 0]], [CAR]), "panoptic", 1.0)
    owned = Owned.of(torch.from_numpy(given["owners"])[None].long(), (torch.from_numpy(given["objects"]),))
    right = torch.tensor([[[[0.0, 0.0, 0.0, 9.0]], [[1.0, 0.0, -1.0, 9.0]]]])
    assert [float(one) for one in offset_sums(right, owned)] == [0.0, 3.0]
    assert [float(one) for one in offset_sums(right + 0.5, owned)] == [3.0, 3.0]


def test_objects_of_a_second_image_are_its_own() -> None:
    owners = torch.tensor([[[1, 2]], [[1, 0]]])
    objects = (torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 1.0]]), torch.tensor([[5.0, 6.0, 7.0]]))
    assert Owned.of(owners, objects).rows.tolist() == [[[1, 2]], [[3, 0]]]


def test_the_hardest_pixels_are_chosen_in_each_image_and_small_objects_weigh_more() -> None:
    classes = torch.tensor([[[0, 0, 1, VOID]], [[0, 1, 1, 1]]])
    owned = Owned(
        torch.tensor([[[0, 0, 1, 0]], [[0, 2, 2, 2]]]), torch.tensor([[0, 0, 0], [0, 0, 1.0], [0, 0, 99.0]]), classes >= 0
    )
    torch.manual_seed(0)
    logits = torch.randn(2, 2, 1, 4)
    sums = semantic_sums(logits, classes, owned, Weights(hardest=0.5, small_area=50), None)
    costs = torch.nn.functional.cross_entropy(logits, classes.clamp_min(0), reduction="none")[:, 0]
    first = [float(costs[0, 0]), float(costs[0, 1]), 3 * float(costs[0, 2])]
    wanted = sum(sorted(first)[-2:]) + float(costs[1].sort().values[-2:].sum())
    assert float(sums[0]) == pytest.approx(wanted, rel=1e-5)
    assert float(sums[1]) == 4


def test_images_without_a_labelled_pixel_have_no_hardest_ones() -> None:
    assert [float(one) for one in hardest_sums(torch.ones(1, 4), torch.zeros(1, 4, dtype=torch.bool), 0.5)] == [0.0, 0.0]


def test_centres_are_the_highest_around_and_above_the_least_score() -> None:
    heat = torch.zeros(1, 1, 5, 7)
    heat[0, 0, 1, 1], heat[0, 0, 1, 2], heat[0, 0, 4, 5], heat[0, 0, 0, 6] = 0.8, 0.7, 0.9, 0.05
    raw = CentreRaw(torch.zeros(1, 3, 5, 7), heat, torch.zeros(1, 2, 5, 7))
    found = head().reduce(raw, (5, 7))
    assert found.scores.tolist() == [pytest.approx([0.9, 0.8, 0.0, 0.0])]
    assert found.centres.tolist() == [[[4, 5], [1, 1], [0, 0], [0, 0]]]


@pytest.mark.parametrize("plateau", [[(2, 2), (2, 3)], [(2, 2), (3, 1)], [(2, 2), (3, 2), (2, 3), (3, 3)]])
def test_of_equally_high_pixels_the_first_is_the_centre(plateau: list[tuple[int, int]]) -> None:
    heat = torch.zeros(1, 1, 7, 7)
    for row, column in plateau:
        heat[0, 0, row, column] = 0.8
    found = head().reduce(CentreRaw(torch.zeros(1, 3, 7, 7), heat, torch.zeros(1, 2, 7, 7)), (7, 7))
    assert found.scores[0].tolist() == pytest.approx([0.8, 0.0, 0.0, 0.0])
    assert found.centres[0, 0].tolist() == [2, 2]


@pytest.mark.parametrize("stride", [1, 4])
def test_classes_taken_in_strips_are_those_of_the_whole(stride: int, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model, logits, size = head(stride=stride), torch.randn(2, 3, 9, 5), (9 * stride - 1, 5 * stride - 2)
    whole = model._won(logits, size)
    monkeypatch.setattr(centre_head, "_STRIP", 2 * 3 * 5 * stride**2 * 2)
    strips = model._won(logits, size)
    assert torch.equal(whole[0], strips[0])
    torch.testing.assert_close(whole[1], strips[1])


def test_there_is_no_centre_in_the_padding_and_there_may_be_more_asked_for_than_pixels() -> None:
    heat = torch.zeros(1, 1, 4, 4)
    heat[0, 0, 3, 3] = 1.0
    raw = CentreRaw(torch.zeros(1, 3, 4, 4), heat, torch.zeros(1, 2, 4, 4))
    found = head(centres=20).reduce(raw, (2, 3))
    assert found.semantic.shape == (1, 2, 3)
    assert found.scores.shape == (1, 20)
    assert not found.scores.any()


def test_the_truth_as_raw_output_gives_the_truth_back() -> None:
    given = truth([[1, 1, 2, 2, 1, 3], [1, 1, 2, 2, 1, 3], [1, 4, 4, 1, 3, 3]], [SKY, CAR, CAR, DOG])
    made, model = targets_of(given, "panoptic", 0.5), head()
    owned = Owned.of(torch.from_numpy(made["owners"])[None].long(), (torch.from_numpy(made["objects"]),))
    place = torch.stack(torch.meshgrid(torch.arange(3.0), torch.arange(6.0), indexing="ij"))
    offsets = owned.objects[:, :2][owned.rows].permute(0, 3, 1, 2) - place
    logits = 9 * torch.nn.functional.one_hot(torch.from_numpy(made["classes"]).long(), 3).permute(2, 0, 1)[None].float()
    found = model.reduce(CentreRaw(logits, torch.from_numpy(made["heat"])[None, None].float(), offsets), (3, 6))
    again = model.decoder([part.numpy() for part in found], [Frame((3, 6))], LABELS, PLAIN)[0]
    masks = {(name, again.masks.mask(index).tobytes()) for index, name in enumerate(again.names)}
    assert masks == {(name, given.masks.mask(index).tobytes()) for index, name in enumerate(given.names)}
