"""The query head: what it is taught, whom it assigns, and what its terms cost, against transformers' own functions."""

import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.core.errors import OptionError
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.decode.query import Rules
from pixelwise.models.heads.query import QueryFeatures, QueryHead, TooFewQueries
from pixelwise.models.heads.query_loss import Weights, pair_sums
from pixelwise.models.heads.query_matching import assigned, dice_costs, mask_costs
from pixelwise.models.heads.query_points import Points, masks_at
from pixelwise.models.heads.query_targets import counted_at, targets_of, truth_at
from pixelwise.models.losses.whole import gathering

LABELS = LabelSet.of(["land", "tree"], things=["tree"])


def unpacked(targets: dict[str, np.ndarray], width: int) -> np.ndarray:
    return np.unpackbits(targets["masks"], axis=2)[:, :, :width]


class Middles:
    """Points at the middle of every cell, so that nothing is drawn."""

    def drawn(self, masks: Tensor) -> Tensor:
        down, across = (np.arange(side) / side + 0.5 / side for side in masks.shape[-2:])
        return torch.tensor(np.stack(np.meshgrid(across, down), axis=-1), dtype=torch.float32).reshape(1, -1, 2)

    def uncertain(self, masks: Tensor, extent: Tensor, ignore: Tensor, images: Tensor) -> Tensor:
        return self.drawn(masks)


def head(kind: Kind = "panoptic", **weights: float) -> QueryHead:
    """Make a head that compares masks at the middle of every cell."""
    torch.manual_seed(0)
    return QueryHead(LABELS, kind, nn.Linear(4, 3), 4, Weights(**weights), Middles(), Rules())  # type: ignore[arg-type]


def batch(truths: list[Segmentation], kind: Kind = "panoptic") -> dict[str, object]:
    each = [{name: torch.from_numpy(one) for name, one in targets_of(truth, kind).items()} for truth in truths]
    ragged = {name: tuple(one[name] for one in each) for name in ("classes", "masks", "inside")}
    return {**ragged, "ignore": torch.stack([one["ignore"] for one in each])}


def scene() -> Segmentation:
    """Land on the left, a tree on the right, and a column of void between them."""
    masks = np.zeros((2, 8, 8), bool)
    masks[0, :, :3] = masks[1, :, 4:] = True
    return Segmentation.from_masks("panoptic", masks, [0, 1], LABELS)


def features(layers: int = 2, count: int = 1, queries: int = 3) -> QueryFeatures:
    torch.manual_seed(1)
    return QueryFeatures(
        tuple(torch.randn(count, queries, 4) for _ in range(layers)),
        tuple(torch.randn(count, queries, 2, 2, requires_grad=True) for _ in range(layers)),
    )


def loss_of(of: QueryHead, given: QueryFeatures, targets: dict[str, object]) -> dict[str, Tensor]:
    return of.loss(of(given, (8, 8), targets), targets)


def test_semantic_targets_are_one_segment_a_class_and_void_does_not_count() -> None:
    truth = Segmentation.from_class_map(np.array([[1, 1, 0], [255, 1, 0]], np.uint8), LABELS)
    found = targets_of(truth, "semantic")
    assert found["classes"].tolist() == [0, 1]
    assert unpacked(found, 3).tolist() == [[[0, 0, 1], [0, 0, 1]], [[1, 1, 0], [0, 1, 0]]]
    assert found["ignore"].tolist() == [[0, 0, 0], [1, 0, 0]]


def test_instance_targets_leave_out_crowds_whose_pixels_do_not_count_unless_an_object_has_them() -> None:
    masks = np.array([[[1, 1, 0, 0]], [[0, 1, 1, 0]]], bool)
    truth = Segmentation.from_masks("instance", masks, [1, 1], LABELS, crowd=np.array([False, True]))
    found = targets_of(truth, "instance")
    assert found["classes"].tolist() == [1]
    assert unpacked(found, 4).tolist() == [[[1, 1, 0, 0]]]
    assert found["ignore"].tolist() == [[0, 0, 1, 0]]


def test_panoptic_targets_do_not_count_pixels_under_no_segment_or_a_crowd() -> None:
    masks = np.array([[[1, 0, 0, 0]], [[0, 1, 0, 0]]], bool)
    truth = Segmentation.from_masks("panoptic", masks, [0, 1], LABELS, crowd=np.array([False, True]))
    assert targets_of(truth, "panoptic")["ignore"].tolist() == [[0, 1, 1, 1]]


