"""The pixel head: losses by hand, void, and the reduction."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode.frame import Frame
from pixelwise.models.heads.pixel import PixelHead, PixelRaw
from pixelwise.models.losses.boundary import border_distances

LABELS = LabelSet.of(["a", "b"])


def test_cross_entropy_is_the_mean_over_labelled_pixels() -> None:
    head = PixelHead(4, LABELS, loss="cross_entropy")
    logits = torch.tensor([[[[0.0, 2.0, 9.0]], [[0.0, 0.0, -9.0]]]])
    classes = torch.tensor([[[0, 1, 255]]])
    expected = (math.log(2) + math.log(1 + math.exp(2))) / 2
    assert float(head.loss(PixelRaw(logits), {"classes": classes})["cross_entropy"]) == pytest.approx(expected)


def test_weighted_cross_entropy_equals_torchs() -> None:
    torch.manual_seed(0)
    head = PixelHead(4, LABELS, loss="cross_entropy", class_weights=(0.5, 1.5))
    logits, classes = torch.randn(2, 2, 5, 6), torch.randint(0, 2, (2, 5, 6))
    classes[0, 0] = 255
    expected = F.cross_entropy(logits, classes, torch.tensor([0.5, 1.5]), ignore_index=255)
    torch.testing.assert_close(head.loss(PixelRaw(logits), {"classes": classes})["cross_entropy"], expected)


def test_an_all_void_batch_has_no_loss_and_no_gradient() -> None:
    head = PixelHead(4, LABELS)
    logits = torch.randn(1, 2, 3, 3, requires_grad=True)
    total = torch.stack(list(head.loss(PixelRaw(logits), {"classes": torch.full((1, 3, 3), 255)}).values())).sum()
    total.backward()
    assert float(total.detach()) == 0
    assert not logits.grad.any()


def test_each_term_is_told_by_its_name_and_weighted() -> None:
    torch.manual_seed(0)
    raw, targets = PixelRaw(torch.randn(1, 2, 4, 5)), {"classes": torch.randint(0, 2, (1, 4, 5))}
    plain = PixelHead(4, LABELS, loss="focal(gamma=1) + lovasz").loss(raw, targets)
    half = PixelHead(4, LABELS, loss="0.5*focal(gamma=1) + 2*lovasz").loss(raw, targets)
    assert list(plain) == ["focal", "lovasz"]
    torch.testing.assert_close(half["focal"], plain["focal"] / 2)
    torch.testing.assert_close(half["lovasz"], plain["lovasz"] * 2)


def test_label_smoothing_reaches_the_cross_entropy() -> None:
    torch.manual_seed(0)
    logits, classes = torch.randn(2, 2, 5, 6), torch.randint(0, 2, (2, 5, 6))
    head = PixelHead(4, LABELS, label_smoothing=0.1)
    expected = F.cross_entropy(logits, classes, label_smoothing=0.1)
    torch.testing.assert_close(head.loss(PixelRaw(logits), {"classes": classes})["cross_entropy"], expected)


def test_boundary_weighs_pixels_by_the_distance_that_targets_give() -> None:
    head = PixelHead(4, LABELS, loss="boundary(weight=3, sigma=1)")
    truth = np.array([[0, 0, 0, 1, 255]], np.uint8)
    targets = head.targets(Segmentation.from_class_map(truth, LABELS))
    assert targets["distances"].tolist() == [[2, 1, 0, 0, 1]]
    logits = torch.tensor([[[[0.0, 1.0, 2.0, 3.0, 9.0]], [[0.0, 0.0, 0.0, 0.0, 0.0]]]])
    value = head.loss(PixelRaw(logits), {name: torch.from_numpy(one)[None] for name, one in targets.items()})["boundary"]
    weights = [1 + 3 * math.exp(-(d**2) / 2) for d in (2, 1, 0, 0)]
    surprise = [math.log(1 + math.exp(-logit)) for logit in (0, 1, 2, -3)]
    expected = sum(weight * one for weight, one in zip(weights, surprise, strict=True)) / sum(weights)
    assert float(value) == pytest.approx(expected)


def test_a_map_without_a_border_has_none_near() -> None:
    assert (border_distances(np.zeros((3, 4), np.uint8), 255) == 14).all()
    assert (border_distances(np.array([[0, 255, 1]], np.uint8), 255) == 8).all()


def test_more_than_255_classes_use_another_void() -> None:
    labels = LabelSet.of([f"c{index}" for index in range(300)])
    head = PixelHead(4, labels)
    truth = Segmentation.from_class_map(np.array([[299, labels.void]], np.uint16), labels)
    targets = head.targets(truth)["classes"]
    assert targets.tolist() == [[299, 65535]]
    classes = torch.from_numpy(targets.astype(np.int64))[None]
    terms = head.loss(PixelRaw(torch.zeros(1, 300, 1, 2)), {"classes": classes})
    assert float(terms["cross_entropy"]) == pytest.approx(math.log(300))


def test_reduce_gives_winner_and_its_mean_probability() -> None:
    head = PixelHead(4, LABELS)
    logits = torch.log(torch.tensor([[[[0.9, 0.7, 0.2]], [[0.1, 0.3, 0.8]]]]))
    reduced = head.reduce(PixelRaw(logits), (1, 3))
    assert reduced.classes.tolist() == [[[0, 0, 1]]]
    torch.testing.assert_close(reduced.confidence, torch.tensor([[0.8, 0.8]]))


def test_probabilities_sum_to_one_and_agree_with_the_classes() -> None:
    head = PixelHead(4, LABELS)
    reduced = head.reduce(PixelRaw(torch.randn(2, 2, 4, 5)), (8, 10), probabilities=True)
    torch.testing.assert_close(reduced.probabilities.sum(dim=1), torch.ones(2, 8, 10))
    assert torch.equal(reduced.probabilities.max(dim=1)[1], reduced.classes)


def test_a_threshold_moves_the_border_of_two_classes() -> None:
    head = PixelHead(4, LABELS)
    logits = torch.log(torch.tensor([[[[0.9, 0.6, 0.2]], [[0.1, 0.4, 0.8]]]]))
    reduced = head.reduce(PixelRaw(logits), (1, 3), probabilities=True)
    found = head.decoder(reduced, [Frame((1, 3))], LABELS, Request(threshold=0.3))
    assert found[0].class_map().tolist() == [[0, 1, 1]]
    assert found[0].probabilities is None