def test_300_objects_of_a_crop_of_512_pixels_take_10_megabytes() -> None:
    ids = (np.arange(512 * 512).reshape(512, 512) // 800 + 1).clip(max=300)
    truth = Segmentation.from_masks("instance", ids[None] == 1, [1], LABELS)
    assert targets_of(truth, "instance")["masks"].nbytes * 300 < 10e6


def test_packed_masks_are_sampled_as_grid_sample_does() -> None:
    torch.manual_seed(0)
    masks = np.random.default_rng(0).random((3, 7, 13)) > 0.5
    points = torch.rand(3, 50, 2)
    expected = F.grid_sample(
        torch.from_numpy(masks)[:, None].float(), 2 * points[:, None] - 1, padding_mode="border", align_corners=False
    )[:, 0, 0]
    packed = torch.from_numpy(np.packbits(masks, axis=2))
    torch.testing.assert_close(truth_at(packed, torch.arange(3), points, 13), expected, atol=1e-5, rtol=1e-5)
    same = truth_at(packed, torch.tensor([2]), points[:1], 13)
    torch.testing.assert_close(same, truth_at(packed[2:], torch.tensor([0]), points[:1], 13))


def test_a_point_of_the_image_is_found_beside_the_padding() -> None:
    masks = torch.arange(4.0).reshape(1, 1, 4)  # the image has the first half of the cells
    middles = torch.tensor([[[0.25, 0.5], [0.75, 0.5]]])
    torch.testing.assert_close(masks_at(masks, middles, torch.tensor([0.5, 1.0])), torch.tensor([[0.0, 1.0]]))


def test_costs_equal_those_of_transformers() -> None:
    from transformers.models.mask2former import modeling_mask2former as mask2former
    from transformers.models.maskformer import modeling_maskformer as maskformer

    torch.manual_seed(0)
    logits, truth, counted = torch.randn(5, 40), (torch.rand(3, 40) > 0.5).float(), torch.ones(40)
    torch.testing.assert_close(
        mask_costs(logits, truth, counted), mask2former.pair_wise_sigmoid_cross_entropy_loss(logits, truth)
    )
    torch.testing.assert_close(dice_costs(logits, truth, counted), mask2former.pair_wise_dice_loss(logits, truth))
    focal = maskformer.pair_wise_sigmoid_focal_loss(logits, truth)
    torch.testing.assert_close(mask_costs(logits, truth, counted, focal=True), focal)


def test_terms_of_the_masks_equal_those_of_transformers() -> None:
    from transformers.models.mask2former import modeling_mask2former as mask2former
    from transformers.models.maskformer import modeling_maskformer as maskformer

    torch.manual_seed(0)
    logits, truth = torch.randn(4, 30), (torch.rand(4, 30) > 0.5).float()
    mask, dice = pair_sums(logits, truth, torch.ones(4, 30), focal=False)
    torch.testing.assert_close(mask, mask2former.sigmoid_cross_entropy_loss(logits, truth, 1))
    torch.testing.assert_close(dice, mask2former.dice_loss(logits, truth, 1))
    focal = pair_sums(logits, truth, torch.ones(4, 30), focal=True)[0]
    torch.testing.assert_close(focal, maskformer.sigmoid_focal_loss(logits, truth, 1))


def test_points_that_do_not_count_cost_nothing() -> None:
    logits, truth = torch.tensor([[3.0, -2.0, 9.0]]), torch.tensor([[1.0, 0.0, 0.0]])
    counted = torch.tensor([[1.0, 1.0, 0.0]])
    some = pair_sums(logits, truth, counted, focal=False)
    torch.testing.assert_close(some, pair_sums(logits[:, :2], truth[:, :2], counted[:, :2], focal=False))


def test_each_layer_and_image_has_an_assignment_of_the_least_cost() -> None:
    costs = torch.tensor([[[0.0, 9.0], [9.0, 0.0]], [[9.0, 0.0], [0.0, 9.0]]])  # two layers
    first, second = assigned([costs, costs[:, :, :0], costs[:, :, :1]])
    assert torch.stack(first).T.tolist() == [[0, 0, 0], [0, 1, 1], [2, 0, 2]]  # images, queries, objects of all images
    assert torch.stack(second).T.tolist() == [[0, 0, 1], [0, 1, 0], [2, 1, 2]]


def test_a_cost_that_is_not_a_number_is_taken_last() -> None:
    (pairs,) = assigned([torch.tensor([[[float("nan"), 1.0], [2.0, float("inf")]]])])
    assert pairs.objects.tolist() == [1, 0]


def test_more_objects_than_queries_are_told_once_and_still_taught() -> None:
    own, given = head(), features(queries=1)
    with pytest.warns(TooFewQueries, match="2 objects and the network 1 queries"):
        terms = loss_of(own, given, batch([scene()]))
    assert all(bool(torch.isfinite(term)) for term in terms.values())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss_of(own, given, batch([scene()]))


def test_what_a_mask_says_of_void_changes_no_term() -> None:
    own, given, targets = head(), features(), batch([scene()])
    first = loss_of(own, given, targets)
    void = torch.zeros(1, 3, 8, 8)
    void[..., 3] = 7.0
    at_full = tuple(F.interpolate(one, size=(8, 8), mode="nearest") for one in given.masks)
    plain = loss_of(own, given._replace(masks=at_full), targets)
    other = loss_of(own, given._replace(masks=tuple(one + void for one in at_full)), targets)
    assert list(first) == ["class", "mask", "dice", "auxiliary_class", "auxiliary_mask", "auxiliary_dice"]
    for name in ("mask", "dice", "auxiliary_mask", "auxiliary_dice"):
        torch.testing.assert_close(plain[name], other[name])


def test_a_query_over_void_is_not_taught_to_be_none() -> None:
    masks = np.zeros((1, 8, 8), bool)
    masks[0, :, :4] = True
    targets = batch([Segmentation.from_masks("panoptic", masks, [0], LABELS)])
    left, right = torch.full((4, 4), -20.0), torch.full((4, 4), -20.0)
    left[:, :2] = right[:, 2:] = 20.0
    own = head()
    sure = torch.zeros(1, 2, 4)
    given = QueryFeatures((sure,), (torch.stack([left, right])[None],))
    before = loss_of(own, given, targets)["class"]
    changed = sure.clone()
    changed[0, 1] = 5.0  # the query over void says anything else
    torch.testing.assert_close(loss_of(own, given._replace(queries=(changed,)), targets)["class"], before)


def test_terms_are_weighted_and_told_apart() -> None:
    given, targets = features(queries=2), batch([scene()])
    own = head()
    with torch.no_grad():
        plain = loss_of(own, given, targets)
        own.weights = Weights(classes=4.0, mask=10.0, dice=10.0)  # twice the usual: the assignment stays
        twice = loss_of(own, given, targets)
    for name, term in plain.items():
        torch.testing.assert_close(twice[name], 2 * term)


def test_parts_of_a_batch_add_up_to_the_whole() -> None:
    alone = Segmentation.from_masks("panoptic", np.ones((1, 8, 8), bool), [1], LABELS)
    own, given, truths = head(), features(count=2), [scene(), alone]
    whole = sum(loss_of(own, given, batch(truths)).values())
    parts = [(QueryFeatures(*(tuple(x[i : i + 1] for x in part) for part in given)), batch(truths[i : i + 1])) for i in (0, 1)]
    sums: list[Tensor] = []

    def note(part: Tensor, follows: bool) -> Tensor:
        sums.append(part.detach())
        return part

    with gathering(note):
        for part, targets in parts:
            loss_of(own, part, targets)
    assert len(sums) == 2
    with gathering(lambda part, follows: sums[0] + sums[1]):
        for part, targets in parts:
            torch.testing.assert_close(sum(loss_of(own, part, targets).values()), whole)


def test_least_certain_points_are_looked_at_and_ignored_ones_avoided() -> None:
    torch.manual_seed(0)
    masks = torch.full((1, 8, 8), 9.0)
    masks[0, :, 4:] = 0.1  # uncertain on the right
    ignore = torch.zeros(1, 8, 8, dtype=torch.uint8)
    ignore[0, :, 6:] = 1
    points = Points(400).uncertain(masks, torch.ones(2), ignore, torch.tensor([0]))[0, :300]
    assert bool((points[:, 0] > 0.4).all())
    assert bool((points[:, 0] < 0.75).all())
    assert not counted_at(ignore, torch.tensor([0]), torch.tensor([[[0.9, 0.5]]])).any()


def test_every_cell_is_looked_into_once_and_at_a_place_of_its_own() -> None:
    torch.manual_seed(0)
    points = Points(everywhere=True).drawn(torch.zeros(1, 3, 5))[0] * torch.tensor([5, 3])
    assert points.long().tolist() == [[x, y] for y in range(3) for x in range(5)]
    assert len(torch.unique(points - points.floor())) == 30


def test_an_edge_within_a_cell_is_learnt() -> None:
    torch.manual_seed(0)
    wanted = np.zeros((1, 16, 16), bool)
    wanted[0, 3:, :6] = True  # cells have 4 pixels a side
    packed, points = torch.from_numpy(np.packbits(wanted, axis=2)), Points(everywhere=True)
    masks = torch.zeros(1, 4, 4, requires_grad=True)
    optimiser = torch.optim.Adam([masks], 0.2)
    for _ in range(200):
        at = points.drawn(masks)
        logits, truth = masks_at(masks, at, torch.ones(2)), truth_at(packed, torch.tensor([0]), at, 16)
        optimiser.zero_grad()
        sum(pair_sums(logits, truth, torch.ones(1, 16), focal=False)).backward()
        optimiser.step()
    found = F.interpolate(masks.detach()[None], size=(16, 16), mode="bilinear")[0].numpy() > 0
    assert (found & wanted).sum() / (found | wanted).sum() > 0.95


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(OptionError, match="dice"):
        Weights(dice=-1.0)
